"""Softmax cross-entropy of K raw scores per row, for labels that are class codes.

Class weights and label smoothing enter as the factor of each class's term, -log p_k: the label, 0 or 1, is smoothed
first and weighted by class afterwards, as PyTorch does. For soft labels see ``row_by_row.py``.

The loops take blocks of rows that fit into the first cache, and transpose each so that the scores of one class lie side by
side. Every step is then the same arithmetic on neighbouring rows, which vectorises whatever K is, and the same code serves
rows of scores (C order) and columns of scores (Fortran order) in either precision. Indices that are sums are unsigned: for
a signed index Numba checks whether it counts from the end, and such a loop is not vectorised.
"""

from __future__ import annotations

import numpy as np

from .._types import Array
from ._jit import Codes, Real, double, jit, point
from .logistic import is_finite
from .vector import bits, exp, largest, log1p, select

#: Cells of a block, which fit into the second cache, and the least and the most rows of a block. In Fortran order longer
#: columns suit the memory; in C order fewer rows leave more in the first cache.
CELLS, FEWEST, MOST_BY_ROW, MOST_BY_CLASS = 32768, 64, 256, 1024

#: Numbers between the rows of two classes in memory: at a distance of a power of two they would compete for cache lines.
PADDING = 16


@jit
def is_by_class(scores: Array) -> bool:
    """Return whether the numbers of one class lie side by side, as in Fortran order."""
    return bool(scores.strides[0] < scores.strides[1])


@jit
def rows_of_block(raw: Array) -> int:
    most = MOST_BY_CLASS if is_by_class(raw) else MOST_BY_ROW
    return int(max(FEWEST, min(most, CELLS // raw.shape[1] // 16 * 16)))


@point
def turn_in(raw: Array, start: int, rows: int, classes: int, s: Array) -> None:
    for b in range(rows):
        for k in range(classes):
            s[k, b] = raw[np.uintp(start + b), k]


@point
def turn_out(s: Array, start: int, rows: int, classes: int, out: Array) -> None:
    for b in range(rows):
        for k in range(classes):
            out[np.uintp(start + b), k] = s[k, b]


# Transposing a block costs as much as the arithmetic. Each small number of classes has its own branch: a number that is
# known at compile time lets LLVM unroll the inner loop, which is three times faster. The number comes out of a call, since
# to Numba a literal is a type, for which it would compile another variant of the function.


@jit
def load(  # noqa: PLR0912  (one branch per number of classes)
    raw: Array, start: int, rows: int, shift: Array | None, s: Array, top: Array
) -> bool:
    """Copy a block of scores, and find their maximum over classes; return whether they are finite."""
    classes = raw.shape[1]
    if is_by_class(raw):
        for k in range(classes):
            for b in range(rows):
                s[k, b] = raw[np.uintp(start + b), k]
    elif classes == 2:
        turn_in(raw, start, rows, int(np.intp(2)), s)
    elif classes == 3:
        turn_in(raw, start, rows, int(np.intp(3)), s)
    elif classes == 4:
        turn_in(raw, start, rows, int(np.intp(4)), s)
    elif classes == 5:
        turn_in(raw, start, rows, int(np.intp(5)), s)
    else:
        turn_in(raw, start, rows, classes, s)
    if shift is not None:
        for k in range(classes):
            constant = type(top[0])(shift[k])
            for b in range(rows):
                s[k, b] += constant
    for b in range(rows):
        top[b] = s[0, b]
    biggest = bits(abs(top[0]))
    for k in range(classes):
        for b in range(rows):
            biggest = max(biggest, bits(abs(s[k, b])))
            top[b] = max(top[b], s[k, b])
    return is_finite(biggest, top)


@jit
def store(s: Array, start: int, rows: int, out: Array) -> None:
    """Copy a block to its rows of the result."""
    classes = out.shape[1]
    if is_by_class(out):
        for k in range(classes):
            for b in range(rows):
                out[np.uintp(start + b), k] = s[k, b]
    elif classes == 2:
        turn_out(s, start, rows, int(np.intp(2)), out)
    elif classes == 3:
        turn_out(s, start, rows, int(np.intp(3)), out)
    elif classes == 4:
        turn_out(s, start, rows, int(np.intp(4)), out)
    elif classes == 5:
        turn_out(s, start, rows, int(np.intp(5)), out)
    else:
        turn_out(s, start, rows, classes, out)


@jit
def exponentials(s: Array, rows: int, top: Array, rest: Array, ties: Array) -> None:
    """Replace scores by e = exp(score - top); ``rest`` becomes their sum without the largest, which is exactly 1.

    log1p(rest) and rest / (1 + rest) then keep every digit of the log-sum-exp and of 1 - p when one class is nearly
    certain. The sum of all classes but k is (1 - e_k) + rest.
    """
    zero, one = type(top[0])(0), type(top[0])(1)
    for b in range(rows):
        rest[b] = zero
        ties[b] = -one
    for k in range(s.shape[0]):
        for b in range(rows):
            e = exp(s[k, b] - top[b])
            s[k, b] = e
            rest[b] += select(e == one, zero, e)
            ties[b] += select(e == one, one, zero)
    for b in range(rows):
        rest[b] += ties[b]


@jit
def codes(y: Array, start: int, rows: int, classes: int, label: Codes) -> bool:
    """Fill the labels of a block as integers; return whether they are class codes."""
    real = type(y[0])
    biggest, fraction = bits(real(0)), bits(real(0))
    for b in range(rows):
        code = y[np.uintp(start + b)] + real(0)  # -0.0 becomes 0.0
        biggest = max(biggest, bits(code))
        fraction = max(fraction, bits(abs(code - np.rint(code))))
    if biggest > bits(real(classes - 1)) or fraction > bits(real(0)):
        return False
    for b in range(rows):
        label[b] = np.uint32(y[np.uintp(start + b)])
    return True


@jit
def copy_weights(weight: Array | None, start: int, rows: int, w: Array) -> tuple[bool, bool]:
    """Fill the weights of a block, or ones; return whether they are finite and >= 0, and whether any is above 0."""
    if weight is None:
        for b in range(rows):
            w[b] = 1.0
        return True, True
    zero = type(weight[0])(0)
    biggest = bits(zero)
    for b in range(rows):
        value = weight[np.uintp(start + b)] + zero  # -0.0 becomes 0.0
        biggest = max(biggest, bits(value))
        w[b] = value
    return is_finite(biggest, weight), bool(biggest > 0)


@point
def below(z: Real, top: Real) -> Real:
    """Return how far a score lies below the largest; cut where the difference of two numbers is infinite."""
    return min(top - z, largest(z))


@jit
def derivatives_of_block(
    s: Array,
    rows: int,
    rest: Array,
    label: Codes,
    terms: Array,
    own: Array,
    factor: float,
    second: Array,
    h: Array,
    at: int,
) -> None:
    """Replace exponentials by the gradient, as if no class but the label's had a term; Hessian to h[class, at + row].

    With T the sum of the classes' terms t, the gradient is (T - t) - T q for the label's class and T p - t for another.
    ``own`` holds T - t for the label's class; ``terms`` holds T and is overwritten.
    """
    real = type(rest[0])
    for b in range(rows):
        second[b] = s[label[b], b]
    for b in range(rows):
        scale = real(1) / (real(1) + rest[b])
        own[b] -= terms[b] * (((real(1) - second[b]) + rest[b]) * scale)
        second[b] = factor * terms[b] * scale * scale
        terms[b] *= scale
    for k in range(s.shape[0]):
        for b in range(rows):
            e = s[k, b]
            h[k, np.uintp(at + b)] = second[b] * (e * ((real(1) - e) + rest[b]))
            s[k, b] = terms[b] * e
    for b in range(rows):
        s[label[b], b] = own[b]
        own[b] = real(0)


@jit
def subtract_spread(w: Array, rows: int, spread: Array, label: Codes, g: Array) -> None:
    """Subtract from the gradient the terms that label smoothing gives to all classes but the label's."""
    real = type(w[0])
    for b in range(rows):
        g[label[b], b] += w[b] * real(spread[label[b]])
    for k in range(g.shape[0]):
        for b in range(rows):
            g[k, b] -= w[b] * real(spread[k])


@point
def far_below(z: Real, top: Real) -> Real:
    """Return ``below`` in double precision, where only the difference of two doubles needs the cut."""
    return min(double(top) - double(z), largest(0.0))


# ---- loops ----------------------------------------------------------------------------------------------------------


@jit
def gradient_hessian(  # noqa: PLR0912  (Numba compiles a loop faster than NumPy's functions)
    y: Array,
    raw: Array,
    shift: Array | None,
    weight: Array | None,
    class_weight: Array,
    smoothing: float,
    factor: float,
    gradient: Array,
    hessian: Array,
) -> tuple[bool, bool]:
    """Fill derivatives, of the Hessian the diagonal times ``factor``; return validity, and whether any weight is above 0."""
    n, classes = raw.shape
    real = type(raw[0, 0])
    size = rows_of_block(raw)
    s, block = np.zeros((classes, size + PADDING), raw.dtype), np.zeros((classes, size + PADDING), raw.dtype)
    top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    first, second, own = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    label = np.zeros(size, np.uint32)
    # Every class's part of the smoothed label, times its weight; then sums over classes, for each label.
    spread, total = np.zeros(classes), 0.0
    terms, spread_of_others = np.zeros(classes, raw.dtype), np.zeros(classes, raw.dtype)
    for k in range(classes):
        spread[k] = class_weight[k] * (smoothing / classes)
        total += spread[k]
    plain = smoothing == 0.0
    for k in range(classes):
        others = 0.0
        for j in range(classes):
            if j != k:
                others += spread[j]
        spread_of_others[k] = real(others)
        terms[k] = real(class_weight[k] * (1.0 - smoothing) + total)
        plain &= class_weight[k] == 1.0
    any_weight = False
    for start in range(0, n, size):
        rows = min(size, n - start)
        fine, weighs = copy_weights(weight, start, rows, w)
        any_weight |= weighs
        if not (fine and load(raw, start, rows, shift, s, top) and codes(y, start, rows, classes, label)):
            return False, any_weight
        exponentials(s, rows, top, rest, first)
        if plain:
            for b in range(rows):
                first[b] = w[b]
        else:
            for b in range(rows):
                first[b], own[b] = w[b] * terms[label[b]], w[b] * spread_of_others[label[b]]
        if is_by_class(hessian):  # without a copy through a block
            derivatives_of_block(s, rows, rest, label, first, own, real(factor), second, hessian.T, start)
        else:
            derivatives_of_block(s, rows, rest, label, first, own, real(factor), second, block, 0)
            store(block, start, rows, hessian)
        if smoothing > 0.0:
            subtract_spread(w, rows, spread, label, s)
        store(s, start, rows, gradient)
    return True, any_weight


@jit
def sums(
    y: Array,
    raw: Array,
    shift: Array | None,
    weight: Array | None,
    class_weight: Array,
    smoothing: float,
    each: Array | None,
) -> tuple[bool, float, float, float]:
    """Return validity and, in one pass, the weighted sums of the loss, of the squared errors of the softmax, and of 1.

    ``each`` receives every row's part of the first sum.
    """
    n, classes = raw.shape
    real = type(raw[0, 0])
    size = rows_of_block(raw)
    s = np.zeros((classes, size + PADDING), raw.dtype)
    top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    squares, losses = np.zeros(size, raw.dtype), np.zeros(size)
    label = np.zeros(size, np.uint32)
    total_loss, total_square, total_weight = 0.0, 0.0, 0.0
    for start in range(0, n, size):
        rows = min(size, n - start)
        fine, _ = copy_weights(weight, start, rows, w)
        if not (fine and load(raw, start, rows, shift, s, top) and codes(y, start, rows, classes, label)):
            return False, 0.0, 0.0, 0.0
        losses_of_block(s, rows, top, rest, squares, label, class_weight, smoothing, losses)
        for b in range(rows):
            k = label[b]
            s[k, b] = (real(1) - s[k, b]) + rest[b]  # 1 - p in place of p, before both are divided by the sum
            squares[b] = real(0)
        for k in range(classes):
            row = s[k]
            for b in range(rows):
                squares[b] += row[b] * row[b]
        for b in range(rows):
            scale = real(1) / (real(1) + rest[b])
            part = double(w[b]) * losses[b]
            total_loss += part
            if each is not None:
                each[np.uintp(start + b)] = part
            total_square += double(w[b]) * double(squares[b] * scale * scale)
            total_weight += double(w[b])
    return True, total_loss, total_square, total_weight


@jit
def losses_of_block(
    s: Array,
    rows: int,
    top: Array,
    rest: Array,
    work: Array,
    label: Codes,
    class_weight: Array,
    smoothing: float,
    out: Array,
) -> None:
    """Fill the losses of a block without sample weights, in double precision; its scores become their exponentials."""
    share = smoothing / s.shape[0]
    for b in range(rows):
        k = label[b]
        out[b] = class_weight[k] * (1.0 - smoothing) * far_below(s[k, b], top[b])
    if smoothing > 0.0:
        for k in range(s.shape[0]):
            for b in range(rows):
                out[b] += share * class_weight[k] * far_below(s[k, b], top[b])
    exponentials(s, rows, top, rest, work)
    for b in range(rows):
        work[b] = log1p(rest[b])
    all_spread = 0.0
    for k in range(s.shape[0]):
        all_spread += share * class_weight[k]
    for b in range(rows):
        out[b] += (class_weight[label[b]] * (1.0 - smoothing) + all_spread) * double(work[b])


@jit
def posterior(raw: Array, offset: Array, smoothing: float, out: Array) -> bool:
    """Fill the softmax of the shifted scores; ``smoothing`` > 0 undoes label smoothing of that strength, cut to [0, 1]."""
    n, classes = raw.shape
    real = type(raw[0, 0])
    size = rows_of_block(raw)
    s = np.zeros((classes, size + PADDING), raw.dtype)
    top, rest, total = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    for start in range(0, n, size):
        rows = min(size, n - start)
        if not load(raw, start, rows, offset, s, top):
            return False
        exponentials(s, rows, top, rest, total)
        for b in range(rows):
            rest[b] = real(1) / (real(1) + rest[b])
            total[b] = real(0)
        for k in range(classes):
            row = s[k]
            for b in range(rows):
                row[b] *= rest[b]
            if smoothing > 0.0:
                spread, keep = real(smoothing / classes), real(1.0 - smoothing)
                for b in range(rows):
                    row[b] = min(max((row[b] - spread) / keep, real(0)), real(1))
                    total[b] += row[b]
        if smoothing > 0.0:
            for k in range(classes):
                row = s[k]
                for b in range(rows):
                    row[b] /= total[b]
        store(s, start, rows, out)
    return True
