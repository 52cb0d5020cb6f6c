"""The linear recalibration of log odds, and other measures of probabilities that are too high, too low or overconfident.

The R packages rms (``val.prob``) and ``CalibrationCurves`` report the same measures for binary models.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy.typing as npt

from .. import _newton_fit
from .._labelled_scores import Rows
from ._two_classes import TwoClasses, two_classes


class CalibrationLine(NamedTuple):
    """Intercept and slope of the log odds of the labels as a linear function of the predicted log odds; (0, 1) is best."""

    intercept: float
    slope: float


def calibration_line(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> CalibrationLine:
    """Fit the logistic regression of the labels on the predicted log odds (Cox 1958, Biometrika 45, 562-565).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1].
    proba : array-like of shape (n,) or (n, 2)
        Probabilities of y = 1. They are first clipped to [eps, 1 - eps] with the machine epsilon of their dtype, as in
        :func:`logits`.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, 2), optional
        Raw scores instead of ``proba``: the log odds, or two columns whose difference is the log odds.

    Returns
    -------
    CalibrationLine
        The maximum-likelihood estimate of ``(intercept, slope)`` in
        ``P(y = 1) = sigmoid(intercept + slope * log_odds)``, without a penalty. Both are NaN if all predictions are
        equal, because many lines then fit equally well. If a threshold separates the labels perfectly, the slope is
        infinite (negative if the positives have the lower predictions) and the intercept is NaN.

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values (the message names the row), if the labels
        contain only one class, or if there are more than two classes; in that case, fit one line per class with
        ``proba[:, k]`` and ``y_true == k``.

    Notes
    -----
    These values are ``Intercept`` and ``Slope`` of ``rms::val.prob``. ``CalibrationCurves`` reports the same slope, but
    its intercept is :func:`calibration_intercept`.
    """
    return _line(two_classes(y_true, proba, sample_weight, raw))


def calibration_slope(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the slope of :func:`calibration_line`; 1 is best, and below 1 the probabilities are overconfident.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`calibration_line`.

    Returns
    -------
    float
        NaN if all predictions are equal; infinite if a threshold separates the labels perfectly.

    Raises
    ------
    TypeError, ValueError
        As for :func:`calibration_line`.
    """
    return calibration_line(y_true, proba, sample_weight, raw=raw).slope


def calibration_intercept(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return calibration-in-the-large: the shift of the log odds that makes the mean probability correct; 0 is best.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`calibration_line`.

    Returns
    -------
    float
        The solution a of ``sum_i w_i sigmoid(a + log_odds_i) = sum_i w_i y_i``: the intercept of the logistic
        regression with the log odds as offset (Steyerberg 2019, Clinical Prediction Models, section 15.3). A positive
        value means that events are more frequent than predicted.

    Raises
    ------
    TypeError, ValueError
        As for :func:`calibration_line`.
    """
    rows = two_classes(y_true, proba, sample_weight, raw)
    rows.refuse_one_class()
    return _newton_fit.shift(Rows(rows.y, rows.log_odds, rows.weight))


def observed_over_expected(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the ratio of observed to expected events; 1 is best, and above 1 events are more frequent than predicted.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`calibration_line`, but probabilities are not clipped.

    Returns
    -------
    float
        ``sum_i w_i y_i / sum_i w_i p_i``, >= 0. If every probability is 0, the ratio is infinite, or NaN if no event
        was observed.

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values, or if there are more than two classes.
    """
    rows = two_classes(y_true, proba, sample_weight, raw)
    return _ratio(float(rows.weight @ rows.y), float(rows.weight @ rows.proba))


def spiegelhalter_z(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the standardized deviation of the Brier score from its expectation under calibration (Spiegelhalter 1986).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels 0 and 1.
    proba, sample_weight, raw
        As for :func:`calibration_line`, but probabilities are not clipped.

    Returns
    -------
    float
        ``sum_i w_i (y_i - p_i) (1 - 2 p_i) / sqrt(sum_i w_i**2 (1 - 2 p_i)**2 p_i (1 - p_i))``. For calibrated
        probabilities and many rows, it is approximately standard normal: an absolute value above 1.96 means that the
        p-value is below 0.05. If every probability is 0, 1/2 or 1, it is infinite if a probability of 0 or 1 is wrong,
        and NaN otherwise.

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values, if labels are soft (their variance is
        unknown), or if there are more than two classes.

    Notes
    -----
    Each row is one observation regardless of its weight, so the scale of the weights does not matter. A row of weight 2
    contains less information than two rows: if weights are counts of rows, repeat the rows instead.
    """
    rows = two_classes(y_true, proba, sample_weight, raw)
    rows.refuse_soft_labels()
    lean = rows.weight * (1.0 - 2.0 * rows.proba)
    variance = float((lean * lean) @ (rows.proba * (1.0 - rows.proba)))
    return _ratio(float(lean @ (rows.y - rows.proba)), math.sqrt(variance))


def _line(rows: TwoClasses) -> CalibrationLine:
    rows.refuse_one_class()
    scores = rows.log_odds
    sample = Rows(rows.y, scores, rows.weight)
    if sample.are_alike:
        return CalibrationLine(math.nan, math.nan)
    # Soft labels belong to both classes.
    negatives, positives = scores[rows.y < 1.0], scores[rows.y > 0.0]
    if negatives.max() <= positives.min():
        return CalibrationLine(math.nan, math.inf)
    if positives.max() <= negatives.min():
        return CalibrationLine(math.nan, -math.inf)
    slope, intercept = _newton_fit.logistic_regression(sample)
    return CalibrationLine(float(intercept), float(slope))


def _ratio(above: float, below: float) -> float:
    """Return the ratio; if the denominator is 0, an infinity with the sign of the numerator, or NaN for 0 / 0."""
    if below > 0.0:
        return above / below
    return math.nan if above == 0.0 else math.copysign(math.inf, above)
