"""Focal loss of one raw score per row, and the way from its raw scores to class probabilities.

With p the probability of the label's class and q = 1 - p, the focal loss is q^gamma (-log p) (Lin et al. 2017,
arXiv 1708.02002, equation 4). It is minimised not by the class probability eta but by a flattened version of it; the
functions at the end give eta back in closed form (Charoenphakdee et al. 2021, arXiv 2011.09172, theorem 11).
"""

from __future__ import annotations

import math

from ._jit import Array, double, jit
from .logistic import class_terms, is_valid, sigmoid, softplus

# ---- points ---------------------------------------------------------------------------------------------------------


@jit
def value(z: float, gamma: float) -> float:
    """The loss of a row of class 1 at the score z (of a row of class 0: at -z)."""
    q = sigmoid(z)[1]
    return math.pow(q, gamma) * softplus(-z)


@jit
def derivatives(z: float, gamma: float) -> tuple[float, float]:
    """First and second derivative of ``value`` in z.

    Every term of the first has the same sign, so no digits are lost. A score so far out that p or q underflows gives
    exactly the limit: p * softplus(-z) is formed first, as 0 * large rather than large * large.
    """
    p, q = sigmoid(z)
    modulation = math.pow(q, gamma)
    p_loss = p * softplus(-z)
    first = -modulation * (gamma * p_loss + q)
    second = modulation * ((2.0 * gamma + 1.0) * (p * q) + gamma * (gamma * p - q) * p_loss)
    return first, second


@jit
def log_odds_ratio(z: float, gamma: float) -> float:
    """log(h(p) / h(q)) at p = sigmoid(z): the log odds of the class probability that the score z stands for.

    h(v) = v / ((1 - v)^gamma - gamma (1 - v)^(gamma - 1) v log v) makes the focal risk stationary at eta_k proportional
    to h(p_k). Odd and increasing in z; (1 + gamma) z - log(1 + gamma) for large z.
    """
    distance = abs(z)
    e = math.exp(-distance)
    log1p_e = math.log1p(e)
    ratio = log1p_e / e if e > 0.0 else 1.0
    logit = (
        (1.0 + gamma) * distance + math.log1p(gamma * e * (distance + log1p_e)) - math.log1p(gamma * ratio)
        if gamma > 0.0
        else distance
    )
    return math.copysign(logit, z)


# ---- loops ----------------------------------------------------------------------------------------------------------


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
    valid, total = True, 0.0
    for i in range(raw.shape[0]):
        label, z = double(y[i]), double(raw[i])
        w = 1.0 if weight is None else double(weight[i])
        valid &= is_valid(label, z, w)
        total += w
        a, b = class_terms(label, positive, negative, 0.0)
        out[i] = w * (a * value(z, gamma) + b * value(-z, gamma))
    return valid and total > 0.0


@jit
def gradient_hessian(
    y: Array,
    raw: Array,
    weight: Array | None,
    positive: float,
    negative: float,
    gamma: float,
    floor: float,
    gradient: Array,
    hessian: Array,
) -> bool:
    """``floor`` > 0 keeps the Hessian above that multiple of the gradient's magnitude, so that a Newton step descends.

    The magnitude is summed over the label's two terms: a soft label whose terms cancel keeps a positive Hessian too.
    """
    valid, total = True, 0.0
    for i in range(raw.shape[0]):
        label, z = double(y[i]), double(raw[i])
        w = 1.0 if weight is None else double(weight[i])
        valid &= is_valid(label, z, w)
        total += w
        a, b = class_terms(label, positive, negative, 0.0)
        g1, h1 = derivatives(z, gamma)
        g0, h0 = derivatives(-z, gamma)
        h = a * h1 + b * h0
        if floor > 0.0:
            h = max(h, -floor * (a * g1 + b * g0))
        gradient[i] = w * (a * g1 - b * g0)
        hessian[i] = w * h
    return valid and total > 0.0


@jit
def posterior(raw: Array, gamma: float, offset: float, out: Array) -> bool:
    """Sigmoid of the true log odds: the focal term undone, then the class weights by ``offset``."""
    valid = True
    for i in range(raw.shape[0]):
        z = double(raw[i])
        valid &= -math.inf < z < math.inf
        out[i] = sigmoid(log_odds_ratio(z, gamma) + offset)[0]
    return valid


# ---- the best constant ----------------------------------------------------------------------------------------------


@jit
def log_h(x: float, gamma: float) -> float:
    """Log h(p) at p = sigmoid(x), increasing in x from -infinity to infinity."""
    p, q = sigmoid(x)
    loss = softplus(-x)
    ratio = loss / q if q > 0.0 else 1.0
    return gamma * softplus(x) - loss - math.log1p(gamma * p * ratio)


@jit
def inverse_log_h(target: float, gamma: float) -> float:
    """The x with log_h(x, gamma) = target, by bisection to the last bit."""
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
    """The scores log p_k of the constant with the smallest expected focal loss.

    ``log_terms`` holds the logarithm of each class's weighted frequency. The minimiser has h(p_k) proportional to those
    frequencies; their common factor is found by bisection on the condition that the p_k sum to 1.
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
