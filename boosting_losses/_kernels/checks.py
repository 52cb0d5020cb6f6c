"""Checks of values from the largest bits that a loop has seen (``vector.bits``)."""

from __future__ import annotations

import math

from .._types import Array
from ._jit import jit_inner
from .vector import bits


@jit_inner
def is_finite(top: int, values: Array) -> bool:
    """Return whether ``top``, the largest bits of magnitudes in the dtype of ``values``, represents a finite number."""
    return bool(top < bits(type(values[0])(math.inf)))


@jit_inner
def may_be_valid(top_y: int, top_z: int, y: Array, z: Array) -> bool:
    """Return whether the largest bits represent a label in [0, 1] and a finite magnitude of a score."""
    return bool(top_y <= bits(type(y[0])(1))) and is_finite(top_z, z)
