"""Scores as functions of sums over rows, and the interval that suits each.

A statistic makes columns of predictions; the sums of these, in the data or in a replicate of them, are all it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import reliability
from ._bootstrap import Columns, Numbers, Totals
from ._predictions import Predictions, class_columns, each
from .decomposition import binary_entropy, isotonic
from .means import Score, entropy


class Statistic(ABC):
    """A score of which the sums of some columns suffice."""

    n_values: int = 0
    n_cells: int = 0

    @abstractmethod
    def columns(self, data: Predictions) -> Columns:
        """What is summed of each row."""

    @abstractmethod
    def of(self, totals: Totals) -> Numbers:
        """The score in each replicate, ``(R,)``."""

    def interval(self, value: float, observed: Totals, replicates: Totals, level: float) -> tuple[float, float]:
        """Percentiles of the replicates (Efron 1979)."""
        return percentiles(self.of(replicates), level)


@dataclass(frozen=True)
class Mean(Statistic):
    """Log loss or Brier score."""

    score: Score
    eps: float | None = None
    n_values: int = 1

    def columns(self, data: Predictions) -> Columns:
        losses, squares, _ = each(data, self.eps)
        return without_cells((losses if self.score == "log_loss" else squares)[:, None])

    def of(self, totals: Totals) -> Numbers:
        mean: Numbers = totals.values[0] / totals.weight
        return mean


class OverBaseRate(Statistic):
    """A score divided by that of the base rate, or what is missing to 1."""

    def __init__(self, score: Score, classes: int, *, explained: bool, binary: bool, eps: float | None = None) -> None:
        self.mean, self.explained = Mean(score, eps), explained
        self.n_values = 1 + classes
        self._factor = 0.5 if binary and score == "brier" else 1.0

    def columns(self, data: Predictions) -> Columns:
        return without_cells(np.concatenate([self.mean.columns(data).values, class_columns(data)], axis=1))

    def of(self, totals: Totals) -> Numbers:
        shares = (totals.values[1:] / totals.weight).T
        with np.errstate(divide="ignore", invalid="ignore"):  # replicates without one of the classes
            ratio = self.mean.of(totals) / (self._factor * entropy(shares, self.mean.score))
        return 1.0 - ratio if self.explained else ratio


class _OfGaps(Statistic):
    """An error of calibration: a norm of gaps, which are linear in sums by cell of the weighted p - y.

    A norm of noisy gaps is too large, and that of resampled gaps even more so: percentiles may exclude the estimate itself,
    and where the model is calibrated they never cover its error of 0. The interval here holds the errors ``c |gaps|`` of
    all c >= 0 at which the observed error is no extreme one among norms of ``c gaps`` plus the noise of the replicates.
    """

    @abstractmethod
    def gaps(self, totals: Totals) -> Numbers:
        """``(G, R)``"""

    @abstractmethod
    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        """``(R,)``"""

    def of(self, totals: Totals) -> Numbers:
        return self.norm(self.gaps(totals), totals)

    def interval(self, value: float, observed: Totals, replicates: Totals, level: float) -> tuple[float, float]:
        gaps = self.gaps(observed)
        noise = self.gaps(replicates) - gaps
        size = float(self.norm(gaps, observed)[0])
        if size == 0.0 or not noise.size:
            return 0.0, 0.0

        def least_c(tail: float, error: float) -> float:
            return _root(lambda c: bool(np.quantile(self.norm(c * gaps + noise, observed), tail) >= error))

        lower_tail, upper_tail = _tails(level)
        # An error that is small by luck, less than half of all calibrated models would show, proves nothing.
        lucky = float(np.median(self.norm(noise, observed)))
        return least_c(upper_tail, size) * value, least_c(lower_tail, max(size, lucky)) * value


class CalibrationError(_OfGaps):
    """Of bins with these edges, one array of them for each class that is looked at."""

    def __init__(self, edges: list[Numbers], norm: reliability.Norm, *, class_wise: bool) -> None:
        self.edges, self.norm_, self.class_wise = edges, norm, class_wise
        self._sizes = [len(e) - 1 for e in edges]
        self.n_cells = sum(self._sizes)

    def columns(self, data: Predictions) -> Columns:
        parts = reliability.each_class(data) if self.class_wise else [reliability.one_column(data)]
        starts = np.cumsum([0, *self._sizes])
        cells = [
            reliability.cells_between(rows.proba, edges) + np.int32(start)
            for rows, edges, start in zip(parts, self.edges, starts, strict=False)
        ]
        return Columns(
            np.empty((len(data.y), 0)),
            np.stack(cells, axis=1).astype(np.int32),
            np.stack([rows.proba - rows.y for rows in parts], axis=1),
        )

    def gaps(self, totals: Totals) -> Numbers:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: Numbers = np.where(totals.cell_weight > 0.0, totals.cell_amounts / totals.cell_weight, 0.0)
        return mean

    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        errors, start = [], 0
        for size in self._sizes:
            bins = slice(start, start + size)
            weight = observed.cell_weight[bins]
            errors.append(reliability.norm_of(weight, gaps[bins] * weight, self.norm_))
            start += size
        if len(errors) == 1:
            return errors[0]
        return np.array([reliability.over_classes(row, self.norm_) for row in np.array(errors).T])


class SmoothCalibrationError(_OfGaps):
    """At the width that the data gave, on a grid whose points are the cells."""

    SIZE = 1001

    def __init__(self, width: float) -> None:
        self.n_cells = self.SIZE
        grid, points = np.linspace(0.0, 1.0, self.SIZE), np.linspace(0.0, 1.0, 200)
        spread = max(width, 0.01)  # what the points and the grid can tell apart
        mirrored = (grid, -grid, 2.0 - grid)
        self._smooth = sum(np.exp(-0.5 * ((points[:, None] - image) / spread) ** 2) for image in mirrored)

    def columns(self, data: Predictions) -> Columns:
        rows = reliability.one_column(data)
        cells = np.rint(rows.proba * (self.SIZE - 1)).astype(np.int32)
        return Columns(np.empty((len(rows.y), 0)), cells[:, None], (rows.proba - rows.y)[:, None])

    def gaps(self, totals: Totals) -> Numbers:
        smoothed: Numbers = self._smooth @ (totals.cell_amounts / totals.weight)
        return smoothed

    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        mass = (self._smooth @ (observed.cell_weight / observed.weight)).sum(axis=0)
        integral: Numbers = np.abs(gaps).sum(axis=0) / mass
        return integral


class _ByIsotonicRegression(Statistic):
    """A part of a binary score's decomposition, over cells of the probability of about the same weight in a sample."""

    CELLS = 300

    def __init__(self, score: Score, sample: Predictions, eps: float | None = None) -> None:
        self.mean = Mean(score, eps)
        self.edges = reliability.bin_edges(reliability.one_column(sample), "quantile", self.CELLS)
        self.n_values, self.n_cells = 1, len(self.edges) - 1

    def columns(self, data: Predictions) -> Columns:
        cells = reliability.cells_between(data.proba, self.edges)
        return Columns(self.mean.columns(data).values, cells[:, None], np.asarray(data.y, dtype=np.float64)[:, None])

    def recalibrated(self, weight: Numbers, label: Numbers) -> Numbers:
        """The score after recalibration, from each replicate's weights and mean labels by cell, ``(C, R)``."""
        scores = np.empty(weight.shape[1])
        for r in range(len(scores)):
            some = weight[:, r] > 0.0
            fit = isotonic(weight[some, r], label[some, r])
            scores[r] = np.average(binary_entropy(fit, self.mean.score), weights=weight[some, r])
        return scores


class Discrimination(_ByIsotonicRegression):
    """What the recalibrated probabilities take off the uncertainty."""

    def of(self, totals: Totals) -> Numbers:
        uncertainty = binary_entropy(totals.cell_amounts.sum(axis=0) / totals.weight, self.mean.score)
        return uncertainty - self.recalibrated(totals.cell_weight, _labels(totals))

    def interval(self, value: float, observed: Totals, replicates: Totals, level: float) -> tuple[float, float]:
        """What the replicates differ from the data by, taken off the value (the basic interval)."""
        low, high = percentiles(minus(self.of(replicates), self.of(observed)), level)
        return max(value - high, 0.0), max(value - low, 0.0)


class Miscalibration(_ByIsotonicRegression):
    """What recalibration takes off the score."""

    def __init__(self, score: Score, sample: Predictions, eps: float | None = None) -> None:
        super().__init__(score, sample, eps)
        cells = reliability.cells_between(sample.proba, self.edges)
        weight = np.ones(len(cells)) if sample.weight is None else np.asarray(sample.weight, dtype=np.float64)
        total = np.bincount(cells, weights=weight, minlength=self.n_cells)
        #: What a cell's rows lose on average where their label is 0, and where it is 1.
        self._if_0, self._if_1 = (
            np.bincount(cells, weights=weight * self._losses(sample, label), minlength=self.n_cells)
            / np.where(total > 0.0, total, 1.0)
            for label in (0.0, 1.0)
        )

    def of(self, totals: Totals) -> Numbers:
        return self.mean.of(totals) - self.recalibrated(totals.cell_weight, _labels(totals))

    def interval(self, value: float, observed: Totals, replicates: Totals, level: float) -> tuple[float, float]:
        """The error of the estimate by cells, as seen where the truth is known, taken off that estimate.

        In the data the regression takes noise for miscalibration; in replicates of the data it does so on top, which
        tells nothing. So labels are drawn anew, as if the recalibrated frequencies were the truth. The replicates say how
        many independent rows a cell is worth: the squared mean of its weight over the variance.
        """
        some = observed.cell_weight[:, 0] > 0.0
        weight, label = observed.cell_weight[some], _labels(observed)[some]
        truth = isotonic(weight[:, 0], label[:, 0])[:, None]
        rows = np.maximum(np.rint(weight * weight / replicates.cell_weight[some].var(axis=1, keepdims=True)), 1.0)
        draws = np.random.default_rng(0).binomial(rows.astype(np.int64), truth, (len(rows), len(replicates.weight)))
        simulated = draws / rows
        weights = np.broadcast_to(weight, simulated.shape)
        found = self._score(weight, simulated, some) - self.recalibrated(weights, simulated)
        entropy_ = np.average(binary_entropy(truth[:, 0], self.mean.score), weights=weight[:, 0])
        error = minus(found, self._score(weight, truth, some) - entropy_)
        low, high = percentiles(error, level)
        by_cells = float(self.of(observed)[0])
        # As above: what is small by luck proves nothing.
        return max(by_cells - high, 0.0), max(by_cells, float(np.median(error))) - low

    def _score(self, weight: Numbers, label: Numbers, some: npt.NDArray[np.bool_]) -> Numbers:
        """Of rows with these mean labels by cell, for some of the cells."""
        if_0, if_1 = self._if_0[some, None], self._if_1[some, None]
        with np.errstate(invalid="ignore"):  # what never happens loses nothing, even where it would lose everything
            losses = np.where(label < 1.0, (1.0 - label) * if_0, 0.0) + np.where(label > 0.0, label * if_1, 0.0)
        mean: Numbers = (weight * losses).sum(axis=0) / weight.sum(axis=0)
        return mean

    def _losses(self, sample: Predictions, label: float) -> Numbers:
        return self.mean.columns(sample._replace(y=np.full(len(sample.y), label), weight=None)).values[:, 0]


def _labels(totals: Totals) -> Numbers:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Numbers = np.where(totals.cell_weight > 0.0, totals.cell_amounts / totals.cell_weight, 0.0)
    return mean


def without_cells(values: Numbers) -> Columns:
    """Columns of values alone."""
    n = len(values)
    return Columns(values, np.empty((n, 0), dtype=np.int32), np.empty((n, 0)))


def minus(first: Numbers, second: Numbers) -> Numbers:
    """Differences; of two infinite scores there is none, NaN."""
    with np.errstate(invalid="ignore"):
        return first - second


def percentiles(values: Numbers, level: float) -> tuple[float, float]:
    """Between which this share of the finite values lies; NaN where there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, _tails(level))
    return float(low), float(high)


def _tails(level: float) -> tuple[float, float]:
    return (1.0 - level) / 2.0, (1.0 + level) / 2.0


def _root(reached: Callable[[float], bool]) -> float:
    """The least c >= 0 at which something is reached that rises with c as soon as the gaps outweigh the noise."""
    if reached(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not reached(high) and high < 1e9:
        low, high = high, 2.0 * high
    for _ in range(16):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
