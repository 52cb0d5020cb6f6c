"""Predictions at a threshold of the probability: rates of the confusion matrix, and net benefit."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _validation
from ._two_classes import Numbers, two_classes


class ThresholdTable(NamedTuple):
    """Where rows with ``p >= threshold`` are called positive; each field is ``(T,)``."""

    threshold: Numbers
    precision: Numbers  #: TP / (TP + FP); NaN where none is called positive
    recall: Numbers  #: TP / (TP + FN); NaN without positives
    f1: Numbers  #: 2 TP / (2 TP + FP + FN); NaN where there is no positive and none is called so
    specificity: Numbers  #: TN / (TN + FP); NaN without negatives
    predicted_positive: Numbers  #: (TP + FP) / n, the share that is called positive
    net_benefit: Numbers  #: TP / n - FP / n * t / (1 - t)
    net_benefit_of_all: Numbers  #: the same if every row were called positive; that of calling none so is 0


def at_thresholds(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
) -> ThresholdTable:
    """Return precision, recall, F1, specificity and net benefit of calling positive what reaches a threshold.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1]; one between counts as that share of a positive.
    proba : array-like of shape (n,) or (n, 2)
        Probabilities of y = 1.
    thresholds : array-like of shape (T,), or float
        In [0, 1], in any order. The threshold that costs imply is :func:`threshold_of_costs`.
    sample_weight : array-like of shape (n,), optional

    Returns
    -------
    ThresholdTable
        n, TP, FP, TN and FN are sums of weights. Net benefit (Vickers and Elkin 2006, Med. Decis. Making 26, 565-574) is in
        true positives per row: a false positive costs ``t / (1 - t)`` of them, which is what a threshold t implies. At t = 1
        a false positive costs infinitely much.

    Raises
    ------
    TypeError, ValueError
        When data have the wrong dtype or shape, or values without meaning; for thresholds outside [0, 1]; for more than two
        classes.

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
    cell = np.searchsorted(rising, rows.proba, side="right")  # how many thresholds it reaches
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
    """Return the threshold above which calling a row positive costs less on average than calling it negative.

    Parameters
    ----------
    false_positive, false_negative : float
        What one of each costs more than the right decision would, in any unit; >= 0, and one of them > 0.

    Returns
    -------
    float
        ``false_positive / (false_positive + false_negative)``, in [0, 1] (Elkan 2001, "The Foundations of Cost-Sensitive
        Learning", equation 2). It holds for probabilities that are calibrated.

    Raises
    ------
    TypeError, ValueError
        For costs that are no numbers, not finite, below 0, or both 0.

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
        raise ValueError("one of false_positive and false_negative must be > 0, got 0 for both")
    first, second = (math.ldexp(cost, -exponent) for cost in costs.values())  # lest the sum be infinite
    return first / (first + second)


def from_and_below(cells: Numbers) -> tuple[Numbers, Numbers]:
    """Return sums from each of T rising thresholds on, and below it, ``(T, ...)``, from those between, ``(T + 1, ...)``.

    They are taken from either end: no small count is the difference of two large ones.
    """
    from_there: Numbers = np.cumsum(cells[::-1], axis=0)[::-1][1:]
    below: Numbers = np.cumsum(cells, axis=0)[:-1]
    return from_there, below


def _sums(cell: npt.NDArray[np.intp], values: Numbers, cells: int) -> Numbers:
    return np.bincount(cell, weights=values, minlength=cells).astype(np.float64, copy=False)
