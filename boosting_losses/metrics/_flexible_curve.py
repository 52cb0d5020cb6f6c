"""The flexible (lowess) calibration curve, and its distances from the diagonal."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ._lowess import Lowess, Numbers, weighted_quantile
from ._predictions import Predictions, checked, one_column
from ._statistics.base import normal_quantile, refuse_other_level

#: The weight that counts as one row is at least this share of the total weight.
_LEAST_UNIT = 1e-12


class FlexibleCurve(NamedTuple):
    """A smooth calibration curve with a pointwise confidence band, linear between its points; each field is ``(M,)``."""

    predicted: Numbers  #: probability, in increasing order
    observed: Numbers  #: smoothed frequency; it may lie slightly outside [0, 1]
    low: Numbers  #: lower limit of the band, in [0, 1]
    high: Numbers  #: upper limit of the band, in [0, 1]


class FlexibleErrors(NamedTuple):
    """Summaries of the distance ``|smoothed frequency - probability|`` over the rows; 0 is best."""

    mean: float  #: Eavg, the integrated calibration index
    e50: float  #: the median
    e90: float  #: the 0.9 quantile
    largest: float  #: Emax


def flexible_calibration_curve(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> FlexibleCurve:
    """Smooth the observed frequencies over the probability by local linear regression, as in ``rms::val.prob``.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba : array-like of shape (n,) or (n, K)
        Probabilities of y = 1, or of K > 2 classes. For K classes, the curve relates the largest probability to whether
        its class is correct.
    sample_weight : array-like of shape (n,), optional
        With unequal weights, each local line is fitted to the nearest rows with two thirds of the total weight.
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``.
    level : float
        The level of the band: the probability that it contains the smoothed true frequency at a single point.

    Returns
    -------
    FlexibleCurve
        The end points of the linear segments of R's ``lowess(p, y, iter = 0)``, about 200 at most; interpolate between
        them with ``numpy.interp``. The band is ``observed +- z sqrt(sum_i l_i**2 q_i (1 - q_i))``, clipped to [0, 1],
        where l_i is the coefficient of label i at the point and q_i is the value of the curve at the probability of row
        i.

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values; the message names the row.

    Notes
    -----
    The band ignores the bias of smoothing. It assumes that rows are independent, and counts each row as one observation
    regardless of its weight.
    """
    refuse_other_level(level)
    return fit(one_column(checked(y_true, proba, sample_weight, raw))).curve(level)


def flexible_calibration_errors(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> FlexibleErrors:
    """Return the mean, median, 0.9 quantile and maximum distance of the flexible calibration curve from the diagonal.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`flexible_calibration_curve`.

    Returns
    -------
    FlexibleErrors
        ``Eavg``, ``E50``, ``E90`` and ``Emax`` of ``rms::val.prob`` (Austin and Steyerberg 2019, Stat. Med. 38,
        4051-4065). Quantiles interpolate linearly between rows, as in NumPy and R. Weighted quantiles are those of
        ``Hmisc::wtd.quantile``, with the smallest weight counted as one row.

    Raises
    ------
    TypeError, ValueError
        As for :func:`flexible_calibration_curve`.
    """
    return fit(one_column(checked(y_true, proba, sample_weight, raw))).errors


def integrated_calibration_index(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the mean distance of the flexible calibration curve from the diagonal over the rows; 0 is best.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`flexible_calibration_curve`.

    Returns
    -------
    float
        ``mean of |smoothed frequency - probability|``: the ICI of Austin and Steyerberg (2019), and ``Eavg`` of
        ``rms::val.prob``.

    Raises
    ------
    TypeError, ValueError
        As for :func:`flexible_calibration_curve`.
    """
    return fit(one_column(checked(y_true, proba, sample_weight, raw))).mean


def calibration_error_quantile(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    q: float = 0.9,
) -> float:
    """Return a quantile of the distance of the flexible calibration curve from the diagonal over the rows; 0 is best.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`flexible_calibration_curve`.
    q : float
        The quantile, in [0, 1]: 0.5 gives E50, 0.9 gives E90 and 1 gives Emax of :func:`flexible_calibration_errors`.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As for :func:`flexible_calibration_curve`, and if ``q`` is not in [0, 1].
    """
    if isinstance(q, bool) or not isinstance(q, (int, float, np.integer, np.floating)) or not 0.0 <= q <= 1.0:
        raise ValueError(f"q must lie in [0, 1], got {q!r}")
    return fit(one_column(checked(y_true, proba, sample_weight, raw))).quantile(float(q))


class FlexibleFit:
    """Sums over the rows at each distinct probability, and the curve smoothed through them.

    Parameters
    ----------
    proba, weight, label, squared : ndarray of shape (P,)
        The distinct probabilities in increasing order, and sums of weights (> 0), of weighted labels and of squared
        weights.
    unit : float, optional
        The weight that counts as one row, which is the smallest weight of a row; by default the smallest weight of a
        point.
    """

    def __init__(
        self, proba: Numbers, weight: Numbers, label: Numbers, squared: Numbers, unit: float | None = None
    ) -> None:
        self.proba, self.weight, self.squared = proba, weight, squared
        self.label = label / weight
        lightest = float(weight.min()) if unit is None else unit
        self._unit = float(max(lightest, _LEAST_UNIT * weight.sum()))
        self.smoother = Lowess(proba, weight, self._unit)

    def curve(self, level: float) -> FlexibleCurve:
        """Return the smoothed curve with its band."""
        lines = self.smoother.at_fitted(self.label)
        rate = np.clip(self.smoother.between(lines), 0.0, 1.0)
        spread = np.sqrt(self.smoother.variance(rate * (1.0 - rate) * self.squared / self.weight / self.weight))
        reach = normal_quantile(level) * spread
        low, high = np.clip(lines - reach, 0.0, 1.0), np.clip(lines + reach, 0.0, 1.0)
        return FlexibleCurve(self.proba[self.smoother.fitted], lines, low, high)

    @property
    def errors(self) -> FlexibleErrors:
        """The mean, median, 0.9 quantile and maximum of the distance."""
        return FlexibleErrors(self.mean, self.quantile(0.5), self.quantile(0.9), float(self.distance.max()))

    @cached_property
    def distance(self) -> Numbers:
        """The distance of the curve from the diagonal at each probability."""
        return np.abs(self.smoother.apply(self.label) - self.proba)

    @property
    def mean(self) -> float:
        return float(np.average(self.distance, weights=self.weight))

    def quantile(self, share: float) -> float:
        return weighted_quantile(self.distance, self.weight, share, self._unit)


def fit(rows: Predictions) -> FlexibleFit:
    """Return the fit to the rows with nonzero weight, summed by distinct probability."""
    weight = np.ones(len(rows.y)) if rows.weight is None else rows.weight
    order = np.argsort(rows.proba, kind="stable")
    order = order[weight[order] > 0.0]
    proba, weight = rows.proba[order].astype(np.float64, copy=False), weight[order]
    first = np.flatnonzero(np.concatenate([[True], proba[1:] > proba[:-1]]))
    total, label, squared = (np.add.reduceat(c, first) for c in (weight, weight * rows.y[order], weight * weight))
    return FlexibleFit(proba[first], total, label, squared, float(weight.min()))
