"""Weighted log loss of one raw score per row (binary cross-entropy on logits)."""

from __future__ import annotations

import math

from ._jit import Array, double, jit

# ---- points ---------------------------------------------------------------------------------------------------------


@jit
def sigmoid(z: float) -> tuple[float, float]:
    """P = 1 / (1 + exp(-z)) and its complement Q = 1 - P, both to full relative accuracy."""
    e = math.exp(-abs(z))
    larger = 1.0 / (1.0 + e)
    smaller = e * larger
    return (larger, smaller) if z >= 0.0 else (smaller, larger)


@jit
def softplus(z: float) -> float:
    """log(1 + exp(z)); softplus(-z) is -log(sigmoid(z))."""
    return max(z, 0.0) + math.log1p(math.exp(-abs(z)))


@jit
def class_terms(y: float, positive: float, negative: float, smoothing: float) -> tuple[float, float]:
    """The factors of the y = 1 and of the y = 0 term of the loss for a label in [0, 1].

    The label is smoothed first and weighted by class afterwards, as PyTorch does.
    """
    keep = 1.0 - smoothing
    spread = 0.5 * smoothing
    return positive * (keep * y + spread), negative * (keep * (1.0 - y) + spread)


@jit
def is_valid(y: float, z: float, w: float) -> bool:
    """Is this a label in [0, 1], a finite score and a finite weight >= 0? False for NaN."""
    return 0.0 <= y <= 1.0 and -math.inf < z < math.inf and 0.0 <= w < math.inf


# ---- loops ----------------------------------------------------------------------------------------------------------


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
    valid, total = True, 0.0
    for i in range(raw.shape[0]):
        label, z = double(y[i]), double(raw[i])
        w = 1.0 if weight is None else double(weight[i])
        valid &= is_valid(label, z, w)
        total += w
        a, b = class_terms(label, positive, negative, smoothing)
        out[i] = w * (a * softplus(-z) + b * softplus(z))
    return valid and total > 0.0


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    weight: Array | None,
    positive: float,
    negative: float,
    smoothing: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    valid, total = True, 0.0
    for i in range(raw.shape[0]):
        label, z = double(y[i]), double(raw[i])
        w = 1.0 if weight is None else double(weight[i])
        valid &= is_valid(label, z, w)
        total += w
        a, b = class_terms(label, positive, negative, smoothing)
        p, q = sigmoid(z)
        gradient[i] = w * (b * p - a * q)
        hessian[i] = w * ((a + b) * (p * q))
    return valid and total > 0.0


@jit
def posterior(raw: Array, offset: float, smoothing: float, out: Array) -> bool:
    """Sigmoid of the shifted score; ``smoothing`` > 0 undoes label smoothing of that strength, cut to [0, 1]."""
    valid = True
    for i in range(raw.shape[0]):
        z = double(raw[i])
        valid &= -math.inf < z < math.inf
        p = sigmoid(z + offset)[0]
        out[i] = min(max((p - 0.5 * smoothing) / (1.0 - smoothing), 0.0), 1.0)
    return valid
