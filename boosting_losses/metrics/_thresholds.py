"""Rates of the confusion matrix and net benefit at thresholds of the probability."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _validation
from ._two_classes import Numbers, two_classes


class ThresholdTable(NamedTuple):
    """Rates if rows with ``p >= threshold`` are predicted positive; each field has shape ``(T,)``."""

    threshold: Numbers
    precision: Numbers  #: TP / (TP + FP); NaN if no row is predicted positive
    recall: Numbers  #: TP / (TP + FN); NaN without positives
    f1: Numbers  #: 2 TP / (2 TP + FP + FN); NaN if no row is positive or predicted positive
    specificity: Numbers  #: TN / (TN + FP); NaN without negatives
    predicted_positive: Numbers  #: (TP + FP) / n, the share that is predicted positive
    net_benefit: Numbers  #: TP / n - FP / n * t / (1 - t)
    net_benefit_of_all: Numbers  #: the same if every row is predicted positive; if no row is, it is 0


def at_thresholds(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
) -> ThresholdTable:
    """Return precision, recall, F1, specificity and net benefit of predicting positive at or above each threshold.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1]; a soft label y counts as y of a positive and 1 - y of a negative.
    proba : array-like of shape (n,) or (n, 2)
        Probabilities of y = 1.
    thresholds : array-like of shape (T,), or float
        Thresholds in [0, 1], in any order. :func:`threshold_of_costs` returns the threshold that costs imply.
    sample_weight : array-like of shape (n,), optional

    Returns
    -------
    ThresholdTable
        n, TP, FP, TN and FN are sums of weights. Net benefit (Vickers and Elkin 2006, Med. Decis. Making 26, 565-574)
        is measured in true positives per row: a threshold t implies that a false positive costs ``t / (1 - t)`` true
        positives. At t = 1, this cost is infinite.

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values, if a threshold is outside [0, 1], or if
        there are more than two classes.

    Examples
    --------
    >>> table = at_thresholds([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.8], [0.2, 0.5])
    >>> table.recall.tolist()
    [1.0, 0.5]
    """
    t = np.atleast_1d(_validation.numeric("thresholds", thresholds)).astype(np.float64)
    if t.ndim != 1:
        raise ValueError(f"thresholds must have shape (T,), got {t.shape}")
    odd = ~((t >= 0.0) & (t <= 1.0))
    if odd.any():
        raise ValueError(f"thresholds must lie in [0, 1], got {t[odd][0]}")
    rows = two_classes(y_true, proba, sample_weight, None)
    rising = np.unique(t)
    cell = np.searchsorted(rising, rows.proba, side="right")  # the number of thresholds that each row reaches
    positives = _sums(cell, rows.weight * rows.y, len(rising) + 1)
    negatives = _sums(cell, rows.weight * (1.0 - rows.y), len(rising) + 1)
    where = np.searchsorted(rising, t)
    (tp, fn), (fp, tn) = ([side[where] for side in from_and_below(sums)] for sums in (positives, negatives))
    total = float(rows.weight.sum())
    with np.errstate(invalid="ignore", divide="ignore"):

        def benefit(true: Numbers, false: Numbers) -> Numbers:
            return (true - np.where(false > 0.0, false * (t / (1.0 - t)), 0.0)) / total

        return ThresholdTable(
            threshold=t,
            precision=tp / (tp + fp),
            recall=tp / (tp + fn),
            f1=2.0 * tp / (2.0 * tp + fp + fn),
            specificity=tn / (tn + fp),
            predicted_positive=(tp + fp) / total,
            net_benefit=benefit(tp, fp),
            net_benefit_of_all=benefit(tp + fn, fp + tn),
        )


def threshold_of_costs(false_positive: float, false_negative: float) -> float:
    """Return the threshold above which predicting positive costs less on average than predicting negative.

    Parameters
    ----------
    false_positive, false_negative : float
        The cost of one such error relative to the correct decision, in any unit; >= 0, and at least one of them > 0.

    Returns
    -------
    float
        ``false_positive / (false_positive + false_negative)``, in [0, 1] (Elkan 2001, "The Foundations of
        Cost-Sensitive Learning", equation 2). It assumes that the probabilities are calibrated.

    Raises
    ------
    TypeError, ValueError
        If a cost is not a number, not finite or negative, or if both are 0.

    Examples
    --------
    >>> threshold_of_costs(false_positive=1, false_negative=9)
    0.1
    """
    costs = {"false_positive": false_positive, "false_negative": false_negative}
    for name, cost in costs.items():
        if isinstance(cost, (bool, np.bool_)) or not isinstance(cost, (int, float, np.integer, np.floating)):
            raise TypeError(f"{name} must be a number, got {cost!r}")
        if not 0.0 <= cost < math.inf:
            raise ValueError(f"{name} must be finite and >= 0, got {cost!r}")
    most, exponent = math.frexp(max(costs.values()))
    if most == 0.0:
        raise ValueError("at least one of false_positive and false_negative must be > 0, got 0 for both")
    first, second = (math.ldexp(cost, -exponent) for cost in costs.values())  # scaled to avoid overflow
    return first / (first + second)


def from_and_below(cells: Numbers) -> tuple[Numbers, Numbers]:
    """Return the sums at or above and below each of T increasing thresholds, from the sums of the T + 1 cells between them.

    Both are accumulated from their own end, so that no small count is computed as the difference of two large ones.
    """
    from_there: Numbers = np.cumsum(cells[::-1], axis=0)[::-1][1:]
    below: Numbers = np.cumsum(cells, axis=0)[:-1]
    return from_there, below


def _sums(cell: npt.NDArray[np.intp], values: Numbers, cells: int) -> Numbers:
    return np.bincount(cell, weights=values, minlength=cells).astype(np.float64, copy=False)
