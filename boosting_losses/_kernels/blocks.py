"""Steps on blocks of rows of K raw scores, and the softmax.

Loops process blocks of rows that fit into the cache, and transpose each block so that the scores of one class are
contiguous. Every step then does the same arithmetic on neighbouring rows, which vectorises for any K. The same code handles
C order and Fortran order, in either precision. Indices that are sums are unsigned, because Numba would check a signed index
for a negative value, and a loop with such a check is not vectorised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._jit import Codes, jit, jit_inner, point
from .checks import is_finite
from .vector import bits, exp, select

#: The number of scores in a block, which fit into the L2 cache, and the smallest and largest numbers of rows of a block.
#: In Fortran order longer columns make memory access more efficient; in C order fewer rows make better use of the L1 cache.
CELLS, FEWEST, MOST_BY_ROW, MOST_BY_CLASS = 32768, 64, 256, 1024

#: Padding between the scores of two classes in a block: at distances of a power of two they would compete for cache lines.
PADDING = 16


@jit_inner
def part(weight: Array | None, start: int, stop: int) -> Any:
    """Return the weights of the rows from ``start`` to ``stop``."""
    if weight is None:
        return None
    return weight[start:stop]


def or_empty(array: Array | None, dtype: npt.DTypeLike = np.float64) -> Array:
    """Return an empty array for None: for None itself, Numba would compile another variant of every loop."""
    return np.empty(0, dtype) if array is None else array


@jit_inner
def is_by_class(scores: Array) -> bool:
    """Return whether the scores of one class are contiguous, as in Fortran order.

    The flags are known at compile time, so code for C order contains nothing for Fortran order, and vice versa.
    """
    flags = scores.flags
    return bool(not flags.c_contiguous and (flags.f_contiguous or scores.strides[0] < scores.strides[1]))


@jit_inner
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


@jit_inner
def load(  # noqa: PLR0912  (one branch per number of classes)
    raw: Array, start: int, rows: int, shift: Array, s: Array, top: Array
) -> bool:
    """Copy a block of scores to ``s``, add ``shift`` unless it is empty, and fill the maxima over classes.

    Return whether all scores are finite.
    """
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
    if shift.shape[0] > 0:
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


@jit_inner
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


@jit_inner
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


@jit_inner
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


@jit_inner
def copy_weights(weight: Array | None, start: int, rows: int, w: Array) -> tuple[bool, bool]:
    """Fill the weights of a block, or ones if there are none.

    Return whether all are finite and >= 0, and whether any is above 0.
    """
    if weight is None or weight.shape[0] == 0:
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


@jit
def softmax(raw: Array, offset: Array, smoothing: float, out: Array) -> bool:
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
