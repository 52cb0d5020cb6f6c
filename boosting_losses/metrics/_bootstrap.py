"""Sums of rows in many Poisson replicates at once, added to block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._kernels import poisson

Numbers = npt.NDArray[np.float64]


class Columns(NamedTuple):
    """What a statistic needs of each row, so that sums suffice for it."""

    values: Numbers  #: (n, m): means are of these
    cells: npt.NDArray[np.int32]  #: (n, v): the row adds its weight and an amount to these cells
    amounts: Numbers  #: (n, v)

    def take(self, rows: npt.NDArray[np.intp]) -> Columns:
        """These rows, in this order."""
        return Columns(self.values[rows], self.cells[rows], self.amounts[rows])


class Totals(NamedTuple):
    """Weighted sums over rows, in each of R replicates."""

    weight: Numbers  #: (R,)
    values: Numbers  #: (m, R)
    cell_weight: Numbers  #: (C, R)
    cell_amounts: Numbers  #: (C, R)


class Bootstrap:
    """The totals of Poisson replicates; the same seed gives the same counts to the same rows in the same order.

    Parameters
    ----------
    n_values, n_cells : int
        Of the columns that are going to be added.
    n_resamples : int
        Replicates.
    seed : int
    """

    def __init__(self, n_values: int, n_cells: int, n_resamples: int, seed: int) -> None:
        size = -(-n_resamples // poisson.TILE) * poisson.TILE
        self._asked = n_resamples
        states = np.random.SeedSequence(seed).generate_state(size // 2, np.uint64).astype(np.uint64)
        self._first, self._second = states[: size // 4].copy(), states[size // 4 :].copy()
        self._drawn = np.zeros(size)
        self._sums = Totals(
            np.zeros(size), np.zeros((n_values, size)), np.zeros((n_cells, size)), np.zeros((n_cells, size))
        )

    def add(self, weight: Numbers, columns: Columns, follows: npt.NDArray[np.bool_] | None = None) -> None:
        """Add rows; ``follows`` says of each whether it belongs to the group of the one before, and so counts as often."""
        if follows is None:
            follows = np.zeros(len(weight), dtype=np.bool_)
        values, cells, amounts = columns
        poisson.add(
            weight,
            np.ascontiguousarray(values),
            np.ascontiguousarray(cells),
            np.ascontiguousarray(amounts),
            follows,
            self._first,
            self._second,
            self._drawn,
            *self._sums,
        )

    def totals(self) -> Totals:
        """The sums up to now; replicates that have drawn no row are left out."""
        some = np.flatnonzero(self._sums.weight[: self._asked] > 0.0)
        return Totals(*(part[..., some] for part in self._sums))


def observed(weight: Numbers, columns: Columns, n_cells: int) -> Totals:
    """The same sums of the rows as they are: one replicate in which each counts once."""
    cells = columns.cells.ravel()
    by_row = np.repeat(weight, columns.cells.shape[1])
    return Totals(
        np.array([weight.sum()]),
        (weight @ columns.values)[:, None],
        np.bincount(cells, weights=by_row, minlength=n_cells).astype(np.float64)[:, None],
        np.bincount(cells, weights=by_row * columns.amounts.ravel(), minlength=n_cells).astype(np.float64)[:, None],
    )


def side_by_side(parts: Sequence[Columns], n_cells: Sequence[int]) -> Columns:
    """The columns of several statistics as those of one."""
    starts = np.concatenate([[0], np.cumsum(n_cells)[:-1]])
    return Columns(
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.cells + np.int32(start) for part, start in zip(parts, starts, strict=True)], axis=1),
        np.concatenate([part.amounts for part in parts], axis=1),
    )


def apart(totals: Totals, n_values: Sequence[int], n_cells: Sequence[int]) -> list[Totals]:
    """The totals of each of several statistics whose columns were side by side."""
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
