"""Losses of K raw scores, row by row in double precision: soft labels, and the full Hessian of single rows.

A soft label mixes the losses of the classes with factors t_j: the label, smoothed and multiplied by the class weight. With
d_j and c_j the derivatives of t_j l(p_j) as in ``multiclass.py``, A_j = -d_j / q_j, and r_j = (e_j - p) / q_j, where e_j is
the indicator of class j::

    g_k  = p_k (sum of A_j over j != k) + d_k
    H    = (sum of A_j) (diag p - p p') + sum of c_j r_j r_j'

No digits cancel in g for a hard label. For cross-entropy c_j is 0, and the work is proportional to K. Otherwise it is
proportional to K times the number of classes with a nonzero label.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._jit import double, jit, jit_entry, jit_inner, point
from ._tuples import as_tuple
from .binary import Formula, losses_of_classes
from .dual import probability

#: The largest double.
LARGEST = 1.7976931348623157e308

#: The tolerated deviation of a row sum from 1; the sum of 100 float32 numbers that should be 1 deviates by at most 3e-6.
ROW_SUM_TOLERANCE = 1e-5

#: The position of the first parameter of the formula in the array of parameters of a single row. Then follow the init
#: scores and the class weights.
HEADER = 3

#: The error message for a row that would be read or written out of bounds.
MISFIT = "a row must have one score for each class of the loss, and its label must be a class code of the loss"

# The functions of a row share one array, ``work``. Slices would cost more than the arithmetic of a single row, because each
# slice updates a reference count with an atomic instruction. The array contains K numbers each of: exponentials, sums of the
# other exponentials, scores, factors t, gradient, c; then the Hessian.
OTHERS, SCORES, TERMS, GRADIENT, CURVATURE, HESSIAN = 1, 2, 3, 4, 5, 6


class RowLoops(NamedTuple):
    """The compiled functions of a formula."""

    soft_losses: Callable[..., bool]
    soft_gradient_hessian: Callable[..., bool]
    fill: Callable[..., None]
    tuples: Callable[[int], Callable[..., tuple[tuple[float, ...], tuple[tuple[float, ...]]]]]


def known_parameters(
    factor: float,
    smoothing: float,
    semidefinite: bool,
    parameters: tuple[float, ...],
    init_score: Array,
    class_weight: Array,
) -> npt.NDArray[np.float64]:
    """Return all parameters of a single row as one array, because every argument of a call adds noticeable time.

    ``factor`` multiplies both derivatives.
    """
    return np.concatenate([[factor, smoothing, semidefinite], parameters, init_score, class_weight]).astype(np.float64)


# ---- points ---------------------------------------------------------------------------------------------------------


@jit
def work_size(classes: int) -> int:
    """Return the length of ``work`` for a single row."""
    return HESSIAN * classes + classes * (classes + 1) // 2


@point
def exponentials(work: Array, classes: int) -> tuple[float, int, float]:
    """Fill e_k = exp(z_k - top) and the sums of the others; return the largest score top, its class, and the rest.

    The rest is the sum of the exponentials without that of the largest score, which is exactly 1. The log-sum-exp, from
    log1p(rest), and 1 - p, from rest / (1 + rest), then keep all digits when one class is nearly certain.
    """
    first = SCORES * classes
    best = 0
    for k in range(1, classes):
        if work[first + k] > work[first + best]:
            best = k
    top = float(work[first + best])  # a NumPy scalar would warn if the difference of two doubles overflows
    rest = 0.0
    for k in range(classes):
        work[k] = math.exp(float(work[first + k]) - top)
        if k != best:
            rest += work[k]
    for k in range(classes):
        work[OTHERS * classes + k] = rest if k == best else (1.0 - work[k]) + rest
    return top, best, rest


@point
def below(z: float, top: float) -> float:
    """Return z - top, the distance below the largest score, as a finite number even if the difference overflows."""
    return max(float(z) - top, -LARGEST)


@point
def of_class(work: Array, classes: int, k: int, top: float, log_rest: float, scale: float) -> Any:
    """Return the probability of a class, given log1p(rest) and 1 / (1 + rest)."""
    others = float(work[OTHERS * classes + k])
    q_high = -math.log(others) if others > 0.0 else 1e30
    distance = -below(work[SCORES * classes + k], top)
    return probability(work[k] * scale, others * scale, distance, log_rest, q_high, log_rest)


@point
def class_term(share: float, class_weight: float, smoothing: float, classes: int) -> float:
    """Return the factor t_k of the loss of a class: the label after smoothing, times the class weight."""
    return class_weight * ((1.0 - smoothing) * share + smoothing / classes)


@jit_inner
def load(
    y: Array, raw: Array, i: int, w: float, shift: Array, class_weight: Array, smoothing: float, work: Array
) -> bool:
    """Store scores and terms of a row; return whether label, scores and weight are valid."""
    classes = raw.shape[1]
    valid, shares = 0.0 <= w < math.inf, 0.0
    for k in range(classes):
        share, z = double(y[i, k]), double(raw[i, k])
        if shift.shape[0] > 0:
            z += shift[k]
        valid &= 0.0 <= share <= 1.0 and -math.inf < z < math.inf
        shares += share
        work[SCORES * classes + k] = z
        work[TERMS * classes + k] = class_term(share, class_weight[k], smoothing, classes)
    return valid and abs(shares - 1.0) <= ROW_SUM_TOLERANCE


@jit_inner
def add_hessian(work: Array, classes: int, scale: float) -> None:
    """Store the upper triangle of the Hessian in row-major order: 00, 01, ..., 0(K-1), 11, 12, ..."""
    total = 0.0
    for j in range(classes):
        total += work[TERMS * classes + j]
    at = HESSIAN * classes
    for k in range(classes):
        p = work[k] * scale
        work[at] = p * (work[OTHERS * classes + k] * scale * work[SCORES * classes + k] - work[GRADIENT * classes + k])
        for j in range(k + 1, classes):
            work[at + j - k] = -total * (p * (work[j] * scale))
        at += classes - k
    for j in range(classes):
        c, others = work[CURVATURE * classes + j], work[OTHERS * classes + j]
        if c != 0.0:
            at = HESSIAN * classes
            for k in range(classes):
                r_k = 1.0 if k == j else (-work[k] / others if others > 0.0 else 0.0)
                for i in range(k, classes):
                    r_i = 1.0 if i == j else (-work[i] / others if others > 0.0 else 0.0)
                    work[at + i - k] += c * (r_k * r_i)
                at += classes - k


# ---- loops ----------------------------------------------------------------------------------------------------------


@cache
def row_loops(formula: Formula, n_parameters: int) -> RowLoops:  # noqa: PLR0915  (they close over the formula)
    """Return the functions of a formula with a number of parameters, which compile on their first call."""
    loss_of_class, _ = losses_of_classes(formula, False)
    start = HEADER + n_parameters

    @point
    def derivatives(work: Array, classes: int, parameters: tuple[float, ...], size: float, semidefinite: bool) -> float:
        """Replace terms by A, scores by the sums of A of the other classes, and store d and c; return 1 / (1 + rest)."""
        top, _, rest = exponentials(work, classes)
        log_rest, scale = math.log1p(rest), 1.0 / (1.0 + rest)
        before, after = 0.0, 0.0
        for j in range(classes):
            term = work[TERMS * classes + j]
            a, d, c = 0.0, 0.0, 0.0
            if term > 0.0:
                p = of_class(work, classes, j, top, log_rest, scale)
                loss = loss_of_class(p, parameters)
                d = size * (term * loss.d)
                c = size * (term * (max(loss.c, 0.0) if semidefinite else loss.c))
                a = -d / p.w if p.w > 0.0 else 0.0
            work[TERMS * classes + j], work[GRADIENT * classes + j], work[CURVATURE * classes + j] = a, d, c
            work[SCORES * classes + j] = before
            before += a
        for j in range(classes - 1, -1, -1):
            work[SCORES * classes + j] += after
            after += work[TERMS * classes + j]
        return scale

    @point
    def single_row(known: Array, raw: Array, target: float, weight: float, work: Array, of: tuple[float, ...]) -> None:
        """Store the derivatives of a row whose label is a class code."""
        classes, label, smoothing = raw.shape[0], int(target), known[1]
        for k in range(classes):
            work[SCORES * classes + k] = raw[k] + known[start + k]
            share = 1.0 if k == label else 0.0
            work[TERMS * classes + k] = class_term(share, known[start + classes + k], smoothing, classes)
        scale = derivatives(work, classes, of, known[0] * weight, known[2] != 0.0)
        add_hessian(work, classes, scale)
        for k in range(classes):
            work[GRADIENT * classes + k] += work[k] * scale * work[SCORES * classes + k]

    @partial(jit, of=formula)
    def soft_losses(
        y: Array,
        raw: Array,
        weight: Array,
        begin: int,
        end: int,
        shift: Array,
        parameters: tuple[float, ...],
        class_weight: Array,
        smoothing: float,
        out: Array,
    ) -> bool:
        classes = raw.shape[1]
        work = np.empty(HESSIAN * classes)
        for i in range(begin, end):
            w = double(weight[i]) if weight.shape[0] > 0 else 1.0
            if not load(y, raw, i, w, shift, class_weight, smoothing, work):
                return False
            top, _, rest = exponentials(work, classes)
            log_rest, scale = math.log1p(rest), 1.0 / (1.0 + rest)
            total = 0.0
            for k in range(classes):
                term = work[TERMS * classes + k]
                if term > 0.0:
                    p = of_class(work, classes, k, top, log_rest, scale)
                    total += term * loss_of_class(p, parameters).v
            out[i] = w * total
        return True

    @partial(jit, of=formula)
    def soft_gradient_hessian(
        y: Array,
        raw: Array,
        weight: Array,
        begin: int,
        end: int,
        shift: Array,
        parameters: tuple[float, ...],
        class_weight: Array,
        smoothing: float,
        floor: float,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> bool:
        """Fill the gradient and the diagonal of the Hessian, times ``factor``; ``floor`` is that of the other loops."""
        classes = raw.shape[1]
        work, h = np.empty(HESSIAN * classes), np.empty(classes)
        for i in range(begin, end):
            w = double(weight[i]) if weight.shape[0] > 0 else 1.0
            if not load(y, raw, i, w, shift, class_weight, smoothing, work):
                return False
            scale = derivatives(work, classes, parameters, 1.0, False)
            for k in range(classes):
                q_a, d = work[OTHERS * classes + k] * scale * work[SCORES * classes + k], work[GRADIENT * classes + k]
                h[k] = work[k] * scale * (q_a - d)
            for j in range(classes):
                c, others = work[CURVATURE * classes + j], work[OTHERS * classes + j]
                if c != 0.0:
                    for k in range(classes):
                        r = 1.0 if k == j else (work[k] / others if others > 0.0 else 0.0)
                        h[k] += c * r * r
            for k in range(classes):
                of_others, d = work[k] * scale * work[SCORES * classes + k], work[GRADIENT * classes + k]
                gradient[i, k] = w * (of_others + d)
                hessian[i, k] = factor * w * (max(h[k], floor * (of_others - d)) if floor > 0.0 else h[k])
        return True

    @partial(jit_entry, of=formula)
    def fill(known: Array, raw: Array, target: float, weight: float, work: Array) -> None:
        """Store the gradient and the Hessian in ``work``."""
        classes = raw.shape[0]
        if work.shape[0] != work_size(classes) or not 0.0 <= target < classes:
            raise ValueError(MISFIT)
        single_row(known, raw, target, weight, work, as_tuple(known, HEADER, n_parameters))

    @cache
    def tuples(classes: int) -> Callable[..., Any]:
        """Create the function for a number of classes that returns tuples, ``(gradient, (hessian,))``."""
        size = classes * (classes + 1) // 2

        @partial(jit_entry, of=formula)
        def row(
            known: Array, raw: Array, target: float, weight: float
        ) -> tuple[tuple[float, ...], tuple[tuple[float, ...]]]:
            if raw.shape[0] != classes or not 0.0 <= target < classes:
                raise ValueError(MISFIT)
            work = np.empty(HESSIAN * classes + size)
            single_row(known, raw, target, weight, work, as_tuple(known, HEADER, n_parameters))
            return as_tuple(work, GRADIENT * classes, classes), (as_tuple(work, HESSIAN * classes, size),)

        return row

    return RowLoops(soft_losses, soft_gradient_hessian, fill, tuples)
