"""Softmax cross-entropy and focal loss of one row, with the full Hessian, for libraries that call a loss row by row.

The derivatives of both losses have the same form. For a row of class y, with p the softmax, q = 1 - p, t_k the factor of
-log p_k in the loss (the class weight times the smoothed label) and T = sum_k t_k::

    g_k  = A ((T - t_k) p_k - t_k q_k)
    H    = T A (diag p - p p') + T f (e_y - p) (e_y - p)'

For cross-entropy, A = 1 and f = 0. For the focal loss, which has no label smoothing, ``row_by_row.factors`` defines A and
f. A call takes at most a microsecond, so every argument adds noticeable time. The parameters are therefore one array.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._jit import jit, jit_entry
from ._tuples import as_tuple
from .row_by_row import factors

#: The position of the first class's init score in the array of parameters; the class weights follow the init scores.
HEADER = 4

#: The error message for a row that would be read or written out of bounds.
MISFIT = "a row must have one score for each class of the loss, and its label must be a class code of the loss"

#: The largest double.
LARGEST = 1.7976931348623157e308


def parameters(
    factor: float, gamma: float, smoothing: float, semidefinite: bool, init_score: Array, class_weight: Array
) -> npt.NDArray[np.float64]:
    """Return the parameters of a row function as one array; ``factor`` multiplies both derivatives."""
    return np.concatenate([[factor, gamma, smoothing, semidefinite], init_score, class_weight]).astype(np.float64)


# ---- points ---------------------------------------------------------------------------------------------------------

# The point functions share one array, ``out``. It contains K numbers each for p, q, r and the gradient, then the Hessian.
# Slices would cost more than the arithmetic, because each slice updates a reference count with an atomic instruction.


@jit
def work_size(classes: int) -> int:
    """Return the length of ``out``."""
    return 4 * classes + classes * (classes + 1) // 2


@jit
def probabilities(known: Array, raw: Array, target: float, out: Array) -> tuple[float, float]:
    """Store p, q = 1 - p and r = (e_y - p) / q_y in ``out``; return A and q_y^2 f."""
    classes, gamma, semidefinite = raw.shape[0], known[1], known[3]
    label = int(target)
    best = 0
    for k in range(classes):
        out[k] = raw[k] + known[HEADER + k]
        if out[k] > out[best]:
            best = k
    top = float(out[best])  # a NumPy scalar would warn if the difference of two doubles overflows
    below = max(float(out[label]) - top, -LARGEST)
    # The sum excludes the largest score, whose exponential is exactly 1, so that 1 - p keeps all digits.
    rest = 0.0
    for k in range(classes):
        out[k] = math.exp(float(out[k]) - top)
        if k != best:
            rest += out[k]
    scale = 1.0 / (1.0 + rest)
    others = rest if label == best else (1.0 - out[label]) + rest
    for k in range(classes):
        e = out[k]
        out[k] = e * scale
        out[classes + k] = (rest if k == best else (1.0 - e) + rest) * scale
        out[2 * classes + k] = -e / others if others > 0.0 else 0.0  # magnitude at most 1; 1 / q_y might overflow
    out[2 * classes + label] = 1.0
    if gamma == 0.0:
        return 1.0, 0.0
    a, _, q2_f = factors(out[label], out[classes + label], math.log1p(rest) - below, gamma)
    return a, max(q2_f, 0.0) if semidefinite else q2_f


@jit
def derivatives(known: Array, raw: Array, target: float, weight: float, out: Array) -> None:
    """Store the gradient and the upper triangle of the Hessian in row-major order: 00, 01, ..., 0(K-1), 11, 12, ..."""
    a, q2_f = probabilities(known, raw, target, out)
    classes, label, smoothing = raw.shape[0], int(target), known[2]
    first_weight = HEADER + classes
    terms = (1.0 - smoothing) * known[first_weight + label]
    for k in range(classes):
        terms += smoothing / classes * known[first_weight + k]
    size = known[0] * weight
    for k in range(classes):
        share = 1.0 if k == label else 0.0
        term = known[first_weight + k] * ((1.0 - smoothing) * share + smoothing / classes)
        # Both products are >= 0, and one of them is 0 without smoothing, so no digits cancel.
        out[3 * classes + k] = size * (a * ((terms - term) * out[k] - term * out[classes + k]))
    size *= terms
    at = 4 * classes
    for k in range(classes):
        p_k, r_k = out[k], out[2 * classes + k]
        out[at] = size * (a * (p_k * out[classes + k]) + q2_f * (r_k * r_k))
        for j in range(k + 1, classes):
            out[at + j - k] = size * (q2_f * (r_k * out[2 * classes + j]) - a * (p_k * out[j]))
        at += classes - k


# ---- one row --------------------------------------------------------------------------------------------------------


@jit_entry
def fill(known: Array, raw: Array, target: float, weight: float, out: Array) -> None:
    """Store the gradient at ``out[3 * classes:]`` and the Hessian at ``out[4 * classes:]``."""
    classes = raw.shape[0]
    if out.shape[0] != work_size(classes) or not 0.0 <= target < classes:
        raise ValueError(MISFIT)
    derivatives(known, raw, target, weight, out)


@cache
def tuple_function(classes: int) -> Callable[..., tuple[tuple[float, ...], tuple[tuple[float, ...]]]]:
    """Create the function for a number of classes that returns tuples, ``(gradient, (hessian,))``.

    The function closes over integers and not over compiled functions, so Numba can find it again in its disk cache.
    """
    size = classes * (classes + 1) // 2

    @jit_entry
    def tuples(
        known: Array, raw: Array, target: float, weight: float
    ) -> tuple[tuple[float, ...], tuple[tuple[float, ...]]]:
        if raw.shape[0] != classes or not 0.0 <= target < classes:
            raise ValueError(MISFIT)
        out = np.empty(4 * classes + size)
        derivatives(known, raw, target, weight, out)
        return as_tuple(out, 3 * classes, classes), (as_tuple(out, 4 * classes, size),)

    return tuples
