"""Scores that are means over rows, and those made of such means by a division."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import _newton_fit, _validation
from .._kernels import logistic, softmax
from .._types import Array
from ._predictions import (
    Numbers,
    Predictions,
    add_up,
    check,
    class_columns,
    each,
    margin,
    mean_square,
    refuse_both_or_none,
)

ProperScore = Literal["log_loss", "brier"]


def log_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
    eps: float | None = None,
) -> float:
    """Mean negative log-likelihood of the labels, in nats; 0 is best.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, K)
        Labels in [0, 1] or, for ``(n, K)`` probabilities, class codes 0..K-1 or soft labels.
    proba : array-like of shape (n,) or (n, K)
        Probabilities: of y = 1, or one column per class. Two columns are scored like the second alone, by every score.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``: their sigmoid or softmax is scored, in one pass and without clipping.
    eps : float, optional
        Probabilities are first moved into [eps, 1 - eps]: by default by the machine epsilon of their dtype, as in
        scikit-learn. 0 leaves them alone: one impossible event that happened then makes the loss infinite.

    Returns
    -------
    float
        ``sum_i w_i * -sum_k y_ik log p_ik / sum_i w_i``

    Raises
    ------
    TypeError, ValueError
        When data have the wrong dtype or shape, or values without meaning; the message names the row.
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
    """Mean squared error of the probabilities (Brier 1950); 0 is best.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`log_loss`.

    Returns
    -------
    float
        Two classes, in one column or two: the mean of ``(y - p)**2``, in [0, 1]. For K > 2 columns: the mean of
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
    """Log loss divided by that of always predicting the base rate; 0 is best.

    1 is no better than the base rate. Unlike log loss it can be compared between data with different base rates (He et al.
    2014, "Practical Lessons from Predicting Clicks on Ads at Facebook").

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
        As for :func:`log_loss`, and for labels that are all of one class, whose base rate loses nothing.
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
    """The share of the base rate's loss that the probabilities explain; 1 is best, 0 is no better than the base rate.

    Parameters
    ----------
    y_true, proba, sample_weight, raw
        As for :func:`log_loss`.
    score : {"log_loss", "brier"}
        Whose: those of scikit-learn's ``d2_log_loss_score`` and ``d2_brier_score``.
    eps : float, optional
        As for :func:`log_loss`, whose it is.

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
    """Mean log loss over the rows of each class: a rare class can be lost without a trace in the mean over all rows.

    Parameters
    ----------
    y_true, proba, sample_weight, raw, eps
        As for :func:`log_loss`.

    Returns
    -------
    ndarray of shape (K,)
        ``sum_i w_i y_ik * -log p_ik / sum_i w_i y_ik``; NaN for a class without rows. The mean of these, weighted with the
        shares of the classes, is the log loss. For binary labels: of y = 0, then of y = 1.

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`.
    """
    data = check(y_true, proba, sample_weight, raw)
    losses, _, _ = each(data, eps)
    columns = class_columns(data)
    if data.weight is not None:
        columns *= data.weight[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        if data.y.ndim == 1 and (data.classes > 2 or not ((data.y != 0) & (data.y != 1)).any()):
            terms = losses[:, None]
        else:  # shares of classes: each has its own term
            inset = margin(data, eps)
            p = np.clip(data.proba.astype(np.float64), inset, 1.0 - inset)
            terms = np.stack([-np.log1p(-p), -np.log(p)], axis=1) if data.is_binary else -np.log(p)
        of_class = np.where(columns > 0.0, columns * terms, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        means: Numbers = of_class / columns.sum(axis=0)
    return means


def refinement_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Log loss after temperature scaling: what is left when the probabilities are as sure of themselves as they may be.

    As a metric for early stopping it looks at what a model can tell apart and leaves its calibration for afterwards; log loss
    stops boosting as soon as the model becomes too sure of itself, which a calibrator mends (Berta, Holzmueller, Jordan and
    Bach 2025, arXiv 2501.19195).

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels in [0, 1], or class codes 0..K-1.
    proba, sample_weight, raw
        As for :func:`log_loss`.

    Returns
    -------
    float
        ``min over T of log_loss(y_true, softmax(raw / T))``, in nats, with the best T found as in
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
    means_of_raw(*data)  # refuses what has no meaning
    return means_of_raw(data[0], data[1] * _newton_fit.temperature(_newton_fit.Rows(*data)), data[2])[0]


def logits(proba: npt.ArrayLike) -> Array:
    """Raw scores that give these probabilities; 0 and 1 are first moved inwards by the machine epsilon of their dtype.

    Parameters
    ----------
    proba : array-like of shape (n,) or (n, K)

    Returns
    -------
    ndarray of the shape of ``proba``
        Log odds, or logarithms for K columns.

    Raises
    ------
    TypeError, ValueError
        When they are no probabilities.
    """
    p = _validation.numbers("proba", proba)
    _validation.refuse_bad_probabilities(p)
    eps = np.finfo(p.dtype).eps
    inner = np.clip(p, eps, 1 - eps)
    scores: Array = np.log(inner) - np.log1p(-inner) if p.ndim == 1 else np.log(inner)
    return scores


def means_of_raw(
    y_true: npt.ArrayLike,
    raw: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    shift: npt.ArrayLike | None = None,
) -> tuple[float, float]:
    """Log loss and Brier score of the sigmoid or softmax of raw scores, to which a constant may be added first.

    Two columns are scored like their difference, the log odds of the second class.
    """
    if np.ndim(raw) == 2 and np.shape(raw)[1] == 2:
        scores, labels = _validation.numeric("raw", raw), _validation.numeric("y_true", y_true)
        if labels.ndim == 2:
            _validation.refuse_other_shape(labels, scores, "raw")
            _validation.refuse_class_labels(labels)
            y_true = labels[:, 1]
        raw = scores[:, 1].astype(np.float64) - scores[:, 0]
        shift = None if shift is None else float(np.diff(np.broadcast_to(np.asarray(shift, dtype=np.float64), 2))[0])
    if np.ndim(raw) == 1:
        data = _validation.binary(y_true, raw, sample_weight)
        constant = None if shift is None else float(np.asarray(shift))
        sums = [logistic.sums(y, z, constant, w, 1.0, 1.0, 0.0) for _, y, z, w in _validation.blocks(*data)]
        refuse = _validation.refuse_binary
    else:
        data = _validation.multiclass(y_true, raw, sample_weight)
        classes = data[1].shape[1]
        constants = None if shift is None else np.broadcast_to(np.asarray(shift, dtype=np.float64), classes).copy()
        if data[0].ndim == 2:  # soft labels
            proba = np.empty_like(data[1], dtype=np.float64)
            if not softmax.posterior(
                data[1].astype(np.float64), np.zeros(classes) if constants is None else constants, 0.0, proba
            ):
                _validation.refuse_raw(data[1])
            of_rows = add_up(Predictions(data[0], proba, data[2]), eps=0.0)
            return of_rows.loss / of_rows.weight, of_rows.square / of_rows.weight
        ones = np.ones(classes)
        sums = [softmax.sums(y, z, constants, w, ones, 0.0, None) for _, y, z, w in _validation.blocks(*data)]
        refuse = _validation.refuse_multiclass
    loss, square, weight = (sum(part) for part in list(zip(*sums, strict=True))[1:])
    if not (all(fine for fine, *_ in sums) and 0.0 < weight < np.inf):
        refuse(*data)
    return loss / weight, square / weight


def entropy(shares: Numbers, score: ProperScore) -> Numbers:
    """Return the score of predicting the shares of classes ``(..., K)`` themselves: Shannon's or Gini's."""
    if score == "brier":
        gini: Numbers = (shares * (1.0 - shares)).sum(axis=-1)
        return gini * _factor(shares.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        shannon: Numbers = -np.where(shares > 0, shares * np.log(shares), 0.0).sum(axis=-1)
    return shannon


def loss_of_constant(forecast: Numbers, shares: Numbers, score: ProperScore) -> float:
    """Return the score of one forecast ``(K,)`` for all rows, whose classes have these shares ``(K,)``."""
    if score == "brier":
        # The mean of sum_k (y_k - p_k)**2.
        whole = float((shares * (1.0 - shares)).sum() + ((shares - forecast) ** 2).sum())
        return whole * _factor(len(shares))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.where(shares > 0.0, shares * np.log(forecast), 0.0).sum())


def over_base_rate(mean: Numbers | float, shares: Numbers, score: ProperScore, *, explained: bool) -> Numbers:
    """Return the ratio of a mean loss to that of the base rate, or, where ``explained``, what is missing to 1."""
    with np.errstate(divide="ignore", invalid="ignore"):  # replicates may lack one of the classes
        ratio: Numbers = mean / entropy(shares, score)
    return 1.0 - ratio if explained else ratio


def class_shares(y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None, *, binary: bool) -> Numbers:
    """Return the weighted shares of the classes among labels, ``(K,)``."""
    y, weight = _validation.labels_and_weights(y_true, sample_weight, multiclass=True)
    if binary:
        rate = float(np.average(y if y.ndim == 1 else y[:, 1], weights=weight))
        return np.array([1.0 - rate, rate])
    if y.ndim == 2:
        shares: Numbers = np.average(y, axis=0, weights=weight).astype(np.float64)
    else:
        shares = np.bincount(y.astype(np.intp), weights=weight, minlength=3).astype(np.float64)
        shares /= shares.sum()
    return shares


def refuse_other_score(score: str) -> None:
    """Raise ValueError unless the score is one of the two."""
    if score not in ("log_loss", "brier"):
        raise ValueError(f"score must be 'log_loss' or 'brier', got {score!r}")


def _shares(y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None, given: npt.ArrayLike | None) -> Numbers:
    """Return the shares of the classes; raises ValueError where all rows are of one, whose base rate loses nothing.

    The labels have been checked with the probabilities or raw scores that are given.
    """
    shape: tuple[int, ...] = np.shape(given)  # type: ignore[arg-type]
    shares = class_shares(y_true, sample_weight, binary=shape[1:] in ((), (2,)))
    if entropy(shares, "log_loss") <= 0.0:
        only = f"y_true must hold more than one class to compare with the base rate, got class {np.argmax(shares)} only"
        raise ValueError(only)
    return shares


def _factor(classes: int) -> float:
    """Return what the Brier score of two classes, of one column, is of that of both columns."""
    return 0.5 if classes == 2 else 1.0
