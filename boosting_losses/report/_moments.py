"""Weighted means of columns and their intervals, from power sums that are accumulated block by block."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ..metrics import Estimate
from ..metrics._predictions import Numbers
from ..metrics._statistics.base import central_sums
from ..metrics._statistics.closed_form import of_moments


class Moments:
    """Power sums of the contributions of rows, or of groups of rows, to weighted means.

    Parameters
    ----------
    n_columns : int
    grouped : bool
        Whether the rows are grouped.
    """

    def __init__(self, n_columns: int, *, grouped: bool = False) -> None:
        self._centre: Numbers | None = None
        #: Sums of weight**a * column**b for a = 1, 2, 3 and b = 0, ..., a.
        self._powers = {(a, b): np.zeros(n_columns) for a in (1, 2, 3) for b in range(a + 1)}
        self._groups = GroupSums(1 + n_columns) if grouped else None
        self._n = 0

    def add(self, weight: Numbers, columns: Numbers, groups: npt.NDArray[np.intp] | None = None) -> None:
        """Add rows of nonzero weight, with columns ``(n, C)`` and the codes of their groups."""
        if self._centre is None:  # powers of values far from 0 would lose precision
            self._centre = np.where(np.isfinite(columns[0]), columns[0], 0.0)
        self._n += len(weight)
        with np.errstate(invalid="ignore"):  # an infinite loss has no interval
            distance = columns - self._centre
            if self._groups is not None:
                assert groups is not None
                self._groups.add(groups, np.column_stack([weight, weight[:, None] * distance]))
            term = np.ones_like(distance)
            for b in range(4):
                for a in range(max(b, 1), 4):
                    self._powers[a, b] += weight**a @ term
                term = term * distance

    def merge(self, later: Moments) -> None:
        """Add the sums of other rows."""
        if later._centre is None:
            return
        self._centre = later._centre if self._centre is None else self._centre
        move = later._centre - self._centre
        self._n += later._n
        with np.errstate(invalid="ignore"):
            for a, b in self._powers:
                terms = (math.comb(b, j) * move ** (b - j) * later._powers[a, j] for j in range(b + 1))
                self._powers[a, b] = self._powers[a, b] + sum(terms)
            if self._groups is not None and later._groups is not None:
                self._groups.merge(later._groups, move)

    def interval(
        self,
        column: int,
        value: float,
        level: float,
        range_: tuple[float, float] = (-np.inf, np.inf),
        expected: tuple[float, float] | None = None,
    ) -> Estimate:
        """Return the interval of ``value``, the mean of a column, given the moments ``expected`` of its differences."""
        if not np.isfinite(value):
            return Estimate(value, float("nan"), float("nan"))
        assert self._centre is not None
        mean = value - self._centre[column]
        if self._groups is not None:
            sums = self._groups.sums
            some = sums[:, 0] > 0.0
            parts = sums[some, 1 + column] - mean * sums[some, 0]
            n, square, cube = int(some.sum()), float(parts @ parts), float((parts * parts) @ parts)
        else:
            n = self._n
            s = {key: float(power[column]) for key, power in self._powers.items()}
            square, cube = central_sums(s, mean)
            if square <= 1e-14 * (s[2, 2] + mean * mean * s[2, 0]):  # a sum this small is rounding error
                square = cube = 0.0
        return of_moments(value, square, cube, n, float(self._powers[1, 0][column]), level, range_, expected=expected)

    @property
    def effective_rows(self) -> float:
        """The effective number of rows: (sum of weights)**2 / sum of squared weights."""
        return float(self._powers[1, 0][0] ** 2 / self._powers[2, 0][0])


class GroupSums:
    """Sums of columns by group, for the range of group codes that occur."""

    def __init__(self, n_columns: int) -> None:
        self._first = 0
        self.sums: Numbers = np.zeros((0, n_columns))

    def add(self, groups: npt.NDArray[np.intp], columns: Numbers) -> None:
        """Add rows with columns ``(n, C)``."""
        if not len(groups):
            return
        self._cover(int(groups.min()), int(groups.max()) + 1)
        np.add.at(self.sums, groups - self._first, columns)

    def merge(self, later: GroupSums, move: Numbers) -> None:
        """Add sums of other rows, of which the first column is the weight and ``move`` is added to the others."""
        some = np.flatnonzero(later.sums[:, 0])
        sums = later.sums[some]
        self.add(later._first + some, np.column_stack([sums[:, :1], sums[:, 1:] + sums[:, :1] * move]))

    def _cover(self, first: int, stop: int) -> None:
        """Extend the range of codes in each direction by at least its size, so that rows are copied a few times only."""
        size, end = len(self.sums), self._first + len(self.sums)
        if not size:
            self._first, self.sums = first, np.zeros((stop - first, self.sums.shape[1]))
            return
        before = 0 if first >= self._first else min(max(self._first - first, size), self._first)
        after = 0 if stop <= end else max(stop - end, size)
        if before or after:
            self._first -= before
            self.sums = np.pad(self.sums, ((before, after), (0, 0)))
