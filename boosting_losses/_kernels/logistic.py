"""The sigmoid and the softplus function."""

from __future__ import annotations

from ._jit import Real, point
from .vector import exp, log1p, select


@point
def sigmoid(z: Real) -> tuple[Real, Real]:
    """Return P = 1 / (1 + exp(-z)) and its complement Q = 1 - P, both with full relative accuracy."""
    real = type(z)
    e = exp(-abs(z))
    larger = real(1) / (real(1) + e)
    smaller = e * larger
    return select(z >= real(0), larger, smaller), select(z >= real(0), smaller, larger)


@point
def softplus(z: Real) -> Real:
    """Return log(1 + exp(z)); softplus(-z) is -log(sigmoid(z))."""
    return max(z, type(z)(0)) + log1p(exp(-abs(z)))
