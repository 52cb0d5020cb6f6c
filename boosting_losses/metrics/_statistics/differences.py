"""Differences between the scores of two models on the same rows."""

from __future__ import annotations

import math

import numpy as np

from .._predictions import Numbers
from .base import Estimate, Sampled, minus, percentiles


def difference_of(first: Sampled, second: Sampled) -> Estimate:
    """Return the first score minus the second, with its interval."""
    if not first.statistic.is_inflated:
        value = first.value - second.value
        low, high = percentiles(minus(first.change, second.change), first.wide_level)
        return Estimate(value, min(value + low, value), max(value + high, value))
    if first.value == second.value and np.array_equal(first.in_replicates, second.in_replicates):
        return Estimate(0.0, 0.0, 0.0)
    alike = first.statistic.errs_like_replicates
    correlation = _correlation(first.in_replicates, second.in_replicates) if alike else 0.0
    return recovered(first.estimate, second.estimate, correlation)


def recovered(first: Estimate, second: Estimate, correlation: float) -> Estimate:
    """Return the interval of a difference from the intervals of its two terms, which are both >= 0.

    The variances of the terms are recovered from their limits (Zou and Donner 2008, "Construction of Confidence Limits
    about Effect Measures", Statistics in Medicine 27, with the correlation as in their equations 5 and 6). Unlike a
    resampled difference, this method accounts for the facts that calibration errors are >= 0 and that noise inflates
    both.
    """
    value = first.value - second.value
    down = _together(first.value - first.low, second.high - second.value, _hidden(first), correlation)
    up = _together(second.value - second.low, first.high - first.value, _hidden(second), correlation)
    return Estimate(value, value - down, value + up)


def _hidden(term: Estimate) -> float:
    """Return how far a term may exceed its true value; if 0 truncates the lower limit, at least its upper half width."""
    return max(term.value - term.low, term.high - term.value) if term.low <= 0.0 else term.value - term.low


def _together(cut: float, other: float, hidden: float, correlation: float) -> float:
    """Return the half width of the interval of a difference on one side.

    A term whose true value may be 0 has only positive errors, so the errors of both terms cancel less often than
    two-sided errors. The half width never exceeds the sum of the distances to the two limits.
    """
    return min(cut + other, _hypotenuse(hidden, other, correlation))


def _hypotenuse(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(a * a - 2.0 * correlation * a * b + b * b, 0.0))


def _correlation(first: Numbers, second: Numbers) -> float:
    """Return the correlation of the finite replicates; 0 if it is negative or if one of the two does not vary."""
    some = np.isfinite(first) & np.isfinite(second)
    if some.sum() < 3 or not np.ptp(first[some]) > 0.0 or not np.ptp(second[some]) > 0.0:
        return 0.0
    return float(np.clip(np.corrcoef(first[some], second[some])[0, 1], 0.0, 1.0))
