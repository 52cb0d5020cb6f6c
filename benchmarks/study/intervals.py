"""Means over seeds or data sets with Student's 95 % intervals, and their formatting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t


@dataclass(frozen=True)
class Mean:
    """A mean with its 95 % interval; a single value has no interval."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_below_zero(self) -> bool:
        """Whether the whole interval lies below zero."""
        return self.high is not None and self.high < 0.0

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low is not None and self.low > 0.0


def mean_of(values: Sequence[float], shared: float = 0.0) -> Mean:
    """Return the mean with Student's t interval.

    Parameters
    ----------
    values : sequence of float
        One value for each seed or data set.
    shared : float
        The ratio of test rows to training rows if repetitions share rows, for the correction of Nadeau and Bengio (Machine
        Learning 52, 2003); 0 for independent repetitions.
    """
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Mean(mean)
    reach = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) * np.sqrt(1.0 / count + shared))
    return Mean(mean, mean - reach, mean + reach)


def number(value: float | None, digits: int = 3) -> str:
    """Format a value with the given number of significant digits; a missing value is a dash."""
    if value is None or math.isnan(value):
        return "–"
    if value == 0.0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(places, 12)}f}" if places < 7 else f"{value:.{digits - 1}g}"


def points(value: float) -> str:
    """Format a difference with its sign."""
    if abs(value) < 0.005:
        return "0.00"
    return f"{value:+.2f}" if abs(value) < 9.995 else f"{value:+.1f}"


def interval(mean: Mean) -> str:
    """Format the interval in brackets; return an empty string if there is none."""
    return "" if mean.low is None or mean.high is None else f"({points(mean.low)} to {points(mean.high)})"


def mean_and_interval(mean: Mean) -> str:
    """Format a mean difference with its interval."""
    return f"{points(mean.value)} {interval(mean)}".rstrip()
