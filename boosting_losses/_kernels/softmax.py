"""Softmax cross-entropy of K raw scores per row, for labels that are class codes.

Class weights and label smoothing determine the factor of each class's term, -log p_k: the label, 0 or 1, is smoothed first
and then multiplied by the class weight, as in PyTorch. For soft labels see ``row_by_row.py``.

The loops process blocks of rows that fit into the cache, and transpose each block so that the scores of one class are
contiguous. Every step then does the same arithmetic on neighbouring rows, which vectorises for any K. The same code handles
C order and Fortran order, in either precision. Indices that are sums are unsigned, because Numba would check a signed index
for a negative value, and a loop with such a check is not vectorised.
"""

from __future__ import annotations

import numpy as np

from .._types import Array
from ._jit import Codes, Real, double, jit, point
from .logistic import is_finite
from .vector import bits, exp, largest, log1p, select

#: The number of scores in a block, which fit into the L2 cache, and the smallest and largest numbers of rows of a block.
#: In Fortran order longer columns make memory access more efficient; in C order fewer rows make better use of the L1 cache.
CELLS, FEWEST, MOST_BY_ROW, MOST_BY_CLASS = 32768, 64, 256, 1024

#: Padding between the scores of two classes in a block: at distances of a power of two they would compete for cache lines.
PADDING = 16


@jit
def is_by_class(scores: Array) -> bool:
    """Return whether the scores of one class are contiguous, as in Fortran order."""
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


# Transposing a block costs as much as the arithmetic. Each small number of classes therefore has its own branch: a number
# that is known at compile time lets LLVM unroll the inner loop, which is three times faster. The number is the result of a
# call, because Numba would treat a literal as a separate type and compile another variant of the function.


@jit
def load(  # noqa: PLR0912  (one branch per number of classes)
    raw: Array, start: int, rows: int, shift: Array | None, s: Array, top: Array
) -> bool:
    """Copy a block of scores to ``s``, fill their maxima over classes, and return whether all are finite."""
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
    """Copy a block to the corresponding rows of ``out``."""
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
    """Replace scores by e = exp(score - top), and fill ``rest`` with the sum of e without the largest, which is exactly 1.

    The log-sum-exp, from log1p(rest), and 1 - p, from rest / (1 + rest), then keep all digits when one class is nearly
    certain. The sum over all classes except k is (1 - e_k) + rest.
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
    """Fill ``label`` with the labels of a block as integers; return whether they are valid class codes."""
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
    """Fill the weights of a block, or ones; return whether all are finite and >= 0, and whether any is above 0."""
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
    """Return the distance of a score below the largest, as a finite number even if the difference overflows."""
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
    """Replace exponentials by the gradient without the terms t of the other classes; fill h[class, at + row].

    With T the sum of the terms t of all classes, the gradient is (T - t) - T q for the label's class and T p - t for another
    class, of which this function stores T p. ``own`` contains T - t for the label's class, and ``terms`` contains T. Both
    are overwritten.
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
    """Subtract the terms that label smoothing adds for all classes except the label's class from the gradient."""
    real = type(w[0])
    for b in range(rows):
        g[label[b], b] += w[b] * real(spread[label[b]])
    for k in range(g.shape[0]):
        for b in range(rows):
            g[k, b] -= w[b] * real(spread[k])


@point
def far_below(z: Real, top: Real) -> Real:
    """Return ``below`` in double precision, where only the difference of two doubles can overflow."""
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
    """Fill the gradient and the Hessian's diagonal times ``factor``; return validity, and whether any weight is above 0."""
    n, classes = raw.shape
    real = type(raw[0, 0])
    size = rows_of_block(raw)
    s, block = np.zeros((classes, size + PADDING), raw.dtype), np.zeros((classes, size + PADDING), raw.dtype)
    top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    first, second, own = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
    label = np.zeros(size, np.uint32)
    # The contribution of label smoothing to each class's term, and for each label the sums of terms over classes.
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
        if is_by_class(hessian):  # write directly, without a transposed block
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
    """Return, in one pass, whether all values are valid, and three sums.

    They are the weighted loss, the weighted squared error of the softmax, and the weights. If given, ``each`` is filled
    with the weighted loss of every row.
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
            s[k, b] = (real(1) - s[k, b]) + rest[b]  # 1 - p instead of p, before division by the sum of exponentials
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
    """Fill the unweighted losses of a block in double precision, and replace its scores by their exponentials."""
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
    """Fill the softmax of the shifted scores; ``smoothing`` > 0 undoes that label smoothing and clips to [0, 1]."""
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
