"""The straight line that recalibrates log odds, and other signs that probabilities are too high, too low or too sure.

These are what ``val.prob`` of the R package rms and ``CalibrationCurves`` report of a model for two classes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy.typing as npt

from .. import _newton_fit
from ._two_classes import TwoClasses, two_classes


class CalibrationLine(NamedTuple):
    """Intercept and slope of the log odds of the labels as a line in those of the predictions; (0, 1) is best."""

    intercept: float
    slope: float


def calibration_line(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> CalibrationLine:
    """Fit the logistic regression of the labels on the log odds of their predictions (Cox 1958, Biometrika 45, 562-565).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1].
    proba : array-like of shape (n,) or (n, 2)
        Probabilities of y = 1. Those of 0 and 1 are first moved inwards by the machine epsilon of their dtype, as by
        :func:`logits`.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, 2), optional
        Raw scores instead of ``proba``: the log odds themselves, or two whose difference they are.

    Returns
    -------
    CalibrationLine
        ``(intercept, slope)`` that make ``P(y = 1) = sigmoid(intercept + slope * log_odds)`` most likely, without any
        penalty. Both NaN where the predictions are all the same: any line through one point is as good. Where a threshold
        parts the labels without an error, the slope is infinite, below 0 if the positives have the lower predictions, and
        the intercept NaN.

    Raises
    ------
    TypeError, ValueError
        When data have the wrong dtype or shape, or values without meaning; the message names the row. For labels of one
        class only, and for more than two classes: a line for each is not one number, and ``proba[:, k]`` with
        ``y_true == k`` gives it.

    Notes
    -----
    These are ``Intercept`` and ``Slope`` of ``rms::val.prob``. ``CalibrationCurves`` reports this slope and
    :func:`calibration_intercept`.
    """
    return _line(two_classes(y_true, proba, sample_weight, raw))


def calibration_slope(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the slope of :func:`calibration_line`; 1 is best, below 1 the probabilities are too sure, as after overfitting.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`calibration_line`.

    Returns
    -------
    float
        NaN where the predictions are all the same; infinite where a threshold parts the labels without an error.

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
    """Return calibration-in-the-large: what must be added to the log odds for their mean to be right; 0 is best.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`calibration_line`.

    Returns
    -------
    float
        The a for which ``sum_i w_i sigmoid(a + log_odds_i) = sum_i w_i y_i``: the intercept of the logistic regression with
        the log odds as offset (Steyerberg 2019, Clinical Prediction Models, section 15.3). Above 0, events happen more
        often than predicted.

    Raises
    ------
    TypeError, ValueError
        As for :func:`calibration_line`.
    """
    rows = two_classes(y_true, proba, sample_weight, raw)
    rows.refuse_one_class()
    return _newton_fit.shift(_newton_fit.Rows(rows.y, rows.log_odds, rows.weight))


def observed_over_expected(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the events that happened per event predicted; 1 is best, above 1 they happen more often than predicted.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`calibration_line`, but that probabilities are left as they are.

    Returns
    -------
    float
        ``sum_i w_i y_i / sum_i w_i p_i``, >= 0. Where every probability is 0: infinite, or NaN if no event happened.

    Raises
    ------
    TypeError, ValueError
        When data have the wrong dtype or shape, or values without meaning; for more than two classes.
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
    """Return how far the Brier score is from that of right probabilities, in standard errors (Spiegelhalter 1986).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels 0 and 1.
    proba, sample_weight, raw
        As for :func:`calibration_line`, but that probabilities are left as they are.

    Returns
    -------
    float
        ``sum_i w_i (y_i - p_i) (1 - 2 p_i) / sqrt(sum_i w_i**2 (1 - 2 p_i)**2 p_i (1 - p_i))``. If the probabilities are
        right it is nearly standard normal for many rows: beyond 1.96 either way is a p-value below 0.05. NaN where every
        probability is one half, and infinite where only probabilities 0 and 1 say anything and one of them is wrong.

    Raises
    ------
    TypeError, ValueError
        When data have the wrong dtype or shape, or values without meaning; for soft labels, whose spread is not known; for
        more than two classes.

    Notes
    -----
    A row is one observation, however much it weighs: the scale of the weights does not matter. A row of weight 2 says less
    than two rows do, so weights that count rows must be given as rows.
    """
    rows = two_classes(y_true, proba, sample_weight, raw)
    rows.refuse_soft_labels()
    lean = rows.weight * (1.0 - 2.0 * rows.proba)
    variance = float((lean * lean) @ (rows.proba * (1.0 - rows.proba)))
    return _ratio(float(lean @ (rows.y - rows.proba)), math.sqrt(variance))


def _line(rows: TwoClasses) -> CalibrationLine:
    rows.refuse_one_class()
    scores = rows.log_odds
    sample = _newton_fit.Rows(rows.y, scores, rows.weight)
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
    """Return the ratio, also where what it is divided by is 0."""
    if below > 0.0:
        return above / below
    return math.nan if above == 0.0 else math.copysign(math.inf, above)
