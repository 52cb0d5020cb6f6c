"""Derivatives of a loss of many classes along a few directions."""

from __future__ import annotations

from .._types import Array
from ._jit import jit_sum


@jit_sum
def along(gradient: Array, hessian: Array, directions: Array, slope: Array, curvature: Array) -> None:
    """Fill the slope and the curvature, each ``(n, m)``, of n rows along m directions.

    ``gradient`` and ``hessian``, the diagonal of each row's Hessian, are ``(n, K)``; ``directions`` is ``(m, K)``.
    """
    rows, classes = gradient.shape
    for i in range(rows):
        for j in range(directions.shape[0]):
            first = second = directions.dtype.type(0.0)
            for k in range(classes):
                step = directions[j, k]
                first += gradient[i, k] * step
                second += hessian[i, k] * step * step
            slope[i, j] = first
            curvature[i, j] = second
