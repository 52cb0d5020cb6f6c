"""Scores that are means over rows, or ratios of such means."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _newton_fit, _validation
from .._labelled_scores import Rows
from ._base_rate import ProperScore, class_shares, entropy, over_base_rate, refuse_other_score
from ._predictions import (
    Numbers,
    add_up,
    check,
    class_columns,
    class_losses,
    mean_square,
    refuse_both_or_none,
)
from ._raw_scores import logits, means_of_raw


def log_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    eps: float | None = None,
) -> float:
    """Return the mean negative log-likelihood of the labels, in nats; 0 is best.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, K)
        Labels in [0, 1] or, for ``(n, K)`` probabilities, class codes 0..K-1 or soft labels.
    proba : array-like of shape (n,) or (n, K)
        Probabilities of y = 1, or one column per class. Every score treats two columns like the second column alone.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``. Their sigmoid or softmax is scored in one pass, without clipping unless ``eps``
        is given.
    eps : float, optional
        Probabilities are first clipped to [eps, 1 - eps]; the default is the machine epsilon of their dtype, as in
        scikit-learn. 0 disables clipping: the loss is then infinite if an event of probability 0 occurs.

    Returns
    -------
    float
        ``sum_i w_i * -sum_k y_ik log p_ik / sum_i w_i``

    Raises
    ------
    TypeError, ValueError
        If the data have the wrong dtype or shape or contain invalid values; the message names the row.
    """
    if raw is not None and proba is None and eps is None:
        return means_of_raw(y_true, raw, sample_weight)[0]
    sums = add_up(check(y_true, proba, sample_weight, raw), eps)
    return sums.loss / sums.weight


def brier_score(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the mean squared error of the probabilities (Brier 1950); 0 is best.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`log_loss`.

    Returns
    -------
    float
        For two classes, in one column or two, the mean of ``(y - p)**2``, in [0, 1]. For K > 2 columns, the mean of
        ``sum_k (y_k - p_k)**2``, in [0, 2].

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`.
    """
    if raw is not None and proba is None:
        return means_of_raw(y_true, raw, sample_weight)[1]
    return mean_square(check(y_true, proba, sample_weight, raw))


def normalized_cross_entropy(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    eps: float | None = None,
) -> float:
    """Return the log loss divided by the log loss of always predicting the base rate; 0 is best.

    A value of 1 is no better than the base rate. Unlike log loss, it can be compared between data sets with different
    base rates (He et al. 2014, "Practical Lessons from Predicting Clicks on Ads at Facebook").

    Parameters
    ----------
    y_true, proba, sample_weight, raw, eps
        As for :func:`log_loss`.

    Returns
    -------
    float
        ``log_loss / -sum_k b_k log b_k``, where ``b_k`` is the weighted share of class k in ``y_true``

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`, and if all labels are of one class, for which the base rate has zero loss.
    """
    loss = log_loss(y_true, proba, sample_weight, raw=raw, eps=eps)
    shares = _shares(y_true, sample_weight, raw if proba is None else proba)
    return float(over_base_rate(loss, shares, "log_loss", explained=False))


def d2(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    score: ProperScore = "log_loss",
    eps: float | None = None,
) -> float:
    """Return the share of the base rate's loss that the probabilities explain; 1 is best, 0 is no better than the base rate.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`log_loss`.
    score : {"log_loss", "brier"}
        The score that is compared, as in scikit-learn's ``d2_log_loss_score`` or ``d2_brier_score``.
    eps : float, optional
        As for :func:`log_loss`; used only for "log_loss".

    Returns
    -------
    float
        ``1 - score / score of the base rate``, at most 1

    Raises
    ------
    TypeError, ValueError
        As for :func:`normalized_cross_entropy`.
    """
    refuse_other_score(score)
    of_log_loss = score == "log_loss"
    mean = (
        log_loss(y_true, proba, sample_weight, raw=raw, eps=eps)
        if of_log_loss
        else brier_score(y_true, proba, sample_weight, raw=raw)
    )
    return float(
        over_base_rate(mean, _shares(y_true, sample_weight, raw if proba is None else proba), score, explained=True)
    )


def log_loss_by_class(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    eps: float | None = None,
) -> Numbers:
    """Return the mean log loss over the rows of each class; the mean over all rows may hide a rare class.

    Parameters
    ----------
    y_true, proba, sample_weight, raw, eps
        As for :func:`log_loss`.

    Returns
    -------
    ndarray of shape (K,)
        ``sum_i w_i y_ik * -log p_ik / sum_i w_i y_ik``; NaN for a class without rows. Their mean, weighted by the class
        shares, is the log loss. For binary labels, the order is y = 0, then y = 1.

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`.
    """
    data = check(y_true, proba, sample_weight, raw)
    terms = class_losses(data, eps)
    columns = class_columns(data)
    if data.weight is not None:
        columns *= data.weight[:, None]
    with np.errstate(invalid="ignore"):
        of_class = np.where(columns > 0.0, columns * terms, 0.0).sum(axis=0)
        means: Numbers = of_class / columns.sum(axis=0)
    return means


def balanced_log_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    eps: float | None = None,
) -> float:
    """Return the log loss with inverse class frequencies as weights, so that every class counts the same; 0 is best.

    Unless the classes are equally frequent, a calibrated model does not have the smallest value: the weights favour
    probabilities for equally frequent classes. A constant forecast of 1 / K has the value log(K).

    Parameters
    ----------
    y_true, proba, sample_weight, raw, eps
        As for :func:`log_loss`.

    Returns
    -------
    float
        The mean over the K classes of :func:`log_loss_by_class`. Without sample weights, it is the log loss with the weights
        ``n / (K n_k)`` of scikit-learn's ``compute_sample_weight("balanced", y)``; with them, n and n_k are sums of weights.

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`, and if a class has no rows with nonzero weight.
    """
    by_class = log_loss_by_class(y_true, proba, sample_weight, raw=raw, eps=eps)
    empty = np.flatnonzero(np.isnan(by_class))
    if len(empty):
        raise ValueError(f"y_true must hold rows of every class 0..{len(by_class) - 1}, got none of class {empty[0]}")
    return float(by_class.mean())


def refinement_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Return the log loss after temperature scaling: the part that recalibration cannot remove.

    As a metric for early stopping, it measures how well the model separates the classes and ignores its calibration.
    Log loss stops boosting as soon as the model becomes overconfident, although a calibrator can correct that (Berta,
    Holzmueller, Jordan and Bach 2025, arXiv 2501.19195).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba, sample_weight, raw
        As for :func:`log_loss`.

    Returns
    -------
    float
        ``min over T of log_loss(y_true, softmax(raw / T))``, in nats. The best T is found as in
        :class:`boosting_losses.calibration.TemperatureScaling`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`, and for soft labels of K classes.
    """
    refuse_both_or_none(proba, raw)
    scores = logits(proba) if proba is not None else np.asarray(raw)
    door = _validation.binary if np.ndim(scores) == 1 else _validation.multiclass
    data = door(y_true, scores, sample_weight)
    if data[0].ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data[0].shape}")
    means_of_raw(*data)  # raises ValueError for invalid values
    return means_of_raw(data[0], data[1] * _newton_fit.temperature(Rows(*data)), data[2])[0]


def _shares(y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None, given: npt.ArrayLike | None) -> Numbers:
    """Return the class shares; raise ValueError if all rows are of one class, for which the base rate has zero loss.

    The labels have already been checked together with the given probabilities or raw scores.
    """
    shape: tuple[int, ...] = np.shape(given)  # type: ignore[arg-type]
    shares = class_shares(y_true, sample_weight, binary=shape[1:] in ((), (2,)))
    if entropy(shares, "log_loss") <= 0.0:
        only = f"y_true must hold more than one class to compare with the base rate, got class {np.argmax(shares)} only"
        raise ValueError(only)
    return shares
