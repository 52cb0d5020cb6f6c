"""Losses of K classes with soft labels, and the focal posterior, computed row by row in double precision.

The loss of a soft label is a weighted sum of the losses of its classes, whose derivatives partly cancel. For the focal loss
the work is proportional to K times the number of classes with a nonzero label. For these reasons this module does not
process blocks of rows. See ``softmax.py`` for class codes.
"""

from __future__ import annotations

import math

import numpy as np

from .._types import Array
from ._jit import double, jit

#: The largest double.
LARGEST = 1.7976931348623157e308

#: The tolerated deviation of a row sum from 1; the sum of 100 float32 numbers that should be 1 deviates by at most 3e-6.
ROW_SUM_TOLERANCE = 1e-5

# ---- points: one row ------------------------------------------------------------------------------------------------


@jit
def exponentials(raw: Array, i: int, e: Array) -> tuple[float, int, float]:
    """Fill e[k] = exp(z_k - top); return the largest score top, its class, and the sum of the other exponentials.

    The sum excludes the largest score, whose exponential is exactly 1. The log-sum-exp, from log1p(rest), and 1 - p, from
    rest / (1 + rest), then keep all digits when one class is nearly certain.
    """
    classes = raw.shape[1]
    best = 0
    for k in range(1, classes):
        if raw[i, k] > raw[i, best]:
            best = k
    top = double(raw[i, best])
    rest = 0.0
    for k in range(classes):
        e[k] = math.exp(double(raw[i, k]) - top)
        if k != best:
            rest += e[k]
    return top, best, rest


@jit
def below(z: float, top: float) -> float:
    """Return z - top, the distance below the largest score, as a finite number even if the difference overflows."""
    return max(z - top, -LARGEST)


@jit
def sum_of_others(e: Array, k: int, best: int, rest: float) -> float:
    """Return the sum of the exponentials of all classes but k."""
    return rest if k == best else (1.0 - e[k]) + rest


@jit
def class_term(y: Array, i: int, k: int, class_weight: Array, smoothing: float) -> float:
    """Return the factor of -log p_k in the loss of row i: the label after smoothing, times the class weight."""
    smoothed = (1.0 - smoothing) * double(y[i, k]) + smoothing / class_weight.shape[0]
    return float(class_weight[k] * smoothed)


@jit
def is_finite(raw: Array, i: int) -> bool:
    """Return whether all scores of the row are finite."""
    finite = True
    for k in range(raw.shape[1]):
        finite &= -math.inf < raw[i, k] < math.inf
    return finite


@jit
def is_valid(y: Array, raw: Array, i: int, w: float) -> bool:
    """Return whether the row has a soft label that sums to 1, finite scores and a finite weight >= 0."""
    valid = is_finite(raw, i) and 0.0 <= w < math.inf
    shares = 0.0
    for k in range(raw.shape[1]):
        share = double(y[i, k])
        valid &= 0.0 <= share <= 1.0
        shares += share
    return valid and abs(shares - 1.0) <= ROW_SUM_TOLERANCE


@jit
def normalise(scores: Array, p: Array) -> None:
    """Write the softmax of the single row of ``scores`` to p."""
    _, _, rest = exponentials(scores, 0, p)
    scale = 1.0 / (1.0 + rest)
    for k in range(p.shape[0]):
        p[k] *= scale


@jit
def factors(p: float, q: float, loss: float, gamma: float) -> tuple[float, float, float]:
    """Return A, A q and q^2 f, from which the derivatives of the focal loss of one class are computed.

    Here loss = -log p, A = q^(gamma - 1) (q + gamma p loss), and f is the curvature in the direction of the gradient.
    When q underflows, the ratio loss / q, which would be 0 / 0, is replaced by its limit 1.
    """
    modulation = math.pow(q, gamma)
    p_loss = p * loss
    ratio = loss / q if q > 0.0 else 1.0
    a = modulation * (1.0 + gamma * p * ratio)
    a_q = modulation * (q + gamma * p_loss)
    q2_f = gamma * modulation * (2.0 * (p * q) - (1.0 - gamma * p) * p_loss)
    return a, a_q, q2_f


# ---- cross-entropy --------------------------------------------------------------------------------------------------


@jit
def losses(y: Array, raw: Array, weight: Array | None, class_weight: Array, smoothing: float, out: Array) -> bool:
    e = np.empty(raw.shape[1])
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        top, _, rest = exponentials(raw, i, e)
        log_rest = math.log1p(rest)
        loss = 0.0
        for k in range(raw.shape[1]):
            term = class_term(y, i, k, class_weight, smoothing)
            if term > 0.0:
                loss += term * (log_rest - below(double(raw[i, k]), top))
        out[i] = w * loss
    return True


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    weight: Array | None,
    class_weight: Array,
    smoothing: float,
    factor: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    """Fill the gradient and the diagonal of the Hessian, times ``factor``."""
    classes = raw.shape[1]
    e = np.empty(classes)
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        _, best, rest = exponentials(raw, i, e)
        scale = 1.0 / (1.0 + rest)
        terms = 0.0
        for k in range(classes):
            terms += class_term(y, i, k, class_weight, smoothing)
        for k in range(classes):
            term = class_term(y, i, k, class_weight, smoothing)
            p = e[k] * scale
            q = sum_of_others(e, k, best, rest) * scale
            # Both products are >= 0, and one of them is 0 for a hard label without smoothing, so no digits cancel.
            gradient[i, k] = w * ((terms - term) * p - term * q)
            hessian[i, k] = factor * w * (terms * (p * q))
    return True


# ---- focal ----------------------------------------------------------------------------------------------------------


@jit
def focal_losses(y: Array, raw: Array, weight: Array | None, class_weight: Array, gamma: float, out: Array) -> bool:
    e = np.empty(raw.shape[1])
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        top, best, rest = exponentials(raw, i, e)
        log_rest = math.log1p(rest)
        loss = 0.0
        for k in range(raw.shape[1]):
            term = class_term(y, i, k, class_weight, 0.0)
            if term > 0.0:
                q = sum_of_others(e, k, best, rest) / (1.0 + rest)
                loss += term * (math.pow(q, gamma) * (log_rest - below(double(raw[i, k]), top)))
        out[i] = w * loss
    return True


@jit
def focal_gradient_hessian(
    y: Array,
    raw: Array,
    weight: Array | None,
    class_weight: Array,
    gamma: float,
    floor: float,
    factor: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    """Fill the gradient and the diagonal of the Hessian, times ``factor``; for ``floor`` see ``focal.gradient_hessian``.

    The work for a row is proportional to K times the number of classes with a nonzero label.
    """
    classes = raw.shape[1]
    e = np.empty(classes)
    g, h, magnitude = np.empty(classes), np.empty(classes), np.empty(classes)
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        top, best, rest = exponentials(raw, i, e)
        log_rest = math.log1p(rest)
        scale = 1.0 / (1.0 + rest)
        g[:], h[:], magnitude[:] = 0.0, 0.0, 0.0
        for j in range(classes):
            term = class_term(y, i, j, class_weight, 0.0)
            if not term > 0.0:
                continue
            others = sum_of_others(e, j, best, rest)
            loss = log_rest - below(double(raw[i, j]), top)
            a, a_q, q2_f = factors(e[j] * scale, others * scale, loss, gamma)
            for k in range(classes):
                if k == j:
                    size = term * a_q
                    g[k] -= size
                    h[k] += term * (a_q * (e[j] * scale) + q2_f)
                else:
                    p = e[k] * scale
                    share = e[k] / others if others > 0.0 else 0.0  # p_k / q_j, at most 1; 1 / q_j might overflow
                    size = term * (a * p)
                    g[k] += size
                    h[k] += term * (a * p * (sum_of_others(e, k, best, rest) * scale) + q2_f * share * share)
                magnitude[k] += size
        for k in range(classes):
            gradient[i, k] = w * g[k]
            hessian[i, k] = factor * w * (max(h[k], floor * magnitude[k]) if floor > 0.0 else h[k])
    return True


@jit
def focal_logits_of_row(raw: Array, i: int, gamma: float, offset: Array, e: Array, out: Array) -> None:
    """Fill the single row of ``out`` with log h(p_k) + offset_k; ``e`` is scratch memory."""
    classes = raw.shape[1]
    top, best, rest = exponentials(raw, i, e)
    log_rest = math.log1p(rest)
    second = -math.inf  # the second largest score, relative to the largest
    for k in range(classes):
        if k != best:
            second = max(second, below(double(raw[i, k]), top))
    scaled_rest = 0.0
    for k in range(classes):
        if k != best:
            scaled_rest += math.exp(below(double(raw[i, k]), top) - second)
    for k in range(classes):
        p = e[k] / (1.0 + rest)
        others = sum_of_others(e, k, best, rest)
        q = others / (1.0 + rest)
        loss = log_rest - below(double(raw[i, k]), top)
        # log q is computed from logarithms, so that it stays finite for the best class when q underflows.
        log_q = (second + math.log(scaled_rest) if k == best else math.log(others)) - log_rest
        ratio = loss / q if q > 0.0 else 1.0
        score = offset[k] - loss - gamma * log_q - math.log1p(gamma * p * ratio)
        out[0, k] = max(min(score, LARGEST), -LARGEST)


@jit
def focal_logits(raw: Array, gamma: float, offset: Array, out: Array) -> None:
    """Fill log h(p_k) + offset_k, whose softmax is the class probability, with focal term and class weights undone."""
    e = np.empty(raw.shape[1])
    for i in range(raw.shape[0]):
        focal_logits_of_row(raw, i, gamma, offset, e, out[i : i + 1])


@jit
def focal_posterior(raw: Array, gamma: float, offset: Array, out: Array) -> bool:
    """Fill the softmax of the ``focal_logits``, which are computed in double precision."""
    logits, e = np.empty((1, raw.shape[1])), np.empty(raw.shape[1])
    for i in range(raw.shape[0]):
        if not is_finite(raw, i):
            return False
        focal_logits_of_row(raw, i, gamma, offset, e, logits)
        normalise(logits, e)
        out[i, :] = e
    return True
