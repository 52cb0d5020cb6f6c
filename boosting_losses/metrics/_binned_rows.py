"""Rows merged by nearly equal probability, from which diagrams and most scores are computed for data of any size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._types import Array
from ._predictions import Numbers, Predictions
from ._reliability import Strategy, cells_between
from ._statistics.bootstrap import Totals

#: Up to this number, rows are stored individually; larger numbers are merged into cells.
MOST_ROWS = 2**20

#: The width of cells in log odds (0.4 % of a small probability or of a small distance to 1), and the largest log odds.
CELL_WIDTH, FARTHEST = 0.004, 40.0


class ProbabilityPoints(NamedTuple):
    """Points sorted by probability, with sums of weights, weighted labels, weighted losses and squared weights, ``(P,)``."""

    proba: Numbers
    weight: Numbers
    label: Numbers
    loss: Numbers
    squared: Numbers

    def edges(self, strategy: Strategy, n_bins: int) -> Numbers:
        """Return the edges of bins of equal width or equal weight; no edge splits a point."""
        if strategy == "uniform":
            return np.arange(n_bins + 1) / n_bins
        reached = np.cumsum(self.weight)
        inner = np.searchsorted(reached, np.arange(1, n_bins) / n_bins * reached[-1], side="left")
        edges = np.unique(self.proba[np.minimum(inner, len(reached) - 1)])
        inside: npt.NDArray[np.bool_] = (edges > 0.0) & (edges < 1.0)
        return np.concatenate([[0.0], edges[inside], [1.0]])

    def sums(self, edges: Numbers) -> Numbers:
        """Return sums by bin, in the order of the kernels (weight, label, probability, squared weight), then the loss."""
        cells = cells_between(self.proba, edges)
        columns = (self.weight, self.label, self.weight * self.proba, self.squared, self.loss)
        return np.stack([np.bincount(cells, weights=c, minlength=len(edges) - 1) for c in columns], axis=1)

    def coarser(self, most: int) -> ProbabilityPoints:
        """Merge neighbouring points into about ``most`` points of similar weight."""
        if len(self.proba) <= most:
            return self
        reached = np.cumsum(self.weight)
        cell = np.floor(reached * (most / reached[-1])).astype(np.intp)
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        weight, *rest = (
            np.add.reduceat(column, first)
            for column in (self.weight, self.weight * self.proba, self.label, self.loss, self.squared)
        )
        return ProbabilityPoints(rest[0] / weight, weight, *rest[1:])

    def rows(self) -> Predictions:
        """Return one weighted row per point with its mean label; scores that are linear in the labels do not change."""
        return Predictions(np.clip(self.label / self.weight, 0.0, 1.0), self.proba, self.weight)

    def hard_rows(self) -> Predictions:
        """Return weighted rows with labels 0 and 1; a point with both labels gives two rows."""
        y = np.repeat([1.0, 0.0], len(self.proba))
        weight = np.concatenate([self.label, self.weight - self.label])
        some = weight > 0.0
        return Predictions(y[some], np.tile(self.proba, 2)[some], weight[some])

    def totals(self) -> Totals:
        """Return the sums of the points, as the cells of a single replicate."""
        weight, label = self.weight[:, None], self.label[:, None]
        return Totals(weight.sum(axis=0), np.empty((0, 1)), weight, label)


class BinnedRows:
    """Rows by probability, added block by block; exact up to a million rows, then accurate to the width of the cells.

    Parameters
    ----------
    n_bins : int
        The number of bins of the calibration error; no cell crosses a bin edge.
    n_rows : int, optional
        The number of rows of all parts that will be merged. If it is larger than ``MOST_ROWS``, no rows are stored.
    """

    def __init__(self, n_bins: int, n_rows: int | None = None) -> None:
        log_odds = np.arange(-FARTHEST, FARTHEST + CELL_WIDTH, CELL_WIDTH)
        inner = np.concatenate([1.0 / (1.0 + np.exp(-log_odds)), np.arange(1, n_bins) / n_bins])
        inner = np.unique(inner[(inner > 0.0) & (inner < 1.0)])
        self._edges = np.concatenate([[0.0], inner, [1.0]])
        self._blocks: list[Numbers] = []
        self._cells: Numbers | None = None
        self._rows = 0
        if n_rows is not None and n_rows > MOST_ROWS:
            self._merge_rows()

    @property
    def is_exact(self) -> bool:
        """Whether rows are still stored individually."""
        return self._cells is None

    def add(self, proba: Array, label: Array, weight: Numbers, loss: Numbers) -> None:
        """Add rows, given by arrays of shape ``(n,)``; the loss is unweighted."""
        some = weight > 0.0
        columns = np.stack([proba, weight, weight * label, weight * loss, weight * weight])[:, some]
        self._rows += columns.shape[1]
        if self._cells is None and self._rows <= MOST_ROWS:
            self._blocks.append(columns)
            return
        self._merge_rows()
        self._put(columns)

    def merge(self, others: BinnedRows) -> None:
        """Add the rows of another part, whose cells are the same."""
        self._rows += others._rows
        if self._cells is None and others._cells is None and self._rows <= MOST_ROWS:
            self._blocks = [*self._blocks, *others._blocks]
            return
        self._merge_rows()
        for block in others._blocks:
            self._put(block)
        if others._cells is not None:
            self._cells = self._cells + others._cells  # type: ignore[operator]

    def points(self) -> ProbabilityPoints:
        """Return the points of all added rows."""
        if self._cells is not None:
            some = np.flatnonzero(self._cells[1] > 0.0)
            sums = self._cells[:, some]
            # Rounding may move a mean across an edge. Every cell but the first excludes its lower edge.
            lowest = np.where(some > 0, np.nextafter(self._edges[some], 1.0), 0.0)
            sums[0] = np.clip(sums[0] / sums[1], lowest, self._edges[some + 1])
        else:
            rows = np.concatenate(self._blocks, axis=1)
            rows = rows[:, np.argsort(rows[0], kind="stable")]
            first = np.flatnonzero(np.concatenate([[True], np.diff(rows[0]) > 0.0]))
            sums = np.add.reduceat(rows, first, axis=1)
            sums[0] = rows[0, first]
        return ProbabilityPoints(*sums)

    def _merge_rows(self) -> None:
        """Merge the stored rows into cells."""
        if self._cells is None:
            self._cells = np.zeros((5, len(self._edges) - 1))
            for block in self._blocks:
                self._put(block)
            self._blocks = []

    def _put(self, rows: Numbers) -> None:
        assert self._cells is not None
        cells = cells_between(rows[0], self._edges)
        size = len(self._edges) - 1
        self._cells += [np.bincount(cells, weights=column, minlength=size) for column in (rows[0] * rows[1], *rows[1:])]
