"""Scores as functions of sums over rows, and their estimates.

A source defines the values of each row that are summed. A statistic needs only these sums, of the data or of a
replicate. Several statistics may share a source.
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

#: The smallest degrees of freedom of Student's t; its quantiles become too large with fewer.
_LEAST_FREEDOM = 3.0


class Estimate(NamedTuple):
    """A score and its confidence interval."""

    value: float
    low: float
    high: float


class Summed:
    """The numbers of values and of cells that are summed over rows."""

    n_values: int = 0
    n_cells: int = 0


class Source(Summed, ABC):
    """The values of each row that are summed."""

    @abstractmethod
    def columns(self, data: Predictions) -> Columns:
        """Return the columns of the given rows."""


class Statistic(ABC):
    """A score that is computed from the sums of a source."""

    source: Source
    #: The range of the score by definition.
    range: tuple[float, float] = (-np.inf, np.inf)
    #: Whether noise inflates the score. If so, its estimates and their differences are corrected.
    is_inflated = False
    #: Whether the estimates of two models are as correlated as their replicates.
    errs_like_replicates = True

    @abstractmethod
    def of(self, totals: Totals) -> Numbers:
        """Return the score in each replicate, ``(R,)``."""

    def estimate(self, sampled: Sampled) -> Estimate:
        """Return the percentile interval (Efron 1979), shifted to the value because sums may be coarser than the rows."""
        value = sampled.value
        return within(self.range, value, *(value + bound for bound in percentiles(sampled.change, sampled.wide_level)))


@dataclass(frozen=True)
class Sampled:
    """A statistic of the data and of replicates, which other models share."""

    statistic: Statistic
    value: float  #: the score of all rows
    observed: Totals
    replicates: Totals
    level: float
    events: float  #: the effective number of independent rows with the rarer label

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
        """The score in each replicate minus the score of the data, ``(R,)``."""
        return minus(self.in_replicates, self.statistic.of(self.observed))

    @property
    def wide_level(self) -> float:
        """The level of the percentiles, which is higher if there are few events."""
        return expanded(self.level, self.events)


# ---- parts ----------------------------------------------------------------------------------------------------------


def without_cells(values: Numbers) -> Columns:
    """Return columns that contain values and no cells."""
    n = len(values)
    return Columns(values, np.empty((n, 0), dtype=np.int32), np.empty((n, 0)))


def lacks_a_label(data: Predictions) -> bool:
    """Return whether all rows have the same label, which is not soft."""
    y = data.y
    return y.ndim == 1 and bool((y == y[0]).all()) and float(y[0]) == int(y[0])


def minus(first: Numbers, second: Numbers) -> Numbers:
    """Return the difference, which is NaN for two equal infinite scores, without a warning."""
    with np.errstate(invalid="ignore"):
        return first - second


def central_sums(sums: Mapping[tuple[int, int], float], mean: float) -> tuple[float, float]:
    """Return sums of the squares and cubes of ``weight * (x - mean)``, from the sums of ``weight**a * x**b`` by (a, b)."""
    square = sums[2, 2] - 2.0 * mean * sums[2, 1] + mean * mean * sums[2, 0]
    cube = sums[3, 3] - 3.0 * mean * sums[3, 2] + 3.0 * mean**2 * sums[3, 1] - mean**3 * sums[3, 0]
    return square, cube


def percentiles(values: Numbers, level: float) -> tuple[float, float]:
    """Return the limits of the central share ``level`` of the finite values; NaN if there are none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return float("nan"), float("nan")
    low, high = (quantile(finite, tail) for tail in tails(level))
    return low, high


def quantile(replicates: Numbers, share: float) -> float:
    """Return the value that a new replicate falls below with probability ``share``: k / (R + 1) for the k-th of R.

    See Davison and Hinkley 1997, "Bootstrap Methods and their Application", section 5.2.1. With other definitions, the
    coverage between two quantiles is lower by up to 2 / (R + 1).
    """
    return float(np.quantile(replicates, share, method="weibull"))


def tails(level: float) -> tuple[float, float]:
    """Return the probabilities of the lower and upper percentile."""
    return (1.0 - level) / 2.0, (1.0 + level) / 2.0


def cell_means(totals: Totals) -> Numbers:
    """Return the mean amounts by cell, ``(C, R)``; 0 in cells without weight."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Numbers = np.where(totals.cell_weight > 0.0, totals.cell_amounts / totals.cell_weight, 0.0)
    return mean


def independent_rows(weight: float, replicates: Numbers) -> float:
    """Return the effective number of independent rows of a weight: its square divided by its variance over replicates.

    Without sample weights and groups, this estimates the number of rows. It is 0 if the weight does not vary.
    """
    variance = float(replicates.var())
    return weight**2 / variance if variance > 0.0 else 0.0


def refuse_other_level(level: float) -> None:
    """Raise ValueError unless a confidence level lies between 0 and 1."""
    if isinstance(level, bool) or not isinstance(level, (float, np.floating)) or not 0.0 < level < 1.0:
        raise ValueError(f"level must lie in (0, 1), got {level!r}")


def normal_quantile(level: float) -> float:
    """Return the half width of a normal interval in standard errors."""
    return NormalDist().inv_cdf((1.0 + level) / 2.0)


def within(range_: tuple[float, float], value: float, low: float, high: float) -> Estimate:
    """Clip an interval to the range of the score, and extend it to contain the value."""
    least, most = range_
    low, high = (float(np.clip(bound, least, most)) for bound in (low, high))
    if np.isnan(low) or np.isnan(high):
        return Estimate(float(value), float("nan"), float("nan"))
    return Estimate(float(value), min(low, float(value)), max(high, float(value)))


def expanded(level: float, n_events: float) -> float:
    """Return the level of the percentiles, which is higher if there are few events.

    Percentile intervals are as narrow as normal intervals, and the variance of replicates is smaller than that of
    samples by the factor (n - 1) / n. Student's t therefore replaces the normal quantile (Hesterberg 2015, "What
    Teachers Should Know About the Bootstrap", section 4.4.2). Here n is the number of rare events, because they cause
    most of the variance of a score.
    """
    freedom = max(n_events - 1.0, _LEAST_FREEDOM)
    z = normal_quantile(level)
    quantile = student(z, freedom) * math.sqrt((freedom + 1.0) / freedom)
    return 2.0 * NormalDist().cdf(quantile) - 1.0


def student(z: float, freedom: float) -> float:
    """Return Student's t quantile for the probability of the normal quantile z (Abramowitz and Stegun 1964, 26.7.5)."""
    terms = (
        (z**3 + z) / 4.0,
        (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0,
        (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0,
        (79.0 * z**9 + 776.0 * z**7 + 1482.0 * z**5 - 1920.0 * z**3 - 945.0 * z) / 92160.0,
    )
    return z + sum(term / freedom ** (k + 1) for k, term in enumerate(terms))
