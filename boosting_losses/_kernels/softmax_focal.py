"""Focal loss of K raw scores per row, for labels that are class codes.

The loss of a row of class y is w_y q_y^gamma (-log p_y), with p the softmax, q = 1 - p and w_y the class weight. For
gamma = 0 it is softmax cross-entropy. See ``focal.py`` for the sources, ``softmax.py`` for the steps on blocks, and
``row_by_row.py`` for soft labels and the posterior.
"""

from __future__ import annotations

import numpy as np

from .._types import Array
from ._jit import Real, double, jit, point
from .softmax import PADDING, below, codes, copy_weights, exponentials, far_below, load, rows_of_block, store
from .vector import exp_minus_product, log1p, minus_log, select

# ---- points ---------------------------------------------------------------------------------------------------------


@point
def modulation(e: Real, rest: Real, log_rest: Real, gamma: Real) -> Real:
    """Return q^gamma of a class from its exponential and ``rest``, both as filled by ``softmax.exponentials``."""
    real = type(e)
    others = (real(1) - e) + rest
    q = others / (real(1) + rest)
    high, low = minus_log(select(others > real(0), others, real(1)))
    power = select(others > real(0), exp_minus_product(gamma, high, low + log_rest), real(0))
    return select(gamma == real(2), q * q, select(gamma == real(0), real(1), power))


# ---- loops ----------------------------------------------------------------------------------------------------------


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    shift: Array | None,
    weight: Array | None,
    class_weight: Array,
    gamma: float,
    floor: float,
    factor: float,
    gradient: Array,
    hessian: Array,
) -> tuple[bool, bool]:
    """Fill the gradient and the Hessian's diagonal times ``factor``; for ``floor`` see ``focal.gradient_hessian``.

    With A = q_y^(gamma - 1) (q_y + gamma p_y loss) and f the curvature in the direction of the gradient, the gradient is
    -A q_y for the label's class y and A p_k for another class k. The Hessian is A q_y p_y + q_y^2 f for y and
    A p_k q_k + p_k^2 f for k. When q_y underflows, A and p_k / q_y would be 0 / 0. A is therefore computed from
    loss / q_y, whose limit is 1, and p_k / q_y from the exponentials.
    """
    n, classes = raw.shape
    real = type(raw[0, 0])
    gamma_, floor_, factor_ = real(gamma), real(floor if floor > 0.0 else -np.inf), real(factor)
    size = rows_of_block(raw)
    s, h = np.zeros((classes, size + PADDING), raw.dtype), np.zeros((classes, size + PADDING), raw.dtype)
    top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    e_y, loss, others = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    own, own_h = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    first, second, curvature = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    label = np.zeros(size, np.uint32)
    any_weight = False
    for start in range(0, n, size):
        rows = min(size, n - start)
        fine, weighs = copy_weights(weight, start, rows, w)
        any_weight |= weighs
        if not (fine and load(raw, start, rows, shift, s, top) and codes(y, start, rows, classes, label)):
            return False, any_weight
        for b in range(rows):
            w[b] *= real(class_weight[label[b]])
            loss[b] = below(s[label[b], b], top[b])
        exponentials(s, rows, top, rest, first)
        for b in range(rows):
            e_y[b] = s[label[b], b]
        for b in range(rows):
            log_rest = log1p(rest[b])
            scale = real(1) / (real(1) + rest[b])
            sum_of_others = (real(1) - e_y[b]) + rest[b]
            p, q, loss_y = e_y[b] * scale, sum_of_others * scale, loss[b] + log_rest
            power = modulation(e_y[b], rest[b], log_rest, gamma_)
            p_loss = p * loss_y
            ratio = select(q > real(0), loss_y / q, real(1))
            a = w[b] * (power * (real(1) + gamma_ * p * ratio))
            a_q = w[b] * (power * (q + gamma_ * p_loss))
            q2_f = w[b] * (gamma_ * power * ((p * q + p * q) - (real(1) - gamma_ * p) * p_loss))
            own[b] = -a_q
            own_h[b] = factor_ * max(a_q * p + q2_f, floor_ * a_q)
            first[b] = a * scale
            second[b] = scale
            curvature[b] = q2_f
            others[b] = select(sum_of_others > real(0), sum_of_others, real(1))
        for k in range(classes):
            e, out = s[k], h[k]
            # Each loop uses few arrays: LLVM does not vectorise a loop in which it must check many arrays for overlap.
            for b in range(rows):
                out[b] = (e[b] * second[b]) * ((real(1) - e[b]) + rest[b])
            for b in range(rows):
                share = e[b] / others[b]
                out[b] = first[b] * out[b] + curvature[b] * (share * share)
            for b in range(rows):
                e[b] *= first[b]
            for b in range(rows):
                out[b] = factor_ * max(out[b], floor_ * e[b])
        for b in range(rows):
            s[label[b], b] = own[b]
            h[label[b], b] = own_h[b]
        store(s, start, rows, gradient)
        store(h, start, rows, hessian)
    return True, any_weight


@jit
def sums(
    y: Array,
    raw: Array,
    shift: Array | None,
    weight: Array | None,
    class_weight: Array,
    gamma: float,
    each: Array | None,
) -> tuple[bool, float, float]:
    """Return validity, the sum of weighted losses and the sum of weights; fill ``each`` with weighted losses, if given."""
    n, classes = raw.shape
    gamma_ = type(raw[0, 0])(gamma)
    size = rows_of_block(raw)
    s = np.zeros((classes, size + PADDING), raw.dtype)
    top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    e_y, loss = np.zeros(size, raw.dtype), np.zeros(size)
    label = np.zeros(size, np.uint32)
    total_loss, total_weight = 0.0, 0.0
    for start in range(0, n, size):
        rows = min(size, n - start)
        fine, _ = copy_weights(weight, start, rows, w)
        if not (fine and load(raw, start, rows, shift, s, top) and codes(y, start, rows, classes, label)):
            return False, 0.0, 0.0
        for b in range(rows):
            loss[b] = far_below(s[label[b], b], top[b])
        exponentials(s, rows, top, rest, e_y)
        for b in range(rows):
            e_y[b] = s[label[b], b]
        for b in range(rows):
            log_rest = log1p(rest[b])
            loss[b] = double(modulation(e_y[b], rest[b], log_rest, gamma_)) * (loss[b] + double(log_rest))
        for b in range(rows):
            part = double(w[b]) * class_weight[label[b]] * loss[b]
            total_loss += part
            total_weight += double(w[b])
            if each is not None:
                each[np.uintp(start + b)] = part
    return True, total_loss, total_weight
