"""Weighted means of columns and their intervals, from power sums that are accumulated block by block."""

from __future__ import annotations

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
    n_groups : int, optional
        The number of groups, if the rows are grouped.
    """

    def __init__(self, n_columns: int, n_groups: int | None = None) -> None:
        self._centre: Numbers | None = None
        #: Sums of weight**a * column**b for a = 1, 2, 3 and b = 0, ..., a.
        self._powers = {(a, b): np.zeros(n_columns) for a in (1, 2, 3) for b in range(a + 1)}
        self._groups = None if n_groups is None else np.zeros((n_groups, 1 + n_columns))
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
                np.add.at(self._groups, groups, np.column_stack([weight, weight[:, None] * distance]))
            term = np.ones_like(distance)
            for b in range(4):
                for a in range(max(b, 1), 4):
                    self._powers[a, b] += weight**a @ term
                term = term * distance

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
            some = self._groups[:, 0] > 0.0
            parts = self._groups[some, 1 + column] - mean * self._groups[some, 0]
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
