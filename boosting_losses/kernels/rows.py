"""Softmax cross-entropy and focal loss of one row, with the full Hessian, for libraries that ask row by row.

Both losses of a row of class y have derivatives of one form. With p the softmax, q = 1 - p and t_k the factor of
-log p_k in the loss (class weight times smoothed label), T = sum_k t_k::

    g_k  = A ((T - t_k) p_k - t_k q_k)
    H    = T A (diag p - p p') + T f (e_y - p) (e_y - p)'

where A = 1 and f = 0 for cross-entropy, and both are those of ``softmax_focal.factors`` for the focal loss, which knows
no smoothing. A call takes a microsecond at most, so what it is given counts: the parameters come as one array.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from ._jit import Array, jit, jit_entry
from ._tuples import as_tuple
from .softmax_focal import factors

#: Where the constant to add to each score starts in the array of parameters; the class weights follow it.
HEADER = 4

#: The largest double.
LARGEST = 1.7976931348623157e308


def parameters(
    factor: float, gamma: float, smoothing: float, semidefinite: bool, init_score: Array, class_weight: Array
) -> npt.NDArray[np.float64]:
    """All that a row function must know beside its row; ``factor`` multiplies both derivatives."""
    return np.concatenate([[factor, gamma, smoothing, semidefinite], init_score, class_weight]).astype(np.float64)


# ---- points ---------------------------------------------------------------------------------------------------------


@jit
def probabilities(known: Array, raw: Array, target: float, p: Array, q: Array, r: Array) -> tuple[float, float]:
    """Fill p, q = 1 - p and r = (e_y - p) / q_y; return A and q_y^2 f."""
    classes = p.shape[0]
    if raw.shape[0] != classes or not 0.0 <= target < classes:
        raise ValueError("a row must have as many scores as the loss has classes, and one of these as its label")
    gamma, semidefinite = known[1], known[3]
    label = int(target)
    best = 0
    for k in range(classes):
        p[k] = raw[k] + known[HEADER + k]
        if p[k] > p[best]:
            best = k
    top = p[best]
    below = max(p[label] - top, -LARGEST)
    # The sum leaves the largest score out, where the exponential is exactly 1, to keep every digit of 1 - p.
    rest = 0.0
    for k in range(classes):
        p[k] = math.exp(p[k] - top)
        if k != best:
            rest += p[k]
    scale = 1.0 / (1.0 + rest)
    others = rest if label == best else (1.0 - p[label]) + rest
    for k in range(classes):
        q[k] = (rest if k == best else (1.0 - p[k]) + rest) * scale
        r[k] = -p[k] / others if gamma > 0.0 and others > 0.0 else 0.0  # at most 1, where 1 / q_y might overflow
        p[k] *= scale
    r[label] = 1.0
    if gamma == 0.0:
        return 1.0, 0.0
    a, _, q2_f = factors(p[label], q[label], math.log1p(rest) - below, gamma)
    return a, max(q2_f, 0.0) if semidefinite else q2_f


@jit
def term(known: Array, classes: int, k: int, label: int) -> float:
    """The factor of -log p_k in the loss."""
    smoothing = known[2]
    share = 1.0 if k == label else 0.0
    return float(known[HEADER + classes + k] * ((1.0 - smoothing) * share + smoothing / classes))


@jit
def sum_of_terms(known: Array, classes: int, label: int) -> float:
    total = 0.0
    for k in range(classes):
        total += term(known, classes, k, label)
    return total


@jit
def store_gradient(known: Array, label: int, weight: float, a: float, p: Array, q: Array, gradient: Array) -> None:
    classes = p.shape[0]
    terms = sum_of_terms(known, classes, label)
    size = known[0] * weight
    for k in range(classes):
        own = term(known, classes, k, label)
        # Both products are >= 0 and, without smoothing, one of them is 0: no digits cancel.
        gradient[k] = size * (a * ((terms - own) * p[k] - own * q[k]))


@jit
def store_hessian(
    known: Array, label: int, weight: float, a: float, q2_f: float, p: Array, q: Array, r: Array, hessian: Array
) -> None:
    """The upper triangle, row by row: 00, 01, ..., 0(K-1), 11, 12, ..."""
    classes = p.shape[0]
    size = known[0] * weight * sum_of_terms(known, classes, label)
    at = 0
    for k in range(classes):
        hessian[at] = size * (a * (p[k] * q[k]) + q2_f * (r[k] * r[k]))
        for j in range(k + 1, classes):
            hessian[at + j - k] = size * (q2_f * (r[k] * r[j]) - a * (p[k] * p[j]))
        at += classes - k


# ---- one row --------------------------------------------------------------------------------------------------------


@jit_entry
def fill_gradient(known: Array, raw: Array, target: float, weight: float, gradient: Array) -> None:
    work = np.empty((3, gradient.shape[0]))
    a, _ = probabilities(known, raw, target, work[0], work[1], work[2])
    store_gradient(known, int(target), weight, a, work[0], work[1], gradient)


@jit_entry
def fill_hessian(known: Array, raw: Array, target: float, weight: float, hessian: Array) -> None:
    """The Hessian, as ``store_hessian`` lays it out."""
    work = np.empty((3, raw.shape[0]))
    a, q2_f = probabilities(known, raw, target, work[0], work[1], work[2])
    store_hessian(known, int(target), weight, a, q2_f, work[0], work[1], work[2], hessian)


@cache
def tuple_function(classes: int) -> Callable[..., tuple[tuple[float, ...], tuple[tuple[float, ...]]]]:
    """The same as tuples, ``(gradient, (hessian,))``: a function of its own for each number of classes.

    It closes over two integers and no compiled function, so each one is found again in Numba's disk cache.
    """
    size = classes * (classes + 1) // 2

    @jit_entry
    def tuples(
        known: Array, raw: Array, target: float, weight: float
    ) -> tuple[tuple[float, ...], tuple[tuple[float, ...]]]:
        work = np.empty(4 * classes + size)  # one piece of memory: another would cost a tenth of the call
        p, q, r = work[:classes], work[classes : 2 * classes], work[2 * classes : 3 * classes]
        gradient, hessian = work[3 * classes : 4 * classes], work[4 * classes :]
        a, q2_f = probabilities(known, raw, target, p, q, r)
        store_gradient(known, int(target), weight, a, p, q, gradient)
        store_hessian(known, int(target), weight, a, q2_f, p, q, r, hessian)
        return as_tuple(gradient, classes), (as_tuple(hessian, size),)

    return tuples
