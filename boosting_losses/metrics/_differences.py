"""Differences between the scores of two models on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ._bootstrap import Numbers, Totals
from ._statistics import Estimate, Statistic, minus, percentiles


@dataclass(frozen=True)
class Sampled:
    """A statistic, its value, and the sums of the data and of the replicates, which other models share."""

    statistic: Statistic
    value: float
    observed: Totals
    replicates: Totals
    level: float

    @cached_property
    def estimate(self) -> Estimate:
        """The score with its interval."""
        return self.statistic.estimate(self.value, self.observed, self.replicates, self.level)

    @cached_property
    def in_replicates(self) -> Numbers:
        """The score in each replicate, ``(R,)``."""
        return self.statistic.of(self.replicates)

    @cached_property
    def change(self) -> Numbers:
        """What the replicates differ by from the data, ``(R,)``."""
        return minus(self.in_replicates, self.statistic.of(self.observed))


def difference_of(first: Sampled, second: Sampled) -> Estimate:
    """The first score minus the second, with its interval."""
    if not first.statistic.is_inflated:
        value = first.value - second.value
        low, high = percentiles(minus(first.change, second.change), first.level)
        return Estimate(value, min(value + low, value), max(value + high, value))
    if first.value == second.value and np.array_equal(first.in_replicates, second.in_replicates):
        return Estimate(0.0, 0.0, 0.0)
    alike = first.statistic.errs_like_replicates
    correlation = _correlation(first.in_replicates, second.in_replicates) if alike else 0.0
    return recovered(first.estimate, second.estimate, correlation)


def recovered(first: Estimate, second: Estimate, correlation: float) -> Estimate:
    """The interval of a difference from those of its two terms.

    Their variances are recovered from the limits (Zou and Donner 2008, "Construction of Confidence Limits about Effect
    Measures", Statistics in Medicine 27, with the correlation as in their equations 5 and 6). Unlike a resampled difference
    it knows that an error of calibration is never below 0, and that noise makes both too large.
    """
    value = first.value - second.value
    down = _hypotenuse(first.value - first.low, second.high - second.value, correlation)
    up = _hypotenuse(first.high - first.value, second.value - second.low, correlation)
    return Estimate(value, value - down, value + up)


def _hypotenuse(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(a * a - 2.0 * correlation * a * b + b * b, 0.0))


def _correlation(first: Numbers, second: Numbers) -> float:
    """Of the finite replicates; 0 where it is negative or one of them does not vary."""
    some = np.isfinite(first) & np.isfinite(second)
    if some.sum() < 3 or not np.ptp(first[some]) > 0.0 or not np.ptp(second[some]) > 0.0:
        return 0.0
    return float(np.clip(np.corrcoef(first[some], second[some])[0, 1], 0.0, 1.0))
