"""Intervals of means in closed form, from sums of powers of the deviations of the rows."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from .._predictions import Numbers, Predictions, weights
from .base import Estimate, lacks_a_label, minus, normal_quantile, within
from .means import Losses
from .redrawn_labels import RedrawnLabels, has_labels


def of_mean(
    value: float,
    parts: Numbers,
    weight: float,
    level: float,
    range_: tuple[float, float] = (-math.inf, math.inf),
    unseen: tuple[float, float] | None = None,
    expected: tuple[float, float] | None = None,
) -> Estimate:
    """Return the interval of a mean from its independent parts.

    Parameters
    ----------
    value : float
        The mean.
    parts : ndarray of shape (n,)
        ``weight * (loss - mean)`` of each row, or their sum over each group of rows.
    weight : float
        The sum of the weights.
    level : float
    range_ : tuple of float
        The range of the mean by definition.
    unseen : tuple of float, optional
        The mean losses of the rows for the best and for the worst label, given if a label does not occur.
    expected : tuple of float, optional
        The expected sums of the squares and cubes of the parts for redrawn labels.
    """
    n = len(parts)
    square = float(parts @ parts)
    cube = float((parts * parts) @ parts)
    return of_moments(value, square, cube, n, weight, level, range_, unseen, expected)


def of_moments(
    value: float,
    square: float,
    cube: float,
    n: int,
    weight: float,
    level: float,
    range_: tuple[float, float] = (-math.inf, math.inf),
    unseen: tuple[float, float] | None = None,
    expected: tuple[float, float] | None = None,
) -> Estimate:
    """Return the interval of a mean from the sums of the squares and cubes of n parts.

    The skewness of Student's ratio is removed by a transformation (Hall 1992, "On the Removal of Skewness by
    Transformation", J. R. Stat. Soc. B 54, his monotone cubic), because a rare event causes a large loss and the normal
    interval is too short on that side. The observed moments are used unless the expected ones are larger: with few
    events, the observed moments may be far too small.
    """
    if not math.isfinite(value):
        return Estimate(value, math.nan, math.nan)
    low = high = value
    if expected is not None and expected[0] > square > 0.0:
        square, cube = expected
    if square > 0.0 and n > 1:
        error = math.sqrt(n / (n - 1) * square) / weight
        skewness = cube / square / math.sqrt(square) * math.sqrt(n)
        z = normal_quantile(level)
        low, high = (value - error * hall(side * z, skewness / math.sqrt(n)) for side in (1.0, -1.0))
    elif unseen is None:
        low, high = (-math.inf, math.inf) if n < 2 else (value, value)
    if unseen is not None:
        # The probability of a label that does not occur may be as large as this (Clopper and Pearson 1934).
        share = 1.0 - ((1.0 - level) / 2.0) ** (1.0 / max(n, 1))
        low -= share * max(value - unseen[0], 0.0)
        high += share * max(unseen[1] - value, 0.0)
    return within(range_, value, low, high)


def hall(z: float, skewness: float) -> float:
    """Return the quantile of Student's ratio of a mean, from the normal quantile and the skewness of the mean."""
    a = skewness / 3.0
    if abs(a) < 1e-6:
        return z
    return float((np.cbrt(1.0 + 3.0 * a * (z - a / 2.0)) - 1.0) / a)


# ---- of losses ------------------------------------------------------------------------------------------------------


def of_losses(value: float, data: Predictions, mean: Losses, groups: npt.ArrayLike | None, level: float) -> Estimate:
    """Return the interval of a mean over rows in closed form."""
    parts, weight = _parts(mean.of_rows(data), data, groups)
    unseen = mean.extremes(data) if lacks_a_label(data) else None
    return of_mean(value, parts, weight, level, mean.range(data.classes), unseen)


def of_difference(
    value: float, first: Predictions, second: Predictions, mean: Losses, groups: npt.ArrayLike | None, level: float
) -> Estimate:
    """Return the interval of the difference between the means of two models in closed form."""
    if not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"))
    differences = minus(mean.of_rows(first), mean.of_rows(second))
    expected = None
    if groups is None and has_labels(first):
        redrawn = RedrawnLabels(first, second, mean.eps)
        redrawn.add(first, second, weights(first))
        expected = redrawn.moments(mean.score, value)
    return of_mean(value, *_parts(differences, first, groups), level, expected=expected)


def _parts(losses: Numbers, data: Predictions, groups: npt.ArrayLike | None) -> tuple[Numbers, float]:
    """Return the contribution of each row, or group of rows, to the error of the mean, and the sum of the weights."""
    weight = weights(data)
    with np.errstate(invalid="ignore"):
        parts = weight * (losses - weight @ losses / weight.sum())
    if groups is not None:
        parts = np.bincount(np.unique(groups, return_inverse=True)[1], weights=parts)
    # If all losses are equal, the parts contain only rounding errors.
    tiny = 1e-14 * float(np.abs(weight * losses).max(initial=0.0))
    return np.where(np.abs(parts) > tiny, parts, 0.0), float(weight.sum())
