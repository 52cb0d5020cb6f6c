"""Scores as functions of sums over rows, and the estimate that suits each.

A source says what is summed of each row; the sums, of the data or of a replicate of them, are all that a statistic needs.
Several statistics may share a source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from ._bootstrap import Columns, Numbers, Totals
from ._predictions import Predictions, class_columns, each
from .means import Score, entropy
from .reliability import one_column, tamed


class Estimate(NamedTuple):
    """A score and its confidence interval."""

    value: float
    low: float
    high: float


class Summed:
    """How many values and cells are summed of rows."""

    n_values: int = 0
    n_cells: int = 0


class Source(Summed, ABC):
    """What is summed of each row."""

    @abstractmethod
    def columns(self, data: Predictions) -> Columns:
        """The columns of some rows."""


class Statistic(ABC):
    """A score of which the sums of a source suffice."""

    source: Source
    #: Between which values it lies by definition.
    range: tuple[float, float] = (-np.inf, np.inf)
    #: Whether noise makes it larger than it is. Its estimates are corrected, and so are differences of two of them.
    is_inflated = False
    #: Whether such estimates of two models err together as much as their replicates do.
    errs_like_replicates = True

    @abstractmethod
    def of(self, totals: Totals) -> Numbers:
        """The score in each replicate, ``(R,)``."""

    def estimate(self, value: float, observed: Totals, replicates: Totals, level: float) -> Estimate:
        """The estimate from the score of all rows, ``value``, and sums that may be coarser: percentiles (Efron 1979).

        The level of the percentiles has been made wider where there are few events.
        """
        change = minus(self.of(replicates), self.of(observed))
        return within(self.range, value, *(value + bound for bound in percentiles(change, level)))


# ---- what is summed -------------------------------------------------------------------------------------------------


class Losses(Source):
    """The log loss or squared error of each row, and its label in a column for each class."""

    def __init__(self, score: Score, classes: int, eps: float | None = None) -> None:
        self.score, self.classes, self._eps = score, classes, eps
        self.n_values = 1 + classes

    def columns(self, data: Predictions) -> Columns:
        own = self.of_rows(data)[:, None]
        return without_cells(own if self.classes == 0 else np.concatenate([own, class_columns(data)], axis=1))

    def of_rows(self, data: Predictions) -> Numbers:
        """The loss of each row, ``(n,)``."""
        losses, squares, _ = each(data, self._eps)
        own: Numbers = losses if self.score == "log_loss" else squares
        return own

    def range(self, classes: int) -> tuple[float, float]:
        """Where a mean of losses lies by definition."""
        most = np.inf if self.score == "log_loss" else 1.0 if classes == 2 else 2.0
        return 0.0, most

    def extremes(self, data: Predictions) -> tuple[float, float]:
        """What the rows would lose on average if all had the likeliest label, and if all had the unlikeliest."""
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


class Labels(Source):
    """The labels of two classes; of K, whether the largest probability is that of the label's class."""

    n_values = 1

    def columns(self, data: Predictions) -> Columns:
        return without_cells(np.asarray(one_column(data).y, dtype=np.float64)[:, None])

    @staticmethod
    def events(totals: Totals) -> Numbers:
        """The weight of the rows with label 1."""
        positive: Numbers = totals.values[0]
        return positive

    @staticmethod
    def others(totals: Totals) -> Numbers:
        """The weight of the rows with label 0."""
        rest: Numbers = totals.weight - totals.values[0]
        return rest


# ---- means and their ratios -----------------------------------------------------------------------------------------


class Mean(Statistic):
    """Log loss or Brier score, by replicates."""

    def __init__(self, source: Losses) -> None:
        self.source: Losses = source
        self.range = source.range(source.classes)

    def of(self, totals: Totals) -> Numbers:
        mean: Numbers = totals.values[0] / totals.weight
        return mean


class OverBaseRate(Statistic):
    """A score divided by that of the base rate, or what is missing to 1."""

    def __init__(self, source: Losses, *, explained: bool, binary: bool) -> None:
        self.source: Losses = source
        self.explained, self.range = explained, (-np.inf, 1.0) if explained else (0.0, np.inf)
        self._factor = 0.5 if binary and source.score == "brier" else 1.0

    def of(self, totals: Totals) -> Numbers:
        shares = (totals.values[1:] / totals.weight).T
        mean = totals.values[0] / totals.weight
        with np.errstate(divide="ignore", invalid="ignore"):  # replicates without one of the classes
            ratio: Numbers = mean / (self._factor * entropy(shares, self.source.score))
        return 1.0 - ratio if self.explained else ratio


# ---- parts ----------------------------------------------------------------------------------------------------------


def without_cells(values: Numbers) -> Columns:
    """Columns of values alone."""
    n = len(values)
    return Columns(values, np.empty((n, 0), dtype=np.int32), np.empty((n, 0)))


def lacks_a_label(data: Predictions) -> bool:
    """Whether one of two labels, or all but one of K, occur in no row."""
    y = data.y
    return y.ndim == 1 and bool((y == y[0]).all()) and float(y[0]) == int(y[0])


def minus(first: Numbers, second: Numbers) -> Numbers:
    """Differences; of two infinite scores there is none, NaN."""
    with np.errstate(invalid="ignore"):
        return first - second


def percentiles(values: Numbers, level: float) -> tuple[float, float]:
    """Between which this share of the finite values lies; NaN where there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, tails(level))
    return float(low), float(high)


def tails(level: float) -> tuple[float, float]:
    """The probabilities of the two percentiles."""
    return (1.0 - level) / 2.0, (1.0 + level) / 2.0


def cell_means(totals: Totals) -> Numbers:
    """Mean amounts by cell, ``(C, R)``; 0 in cells without weight."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Numbers = np.where(totals.cell_weight > 0.0, totals.cell_amounts / totals.cell_weight, 0.0)
    return mean


def independent_rows(weight: float, replicates: Numbers) -> float:
    """How many independent rows a weight is worth: its square over its variance in replicates.

    Without weights and groups this is the number of its rows. 0 where it does not vary.
    """
    variance = float(replicates.var())
    return weight**2 / variance if variance > 0.0 else 0.0


def refuse_other_level(level: float) -> None:
    """Raise ValueError unless a confidence level lies between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, (float, np.floating)) or not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), got {level!r}")


def normal_quantile(level: float) -> float:
    """How many standard errors lie between the middle and the ends of a normal interval."""
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def within(range_: tuple[float, float], value: float, low: float, high: float) -> Estimate:
    """The part of an interval that is possible. A value lies in its interval."""
    least, most = range_
    low, high = (float(np.clip(bound, least, most)) for bound in (low, high))
    if np.isnan(low) or np.isnan(high):
        return Estimate(float(value), float("nan"), float("nan"))
    return Estimate(float(value), min(low, float(value)), max(high, float(value)))
