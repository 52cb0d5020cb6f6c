"""The Poisson bootstrap: each replicate counts every row a random number of times, with mean and variance 1.

The counts of one row do not depend on other rows, so all replicates are computed in one pass over data of any length
(Hanley and MacGibbon 2006; Chamandy et al. 2012). Nothing is resampled, sorted or stored. The kernel computes sums of
weighted values, from which means follow, and sums of weights and amounts per cell, from which functions of cells follow.

Random bits come from xorshift128+ (Vigna 2017, arXiv 1404.0390). Each group of four replicates has its own stream, and
each replicate uses 16 bits of a draw. The generator and the comparisons that produce the counts compile to SIMD
instructions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._jit import jit

State = npt.NDArray[np.uint64]

#: The number of replicates that are processed together; their sums stay in the L1 cache.
TILE = 128

# The numbers of 16-bit values, out of 65536, that give a count above 0, 1, ..., 7. They are Poisson probabilities for the
# mean 1, rounded so that the mean is exactly 1. The variance is then 0.99997.
_OVER_0, _OVER_1, _OVER_2, _OVER_3, _OVER_4, _OVER_5, _OVER_6, _OVER_7 = map(
    np.uint16, (41427, 17317, 5263, 1244, 240, 39, 5, 1)
)

_23, _18, _5 = np.uint64(23), np.uint64(18), np.uint64(5)


@jit
def advance(first: State, second: State, bits: State) -> None:
    """Advance every stream by one step."""
    for s in range(first.shape[0]):
        a, b = first[s], second[s]
        bits[s] = a + b
        a ^= a << _23
        first[s] = b
        second[s] = a ^ b ^ (a >> _18) ^ (b >> _5)


@jit
def counts(bits: npt.NDArray[np.uint16], out: Array) -> None:
    for r in range(bits.shape[0]):
        x = bits[r]
        count = np.uint16(x < _OVER_0)
        count = np.uint16(count + np.uint16(x < _OVER_1))
        count = np.uint16(count + np.uint16(x < _OVER_2))
        count = np.uint16(count + np.uint16(x < _OVER_3))
        count = np.uint16(count + np.uint16(x < _OVER_4))
        count = np.uint16(count + np.uint16(x < _OVER_5))
        count = np.uint16(count + np.uint16(x < _OVER_6))
        count = np.uint16(count + np.uint16(x < _OVER_7))
        out[r] = count


@jit
def add(
    tile: int,
    weight: Array,
    values: Array,
    cells: npt.NDArray[np.int32],
    amounts: Array,
    follows: npt.NDArray[np.bool_],
    first: State,
    second: State,
    drawn: Array,
    total_weight: Array,
    total_values: Array,
    cell_weight: Array,
    cell_amounts: Array,
) -> None:
    """Add n rows to the sums of a tile of R replicates. Several threads may add to different tiles.

    values : (n, m), and total_values : (m, R)
        The values whose means are computed, and their weighted sums.
    cells, amounts : (n, v), and cell_weight, cell_amounts : (C, R)
        Each row adds its weight and an amount to v cells.
    follows : (n,)
        Whether a row belongs to the same group as the previous row and therefore has the same count.
    first, second : (R / 4,), and drawn : (R,)
        The state of the streams, and the most recent counts.
    """
    # All numbers that change are copied: a cache line that two tiles share would move from core to core in each row.
    some, streams = slice(tile * TILE, (tile + 1) * TILE), slice(tile * TILE // 4, (tile + 1) * TILE // 4)
    a, b, count = first[streams].copy(), second[streams].copy(), drawn[some].copy()
    weights, sums = total_weight[some].copy(), total_values[:, some].copy()
    weights_of_cells, amounts_of_cells = cell_weight[:, some].copy(), cell_amounts[:, some].copy()
    bits = np.zeros(TILE // 4, np.uint64)
    halves = bits.view(np.uint16)
    for i in range(weight.shape[0]):
        if not follows[i]:
            advance(a, b, bits)
            counts(halves, count)
        w = weight[i]
        for r in range(TILE):
            weights[r] += w * count[r]
        for j in range(values.shape[1]):
            x = w * values[i, j]
            total = sums[j]
            for r in range(TILE):
                total[r] += x * count[r]
        for j in range(cells.shape[1]):
            c = np.uintp(cells[i, j])
            x = w * amounts[i, j]
            total, amount = weights_of_cells[c], amounts_of_cells[c]
            for r in range(TILE):
                total[r] += w * count[r]
                amount[r] += x * count[r]
    first[streams], second[streams], drawn[some] = a, b, count
    total_weight[some], total_values[:, some] = weights, sums
    cell_weight[:, some], cell_amounts[:, some] = weights_of_cells, amounts_of_cells
