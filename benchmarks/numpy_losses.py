"""Typical custom objectives in NumPy, written without this package.

They follow formulas in documentation and blogs and compute in the dtype of the scores: powers with ``np.power``, one-hot
subtraction by indexing, and the factor 2 of XGBoost's softmax Hessian.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from boosting_losses._types import Array

Codes = npt.NDArray[np.integer]

#: Clipping bound that keeps the logarithm and the powers in the softmax focal loss finite.
_EDGE = 1e-6


def logistic(y: Array, raw: Array) -> tuple[Array, Array]:
    """Return the gradient and the Hessian of the log loss."""
    p = 1 / (1 + np.exp(-raw))
    return p - y, p * (1 - p)


def focal(y: Array, raw: Array, gamma: float) -> tuple[Array, Array]:
    """Return the derivatives of -(1 - pt) ** gamma * log(pt), with pt the probability of the label, by the product rule."""
    p = 1 / (1 + np.exp(-raw))
    sign = 2 * y - 1
    pt = np.where(y == 1, p, 1 - p)
    u = sign * np.power(1 - pt, gamma)
    v = gamma * pt * np.log(pt) + pt - 1
    du = -sign * gamma * np.power(1 - pt, gamma - 1)
    dv = gamma * np.log(pt) + gamma + 1
    return u * v, (du * v + u * dv) * sign * pt * (1 - pt)


def softmax(codes: Codes, raw: Array) -> tuple[Array, Array]:
    """Return the gradient and twice the diagonal Hessian of softmax cross-entropy."""
    p = _probabilities(raw)
    hessian = 2 * p * (1 - p)
    p[np.arange(len(codes)), codes] -= 1
    return p, hessian


def softmax_focal(codes: Codes, raw: Array, gamma: float) -> tuple[Array, Array]:
    """Return the gradient and twice the diagonal Hessian of the softmax focal loss."""
    p = _probabilities(raw)
    rows = np.arange(len(codes))
    pt = np.clip(p[rows, codes], _EDGE, 1 - _EDGE)
    log_pt = np.log(pt)
    power = np.power(1 - pt, gamma - 1)
    slope = gamma * pt * power * log_pt - np.power(1 - pt, gamma)
    change = gamma * power * (2 + log_pt) - gamma * (gamma - 1) * pt * np.power(1 - pt, gamma - 2) * log_pt
    difference = -p
    difference[rows, codes] += 1
    gradient = slope[:, None] * difference
    hessian = 2 * ((change * pt)[:, None] * difference**2 - slope[:, None] * p * (1 - p))
    return gradient, hessian


def _probabilities(raw: Array) -> Array:
    e = np.exp(raw - raw.max(axis=1, keepdims=True))
    p: Array = e / e.sum(axis=1, keepdims=True)
    return p
