"""Weighted log loss of one raw score per row (binary cross-entropy on logits).

``shift`` is a constant that the loops add to the raw scores, or None. The loops compute in the precision of the raw
scores and return whether all values are valid. They also return False for a label of -0.0, which is valid, so the caller
must check again.
"""

from __future__ import annotations

import math

from .._types import Array
from ._jit import Real, double, jit, jit_sum, point
from .vector import bits, exp, log1p, select

# ---- points ---------------------------------------------------------------------------------------------------------


@point
def sigmoid(z: Real) -> tuple[Real, Real]:
    """Return P = 1 / (1 + exp(-z)) and its complement Q = 1 - P, both with full relative accuracy."""
    real = type(z)
    e = exp(-abs(z))
    larger = real(1) / (real(1) + e)
    smaller = e * larger
    return select(z >= real(0), larger, smaller), select(z >= real(0), smaller, larger)


@point
def softplus(z: Real) -> Real:
    """Return log(1 + exp(z)); softplus(-z) is -log(sigmoid(z))."""
    return max(z, type(z)(0)) + log1p(exp(-abs(z)))


@point
def class_terms(y: Real, positive: Real, negative: Real, keep: Real, spread: Real) -> tuple[Real, Real]:
    """Return the factors of the y = 1 term and the y = 0 term of the loss for a label in [0, 1].

    The label is smoothed first and then multiplied by the class weights, as in PyTorch. Label smoothing s multiplies a
    label by ``keep`` = 1 - s and adds ``spread`` = s / 2 for each class.
    """
    return positive * (keep * y + spread), negative * (keep * (type(y)(1) - y) + spread)


@point
def value(z: Real, a: Real, b: Real) -> Real:
    """Return a softplus(-z) + b softplus(z) as a double, since it may overflow float32 near the largest float32 score."""
    distance = abs(z)
    near, far = (a + b) * log1p(exp(-distance)), select(z >= type(z)(0), b, a)
    return double(near) + double(far) * double(distance)


# ---- loops ----------------------------------------------------------------------------------------------------------


@jit
def is_finite(top: int, values: Array) -> bool:
    """Return whether ``top``, the largest bits of magnitudes in the dtype of ``values``, represents a finite number."""
    return bool(top < bits(type(values[0])(math.inf)))


@jit
def may_be_valid(top_y: int, top_z: int, y: Array, z: Array) -> bool:
    """Return whether the largest bits represent a label in [0, 1] and a finite magnitude of a score."""
    return bool(top_y <= bits(type(y[0])(1))) and is_finite(top_z, z)


@jit
def may_be_weights(top_w: int, weight: Array) -> bool:
    """Return whether the largest bits of the weights represent a finite number > 0."""
    return bool(top_w > 0) and is_finite(top_w, weight)


@jit
def per_sample(
    y: Array,
    raw: Array,
    weight: Array | None,
    positive: float,
    negative: float,
    smoothing: float,
    out: Array,
) -> bool:
    real = type(raw[0])
    positive_, negative_ = real(positive), real(negative)
    keep, spread = real(1.0 - smoothing), real(0.5 * smoothing)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    for i in range(raw.shape[0]):
        z = raw[i]
        a, b = class_terms(real(y[i]), positive_, negative_, keep, spread)
        loss = value(z, a, b)
        top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(abs(z)))
        if weight is None:
            out[i] = loss
        else:
            top_w = max(top_w, bits(weight[i]))
            out[i] = double(weight[i]) * loss
    return may_be_valid(top_y, top_z, y, raw) and (weight is None or may_be_weights(top_w, weight))


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    positive: float,
    negative: float,
    smoothing: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    real = type(raw[0])
    plain = positive == 1.0 and negative == 1.0 and smoothing == 0.0
    positive_, negative_ = real(positive), real(negative)
    keep, spread = real(1.0 - smoothing), real(0.5 * smoothing)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    for i in range(raw.shape[0]):
        z = raw[i] if shift is None else real(raw[i] + shift)
        label = real(y[i])
        distance = abs(z)
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
    return may_be_valid(top_y, top_z, y, raw) and (weight is None or may_be_weights(top_w, weight))


@jit_sum
def sums(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    positive: float,
    negative: float,
    smoothing: float,
) -> tuple[bool, float, float, float]:
    """Return, in one pass, whether all values are valid, and three sums.

    They are the weighted loss, the weighted squared error of the sigmoid, and the weights.
    """
    real = type(raw[0])
    positive_, negative_ = real(positive), real(negative)
    keep, spread = real(1.0 - smoothing), real(0.5 * smoothing)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    losses, squares, weights = 0.0, 0.0, 0.0
    for i in range(raw.shape[0]):
        z = raw[i] if shift is None else real(raw[i] + shift)
        label = real(y[i])
        a, b = class_terms(label, positive_, negative_, keep, spread)
        loss, error = value(z, a, b), label - sigmoid(z)[0]
        top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(abs(z)))
        if weight is None:
            losses += loss
            squares += double(error * error)
        else:
            w = double(weight[i])
            top_w = max(top_w, bits(weight[i]))
            losses += w * loss
            squares += w * double(error * error)
            weights += w
    if weight is None:
        weights = float(raw.shape[0])
    valid = may_be_valid(top_y, top_z, y, raw) and (weight is None or may_be_weights(top_w, weight))
    return valid, losses, squares, weights


@jit
def posterior(raw: Array, offset: float, smoothing: float, out: Array) -> bool:
    """Fill the sigmoid of the shifted scores; ``smoothing`` > 0 undoes that label smoothing and clips to [0, 1]."""
    real = type(raw[0])
    top_z = bits(abs(raw[0]))
    scale, spread = real(1.0 / (1.0 - smoothing)), real(0.5 * smoothing)
    for i in range(raw.shape[0]):
        z = real(raw[i] + offset)
        top_z = max(top_z, bits(abs(raw[i])))
        p = sigmoid(z)[0]
        out[i] = min(max((p - spread) * scale, real(0)), real(1)) if smoothing > 0.0 else p
    return is_finite(top_z, raw)
