"""Scores of class probabilities, in scikit-learn's argument order.

Each takes ``(y_true, proba, sample_weight=None)``, where ``proba`` holds P(y = 1) for binary labels, ``(n,)``, or one
column per class, ``(n, K)``; each serves as the ``score`` of an adapter's ``Metric``. By name they take ``raw`` instead, the
raw scores whose sigmoid or softmax the probabilities are: in one pass, without clipping, and without making them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import _arrays as arrays
from . import _scaling as scaling
from .kernels import logistic, softmax

Array = npt.NDArray[np.floating]


def log_loss(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    *,
    raw: npt.ArrayLike | None = None,
) -> float:
    """Mean negative log-likelihood of the labels, in nats; 0 is best.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, K)
        Labels in [0, 1] or, for ``(n, K)`` probabilities, class codes 0..K-1 or soft labels.
    proba : array-like of shape (n,) or (n, K)
        Probabilities. Like in scikit-learn, 0 and 1 are first moved inwards by the machine epsilon of their dtype.
    sample_weight : array-like of shape (n,), optional
    raw : array-like of shape (n,) or (n, K), optional
        Raw scores instead of ``proba``.

    Returns
    -------
    float
        ``sum_i w_i * -sum_k y_ik log p_ik / sum_i w_i``

    Raises
    ------
    TypeError, ValueError
        When data have the wrong dtype or shape, or values without meaning; the message names the row.
    """
    if proba is None or raw is not None:
        return means_of_raw(y_true, _either(proba, raw), sample_weight)[0]
    y, p, weight = _checked(y_true, proba, sample_weight)
    eps = np.finfo(p.dtype).eps
    log_p = np.log(np.clip(p, eps, 1 - eps))
    if p.ndim == 1:
        losses = -(y * log_p + (1 - y) * np.log1p(-np.clip(p, eps, 1 - eps)))
    else:
        losses = -(y * log_p).sum(axis=1)
    return float(np.average(losses, weights=weight))


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
        Binary: the mean of ``(y - p)**2``, in [0, 1]. For K columns: the mean of ``sum_k (y_k - p_k)**2``, in [0, 2].

    Raises
    ------
    TypeError, ValueError
        As for :func:`log_loss`.
    """
    if proba is None or raw is not None:
        return means_of_raw(y_true, _either(proba, raw), sample_weight)[1]
    y, p, weight = _checked(y_true, proba, sample_weight)
    squares = (y - p) ** 2
    return float(np.average(squares if p.ndim == 1 else squares.sum(axis=1), weights=weight))


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
    scores = logits(proba) if proba is not None and raw is None else _either(proba, raw)
    check = arrays.binary if np.ndim(scores) == 1 else arrays.multiclass
    data = check(y_true, scores, sample_weight)
    if data[0].ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data[0].shape}")
    means_of_raw(*data)  # refuses what has no meaning
    return means_of_raw(data[0], data[1] * scaling.temperature(scaling.Rows(*data)), data[2])[0]


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
    p = arrays.numbers("proba", proba)
    arrays.refuse_bad_probabilities(p)
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
    """Log loss and Brier score of the sigmoid or softmax of raw scores, to which a constant may be added first."""
    if np.ndim(raw) == 1:
        data = arrays.binary(y_true, raw, sample_weight)
        constant = None if shift is None else float(np.asarray(shift))
        sums = [logistic.sums(y, z, constant, w, 1.0, 1.0, 0.0) for _, y, z, w in arrays.blocks(*data)]
        refuse = arrays.refuse_binary
    else:
        data = arrays.multiclass(y_true, raw, sample_weight)
        classes = data[1].shape[1]
        constants = None if shift is None else np.broadcast_to(np.asarray(shift, dtype=np.float64), classes).copy()
        if data[0].ndim == 2:  # soft labels
            proba = np.empty_like(data[1], dtype=np.float64)
            if not softmax.posterior(
                data[1].astype(np.float64), np.zeros(classes) if constants is None else constants, 0.0, proba
            ):
                arrays.refuse_raw(data[1])
            return log_loss(data[0], proba, data[2]), brier_score(data[0], proba, data[2])
        ones = np.ones(classes)
        sums = [softmax.sums(y, z, constants, w, ones, 0.0, None) for _, y, z, w in arrays.blocks(*data)]
        refuse = arrays.refuse_multiclass
    loss, square, weight = (sum(part) for part in list(zip(*sums, strict=True))[1:])
    if not (all(fine for fine, *_ in sums) and 0.0 < weight < np.inf):
        refuse(*data)
    return loss / weight, square / weight


def _either(proba: npt.ArrayLike | None, raw: npt.ArrayLike | None) -> npt.ArrayLike:
    if proba is not None or raw is None:
        raise ValueError(f"either proba or raw must be given, got {'none' if raw is None else 'both'}")
    return raw


def _checked(
    y_true: npt.ArrayLike, proba: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.float64], Array, Array | None]:
    """Labels in the shape of the probabilities, the probabilities, and weights."""
    p = arrays.numbers("proba", proba)
    if p.ndim not in (1, 2) or (p.ndim == 2 and p.shape[1] < 2):
        raise ValueError(f"proba must have shape (n,) or (n, K) with K >= 2, got {p.shape}")
    y, weight = arrays.labels_and_weights(y_true, sample_weight, multiclass=p.ndim == 2)
    arrays.refuse_weights(weight)
    arrays.refuse_other_length(y, p, "proba")
    arrays.refuse_bad_probabilities(p)
    if p.ndim == 1:
        arrays.refuse_binary_labels(y)
        return y.astype(np.float64), p, weight
    arrays.refuse_class_labels(y, p.shape[1])
    if y.ndim == 1:
        return np.eye(p.shape[1])[y.astype(np.intp)], p, weight
    arrays.refuse_other_shape(y, p, "proba")
    return y.astype(np.float64), p, weight
