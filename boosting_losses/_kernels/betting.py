"""Log likelihoods of recalibrated probabilities, relative to those of the served probabilities.

A *map* recalibrates logits: one score to ``z + shift + slope * (z - middle)``, K scores to
``z_k + bias_k + slope * (z_k - middle_k)``. Kernels sum over the rows of a look in double precision and multiply the log
likelihood of a row by its ``power``.
"""

from __future__ import annotations

import math

import numpy as np

from .._types import Array
from ._jit import jit, jit_sum
from .logistic import sigmoid, softplus
from .vector import exp

# ---- one score per row ----------------------------------------------------------------------------------------------


@jit_sum
def centre(z: Array, power: Array) -> float:
    """Return the mean logit, weighted by the variance of the labels, around which shift and slope are independent."""
    total, moment = 0.0, 0.0
    for i in range(z.shape[0]):
        p, q = sigmoid(z[i])
        v = power[i] * p * q
        total += v
        moment += v * z[i]
    return moment / total if total > 0.0 else 0.0


@jit_sum
def gains(y: Array, z: Array, power: Array, middle: float, shift: Array, slope: Array, out: Array) -> None:
    """Write the log likelihood of each map minus that of the served probabilities."""
    base = 0.0
    for i in range(z.shape[0]):
        base += power[i] * (softplus(z[i]) - y[i] * z[i])
    for j in range(shift.shape[0]):
        constant, factor = shift[j] - slope[j] * middle, 1.0 + slope[j]
        loss = 0.0
        for i in range(z.shape[0]):
            u = constant + factor * z[i]
            loss += power[i] * (softplus(u) - y[i] * u)
        out[j] = base - loss


@jit_sum
def derivatives(
    y: Array, z: Array, power: Array, middle: float, shift: float, slope: float
) -> tuple[float, float, float, float, float]:
    """Return the gradient of the log likelihood in (shift, slope), and the negative Hessian's upper triangle."""
    first, second, h_one, h_mixed, h_two = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(z.shape[0]):
        x = z[i] - middle
        p, q = sigmoid(z[i] + shift + slope * x)
        r, v = power[i] * (y[i] - p), power[i] * p * q
        first += r
        second += r * x
        h_one += v
        h_mixed += v * x
        h_two += v * x * x
    return first, second, h_one, h_mixed, h_two


# ---- K scores per row -----------------------------------------------------------------------------------------------


@jit
def centres_of_classes(z: Array, power: Array) -> Array:
    """Return the mean logit of each class, weighted by the variance of its indicator."""
    n, classes = z.shape
    total, moment, p = np.zeros(classes), np.zeros(classes), np.zeros(classes)
    for i in range(n):
        softmax(z[i], p)
        for k in range(classes):
            v = power[i] * p[k] * (1.0 - p[k])
            total[k] += v
            moment[k] += v * z[i, k]
    for k in range(classes):
        moment[k] = moment[k] / total[k] if total[k] > 0.0 else 0.0
    return moment


@jit
def softmax(u: Array, p: Array) -> float:
    """Write the softmax of a row and return the logarithm of the sum of its exponentials."""
    top = -math.inf
    for k in range(u.shape[0]):
        top = max(top, u[k])
    total = 0.0
    for k in range(u.shape[0]):
        p[k] = exp(u[k] - top)
        total += p[k]
    for k in range(u.shape[0]):
        p[k] /= total
    return top + math.log(total)


@jit
def gains_of_classes(y: Array, z: Array, power: Array, middle: Array, bias: Array, slope: Array, out: Array) -> None:
    """Write the log likelihood of each map minus that of the served probabilities; ``bias`` is (J, K)."""
    n, classes = z.shape
    u, p = np.zeros(classes), np.zeros(classes)
    out[:] = 0.0
    for i in range(n):
        label = int(y[i])
        base = z[i, label] - softmax(z[i], p)
        for j in range(slope.shape[0]):
            for k in range(classes):
                u[k] = z[i, k] + bias[j, k] + slope[j] * (z[i, k] - middle[k])
            out[j] += power[i] * (u[label] - softmax(u, p) - base)


@jit
def derivatives_of_classes(
    y: Array, z: Array, power: Array, middle: Array, bias: Array, slope: float, gradient: Array, hessian: Array
) -> None:
    """Add the gradient and the negative Hessian of the log likelihood in the biases and, last, the slope.

    Both are weighted by ``power``.
    """
    n, classes = z.shape
    u, p, x = np.zeros(classes), np.zeros(classes), np.zeros(classes)
    for i in range(n):
        for k in range(classes):
            x[k] = z[i, k] - middle[k]
            u[k] = z[i, k] + bias[k] + slope * x[k]
        softmax(u, p)
        label, w, mean, square = int(y[i]), power[i], 0.0, 0.0
        for k in range(classes):
            mean += p[k] * x[k]
            square += p[k] * x[k] * x[k]
        gradient[label] += w
        gradient[classes] += w * (x[label] - mean)
        hessian[classes, classes] += w * (square - mean * mean)
        for k in range(classes):
            gradient[k] -= w * p[k]
            hessian[k, k] += w * p[k]
            hessian[k, classes] += w * p[k] * (x[k] - mean)
            for m in range(k, classes):
                hessian[k, m] -= w * p[k] * p[m]
