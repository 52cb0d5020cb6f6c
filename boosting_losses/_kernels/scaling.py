"""Derivatives of the log loss of rescaled scores with respect to the parameters of the scaling, in one pass over rows.

All computations are in double precision, because Newton's method depends on accurate sums over millions of rows. ``unit``
multiplies every weight, so that sums become means. The caller must have checked labels, scores and weights. The functions
process the rows from ``begin`` to ``end``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._types import Array
from ._jit import Real, double, jit, jit_inner, jit_sum, point
from .blocks import PADDING, codes, copy_weights, load, part, rows_of_block
from .logistic import sigmoid, softplus
from .vector import exp

# ---- one score per row ----------------------------------------------------------------------------------------------


@point
def derivatives(u: Real, y: Real) -> tuple[Real, Real]:
    """Return the first and second derivatives of the log loss of a label y in [0, 1] at the score u."""
    p, q = sigmoid(u)
    return p - y, p * q


@jit_sum
def linear(
    y: Array,
    raw: Array,
    weight: Array | None,
    begin: int,
    end: int,
    unit: float,
    low: float,
    high: float,
    centre: float,
    slope: float,
    constant: float,
) -> tuple[float, float, float, float, float]:
    """Return the derivatives for the scores slope * (raw - centre) + constant and the targets ``low`` and ``high``.

    The targets replace the labels 0 and 1. The five results are the gradient (slope, constant) and the Hessian (slope,
    mixed, constant).
    """
    labels, scores = y[begin:end], raw[begin:end]
    weights: Any = part(weight, begin, end)
    g_slope, g_constant, h_slope, h_mixed, h_constant = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(scores.shape[0]):
        z = double(scores[i]) - centre
        first, second = derivatives(slope * z + constant, low + (high - low) * double(labels[i]))
        if weight is None:
            first, second = unit * first, unit * second
        else:
            w = unit * double(weights[i])
            first, second = w * first, w * second
        g_constant += first
        g_slope += first * z
        h_constant += second
        h_mixed += second * z
        h_slope += second * z * z
    return g_slope, g_constant, h_slope, h_mixed, h_constant


@jit_sum
def beta(
    y: Array, raw: Array, weight: Array | None, begin: int, end: int, unit: float, a: float, b: float, c: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Return the gradient and the Hessian's upper triangle for the scores a log p - b log(1 - p) + c, p = sigmoid(raw)."""
    labels, scores = y[begin:end], raw[begin:end]
    weights: Any = part(weight, begin, end)
    g_a, g_b, g_c = 0.0, 0.0, 0.0
    h_aa, h_ab, h_ac, h_bb, h_bc, h_cc = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(scores.shape[0]):
        z = double(scores[i])
        minus_log_q = softplus(z)
        log_p = z - minus_log_q
        first, second = derivatives(a * log_p + b * minus_log_q + c, double(labels[i]))
        w = unit if weight is None else unit * double(weights[i])
        first, second = w * first, w * second
        g_a += first * log_p
        g_b += first * minus_log_q
        g_c += first
        h_aa += second * log_p * log_p
        h_ab += second * log_p * minus_log_q
        h_ac += second * log_p
        h_bb += second * minus_log_q * minus_log_q
        h_bc += second * minus_log_q
        h_cc += second
    return g_a, g_b, g_c, h_aa, h_ab, h_ac, h_bb, h_bc, h_cc


# ---- K scores per row -----------------------------------------------------------------------------------------------


@jit
def temperature(
    y: Array, raw: Array, weight: Array | None, begin: int, end: int, unit: float, inverse: float
) -> tuple[float, float]:
    """Return the first and second derivatives with respect to ``inverse`` > 0 for the softmax of inverse * raw."""
    classes = raw.shape[1]
    size = rows_of_block(raw)
    s = np.zeros((classes, size + PADDING))
    top, rest, w, own = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size)
    first, second = np.zeros(size), np.zeros(size)
    label = np.zeros(size, np.uint32)
    gradient, hessian = 0.0, 0.0
    for start in range(begin, end, size):
        rows = min(size, end - start)
        copy_weights(weight, start, rows, w)
        load(raw, start, rows, top[:0], s, top)
        codes(y, start, rows, classes, label)
        for b in range(rows):
            own[b] = inverse * (s[label[b], b] - top[b])
        moments(s, rows, top, inverse, rest, first, second)
        for b in range(rows):
            scale = 1.0 / (1.0 + rest[b])
            mean = first[b] * scale
            weight_of_row = unit * w[b]
            gradient += weight_of_row * (mean - own[b])
            hessian += weight_of_row * (second[b] * scale - mean * mean)
    return gradient / inverse, hessian / (inverse * inverse)


@jit_inner
def moments(s: Array, rows: int, top: Array, inverse: float, rest: Array, first: Array, second: Array) -> None:
    """Fill the sums of exp(t), t exp(t) and t^2 exp(t) over classes, where t = inverse * (score - largest score).

    The first sum excludes one of the largest scores, whose exponential is 1.
    """
    for b in range(rows):
        rest[b] = -1.0
        first[b] = 0.0
        second[b] = 0.0
    for k in range(s.shape[0]):
        for b in range(rows):
            t = inverse * (s[k, b] - top[b])
            e = exp(t)
            rest[b] += e
            first[b] += t * e
            second[b] += t * t * e


@jit
def per_class(
    y: Array,
    raw: Array,
    weight: Array | None,
    begin: int,
    end: int,
    unit: float,
    slope: Array,
    constant: Array,
    gradient: Array,
    hessian: Array,
) -> None:
    """Add the derivatives for the softmax of slope_k * raw_k + constant_k to ``gradient`` and ``hessian``.

    The slopes come first, then the constants. In the Hessian, (2 K, 2 K), the slope-slope and constant-constant blocks get
    only their upper triangles, and the slope-constant block is filled completely.
    """
    classes = raw.shape[1]
    size = rows_of_block(raw)
    s, p = np.zeros((classes, size + PADDING)), np.zeros((classes, size + PADDING))
    top, total, w = np.zeros(size), np.zeros(size), np.zeros(size)
    label = np.zeros(size, np.uint32)
    for start in range(begin, end, size):
        rows = min(size, end - start)
        copy_weights(weight, start, rows, w)
        load(raw, start, rows, top[:0], s, top)
        codes(y, start, rows, classes, label)
        probabilities(s, rows, slope, constant, top, total, p)
        for b in range(rows):
            w[b] *= unit
            gradient[label[b]] -= w[b] * s[label[b], b]
            gradient[classes + label[b]] -= w[b]
        add_moments(s, p, rows, w, gradient, hessian)


@jit_inner
def probabilities(s: Array, rows: int, slope: Array, constant: Array, top: Array, total: Array, p: Array) -> None:
    """Fill the softmax of the scaled scores of a block."""
    for b in range(rows):
        top[b] = slope[0] * s[0, b] + constant[0]
        total[b] = 0.0
    for k in range(s.shape[0]):
        for b in range(rows):
            p[k, b] = slope[k] * s[k, b] + constant[k]
            top[b] = max(top[b], p[k, b])
    for k in range(s.shape[0]):
        for b in range(rows):
            e = exp(p[k, b] - top[b])
            p[k, b] = e
            total[b] += e
    for k in range(s.shape[0]):
        for b in range(rows):
            p[k, b] /= total[b]


@jit_sum
def add_moments(s: Array, p: Array, rows: int, w: Array, gradient: Array, hessian: Array) -> None:
    """Add the expected scores to the gradient, and their covariances to the Hessian, for a block of rows."""
    classes = s.shape[0]
    for k in range(classes):
        zero, one, two = 0.0, 0.0, 0.0
        for b in range(rows):
            share = w[b] * p[k, b]
            zero += share
            one += share * s[k, b]
            two += share * s[k, b] * s[k, b]
        gradient[k] += one
        gradient[classes + k] += zero
        hessian[k, k] += two
        hessian[k, classes + k] += one
        hessian[classes + k, classes + k] += zero
        for j in range(k, classes):
            both, first, second, product = 0.0, 0.0, 0.0, 0.0
            for b in range(rows):
                share = w[b] * p[k, b] * p[j, b]
                both += share
                first += share * s[k, b]
                second += share * s[j, b]
                product += share * s[k, b] * s[j, b]
            hessian[k, j] -= product
            hessian[classes + k, classes + j] -= both
            hessian[k, classes + j] -= first
            if j > k:
                hessian[j, classes + k] -= second
