"""Log loss and squared error of probabilities whose raw scores are unknown.

For the log loss, probabilities are first clipped to [eps, 1 - eps]. The loops count the rows in which clipping changed a
probability. All computations are in double precision. The loops return whether all values are valid; they also return
False for a label or a probability of -0.0.
"""

from __future__ import annotations

import math

import numpy as np

from .._types import Array
from ._jit import Codes, Real, double, jit, jit_sum, point
from .blocks import codes
from .checks import is_finite
from .rows import ROW_SUM_TOLERANCE
from .vector import bits, minus_log, select

# ---- points ---------------------------------------------------------------------------------------------------------


@point
def minus_logarithm(p: Real) -> Real:
    """Return -log(p) for p in [0, 1]."""
    high, low = minus_log(p)
    return select(p > 0.0, high + low, math.inf)


@point
def minus_log_of_complement(p: Real) -> Real:
    """Return -log(1 - p) for p in [0, 1] without loss of precision for small p."""
    rest = 1.0 - p
    lost = (1.0 - rest) - p  # the rounding error of the difference
    return minus_logarithm(rest) - lost / select(rest > 0.0, rest, 1.0)


@point
def term(share: Real, minus_log_p: Real) -> Real:
    """Return the term of one class in the loss; it is 0 for a share of 0, even if the probability is 0."""
    return select(share > 0.0, share * minus_log_p, 0.0)


@point
def inside(p: Real, eps: float) -> Real:
    return min(max(p, eps), 1.0 - eps)


@point
def loss_of_shares(y: Real, p: Real) -> Real:
    """Return the binary log loss of a label in [0, 1]."""
    return term(y, minus_logarithm(p)) + term(1.0 - y, minus_log_of_complement(p))


@point
def loss_of_class(y: Real, p: Real) -> Real:
    """Return the binary log loss of a label of 0 or 1, with a single logarithm."""
    positive = y == 1.0
    own = select(positive, p, 1.0 - p)
    lost = select(positive, 0.0, (1.0 - (1.0 - p)) - p)
    return minus_logarithm(own) - lost / select(own > 0.0, own, 1.0)


# ---- two classes ----------------------------------------------------------------------------------------------------

#: The number of rows of a block for two classes. Each block is read twice, the second time from the L1 cache.
BLOCK = 1024

#: The number of rows of a block for K classes.
ROWS = 256


@jit
def kinds(y: Array, proba: Array, start: int, stop: int) -> tuple[bool, bool]:
    """Return whether the rows of a block are valid, and whether all their labels are 0 or 1."""
    zero, one = type(y[0])(0), type(y[0])(1)
    top_y, top_p, shares = bits(zero), bits(type(proba[0])(0)), 0
    for b in range(stop - start):
        i = np.uintp(start + b)  # for a signed index, Numba would check for a negative value
        top_y, top_p = max(top_y, bits(y[i])), max(top_p, bits(proba[i]))
        shares += (y[i] != zero) & (y[i] != one)
    return bool(top_y <= bits(one) and top_p <= bits(type(proba[0])(1))), shares == 0


@jit_sum
def sums_of_block(
    y: Array, proba: Array, weight: Array | None, start: int, stop: int, eps: float, hard: bool
) -> tuple[float, float, float, int, int]:
    loss, square, total, moved, top_w = 0.0, 0.0, 0.0, 0, bits(type(y[0])(0))
    for b in range(stop - start):
        i = np.uintp(start + b)
        label, p = double(y[i]), double(proba[i])
        inner = inside(p, eps)
        moved += inner != p
        value = loss_of_class(label, inner) if hard else loss_of_shares(label, inner)
        error = label - p
        if weight is None:
            loss += value
            square += error * error
        else:
            w = double(weight[i])
            top_w = max(top_w, bits(weight[i]))
            loss += select(w > 0.0, w * value, 0.0)  # not 0 * infinity for a row of weight 0
            square += w * (error * error)
            total += w
    return loss, square, total, moved, top_w


@jit
def binary_sums(y: Array, proba: Array, weight: Array | None, eps: float) -> tuple[bool, float, float, float, int]:
    """Return validity, the sums of weighted losses, weighted squared errors and weights, and the number of clipped rows."""
    n = y.shape[0]
    loss, square, total, moved, top_w = 0.0, 0.0, 0.0, 0, bits(type(y[0])(0))
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        fine, hard = kinds(y, proba, start, stop)
        if not fine:
            return False, loss, square, total, moved
        part = sums_of_block(y, proba, weight, start, stop, eps, hard)
        loss, square, total = loss + part[0], square + part[1], total + part[2]
        moved, top_w = moved + part[3], max(top_w, part[4])
    if weight is None:
        return True, loss, square, float(n), moved
    return is_finite(top_w, weight), loss, square, total, moved


@jit_sum
def binary_squares(y: Array, proba: Array, weight: Array | None) -> tuple[bool, float, float]:
    """Return validity and the sums of weighted squared errors and weights, like ``binary_sums`` but without logarithms."""
    square, total = 0.0, 0.0
    top_y, top_p, top_w = bits(y[0]), bits(proba[0]), bits(type(y[0])(0))
    for i in range(y.shape[0]):
        top_y, top_p = max(top_y, bits(y[i])), max(top_p, bits(proba[i]))
        error = double(y[i]) - double(proba[i])
        if weight is None:
            square += error * error
        else:
            top_w = max(top_w, bits(weight[i]))
            square += double(weight[i]) * (error * error)
            total += double(weight[i])
    fine = bool(top_y <= bits(type(y[0])(1)) and top_p <= bits(type(proba[0])(1)))
    if weight is None:
        return fine, square, float(y.shape[0])
    return fine and is_finite(top_w, weight), square, total


@jit
def binary_each(y: Array, proba: Array, eps: float, losses: Array, squares: Array) -> tuple[bool, int]:
    """Fill the loss and the squared error of every row; return validity and the number of clipped rows."""
    n, moved = y.shape[0], 0
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        fine, hard = kinds(y, proba, start, stop)
        if not fine:
            return False, moved
        for b in range(stop - start):
            i = np.uintp(start + b)
            label, p = double(y[i]), double(proba[i])
            inner = inside(p, eps)
            moved += inner != p
            losses[i] = loss_of_class(label, inner) if hard else loss_of_shares(label, inner)
            squares[i] = (label - p) * (label - p)
    return True, moved


# ---- K classes ------------------------------------------------------------------------------------------------------

# A block of rows stays in the L1 cache between the loops. Arrays of K columns must be in C order.


@jit_sum
def are_probabilities(flat: Array, start: int, rows: int, classes: int, total: Array, square: Array) -> bool:
    """Return whether all probabilities lie in [0, 1] and rows sum to 1; fill row sums and sums of squares.

    The loop processes four rows at a time, because the additions within one row must wait for each other.
    """
    zero = bits(type(flat[0])(0))
    top = zero
    for b in range(0, rows - 3, 4):
        first = (start + b) * classes
        second, third, fourth = first + classes, first + 2 * classes, first + 3 * classes
        s0, s1, s2, s3, q0, q1, q2, q3 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        t0, t1, t2, t3 = zero, zero, zero, zero
        for k in range(classes):
            a, b_, c, d = (
                flat[np.uintp(first + k)],
                flat[np.uintp(second + k)],
                flat[np.uintp(third + k)],
                flat[np.uintp(fourth + k)],
            )
            t0, t1, t2, t3 = max(t0, bits(a)), max(t1, bits(b_)), max(t2, bits(c)), max(t3, bits(d))
            p0, p1, p2, p3 = double(a), double(b_), double(c), double(d)
            s0, s1, s2, s3 = s0 + p0, s1 + p1, s2 + p2, s3 + p3
            q0, q1, q2, q3 = q0 + p0 * p0, q1 + p1 * p1, q2 + p2 * p2, q3 + p3 * p3
        total[b], total[b + 1], total[b + 2], total[b + 3] = s0, s1, s2, s3
        square[b], square[b + 1], square[b + 2], square[b + 3] = q0, q1, q2, q3
        top = max(top, t0, t1, t2, t3)
    for b in range(rows // 4 * 4, rows):
        total[b], square[b] = 0.0, 0.0
        for k in range(classes):
            p = flat[np.uintp((start + b) * classes + k)]
            top = max(top, bits(p))
            total[b] += double(p)
            square[b] += double(p) * double(p)
    worst = 0.0
    for b in range(rows):
        worst = max(worst, abs(total[b] - 1.0))
    return bool(top <= bits(type(flat[0])(1))) and worst <= ROW_SUM_TOLERANCE


@jit
def square_of_others(proba: Array, start: int, b: int, label: int) -> float:
    i, square = np.uintp(start + b), 0.0
    for k in range(proba.shape[1]):
        if k != label:
            square += double(proba[i, k]) * double(proba[i, k])
    return square


@jit
def multiclass_block(
    y: Array, proba: Array, flat: Array, start: int, rows: int, eps: float, label: Codes, losses: Array, squares: Array
) -> tuple[bool, int]:
    """Compute the results of ``binary_each`` for a block of rows with K classes and class codes."""
    classes = proba.shape[1]
    if not codes(y, start, rows, classes, label):
        return False, 0
    if not are_probabilities(flat, start, rows, classes, losses, squares):
        return False, 0
    sure = 0
    for b in range(rows):
        losses[b] = double(flat[np.uintp((start + b) * classes + label[b])])
    for b in range(rows):
        own = losses[b]
        sure += own > 0.9
        squares[b] = (squares[b] - own * own) + (1.0 - own) * (1.0 - own)
    if sure > 0:  # subtracting the label's square, nearly the whole sum, loses digits: sum up the other squares instead
        for b in range(rows):
            if losses[b] > 0.9:
                rest = 1.0 - losses[b]
                squares[b] = square_of_others(proba, start, b, label[b]) + rest * rest
    moved = 0
    for b in range(rows):
        inner = inside(losses[b], eps)
        moved += inner != losses[b]
        losses[b] = minus_logarithm(inner)
    return True, moved


@jit
def multiclass_sums(y: Array, proba: Array, weight: Array | None, eps: float) -> tuple[bool, float, float, float, int]:
    """Return the results of ``binary_sums`` for K classes and class codes."""
    n, classes = proba.shape
    flat = proba.reshape(n * classes)
    losses, squares, label = np.zeros(ROWS), np.zeros(ROWS), np.zeros(ROWS, np.uint32)
    loss, square, total, moved, top_w = 0.0, 0.0, 0.0, 0, bits(type(y[0])(0))
    for start in range(0, n, ROWS):
        rows = min(ROWS, n - start)
        fine, some = multiclass_block(y, proba, flat, start, rows, eps, label, losses, squares)
        if not fine:
            return False, loss, square, total, moved
        moved += some
        for b in range(rows):
            w = 1.0
            if weight is not None:
                w = double(weight[np.uintp(start + b)])
                top_w = max(top_w, bits(weight[np.uintp(start + b)]))
            loss += select(w > 0.0, w * losses[b], 0.0)
            square += w * squares[b]
            total += w
    return weight is None or is_finite(top_w, weight), loss, square, total, moved


@jit
def multiclass_each(y: Array, proba: Array, eps: float, losses: Array, squares: Array) -> tuple[bool, int]:
    """Compute the results of ``binary_each`` for K classes and class codes."""
    n, classes = proba.shape
    flat = proba.reshape(n * classes)
    label = np.zeros(ROWS, np.uint32)
    moved = 0
    for start in range(0, n, ROWS):
        rows = min(ROWS, n - start)
        stop = start + rows
        fine, some = multiclass_block(y, proba, flat, start, rows, eps, label, losses[start:stop], squares[start:stop])
        if not fine:
            return False, moved
        moved += some
    return True, moved


# ---- K classes, soft labels -----------------------------------------------------------------------------------------


@jit
def shares_each(y: Array, proba: Array, eps: float, losses: Array, squares: Array) -> tuple[bool, int]:
    """Compute the results of ``binary_each`` for soft labels of shape ``(n, K)``."""
    n, classes = proba.shape
    moved = 0
    for i in range(n):
        loss, square, sum_y, sum_p, some = 0.0, 0.0, 0.0, 0.0, False
        for k in range(classes):
            share, p = double(y[i, k]), double(proba[i, k])
            if not (0.0 <= share <= 1.0 and 0.0 <= p <= 1.0):
                return False, moved
            inner = inside(p, eps)
            some |= inner != p
            loss += term(share, minus_logarithm(inner))
            square += (share - p) * (share - p)
            sum_y, sum_p = sum_y + share, sum_p + p
        if not (abs(sum_y - 1.0) <= ROW_SUM_TOLERANCE and abs(sum_p - 1.0) <= ROW_SUM_TOLERANCE):
            return False, moved
        losses[i], squares[i] = loss, square
        moved += some
    return True, moved
