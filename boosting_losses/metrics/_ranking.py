"""Scikit-learn's ranking scores, which depend only on the order of the predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ._predictions import checked, each_class
from ._two_classes import TwoClasses


def roc_auc(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the area under the ROC curve: the chance that a positive has a higher score than a negative; ties count half.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels 0 and 1, or class codes 0..K-1.
    proba : array-like of shape (n,) or (n, K)
        Probabilities of y = 1, or one column per class.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``. For two classes, the raw scores are ranked directly, which avoids ties due to
        rounding.

    Returns
    -------
    float
        In [0, 1]; 1 is best. For more than two classes, the mean of the one-vs-rest areas, as in
        ``sklearn.metrics.roc_auc_score`` with ``multi_class="ovr"`` and ``average="macro"``.

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values, if labels are soft, or if a class has no
        rows with nonzero weight.
    ImportError
        If scikit-learn is not installed.
    """
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415  (scikit-learn is not a core dependency)

    return _over_classes(roc_auc_score, y_true, proba, sample_weight, raw)


def average_precision(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the average precision, a sum that estimates the area under the precision-recall curve.

    Unlike the area under the ROC curve, it depends on the base rate, which is the value that random scores attain.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`roc_auc`.

    Returns
    -------
    float
        ``sum_t (recall_t - recall_(t-1)) precision_t`` over decreasing thresholds, in [0, 1]; 1 is best. For more than
        two classes, the mean of the one-vs-rest values, as in ``sklearn.metrics.average_precision_score`` with
        ``average="macro"``.

    Raises
    ------
    TypeError, ValueError, ImportError
        As for :func:`roc_auc`.
    """
    from sklearn.metrics import average_precision_score  # noqa: PLC0415  (scikit-learn is not a core dependency)

    return _over_classes(average_precision_score, y_true, proba, sample_weight, raw)


def _over_classes(
    score: Callable[..., Any],
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None,
    raw: npt.ArrayLike | None,
) -> float:
    """Return the score of two classes, or the mean of the one-vs-rest scores."""
    data = checked(y_true, proba, sample_weight, raw)
    if data.classes == 2:
        rows = TwoClasses(data)
        rows.refuse_soft_labels()
        rows.refuse_one_class()
        ranked = rows.proba if raw is None else rows.log_odds
        return float(score(rows.y, ranked, sample_weight=rows.weight))
    codes = data.y if data.weight is None else data.y[data.weight > 0.0]
    empty = np.flatnonzero(np.bincount(codes.astype(np.intp), minlength=data.classes) == 0)
    if len(empty):
        raise ValueError(f"y_true must hold rows of every class 0..{data.classes - 1}, got none of class {empty[0]}")
    columns = [TwoClasses(column) for column in each_class(data)]
    return float(np.mean([score(rows.y, rows.proba, sample_weight=rows.weight) for rows in columns]))
