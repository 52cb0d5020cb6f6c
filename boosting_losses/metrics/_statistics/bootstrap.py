"""Sums over rows in many Poisson replicates at once, accumulated block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._kernels import poisson
from ..._threads import each
from .._predictions import Numbers
from .streams import jumped

if TYPE_CHECKING:
    from .base import Summed

#: Fewer rows take less time than starting another thread.
_LEAST_ROWS = 4096


class Columns(NamedTuple):
    """The values of each row whose sums determine a statistic."""

    values: Numbers  #: (n, m): the values that are summed
    cells: npt.NDArray[np.int32]  #: (n, v): the cells to which a row adds its weight and an amount
    amounts: Numbers  #: (n, v)

    def take(self, rows: npt.NDArray[np.intp]) -> Columns:
        """Return the given rows, in the given order."""
        return Columns(self.values[rows], self.cells[rows], self.amounts[rows])


class Totals(NamedTuple):
    """Weighted sums over rows, in each of R replicates."""

    weight: Numbers  #: (R,)
    values: Numbers  #: (m, R)
    cell_weight: Numbers  #: (C, R)
    cell_amounts: Numbers  #: (C, R)


class Bootstrap:
    """The totals of Poisson replicates; a seed and the number of a row, or of its group, determine its counts.

    Parameters
    ----------
    n_values, n_cells : int
        The numbers of values and of cells in the columns that will be added.
    n_resamples : int
        The number of replicates.
    seed : int
    start : int
        The number of rows or groups before the first row.
    """

    def __init__(self, n_values: int, n_cells: int, n_resamples: int, seed: int, start: int = 0) -> None:
        size = -(-n_resamples // poisson.TILE) * poisson.TILE
        self._asked = n_resamples
        states = np.random.SeedSequence(seed).generate_state(size // 2, np.uint64).astype(np.uint64)
        self._first, self._second = jumped(states[: size // 4].copy(), states[size // 4 :].copy(), start)
        self._drawn = np.zeros(size)
        self._sums = Totals(
            np.zeros(size), np.zeros((n_values, size)), np.zeros((n_cells, size)), np.zeros((n_cells, size))
        )

    def add(self, weight: Numbers, columns: Columns, follows: npt.NDArray[np.bool_] | None = None) -> None:
        """Add rows; ``follows`` marks each row that belongs to the group of the previous row, and so has the same count."""
        if follows is None:
            follows = np.zeros(len(weight), dtype=np.bool_)
        values, cells, amounts = map(np.ascontiguousarray, columns)
        streams = self._first, self._second, self._drawn
        tiles = range(len(self._drawn) // poisson.TILE)
        each(
            lambda tile: poisson.add(tile, weight, values, cells, amounts, follows, *streams, *self._sums),
            tiles,
            several=len(weight) >= _LEAST_ROWS,
        )

    def merge(self, later: Bootstrap) -> None:
        """Add the sums of later rows; rows that are added afterwards follow these."""
        self._sums = plus(self._sums, later._sums)
        self._first, self._second, self._drawn = later._first.copy(), later._second.copy(), later._drawn.copy()

    def totals(self) -> Totals:
        """Return the current sums, without replicates that drew no rows."""
        some = np.flatnonzero(self._sums.weight[: self._asked] > 0.0)
        return Totals(*(part[..., some] for part in self._sums))


class Replicates:
    """The sums of each source over the observed rows and over Poisson replicates.

    Parameters
    ----------
    sources : sequence of Summed
    n_resamples, seed : int
    start : int
        The number of rows or groups before the first row.
    """

    def __init__(self, sources: Sequence[Summed], n_resamples: int, seed: int, start: int = 0) -> None:
        self._n_values, self._n_cells = [s.n_values for s in sources], [s.n_cells for s in sources]
        self._bootstrap = Bootstrap(sum(self._n_values), sum(self._n_cells), n_resamples, seed, start)
        self._observed: Totals | None = None

    def add(self, parts: Sequence[Columns], weight: Numbers, follows: npt.NDArray[np.bool_] | None = None) -> None:
        """Add rows: the columns of each source, and the weights, which all sources share.

        ``follows`` marks each row that belongs to the group of the previous row.
        """
        columns = side_by_side(parts, self._n_cells)
        self._bootstrap.add(weight, columns, follows)
        self._see(observed(weight, columns, sum(self._n_cells)))

    def merge(self, later: Replicates) -> None:
        """Add the sums of later rows."""
        self._bootstrap.merge(later._bootstrap)
        if later._observed is not None:
            self._see(later._observed)

    def totals(self) -> list[tuple[Totals, Totals]]:
        """Return the sums of the rows and the sums of the replicates for each source."""
        assert self._observed is not None
        seen, then = (apart(sums, self._n_values, self._n_cells) for sums in (self._observed, self._bootstrap.totals()))
        return list(zip(seen, then, strict=True))

    def _see(self, sums: Totals) -> None:
        self._observed = sums if self._observed is None else plus(self._observed, sums)


def plus(first: Totals, second: Totals) -> Totals:
    """Return the sums over the rows of both."""
    return Totals(*(a + b for a, b in zip(first, second, strict=True)))


def observed(weight: Numbers, columns: Columns, n_cells: int) -> Totals:
    """Return the sums of the observed rows, as one replicate in which each row counts once."""
    cells = columns.cells.ravel()
    by_row = np.repeat(weight, columns.cells.shape[1])
    return Totals(
        np.array([weight.sum()]),
        (weight @ columns.values)[:, None],
        np.bincount(cells, weights=by_row, minlength=n_cells).astype(np.float64)[:, None],
        np.bincount(cells, weights=by_row * columns.amounts.ravel(), minlength=n_cells).astype(np.float64)[:, None],
    )


def side_by_side(parts: Sequence[Columns], n_cells: Sequence[int]) -> Columns:
    """Concatenate the columns of several statistics."""
    starts = np.concatenate([[0], np.cumsum(n_cells)[:-1]])
    return Columns(
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.cells + np.int32(start) for part, start in zip(parts, starts, strict=True)], axis=1),
        np.concatenate([part.amounts for part in parts], axis=1),
    )


def apart(totals: Totals, n_values: Sequence[int], n_cells: Sequence[int]) -> list[Totals]:
    """Split the totals of concatenated columns into the totals of each statistic."""
    rows, cells = np.cumsum([0, *n_values]), np.cumsum([0, *n_cells])
    return [
        Totals(
            totals.weight,
            totals.values[rows[i] : rows[i + 1]],
            totals.cell_weight[cells[i] : cells[i + 1]],
            totals.cell_amounts[cells[i] : cells[i + 1]],
        )
        for i in range(len(n_values))
    ]
