"""Focal loss of K raw scores per row, and the way from its raw scores to class probabilities.

The loss of a row of class y is w_y q_y^gamma (-log p_y) with p the softmax and q = 1 - p; a soft label mixes the
classes' losses. See ``focal.py`` for the sources; gamma = 0 is softmax cross-entropy.
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import Array, double, jit
from .softmax import LARGEST, below, class_term, exponentials, is_finite, is_valid, normalise, sum_of_others

# ---- points ---------------------------------------------------------------------------------------------------------


@jit
def factors(p: float, q: float, loss: float, gamma: float) -> tuple[float, float, float]:
    """The three numbers that the derivatives of one class's loss are made of, where loss = -log p.

    With A = q^(gamma - 1) (q + gamma p loss): returns A, A q, and q^2 f where f is the curvature in the direction of
    the gradient. A alone would divide 0 by 0 when q underflows; loss / q is 1 there.
    """
    modulation = math.pow(q, gamma)
    p_loss = p * loss
    ratio = loss / q if q > 0.0 else 1.0
    a = modulation * (1.0 + gamma * p * ratio)
    a_q = modulation * (q + gamma * p_loss)
    q2_f = gamma * modulation * (2.0 * (p * q) - (1.0 - gamma * p) * p_loss)
    return a, a_q, q2_f


# ---- loops ----------------------------------------------------------------------------------------------------------


@jit
def per_sample(y: Array, raw: Array, weight: Array | None, class_weight: Array, gamma: float, out: Array) -> bool:
    e = np.empty(raw.shape[1])
    total = 0.0
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        total += w
        top, best, rest = exponentials(raw, i, e)
        log_rest = math.log1p(rest)
        loss = 0.0
        for k in range(raw.shape[1]):
            term = class_term(y, i, k, class_weight, 0.0)
            if term > 0.0:
                q = sum_of_others(e, k, best, rest) / (1.0 + rest)
                loss += term * (math.pow(q, gamma) * (log_rest - below(double(raw[i, k]), top)))
        out[i] = w * loss
    return total > 0.0


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    weight: Array | None,
    class_weight: Array,
    gamma: float,
    floor: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    """The Hessian's diagonal only; ``floor`` as in ``focal.gradient_hessian``.

    The work grows with K times the number of classes that a row's label names: K for a hard label.
    """
    classes = raw.shape[1]
    e = np.empty(classes)
    g, h, magnitude = np.empty(classes), np.empty(classes), np.empty(classes)
    total = 0.0
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        total += w
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
                    share = e[k] / others if others > 0.0 else 0.0  # p_k / q_j <= 1, where 1 / q_j might overflow
                    size = term * (a * p)
                    g[k] += size
                    h[k] += term * (a * p * (sum_of_others(e, k, best, rest) * scale) + q2_f * share * share)
                magnitude[k] += size
        for k in range(classes):
            gradient[i, k] = w * g[k]
            hessian[i, k] = w * (max(h[k], floor * magnitude[k]) if floor > 0.0 else h[k])
    return total > 0.0


@jit
def posterior(raw: Array, gamma: float, offset: Array, out: Array) -> bool:
    """Softmax of log h(p_k) + offset_k: the focal term undone, then the class weights."""
    classes = raw.shape[1]
    scores = np.empty((1, classes))
    e = np.empty(classes)
    for i in range(raw.shape[0]):
        if not is_finite(raw, i):
            return False
        top, best, rest = exponentials(raw, i, e)
        log_rest = math.log1p(rest)
        second = -math.inf  # the largest score but one, relative to the largest
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
            # log q from logarithms throughout: of the best class it stays finite where q itself underflows.
            log_q = (second + math.log(scaled_rest) if k == best else math.log(others)) - log_rest
            ratio = loss / q if q > 0.0 else 1.0
            score = offset[k] - loss - gamma * log_q - math.log1p(gamma * p * ratio)
            scores[0, k] = min(score, LARGEST)
        normalise(scores, e)
        out[i, :] = e
    return True
