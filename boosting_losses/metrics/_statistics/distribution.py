"""The observed/expected ratio, sharpness and trimmed log loss as functions of sums."""

from __future__ import annotations

import numpy as np

from .._predictions import Numbers, Predictions, each
from .base import Estimate, Sampled, Source, Statistic, normal_quantile, within, without_cells
from .bootstrap import Columns, Totals
from .closed_form import hall


class Predicted(Source):
    """Labels, probabilities by class and the sum of their squares."""

    def __init__(self, classes: int) -> None:
        self.columns_of_proba = 1 if classes == 2 else classes
        self.n_values = 2 + self.columns_of_proba

    def columns(self, data: Predictions) -> Columns:
        proba = np.asarray(data.proba, dtype=np.float64).reshape(len(data.y), -1)
        y = np.asarray(data.y, dtype=np.float64)
        return without_cells(np.column_stack([y, (proba * proba).sum(axis=1), proba]))


class ObservedOverExpected(Statistic):
    """The mean label divided by the mean probability, for two classes."""

    range = (0.0, np.inf)

    def __init__(self, source: Predicted) -> None:
        self.source: Predicted = source

    def of(self, totals: Totals) -> Numbers:
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio: Numbers = totals.values[0] / totals.values[2]
        return ratio


class Sharpness(Statistic):
    """The variance of the probabilities, summed over classes."""

    range = (0.0, 1.0)

    def __init__(self, source: Predicted) -> None:
        self.source: Predicted = source

    def of(self, totals: Totals) -> Numbers:
        means = totals.values[2:] / totals.weight
        variance: Numbers = totals.values[1] / totals.weight - (means * means).sum(axis=0)
        return variance

    def estimate(self, sampled: Sampled) -> Estimate:
        """Return the interval from the standard deviation and skewness of the replicates, as large values may be rare."""
        value, level = sampled.value, sampled.wide_level
        change = sampled.in_replicates - value
        spread = float(change.std())
        if not spread > 0.0:
            return Estimate(value, value, value)
        skewness = float(((change - change.mean()) ** 3).mean()) / spread**3
        low, high = (value - spread * hall(side * normal_quantile(level), skewness) for side in (1.0, -1.0))
        return within(self.range, value, low, high)


class ByLoss(Source):
    """Log losses in cells of similar weight in a sample, with narrower cells for the largest losses."""

    def __init__(self, sample: Predictions, eps: float | None) -> None:
        self._eps = eps
        losses = each(sample, eps)[0]
        order = np.argsort(losses)
        weight = np.ones(len(losses)) if sample.weight is None else np.asarray(sample.weight, dtype=np.float64)
        reached = np.cumsum(weight[order])
        shares = np.concatenate([np.arange(1, 200) / 200.0, 1.0 - np.geomspace(0.005, 1e-6, 200)])
        at = np.searchsorted(reached, shares * reached[-1], side="left")
        self._edges = np.unique(losses[order[np.minimum(at, len(order) - 1)]])
        self.n_cells = len(self._edges) + 1

    def columns(self, data: Predictions) -> Columns:
        losses = each(data, self._eps)[0]
        cells = np.searchsorted(self._edges, losses, side="left").astype(np.int32)
        return Columns(np.empty((len(losses), 0)), cells[:, None], losses[:, None])


class TrimmedLogLoss(Statistic):
    """The mean log loss without the given share of rows with the largest losses."""

    range = (0.0, np.inf)

    def __init__(self, source: ByLoss, trim: float) -> None:
        self.source: ByLoss = source
        self._trim = trim

    def of(self, totals: Totals) -> Numbers:
        weight = totals.cell_weight
        kept = (1.0 - self._trim) * totals.weight
        before = np.cumsum(weight, axis=0) - weight
        share = np.clip((kept - before) / np.where(weight > 0.0, weight, 1.0), 0.0, 1.0)
        with np.errstate(invalid="ignore"):  # a trimmed loss may be infinite
            lost = np.where(share > 0.0, share * totals.cell_amounts, 0.0)
        mean: Numbers = lost.sum(axis=0) / kept
        return mean
