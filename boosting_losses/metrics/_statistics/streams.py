"""Jumps of the streams of random bits, so that the parts of some data draw what they would draw in one pass.

One step of xorshift128+ is a linear map of the 128 bits of its state over GF(2). Many steps are a power of its matrix, which
repeated squaring computes (Haramoto et al. 2008, INFORMS J. Comput. 20, 385-390).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ..._kernels import poisson

#: The bits of one state in each column.
_Bits = npt.NDArray[np.float32]


def jumped(first: poisson.State, second: poisson.State, steps: int) -> tuple[poisson.State, poisson.State]:
    """Return the states of all streams after the given number of steps."""
    bits = _bits(first, second)
    power = 0
    while steps:
        if steps & 1:
            bits = _product(_steps(power), bits)
        steps >>= 1
        power += 1
    return _states(bits)


@cache
def _steps(power: int) -> _Bits:
    """Return the matrix of ``2**power`` steps, ``(128, 128)``."""
    if power:
        half = _steps(power - 1)
        return _product(half, half)
    first, second = _states(np.eye(128, dtype=np.float32))
    poisson.advance(first, second, np.empty_like(first))
    return _bits(first, second)


def _product(matrix: _Bits, bits: _Bits) -> _Bits:
    product: _Bits = (matrix @ bits) % np.float32(2.0)  # sums of at most 128 ones are exact
    return product


def _bits(first: poisson.State, second: poisson.State) -> _Bits:
    states = np.ascontiguousarray(np.stack([first, second], axis=1), "<u8").view(np.uint8)
    return np.unpackbits(states, axis=1, bitorder="little").T.astype(np.float32)


def _states(bits: _Bits) -> tuple[poisson.State, poisson.State]:
    packed = np.packbits(np.ascontiguousarray(bits.T, np.uint8), axis=1, bitorder="little")
    states = np.ascontiguousarray(packed).view("<u8").astype(np.uint64)
    return states[:, 0].copy(), states[:, 1].copy()
