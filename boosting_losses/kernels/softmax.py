"""Softmax cross-entropy of K raw scores per row.

Class weights and label smoothing enter as the factor of each class's term, -log p_k: the label, 0 or 1 or soft, is
smoothed first and weighted by class afterwards, as PyTorch does.
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import Array, double, jit

#: The largest double.
LARGEST = 1.7976931348623157e308

#: A soft label's row may miss a sum of 1 by this much; 100 float32 numbers that add up to 1 miss it by 3e-6 at most.
ROW_SUM_TOLERANCE = 1e-5

# ---- points: one row ------------------------------------------------------------------------------------------------


@jit
def exponentials(raw: Array, i: int, e: Array) -> tuple[float, int, float]:
    """Fill e[k] = exp(z_k - top); return top, its class, and the sum of the others' exponentials.

    The sum leaves the largest score out, where the exponential is exactly 1: log1p(rest) and rest / (1 + rest) then
    keep every digit of the log-sum-exp and of 1 - p when one class is nearly certain.
    """
    classes = raw.shape[1]
    best = 0
    for k in range(1, classes):
        if raw[i, k] > raw[i, best]:
            best = k
    top = double(raw[i, best])
    rest = 0.0
    for k in range(classes):
        e[k] = math.exp(double(raw[i, k]) - top)
        if k != best:
            rest += e[k]
    return top, best, rest


@jit
def below(z: float, top: float) -> float:
    """How far a score lies below the largest, z - top; cut where the difference of two doubles is no double."""
    return max(z - top, -LARGEST)


@jit
def sum_of_others(e: Array, k: int, best: int, rest: float) -> float:
    """The sum of the exponentials of all classes but k."""
    return rest if k == best else (1.0 - e[k]) + rest


@jit
def label_of_class(y: Array, i: int, k: int) -> float:
    """The label's share of class k: y holds class codes (1-d) or one row of shares per sample (2-d)."""
    if y.ndim == 1:
        return 1.0 if y[i] == k else 0.0
    return double(y[i, k])


@jit
def class_term(y: Array, i: int, k: int, class_weight: Array, smoothing: float) -> float:
    """The factor of -log p_k in the loss of row i."""
    return smoothed_term(label_of_class(y, i, k), k, class_weight, smoothing)


@jit
def smoothed_term(share: float, k: int, class_weight: Array, smoothing: float) -> float:
    """The factor of -log p_k for a label with the given share of class k."""
    smoothed = (1.0 - smoothing) * share + smoothing / class_weight.shape[0]
    return float(class_weight[k] * smoothed)


@jit
def is_finite(raw: Array, i: int) -> bool:
    """Are all scores of the row finite?"""
    finite = True
    for k in range(raw.shape[1]):
        finite &= -math.inf < raw[i, k] < math.inf
    return finite


@jit
def is_valid(y: Array, raw: Array, i: int, w: float) -> bool:
    """Is this a class code or a row of shares that sum to 1, finite scores and a finite weight >= 0? False for NaN."""
    valid = is_finite(raw, i) and 0.0 <= w < math.inf
    shares = 0.0
    known = False
    for k in range(raw.shape[1]):
        share = label_of_class(y, i, k)
        valid &= 0.0 <= share <= 1.0
        shares += share
        known |= share == 1.0
    return valid and (known or y.ndim == 2) and abs(shares - 1.0) <= ROW_SUM_TOLERANCE


@jit
def normalise(scores: Array, p: Array) -> None:
    """Write the softmax of the one row of ``scores`` to p."""
    _, _, rest = exponentials(scores, 0, p)
    scale = 1.0 / (1.0 + rest)
    for k in range(p.shape[0]):
        p[k] *= scale


# ---- loops ----------------------------------------------------------------------------------------------------------


@jit
def per_sample(y: Array, raw: Array, weight: Array | None, class_weight: Array, smoothing: float, out: Array) -> bool:
    e = np.empty(raw.shape[1])
    total = 0.0
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        total += w
        top, _, rest = exponentials(raw, i, e)
        log_rest = math.log1p(rest)
        loss = 0.0
        for k in range(raw.shape[1]):
            term = class_term(y, i, k, class_weight, smoothing)
            if term > 0.0:
                loss += term * (log_rest - below(double(raw[i, k]), top))
        out[i] = w * loss
    return total > 0.0


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    weight: Array | None,
    class_weight: Array,
    smoothing: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    """The Hessian's diagonal only."""
    classes = raw.shape[1]
    e = np.empty(classes)
    total = 0.0
    for i in range(raw.shape[0]):
        w = 1.0 if weight is None else double(weight[i])
        if not is_valid(y, raw, i, w):
            return False
        total += w
        _, best, rest = exponentials(raw, i, e)
        scale = 1.0 / (1.0 + rest)
        terms = 0.0
        for k in range(classes):
            terms += class_term(y, i, k, class_weight, smoothing)
        for k in range(classes):
            term = class_term(y, i, k, class_weight, smoothing)
            p = e[k] * scale
            q = sum_of_others(e, k, best, rest) * scale
            # Both products are >= 0 and one of them is 0 for a hard label: no digits cancel.
            gradient[i, k] = w * ((terms - term) * p - term * q)
            hessian[i, k] = w * (terms * (p * q))
    return total > 0.0


@jit
def posterior(raw: Array, offset: Array, smoothing: float, out: Array) -> bool:
    """Softmax of the shifted scores; ``smoothing`` > 0 undoes label smoothing of that strength, cut to [0, 1]."""
    classes = raw.shape[1]
    shifted = np.empty((1, classes))
    p = np.empty(classes)
    for i in range(raw.shape[0]):
        if not is_finite(raw, i):
            return False
        for k in range(classes):
            shifted[0, k] = double(raw[i, k]) + offset[k]
        normalise(shifted, p)
        total = 0.0
        for k in range(classes):
            p[k] = min(max((p[k] - smoothing / classes) / (1.0 - smoothing), 0.0), 1.0)
            total += p[k]
        for k in range(classes):
            out[i, k] = p[k] / total if smoothing > 0.0 else p[k]
    return True
