"""Losses of one raw score per row: the loops of a formula.

The loss of a row is a l1(z) + b l0(z), where l1 and l0 are the losses of the two classes at the score z, and the factors a
and b contain the label and the class weights. ``shift`` is a constant that the loops add to the raw scores, or None. The
loops compute in the precision of the raw scores and return whether all values are valid. They also return False for a label
of -0.0, which is valid, so the caller must check again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from .._types import Array
from ._jit import Real, double, jit, jit_sum, point
from ._source import with_compiled_helpers
from .blocks import part
from .checks import is_finite, may_be_valid
from .dual import as_dual, of_margin, opposite
from .logistic import sigmoid
from .vector import bits, exp, select

#: The number of rows per block: few enough to stay in the L1 cache between the check of the labels and the computation.
BLOCK = 8192

#: A formula of a probability and parameters; if ``pair``, it returns the losses of class 1 and class 0.
Formula = Callable[..., Any]


class BinaryLoops(NamedTuple):
    """The compiled loops of a formula."""

    gradient_hessian: Callable[..., tuple[bool, bool]]
    sums: Callable[..., tuple[bool, float, float, float]]


# ---- points ---------------------------------------------------------------------------------------------------------


@point
def class_terms(y: Real, positive: Real, negative: Real, keep: Real, spread: Real) -> tuple[Real, Real]:
    """Return the factors of the y = 1 term and the y = 0 term of the loss for a label in [0, 1].

    The label is smoothed first and then multiplied by the class weights, as in PyTorch. Label smoothing s multiplies a
    label by ``keep`` = 1 - s and adds ``spread`` = s / 2 for each class.
    """
    return positive * (keep * y + spread), negative * (keep * (type(y)(1) - y) + spread)


@cache
def losses_of_classes(formula: Formula, pair: bool) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the losses of class 1 and class 0 as functions of the probability of the own class."""
    compiled = point(with_compiled_helpers(formula, point))

    @point
    def loss(p: Any, parameters: tuple[float, ...]) -> Any:
        return as_dual(compiled(p, *parameters))

    @point
    def loss_of_1(p: Any, parameters: tuple[float, ...]) -> Any:
        return as_dual(compiled(p, *parameters)[0])

    @point
    def loss_of_0(p: Any, parameters: tuple[float, ...]) -> Any:
        return as_dual(compiled(1.0 - p, *parameters)[1])

    return (loss_of_1, loss_of_0) if pair else (loss, loss)


# ---- loops ----------------------------------------------------------------------------------------------------------


@cache
def binary_loops(formula: Formula, pair: bool, flat: bool = False) -> BinaryLoops:  # noqa: PLR0915  (they close over the formula)
    """Return the loops of a formula, which compile on their first call; ``flat`` is whether it is cross-entropy."""
    loss_of_1, loss_of_0 = losses_of_classes(formula, pair)

    @partial(jit, of=formula)
    def gradient_hessian(
        y: Array,
        raw: Array,
        shift: float | None,
        weight: Array | None,
        parameters: tuple[float, ...],
        positive: float,
        negative: float,
        smoothing: float,
        floor: float,
        gradient: Array,
        hessian: Array,
    ) -> tuple[bool, bool]:
        """Fill the derivatives, and return whether all values are valid, and whether any weight is above 0.

        ``floor`` > 0 keeps the Hessian at or above that multiple of the gradient's magnitude, so a Newton step is a descent
        step. The magnitude is the sum of the magnitudes of the label's two terms: the Hessian is then also positive for a
        soft label whose two terms cancel.
        """
        real, label = type(raw[0]), type(y[0])
        guarded, weighted = floor > 0.0, weight is not None or positive != 1.0 or negative != 1.0
        positive_, negative_, floor_ = real(positive), real(negative), real(floor)
        keep, spread = real(1.0 - smoothing), real(0.5 * smoothing)
        valid, any_weight = True, weight is None
        hard = smoothing == 0.0 and not pair  # until a block with a soft label is found
        for start in range(0, raw.shape[0], BLOCK):
            stop = min(start + BLOCK, raw.shape[0])
            labels, scores, weights = y[start:stop], raw[start:stop], part(weight, start, stop)
            first, second = gradient[start:stop], hessian[start:stop]
            top_y, top_z, top_w = bits(label(0)), bits(abs(scores[0])), bits(label(0))
            if hard:
                soft = bits(label(0))
                for i in range(scores.shape[0]):
                    z = scores[i] if shift is None else real(scores[i] + shift)
                    is_positive = labels[i] > label(0)
                    soft = max(soft, bits(abs(labels[i] - select(is_positive, label(1), label(0)))))
                    loss = loss_of_1(of_margin(select(is_positive, z, -z)), parameters)
                    g, h = select(is_positive, loss.d, -loss.d), loss.h
                    if guarded:
                        h = max(h, -floor_ * loss.d)
                    top_z = max(top_z, bits(abs(z)))
                    w = select(is_positive, positive_, negative_)
                    if weight is not None:
                        top_w = max(top_w, bits(weights[i]))
                        w *= real(weights[i])
                    if weighted:
                        g, h = w * g, w * h
                    first[i] = g
                    second[i] = h
                hard = soft == bits(label(0))
            if not hard:
                for i in range(scores.shape[0]):
                    z = scores[i] if shift is None else real(scores[i] + shift)
                    a, b = class_terms(real(labels[i]), positive_, negative_, keep, spread)
                    p = of_margin(z)
                    one, zero = loss_of_1(p, parameters), loss_of_0(opposite(p), parameters)
                    g, h = a * one.d - b * zero.d, a * one.h + b * zero.h
                    if guarded:
                        h = max(h, -floor_ * (a * one.d + b * zero.d))
                    top_y, top_z = max(top_y, bits(labels[i])), max(top_z, bits(abs(z)))
                    if weight is not None:
                        top_w = max(top_w, bits(weights[i]))
                        g, h = real(weights[i]) * g, real(weights[i]) * h
                    first[i] = g
                    second[i] = h
            valid &= may_be_valid(top_y, top_z, y, raw) and is_finite(top_w, y)
            any_weight |= top_w > 0
        return valid, any_weight

    @partial(jit_sum, of=formula)
    def sums(
        y: Array,
        raw: Array,
        shift: float | None,
        weight: Array | None,
        parameters: tuple[float, ...],
        positive: float,
        negative: float,
        smoothing: float,
        each: Array | None,
    ) -> tuple[bool, float, float, float]:
        """Return, in one pass, whether all values are valid, and three sums.

        They are the weighted loss, the weighted squared error of the sigmoid, and the weights. If given, ``each`` is filled
        with the weighted loss of every row.
        """
        real = type(raw[0])
        scale = max(positive, negative)  # factors of at most 1 do not overflow float32
        positive_, negative_ = real(positive / scale), real(negative / scale)
        keep, spread = real(1.0 - smoothing), real(0.5 * smoothing)
        top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
        losses, squares, weights = 0.0, 0.0, 0.0
        for i in range(raw.shape[0]):
            z = raw[i] if shift is None else real(raw[i] + shift)
            label = real(y[i])
            a, b = class_terms(label, positive_, negative_, keep, spread)
            p = of_margin(z)
            one, zero = loss_of_1(p, parameters), loss_of_0(opposite(p), parameters)
            loss = double(a * one.v) + double(b * zero.v)
            error = label - p.v
            top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(abs(z)))
            w = 1.0
            if weight is not None:
                w = double(weight[i])
                top_w = max(top_w, bits(weight[i]))
                weights += w
            if each is not None:
                each[i] = w * (scale * loss)
            losses += w * loss
            squares += w * double(error * error)
        if weight is None:
            weights = float(raw.shape[0])
        valid = may_be_valid(top_y, top_z, y, raw) and is_finite(top_w, y)
        return valid, scale * losses, squares, weights

    return BinaryLoops(gradient_hessian_of_cross_entropy if flat else gradient_hessian, sums)


@jit
def gradient_hessian_of_cross_entropy(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    parameters: tuple[float, ...],
    positive: float,
    negative: float,
    smoothing: float,
    floor: float,
    gradient: Array,
    hessian: Array,
) -> tuple[bool, bool]:
    """Fill the derivatives of cross-entropy, without a guard, a fifth faster than the loop of its formula."""
    real = type(raw[0])
    plain = positive == 1.0 and negative == 1.0 and smoothing == 0.0
    positive_, negative_ = real(positive), real(negative)
    keep, spread = real(1.0 - smoothing), real(0.5 * smoothing)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    for i in range(raw.shape[0]):
        z = raw[i] if shift is None else real(raw[i] + shift)
        label, distance = real(y[i]), abs(z)
        e = exp(-distance)
        larger = real(1) / (real(1) + e)
        smaller = e * larger
        if plain:
            # The gradient is b - (a + b) q for z >= 0 and -(a - (a + b) q) for z < 0, where q <= 1/2 is the smaller
            # probability. For a hard label no digits cancel.
            g = select(z >= real(0), real(1) - label, label) - smaller
            h = larger * smaller
        else:
            a, b = class_terms(label, positive_, negative_, keep, spread)
            g = select(z >= real(0), b, a) - (a + b) * smaller
            h = (a + b) * (larger * smaller)
        g = select(z >= real(0), g, -g)
        top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(distance))
        if weight is not None:
            w = real(weight[i])
            top_w = max(top_w, bits(weight[i]))
            g, h = w * g, w * h
        gradient[i] = g
        hessian[i] = h
    return may_be_valid(top_y, top_z, y, raw) and is_finite(top_w, y), weight is None or top_w > 0


@jit
def sigmoids(raw: Array, offset: float, smoothing: float, out: Array) -> bool:
    """Fill the sigmoid of the shifted scores; ``smoothing`` > 0 undoes that label smoothing and clips to [0, 1]."""
    real = type(raw[0])
    top_z = bits(abs(raw[0]))
    scale, spread = real(1.0 / (1.0 - smoothing)), real(0.5 * smoothing)
    for i in range(raw.shape[0]):
        top_z = max(top_z, bits(abs(raw[i])))
        p = sigmoid(real(raw[i] + offset))[0]
        out[i] = min(max((p - spread) * scale, real(0)), real(1)) if smoothing > 0.0 else p
    return is_finite(top_z, raw)
