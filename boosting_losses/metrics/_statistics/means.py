"""Mean losses, and their ratios to the loss of the base rate."""

from __future__ import annotations

import numpy as np

from .._base_rate import ProperScore, over_base_rate
from .._predictions import Numbers, Predictions, class_columns, class_losses, each, one_column, tamed
from .base import Source, Statistic, independent_rows, without_cells
from .bootstrap import Columns, Totals


class Losses(Source):
    """The log loss or squared error of each row, and its label as one column per class."""

    def __init__(self, score: ProperScore, classes: int, eps: float | None = None) -> None:
        self.score, self.classes, self.eps = score, classes, eps
        self.n_values = 1 + classes

    def columns(self, data: Predictions) -> Columns:
        own = self.of_rows(data)[:, None]
        return without_cells(own if self.classes == 0 else np.concatenate([own, class_columns(data)], axis=1))

    def of_rows(self, data: Predictions) -> Numbers:
        """Return the loss of each row, ``(n,)``."""
        losses, squares, _ = each(data, self.eps)
        own: Numbers = losses if self.score == "log_loss" else squares
        return own

    def range(self, classes: int) -> tuple[float, float]:
        """Return the range in which a mean of losses lies by definition."""
        most = np.inf if self.score == "log_loss" else 1.0 if classes == 2 else 2.0
        return 0.0, most

    def extremes(self, data: Predictions) -> tuple[float, float]:
        """Return the mean loss if every row had its most likely label, and if every row had its least likely label."""
        proba = np.stack([1.0 - data.proba, data.proba], axis=1) if data.is_binary else data.proba
        weight = None if data.weight is None else tamed(np.asarray(data.weight, dtype=np.float64))
        best, worst = (
            float(
                np.average(
                    self.of_rows(data._replace(y=labels.astype(np.float64), weight=None, raw=None)), weights=weight
                )
            )
            for labels in (np.argmax(proba, axis=1), np.argmin(proba, axis=1))
        )
        return best, worst


class ClassLosses(Source):
    """The log loss of each row, in the column of its class, and its label as one column per class."""

    def __init__(self, classes: int, eps: float | None = None) -> None:
        self.eps, self.n_values = eps, 2 * classes

    def columns(self, data: Predictions) -> Columns:
        labels = class_columns(data)
        with np.errstate(invalid="ignore"):
            own = np.where(labels > 0.0, labels * class_losses(data, self.eps), 0.0)
        return without_cells(np.concatenate([own, labels], axis=1))


class Labels(Source):
    """The labels of two classes; for K classes, whether the class of the largest probability is correct."""

    n_values = 1

    def columns(self, data: Predictions) -> Columns:
        return without_cells(np.asarray(one_column(data).y, dtype=np.float64)[:, None])


def events(labels: tuple[Totals, Totals]) -> float:
    """Return the effective number of independent rows with the rarer label, from the totals of ``Labels``."""
    seen, then = labels
    shares = ((totals.values[0], totals.weight - totals.values[0]) for totals in (seen, then))
    return min(independent_rows(float(part[0]), part_then) for part, part_then in zip(*shares, strict=True))


# ---- means and their ratios -----------------------------------------------------------------------------------------


class Mean(Statistic):
    """The log loss or Brier score."""

    def __init__(self, source: Losses) -> None:
        self.source: Losses = source
        self.range = source.range(source.classes)

    def of(self, totals: Totals) -> Numbers:
        mean: Numbers = totals.values[0] / totals.weight
        return mean


class MeanOfClasses(Statistic):
    """The mean over the classes of the mean log loss of their rows; NaN without rows of a class."""

    range = (0.0, np.inf)

    def __init__(self, source: ClassLosses) -> None:
        self.source: ClassLosses = source

    def of(self, totals: Totals) -> Numbers:
        loss, weight = np.split(totals.values, 2)
        with np.errstate(invalid="ignore"):
            mean: Numbers = (loss / weight).mean(axis=0)
        return mean


class OverBaseRate(Statistic):
    """A score divided by the score of the base rate, or 1 minus this ratio."""

    def __init__(self, source: Losses, *, explained: bool) -> None:
        self.source: Losses = source
        self.explained, self.range = explained, (-np.inf, 1.0) if explained else (0.0, np.inf)

    def of(self, totals: Totals) -> Numbers:
        shares = (totals.values[1:] / totals.weight).T
        mean = totals.values[0] / totals.weight
        return over_base_rate(mean, shares, self.source.score, explained=self.explained)
