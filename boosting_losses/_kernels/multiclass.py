"""Losses of K raw scores per row: the loops of a formula, for labels that are class codes.

The loss of a row of class y is w_y l(p_y), with p the softmax, l the formula and w_y the class weight. Its derivatives
follow from those of l with respect to the margin of class y, the log odds of p_y. With q = 1 - p, s_k = p_k / q_y the
probability of class k given another class than y, d = l' and c = l'' + p_y l' (see ``dual.py``)::

    gradient:  d for y, and -d s_k for another class k
    Hessian:   c - p_y d for y, and -d s_k q_k + c s_k^2 for k

For cross-entropy d is -q_y and c is 0. See ``rows.py`` for soft labels, and ``blocks.py`` for the
steps on blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from .._types import Array
from ._jit import Codes, Real, double, jit, jit_inner, point
from .binary import Formula, losses_of_classes
from .blocks import PADDING, codes, copy_weights, exponentials, is_by_class, load, rows_of_block, store
from .dual import probability
from .vector import exp, largest, log1p, minus_log, select


@point
def below(z: Real, top: Real) -> Real:
    """Return the distance of a score below the largest, as a finite number even if the difference overflows."""
    return min(top - z, largest(z))


@point
def far_below(z: Real, top: Real) -> Real:
    """Return ``below`` in double precision, where only the difference of two doubles can overflow."""
    return min(double(top) - double(z), largest(0.0))


@jit_inner
def subtract_spread(w: Array, rows: int, spread: Array, label: Codes, g: Array) -> None:
    """Subtract the terms that label smoothing adds for all classes except the label's class from the gradient."""
    real = type(w[0])
    total = 0.0
    for k in range(g.shape[0]):
        total += spread[k]
    for k in range(g.shape[0]):
        spread_of_others = total - spread[k]
        for b in range(rows):
            g[k, b] += w[b] * select(label[b] == k, real(spread_of_others), -real(spread[k]))


@jit_inner
def derivatives_of_block(
    s: Array,
    rows: int,
    rest: Array,
    first: Array,
    second: Array,
    others: Array,
    curvature: Array,
    floor: Real,
    factor: Real,
    label: Codes,
    own: Array,
    own_h: Array,
    h: Array,
    at: int,
) -> None:
    """Replace exponentials by the gradient, and fill h[class, at + row].

    ``own`` and ``own_h`` contain the derivatives of the label's class; those of another class k are first e_k and
    second e_k (sum of the other exponentials) + curvature (e_k / others)^2.
    """
    real = type(rest[0])
    for k in range(s.shape[0]):
        e = s[k]
        # Each loop uses few arrays: LLVM does not vectorise a loop in which it must check many arrays for overlap.
        for b in range(rows):
            h[k, np.uintp(at + b)] = second[b] * (e[b] * ((real(1) - e[b]) + rest[b]))
        for b in range(rows):
            share = e[b] / others[b]
            h[k, np.uintp(at + b)] += curvature[b] * (share * share)
        for b in range(rows):
            e[b] *= first[b]
        for b in range(rows):
            h[k, np.uintp(at + b)] = factor * max(h[k, np.uintp(at + b)], floor * e[b])
    for b in range(rows):
        s[label[b], b] = own[b]
        h[label[b], np.uintp(at + b)] = own_h[b]


@jit_inner
def derivatives_of_cross_entropy(
    s: Array, rows: int, rest: Array, first: Array, second: Array, label: Codes, own: Array, h: Array, at: int
) -> None:
    """Do the same for a loss without curvature, for which the Hessian of the label's class has no other form."""
    real = type(rest[0])
    for k in range(s.shape[0]):
        for b in range(rows):
            e = s[k, b]
            h[k, np.uintp(at + b)] = second[b] * (e * ((real(1) - e) + rest[b]))
            s[k, b] = first[b] * e
    for b in range(rows):
        s[label[b], b] = own[b]


# ---- loops ----------------------------------------------------------------------------------------------------------


class MulticlassLoops(NamedTuple):
    """The compiled loops of a formula."""

    gradient_hessian: Callable[..., tuple[bool, bool]]
    sums: Callable[..., tuple[bool, float, float, float]]


@cache
def multiclass_loops(formula: Formula, flat: bool) -> MulticlassLoops:  # noqa: PLR0915  (two loops that close over the formula)
    """Return the loops of a formula, which compile on their first call.

    ``flat`` is whether c is 0, as for cross-entropy, which makes the derivatives of the other classes simpler.
    """
    loss_of_class, _ = losses_of_classes(formula, False)

    @point
    def of_label(
        e: Real, distance: Real, rest: Real, parameters: tuple[float, ...]
    ) -> tuple[Real, Real, Real, Real, Real, Real]:
        """Return the loss, d, c and p of the label's class, the exponentials of the others, and 1 / (1 + rest)."""
        real = type(rest)
        log_rest, scale = log1p(rest), real(1) / (real(1) + rest)
        others = (real(1) - e) + rest
        underflow = others <= real(0)
        high, low = minus_log(select(underflow, real(1), others))
        q_high, q_low = select(underflow, real(1e30), high), select(underflow, real(0), low + log_rest)
        p = probability(e * scale, others * scale, distance, log_rest, q_high, q_low)
        loss = loss_of_class(p, parameters)
        return loss.v, loss.d, loss.c, p.v, others, scale

    @partial(jit, of=formula)
    def gradient_hessian(  # noqa: PLR0912  (Numba compiles a loop faster than NumPy's functions)
        y: Array,
        raw: Array,
        weight: Array,
        begin: int,
        end: int,
        shift: Array,
        parameters: tuple[float, ...],
        class_weight: Array,
        spread: Array,
        floor: float,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> tuple[bool, bool]:
        """Fill the gradient and the Hessian's diagonal times ``factor`` for the rows from ``begin`` to ``end``.

        Return whether all values are valid, and whether any weight is above 0. ``weight``, ``shift`` and ``spread`` may be
        empty (see ``or_empty``). ``floor`` is that of the binary loop. ``spread`` contains the terms that label smoothing
        adds for each class, which is correct for cross-entropy only; ``class_weight`` then contains the sums of the terms
        of all classes.
        """
        classes = raw.shape[1]
        real = type(raw[0, 0])
        floor_, factor_ = real(floor if floor > 0.0 else -np.inf), real(factor)
        size = rows_of_block(raw)
        s, block = np.zeros((classes, size + PADDING), raw.dtype), np.zeros((classes, size + PADDING), raw.dtype)
        top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
        own, own_h, distance = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
        first, second = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
        curvature, others = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
        label = np.zeros(size, np.uint32)
        weighted = False
        for k in range(classes):
            weighted |= class_weight[k] != 1.0
        any_weight = False
        for start in range(begin, end, size):
            rows = min(size, end - start)
            fine, weighs = copy_weights(weight, start, rows, w)
            any_weight |= weighs
            if not (fine and load(raw, start, rows, shift, s, top) and codes(y, start, rows, classes, label)):
                return False, any_weight
            if not flat:
                for b in range(rows):
                    distance[b] = below(s[label[b], b], top[b])
            exponentials(s, rows, top, rest, first)
            for b in range(rows):
                second[b] = w[b]
            if weighted:
                for b in range(rows):
                    second[b] *= real(class_weight[label[b]])
            if flat:
                for b in range(rows):
                    first[b] = s[label[b], b]
                for b in range(rows):
                    _, d, _, _, rest_of_label, scale = of_label(first[b], real(0), rest[b], parameters)
                    own[b] = second[b] * d
                    first[b] = -own[b] / select(rest_of_label > real(0), rest_of_label, real(1))
                    second[b] = factor_ * first[b] * scale
                if is_by_class(hessian):  # write directly, without a transposed block
                    derivatives_of_cross_entropy(s, rows, rest, first, second, label, own, hessian.T, start)
                else:
                    derivatives_of_cross_entropy(s, rows, rest, first, second, label, own, block, 0)
                    store(block, start, rows, hessian)
            else:
                for b in range(rows):
                    _, d, c, p, rest_of_label, scale = of_label(exp(-distance[b]), distance[b], rest[b], parameters)
                    d, c = second[b] * d, second[b] * c
                    own[b] = d
                    own_h[b] = factor_ * max(c - p * d, -floor_ * d)
                    others[b] = select(rest_of_label > real(0), rest_of_label, real(1))
                    first[b] = -d / others[b]
                    second[b] = first[b] * scale
                    curvature[b] = c
                derivatives_of_block(
                    s, rows, rest, first, second, others, curvature, floor_, factor_, label, own, own_h, block, 0
                )
                store(block, start, rows, hessian)
            if spread.shape[0] > 0:
                subtract_spread(w, rows, spread, label, s)
            store(s, start, rows, gradient)
        return True, any_weight

    @partial(jit, of=formula)
    def sums(
        y: Array,
        raw: Array,
        weight: Array,
        begin: int,
        end: int,
        shift: Array,
        parameters: tuple[float, ...],
        class_weight: Array,
        spread: Array,
        square: bool,
        each: Array,
    ) -> tuple[bool, float, float, float]:
        """Return, in one pass over the rows from ``begin`` to ``end``, whether all values are valid, and three sums.

        They are the weighted loss, the weighted squared error of the softmax if ``square``, and the weights. Unless empty,
        ``each`` is filled with the weighted loss of every row. ``class_weight`` and ``spread`` are those of the derivatives.
        """
        classes = raw.shape[1]
        size = rows_of_block(raw)
        s = np.zeros((classes, size + PADDING), raw.dtype)
        top, rest, w = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
        work, distance = np.zeros(size, raw.dtype), np.zeros(size, raw.dtype)
        losses = np.zeros(size)
        label = np.zeros(size, np.uint32)
        total_loss, total_square, total_weight = 0.0, 0.0, 0.0
        for start in range(begin, end, size):
            rows = min(size, end - start)
            fine, _ = copy_weights(weight, start, rows, w)
            if not (fine and load(raw, start, rows, shift, s, top) and codes(y, start, rows, classes, label)):
                return False, 0.0, 0.0, 0.0
            for b in range(rows):
                distance[b], losses[b] = below(s[label[b], b], top[b]), 0.0
            if spread.shape[0] > 0:  # the distances of all classes, relative to that of the label's class
                for k in range(classes):
                    for b in range(rows):
                        losses[b] += spread[k] * (far_below(s[k, b], top[b]) - double(distance[b]))
            exponentials(s, rows, top, rest, work)
            for b in range(rows):
                work[b] = of_label(exp(-distance[b]), distance[b], rest[b], parameters)[0]
            for b in range(rows):
                loss = double(w[b]) * (class_weight[label[b]] * double(work[b]) + losses[b])
                total_loss += loss
                total_weight += double(w[b])
                if each.shape[0] > 0:
                    each[np.uintp(start + b)] = loss
            if square:
                total_square += sum_of_squares(s, rows, rest, label, w, work)
        return True, total_loss, total_square, total_weight

    return MulticlassLoops(gradient_hessian, sums)


@jit_inner
def sum_of_squares(s: Array, rows: int, rest: Array, label: Codes, w: Array, work: Array) -> float:
    """Return the weighted sum of the squared errors of the softmax of a block, given its exponentials."""
    real = type(rest[0])
    for b in range(rows):
        k = label[b]
        s[k, b] = (real(1) - s[k, b]) + rest[b]  # 1 - p instead of p, before division by the sum of exponentials
        work[b] = real(0)
    for k in range(s.shape[0]):
        row = s[k]
        for b in range(rows):
            work[b] += row[b] * row[b]
    total = 0.0
    for b in range(rows):
        scale = real(1) / (real(1) + rest[b])
        total += double(w[b]) * double(work[b] * scale * scale)
    return total
