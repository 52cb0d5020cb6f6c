"""Focal loss of one raw score per row, and the conversion of its raw scores to class probabilities.

With p the probability of the label's class and q = 1 - p, the focal loss is q^gamma (-log p) (Lin et al. 2017,
arXiv 1708.02002, equation 4). Its minimiser is not the class probability eta but a flattened version of eta.
``posterior`` and ``logits`` recover eta in closed form (Charoenphakdee et al. 2021, arXiv 2011.09172, theorem 11).

A hard label, 0 or 1, requires one of the two terms of the loss, and a soft label requires both. The loops process blocks
of rows. Blocks in which all labels are hard use separate code, which is twice as fast. ``shift`` and the return values
are those of ``logistic.py``.
"""

from __future__ import annotations

import math

from .._types import Array
from ._jit import Real, double, jit, jit_sum, point
from .logistic import class_terms, is_finite, may_be_valid, may_be_weights, sigmoid, softplus
from .vector import bits, exp, exp_minus_product, log1p, select

#: The number of rows per block: few enough to stay in the L1 cache between the check of the labels and the computation.
BLOCK = 1024

# ---- points ---------------------------------------------------------------------------------------------------------


@point
def modulation(q: Real, high: Real, low: Real, gamma: Real, squared: bool) -> Real:
    """Return q^gamma, where -log q = high + low; the constant ``squared`` is True if gamma is 2."""
    if squared:
        return q * q
    return exp_minus_product(gamma, high, low)


@point
def value(z: Real, gamma: Real) -> Real:
    """Return the loss of a row of class 1 at the score z; for class 0, call it with -z."""
    real = type(z)
    low = log1p(exp(-abs(z)))
    return modulation(sigmoid(z)[1], max(z, real(0)), low, gamma, False) * (low + max(-z, real(0)))


@point
def derivatives(z: Real, gamma: Real, squared: bool) -> tuple[Real, Real]:
    """Return the first and second derivatives of ``value`` with respect to z.

    All terms of the first derivative have the same sign, so no digits are lost. If p or q underflows for a score of large
    magnitude, the result is exactly the limit: p * softplus(-z) is computed first, as 0 * large and not large * large.
    """
    real = type(z)
    e = exp(-abs(z))
    low = log1p(e)
    larger = real(1) / (real(1) + e)
    smaller = e * larger
    p, q = select(z >= real(0), larger, smaller), select(z >= real(0), smaller, larger)
    m = modulation(q, max(z, real(0)), low, gamma, squared)
    p_loss = p * (low + max(-z, real(0)))
    first = -m * (gamma * p_loss + q)
    second = m * ((gamma + gamma + real(1)) * (p * q) + gamma * (gamma * p - q) * p_loss)
    return first, second


@point
def log_odds_ratio(z: Real, gamma: Real) -> Real:
    """Return log(h(p) / h(q)) at p = sigmoid(z): the log odds of the class probability that the score z implies.

    With h(v) = v / ((1 - v)^gamma - gamma (1 - v)^(gamma - 1) v log v), the focal risk is stationary where eta_k is
    proportional to h(p_k). The function is odd and increasing in z, and approaches (1 + gamma) z - log(1 + gamma) for
    large z.
    """
    real = type(z)
    distance = abs(z)
    e = exp(-distance)
    log1p_e = log1p(e)
    ratio = select(e > real(0), log1p_e / e, real(1))
    logit = (real(1) + gamma) * distance + log1p(gamma * (e * (distance + log1p_e))) - log1p(gamma * ratio)
    return select(z >= real(0), logit, -logit)


# ---- loops ----------------------------------------------------------------------------------------------------------


@jit
def are_hard(y: Array) -> bool:
    """Return whether all labels are 0 or 1."""
    real = type(y[0])
    top = bits(real(0))
    for i in range(y.shape[0]):
        top = max(top, bits(abs(y[i] * (real(1) - y[i]))))
    return bool(top == bits(real(0)))


@jit
def part(weight: Array | None, start: int, stop: int) -> Array | None:
    """Return the weights of the rows from ``start`` to ``stop``."""
    if weight is None:
        return None
    return weight[start:stop]


@jit
def per_sample(
    y: Array,
    raw: Array,
    weight: Array | None,
    positive: float,
    negative: float,
    gamma: float,
    out: Array,
) -> bool:
    real = type(raw[0])
    positive_, negative_, gamma_ = real(positive), real(negative), real(gamma)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    for i in range(raw.shape[0]):
        z = raw[i]
        a, b = class_terms(real(y[i]), positive_, negative_, real(1), real(0))
        loss = a * value(z, gamma_) + b * value(-z, gamma_)
        top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(abs(z)))
        if weight is None:
            out[i] = loss
        else:
            top_w = max(top_w, bits(weight[i]))
            out[i] = double(weight[i]) * double(loss)
    return may_be_valid(top_y, top_z, y, raw) and (weight is None or may_be_weights(top_w, weight))


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    positive: float,
    negative: float,
    gamma: float,
    floor: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    """Fill the derivatives; ``floor`` > 0 keeps the Hessian at or above that multiple of the gradient's magnitude.

    A Newton step is then a descent step. The magnitude is the sum of the magnitudes of the label's two terms, so that the
    Hessian is also positive for a soft label whose two terms cancel.
    """
    least = floor if floor > 0.0 else -math.inf
    valid, any_weight = True, weight is None
    for start in range(0, raw.shape[0], BLOCK):
        stop = min(start + BLOCK, raw.shape[0])
        labels, scores, weights = y[start:stop], raw[start:stop], part(weight, start, stop)
        g, h = gradient[start:stop], hessian[start:stop]
        if not are_hard(labels):
            fine, weighs = _soft_block(labels, scores, shift, weights, positive, negative, gamma, least, g, h)
        elif gamma == 2.0:
            fine, weighs = _hard_block(labels, scores, shift, weights, positive, negative, gamma, least, g, h, True)
        else:
            fine, weighs = _hard_block(labels, scores, shift, weights, positive, negative, gamma, least, g, h, False)
        valid &= fine
        any_weight |= weighs
    return valid and any_weight


@point
def _hard_block(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    positive: float,
    negative: float,
    gamma: float,
    floor: float,
    gradient: Array,
    hessian: Array,
    squared: bool,
) -> tuple[bool, bool]:
    real = type(raw[0])
    positive_, negative_, gamma_, floor_ = real(positive), real(negative), real(gamma), real(floor)
    top_z, top_w = bits(abs(raw[0])), bits(type(y[0])(0))
    for i in range(raw.shape[0]):
        z = raw[i] if shift is None else real(raw[i] + shift)
        is_positive = y[i] > type(y[0])(0)
        g, h = derivatives(select(is_positive, z, -z), gamma_, squared)
        h = max(h, -floor_ * g)
        w = select(is_positive, positive_, negative_)
        top_z = max(top_z, bits(abs(z)))
        if weight is not None:
            top_w = max(top_w, bits(weight[i]))
            w *= real(weight[i])
        gradient[i] = w * select(is_positive, g, -g)
        hessian[i] = w * h
    return is_finite(top_z, raw) and is_finite(top_w, y), top_w > 0


@jit
def _soft_block(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    positive: float,
    negative: float,
    gamma: float,
    floor: float,
    gradient: Array,
    hessian: Array,
) -> tuple[bool, bool]:
    real = type(raw[0])
    positive_, negative_, gamma_, floor_ = real(positive), real(negative), real(gamma), real(floor)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    for i in range(raw.shape[0]):
        z = raw[i] if shift is None else real(raw[i] + shift)
        a, b = class_terms(real(y[i]), positive_, negative_, real(1), real(0))
        g1, h1 = derivatives(z, gamma_, False)
        g0, h0 = derivatives(-z, gamma_, False)
        h = max(a * h1 + b * h0, -floor_ * (a * g1 + b * g0))
        w = real(1)
        top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(abs(z)))
        if weight is not None:
            top_w = max(top_w, bits(weight[i]))
            w = real(weight[i])
        gradient[i] = w * (a * g1 - b * g0)
        hessian[i] = w * h
    return may_be_valid(top_y, top_z, y, raw) and is_finite(top_w, y), top_w > 0


@jit_sum
def sums(
    y: Array,
    raw: Array,
    shift: float | None,
    weight: Array | None,
    positive: float,
    negative: float,
    gamma: float,
) -> tuple[bool, float, float]:
    """Return, in one pass, whether all values are valid, the weighted sum of the loss and the sum of the weights."""
    real = type(raw[0])
    positive_, negative_, gamma_ = real(positive), real(negative), real(gamma)
    top_y, top_z, top_w = bits(y[0]), bits(abs(raw[0])), bits(type(y[0])(0))
    losses, weights = 0.0, 0.0
    for i in range(raw.shape[0]):
        z = raw[i] if shift is None else real(raw[i] + shift)
        a, b = class_terms(real(y[i]), positive_, negative_, real(1), real(0))
        loss = a * value(z, gamma_) + b * value(-z, gamma_)
        top_y, top_z = max(top_y, bits(y[i])), max(top_z, bits(abs(z)))
        if weight is None:
            losses += double(loss)
        else:
            w = double(weight[i])
            top_w = max(top_w, bits(weight[i]))
            losses += w * double(loss)
            weights += w
    if weight is None:
        weights = float(raw.shape[0])
    valid = may_be_valid(top_y, top_z, y, raw) and (weight is None or may_be_weights(top_w, weight))
    return valid, losses, weights


@jit
def posterior(raw: Array, gamma: float, offset: float, out: Array) -> bool:
    """Fill class probabilities: undo the focal term, then add ``offset`` to undo the class weights."""
    real = type(raw[0])
    gamma_, offset_ = real(gamma), real(offset)
    top_z = bits(abs(raw[0]))
    for i in range(raw.shape[0]):
        z = raw[i]
        top_z = max(top_z, bits(abs(z)))
        out[i] = sigmoid(log_odds_ratio(z, gamma_) + offset_)[0]
    return is_finite(top_z, raw)


@jit
def logits(raw: Array, gamma: float, offset: float, out: Array) -> None:
    """Fill the log odds of the class probability in double precision; their sigmoid is the posterior."""
    for i in range(raw.shape[0]):
        out[i] = log_odds_ratio(double(raw[i]), gamma) + offset


# ---- the best constant ----------------------------------------------------------------------------------------------


@jit
def log_h(x: Real, gamma: Real) -> Real:
    """Return log h(p) at p = sigmoid(x), which increases in x from -infinity to infinity."""
    p, q = sigmoid(x)
    loss = softplus(-x)
    ratio = loss / q if q > 0.0 else 1.0
    return gamma * softplus(x) - loss - log1p(gamma * p * ratio)


@jit
def inverse_log_h(target: float, gamma: float) -> float:
    """Return the x at which log_h(x, gamma) = target, by bisection to the last bit."""
    low, high = -1.0, 1.0
    while log_h(low, gamma) > target:
        low *= 2.0
    while log_h(high, gamma) < target:
        high *= 2.0
    middle = 0.5 * (low + high)
    while low < middle < high:
        if log_h(middle, gamma) < target:
            low = middle
        else:
            high = middle
        middle = 0.5 * (low + high)
    return middle


@jit
def minimiser(log_terms: Array, gamma: float, out: Array) -> None:
    """Fill the constant scores log p_k that minimise the expected focal loss.

    ``log_terms`` contains the logarithm of the weighted frequency of each class. At the minimum h(p_k) is proportional to
    these frequencies. The common factor is found by bisection, from the condition that the p_k sum to 1.
    """
    low, high = -1.0, 1.0
    while _sum_of_p(log_terms, low, gamma, out) > 1.0:
        low *= 2.0
    while _sum_of_p(log_terms, high, gamma, out) < 1.0:
        high *= 2.0
    middle = 0.5 * (low + high)
    while low < middle < high:
        if _sum_of_p(log_terms, middle, gamma, out) < 1.0:
            low = middle
        else:
            high = middle
        middle = 0.5 * (low + high)
    _sum_of_p(log_terms, middle, gamma, out)


@jit
def _sum_of_p(log_terms: Array, shift: float, gamma: float, out: Array) -> float:
    total = 0.0
    for k in range(log_terms.shape[0]):
        x = inverse_log_h(log_terms[k] + shift, gamma)
        out[k] = -softplus(-x)
        total += sigmoid(x)[0]
    return total
