"""Differences between the scores of two models on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._bootstrap import Numbers, Totals
from ._statistics import Estimate, Statistic, minus, percentiles


@dataclass(frozen=True)
class Sampled:
    """A statistic, its value, and the sums of the data and of the replicates, which the other model shares."""

    statistic: Statistic
    value: float
    observed: Totals
    replicates: Totals

    def estimate(self, level: float) -> Estimate:
        """The score of one model."""
        return self.statistic.estimate(self.value, self.observed, self.replicates, level)


def difference_of(first: Sampled, second: Sampled, level: float) -> Estimate:
    """The first score minus the second, with its interval."""
    here, there = (side.statistic.of(side.replicates) for side in (first, second))
    if not first.statistic.is_inflated:
        change = minus(
            minus(here, first.statistic.of(first.observed)), minus(there, second.statistic.of(second.observed))
        )
        value = first.value - second.value
        low, high = percentiles(change, level)
        return Estimate(value, min(value + low, value), max(value + high, value))
    if first.value == second.value and np.array_equal(here, there):
        return Estimate(0.0, 0.0, 0.0)
    correlation = _correlation(here, there) if first.statistic.errs_like_replicates else 0.0
    return recovered(first.estimate(level), second.estimate(level), correlation)


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
