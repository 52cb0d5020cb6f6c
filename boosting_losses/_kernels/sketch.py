"""Derivatives of the loss of many classes along few directions."""

from __future__ import annotations

from .._types import Array
from ._jit import jit_sum


@jit_sum
def along(gradient: Array, hessian: Array, directions: Array, slope: Array, curvature: Array) -> None:
    """Fill slope and curvature of each row along each direction: ``(n, K)`` and ``(m, K)`` to ``(n, m)``.

    ``hessian`` is the diagonal of each row's Hessian.
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
