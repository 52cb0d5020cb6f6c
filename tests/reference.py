"""The losses in mpmath: a formula is evaluated with many digits, and its derivatives are central differences.

A step of 1e-20 shares no algebra with the kernels.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import mpmath
import numpy as np

#: mpmath with numbers that know the functions of NumPy which a formula may contain.
mp = mpmath.mp.clone()
mpf = mp.mpf
_FUNCTIONS = {
    np.log: mp.log,
    np.log1p: lambda x: mp.log(1 + x),
    np.exp: mp.exp,
    np.expm1: lambda x: mp.exp(x) - 1,
    np.logaddexp: lambda a, b: mp.log(mp.exp(a) + mp.exp(b)),
    np.sqrt: mp.sqrt,
    np.square: lambda x: x * x,
    np.tanh: mp.tanh,
    np.maximum: max,
    np.minimum: min,
}
mpf.__array_ufunc__ = lambda self, function, method, *arguments: _FUNCTIONS[function](*map(mpf, arguments))

STEP_EXPONENT = -20
MULTIPLE = 8


def digits(spread):
    """Return enough digits for scores that lie ``spread`` apart.

    1 - p takes one for each power of ten in exp(spread), the Hessian as many again, the square of the step 40 and a double
    17; at most the smallest double's 324, twice, and the rest.
    """
    return min(100 + math.ceil(2 * abs(float(spread)) / math.log(10)), 710)


def class_weights(loss, classes):
    """Return the weights of the classes."""
    if loss.multiclass:
        return loss.class_weight or [1.0] * classes
    if (alpha := getattr(loss, "alpha", None)) is not None:
        return 1 - mpf(alpha), alpha
    return 1.0, getattr(loss, "pos_weight", 1.0)


def losses_of_classes(loss, probabilities):
    """Return the weighted loss of each class, given the probability of each class."""
    formula, parameters = loss.formula()
    if not loss.multiclass and loss.pair:
        losses = reversed(formula(probabilities[1], *parameters))
    else:
        losses = [formula(p, *parameters) for p in probabilities]
    weights = class_weights(loss, len(probabilities))
    return [mpf(weight) * each for weight, each in zip(weights, losses, strict=True)]


def value(loss, shares, scores):
    """Return the loss of a row with the given share of each class; the numbers are taken as the floats they are."""
    exponentials = [mp.exp(score) for score in (scores if loss.multiclass else [mpf(0), *scores])]
    total = mp.fsum(exponentials)
    smoothing = mpf(loss.label_smoothing)
    targets = [(1 - smoothing) * mpf(share) + smoothing / len(shares) for share in shares]
    losses = losses_of_classes(loss, [e / total for e in exponentials])
    return mp.fsum(target * each for target, each in zip(targets, losses, strict=True) if target)


def derivatives(function, z):
    """Return first and second derivative of a function at z."""
    step = mpf(10) ** STEP_EXPONENT
    below, here, above = function(mpf(z) - step), function(mpf(z)), function(mpf(z) + step)
    return (above - below) / (2 * step), (above - 2 * here + below) / step**2


def along(loss, shares, scores, k):
    """Return the loss of a row as a function of one of its scores."""
    return lambda score: value(loss, shares, [*scores[:k], score, *scores[k + 1 :]])


class Terms(NamedTuple):
    """The value of a row and its derivatives, and the sums of the magnitudes of the terms of these."""

    value: Any
    gradient: list[Any]
    hessian: list[Any]
    gradient_size: list[Any]
    hessian_size: list[Any]


def terms(loss, shares, scores):
    """Return the terms of a row, given the share of each class and one score, or one for each class."""
    scores = [mpf(score) for score in scores]
    found = Terms(None, [], [], [], [])
    with mp.workdps(digits(max(scores) - min(scores) if loss.multiclass else scores[0])):
        for k, score in enumerate(scores):
            # The derivatives of the classes of a soft label pull in opposite directions.
            ends = [
                (mpf(share), derivatives(along(loss, np.eye(len(shares))[j], scores, k), score))
                for j, share in enumerate(shares)
                if share
            ]
            found.gradient.append(mp.fsum(share * g for share, (g, _) in ends))
            found.hessian.append(mp.fsum(share * h for share, (_, h) in ends))
            found.gradient_size.append(mp.fsum(share * abs(g) for share, (g, _) in ends))
            # Where a Hessian changes its sign, its terms are as large as multiples of the gradient.
            found.hessian_size.append(mp.fsum(share * (abs(h) + MULTIPLE * abs(g)) for share, (g, h) in ends))
        return found._replace(value=value(loss, shares, scores))
