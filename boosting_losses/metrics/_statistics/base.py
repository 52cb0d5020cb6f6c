"""Scores as functions of sums over rows, and the estimate that suits each.

A source says what is summed of each row; the sums, of the data or of a replicate of them, are all that a statistic needs.
Several statistics may share a source.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from .._predictions import Numbers, Predictions
from .bootstrap import Columns, Totals

#: Student's t is not looked at with fewer degrees of freedom: its quantiles leave every range.
_LEAST_FREEDOM = 3.0


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
        """Return the columns of some rows."""


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
        """Return the score in each replicate, ``(R,)``."""

    def estimate(self, sampled: Sampled) -> Estimate:
        """Return the value and percentiles of replicates (Efron 1979), whose sums may be coarser than the rows."""
        value = sampled.value
        return within(self.range, value, *(value + bound for bound in percentiles(sampled.change, sampled.wide_level)))


@dataclass(frozen=True)
class Sampled:
    """A statistic of some data, and of replicates of them, which other models share."""

    statistic: Statistic
    value: float  #: of all rows
    observed: Totals
    replicates: Totals
    level: float
    events: float  #: how many independent rows the rarer outcome is worth

    @cached_property
    def estimate(self) -> Estimate:
        """The score with its interval."""
        return self.statistic.estimate(self)

    @cached_property
    def in_replicates(self) -> Numbers:
        """The score in each replicate, ``(R,)``."""
        return self.statistic.of(self.replicates)

    @cached_property
    def change(self) -> Numbers:
        """What the replicates differ by from the data, ``(R,)``."""
        return minus(self.in_replicates, self.statistic.of(self.observed))

    @property
    def wide_level(self) -> float:
        """The level at which percentiles are read: wider where there are few events."""
        return expanded(self.level, self.events)


# ---- parts ----------------------------------------------------------------------------------------------------------


def without_cells(values: Numbers) -> Columns:
    """Return columns of values alone."""
    n = len(values)
    return Columns(values, np.empty((n, 0), dtype=np.int32), np.empty((n, 0)))


def lacks_a_label(data: Predictions) -> bool:
    """Return whether one of two labels, or all but one of K, occur in no row."""
    y = data.y
    return y.ndim == 1 and bool((y == y[0]).all()) and float(y[0]) == int(y[0])


def minus(first: Numbers, second: Numbers) -> Numbers:
    """Return differences; of two infinite scores there is none, NaN."""
    with np.errstate(invalid="ignore"):
        return first - second


def central_sums(sums: Mapping[tuple[int, int], float], mean: float) -> tuple[float, float]:
    """Return sums of the squares and cubes of ``weight * (x - mean)``, from those of ``weight**a * x**b`` by (a, b)."""
    square = sums[2, 2] - 2.0 * mean * sums[2, 1] + mean * mean * sums[2, 0]
    cube = sums[3, 3] - 3.0 * mean * sums[3, 2] + 3.0 * mean**2 * sums[3, 1] - mean**3 * sums[3, 0]
    return square, cube


def percentiles(values: Numbers, level: float) -> tuple[float, float]:
    """Return the ends between which this share of the finite values lies; NaN where there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = (quantile(finite, tail) for tail in tails(level))
    return low, high


def quantile(replicates: Numbers, share: float) -> float:
    """Return what another replicate lies below with this probability: the k-th of R stands for k / (R + 1).

    Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 5.2.1. Others leave out 2 / (R + 1) of what
    lies between two of them.
    """
    return float(np.quantile(replicates, share, method="weibull"))


def tails(level: float) -> tuple[float, float]:
    """Return the probabilities of the two percentiles."""
    return (1.0 - level) / 2.0, (1.0 + level) / 2.0


def cell_means(totals: Totals) -> Numbers:
    """Return mean amounts by cell, ``(C, R)``; 0 in cells without weight."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Numbers = np.where(totals.cell_weight > 0.0, totals.cell_amounts / totals.cell_weight, 0.0)
    return mean


def independent_rows(weight: float, replicates: Numbers) -> float:
    """Return how many independent rows a weight is worth: its square over its variance in replicates.

    Without weights and groups this is the number of its rows. 0 where it does not vary.
    """
    variance = float(replicates.var())
    return weight**2 / variance if variance > 0.0 else 0.0


def refuse_other_level(level: float) -> None:
    """Raise ValueError unless a confidence level lies between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, (float, np.floating)) or not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), got {level!r}")


def normal_quantile(level: float) -> float:
    """Return how many standard errors lie between the middle and the ends of a normal interval."""
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def within(range_: tuple[float, float], value: float, low: float, high: float) -> Estimate:
    """Return the part of an interval that is possible. A value lies in its interval."""
    least, most = range_
    low, high = (float(np.clip(bound, least, most)) for bound in (low, high))
    if np.isnan(low) or np.isnan(high):
        return Estimate(float(value), float("nan"), float("nan"))
    return Estimate(float(value), min(low, float(value)), max(high, float(value)))


def expanded(level: float, n_events: float) -> float:
    """Return the level at which percentiles are read, wider where there are few events.

    Percentiles are as narrow as normal quantiles, and replicates vary less than samples by (n - 1) / n. So Student's t
    takes the normal quantile's place (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 4.4.2), here
    with the number of rare events as n: what they contribute to a score is most of its variance.
    """
    freedom = max(n_events - 1.0, _LEAST_FREEDOM)
    z = normal_quantile(level)
    quantile = student(z, freedom) * math.sqrt((freedom + 1.0) / freedom)
    return 2.0 * NormalDist().cdf(quantile) - 1.0


def student(z: float, freedom: float) -> float:
    """Return Student's quantile for the probability of the normal quantile z (Abramowitz and Stegun 1964, 26.7.5)."""
    terms = (
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
        (79.0 * z**9 + 776.0 * z**7 + 1482.0 * z**5 - 1920.0 * z**3 - 945.0 * z) / 92160.0,
    )
    return z + sum(term / freedom ** (k + 1) for k, term in enumerate(terms))
