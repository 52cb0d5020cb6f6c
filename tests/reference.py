"""The losses as their definitions say, in mpmath: slow, obvious, and the only second copy of a formula.

Derivatives are central differences with a step of 1e-20, so they share no algebra with the kernels.
"""

from __future__ import annotations

import math

import numpy as np
from mpmath import mp, mpf

STEP_EXPONENT = -20


def digits(spread):
    """Return enough digits for scores that lie ``spread`` apart.

    1 - p takes one for each power of ten in exp(spread), the Hessian as many again, the square of the step 40 and a double
    17; at most the smallest double's 324, twice, and the rest.
    """
    return min(100 + math.ceil(2 * abs(float(spread)) / math.log(10)), 710)


def binary_value(loss, y, z):
    """Return the loss of one row; y and z are taken as the floats they are."""
    y, z = mpf(y), mpf(z)
    gamma = mpf(getattr(loss, "gamma", 0.0))
    smoothing = mpf(getattr(loss, "label_smoothing", 0.0))
    positive, negative = class_weights(loss)
    p = 1 / (1 + mp.exp(-z))
    target = (1 - smoothing) * y + smoothing / 2
    return -positive * target * (1 - p) ** gamma * mp.log(p) - negative * (1 - target) * p**gamma * mp.log(1 - p)


def class_weights(loss):
    """Return the weights of the terms of y = 1 and y = 0."""
    alpha = getattr(loss, "alpha", None)
    if alpha is not None:
        return mpf(alpha), 1 - mpf(alpha)
    return mpf(getattr(loss, "pos_weight", 1.0)), mpf(1)


def multiclass_value(loss, shares, z):
    """Return the loss of one row with the given share of each class."""
    z = [mpf(score) for score in z]
    gamma = mpf(getattr(loss, "gamma", 0.0))
    smoothing = mpf(getattr(loss, "label_smoothing", 0.0))
    weights = [mpf(weight) for weight in loss.class_weight or [1.0] * len(z)]
    exponentials = [mp.exp(score) for score in z]
    total = mp.fsum(exponentials)
    value = mpf(0)
    for share, weight, e in zip(shares, weights, exponentials, strict=True):
        target = (1 - smoothing) * mpf(share) + smoothing / len(z)
        if target:
            value -= weight * target * (1 - e / total) ** gamma * mp.log(e / total)
    return value


def derivatives(function, z):
    """Return first and second derivative of a function at z."""
    step = mpf(10) ** STEP_EXPONENT
    below, here, above = function(mpf(z) - step), function(mpf(z)), function(mpf(z) + step)
    return (above - below) / (2 * step), (above - 2 * here + below) / step**2


def binary_terms(loss, y, z):
    """Return value, gradient and Hessian of one row, and the sum of magnitudes that gradient and Hessian are made of."""
    with mp.workdps(digits(z)):
        value = binary_value(loss, y, z)
        own = gradient, hessian = derivatives(lambda x: binary_value(loss, y, x), z)
        # A soft label's two terms pull in opposite directions.
        ends = [
            (share, own if share == 1 else derivatives(lambda x, c=c: binary_value(loss, c, x), z))
            for share, c in ((mpf(y), 1.0), (1 - mpf(y), 0.0))
            if share
        ]
        sizes = [mp.fsum(share * abs(end[order]) for share, end in ends) for order in (0, 1)]
        return value, gradient, hessian, sizes[0], sizes[1] + _hessian_magnitude(loss, y, z)


def _hessian_magnitude(loss, y, z):
    """Return the sum of magnitudes of the terms of the focal Hessian, which have both signs."""
    gamma = mpf(getattr(loss, "gamma", 0.0))
    total = mpf(0)
    for share, weight, x in zip((mpf(y), 1 - mpf(y)), class_weights(loss), (mpf(z), -mpf(z)), strict=True):
        p = 1 / (1 + mp.exp(-x))
        q = 1 - p
        total += share * weight * q**gamma * p * ((2 * gamma + 1) * q - gamma * (gamma * p + q) * mp.log(p))
    return total


def multiclass_terms(loss, shares, z):
    """Return value, gradients and diagonal Hessian of one row, and the magnitudes that they are made of."""
    with mp.workdps(digits(max(z) - min(z))):
        value = multiclass_value(loss, shares, z)
        gradient, hessian, sizes = [], [], []
        gamma = mpf(getattr(loss, "gamma", 0.0))
        for k in range(len(z)):

            def along(x, mixture=shares, k=k):
                return multiclass_value(loss, mixture, [*z[:k], x, *z[k + 1 :]])

            own = g, h = derivatives(along, z[k])
            size = mpf(0)
            for j in np.flatnonzero(shares):
                pure = np.eye(len(z))[j]
                g_j, h_j = own if shares[j] == 1 else derivatives(lambda x, p=pure, f=along: f(x, p), z[k])
                size += mpf(shares[j]) * (abs(g_j) + abs(h_j))
            # At a zero crossing of the focal Hessian its terms, each about as large as the gradient, cancel.
            size += (1 + gamma) ** 2 * abs(g)
            gradient.append(g)
            hessian.append(h)
            sizes.append(size)
        return value, gradient, hessian, sizes
