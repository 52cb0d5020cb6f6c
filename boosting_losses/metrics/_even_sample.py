"""An even sample of rows, which does not depend on the blocks or parts in which the rows are added."""

from __future__ import annotations

import numpy as np

from ._predictions import Numbers, Predictions

#: The largest number of rows in the sample.
SAMPLE = 2**18


class EvenSample:
    """Every k-th row by number, where k is the smallest power of 2 for which the sample has at most ``SAMPLE`` rows.

    Parameters
    ----------
    start : int
        The number of the first row.
    """

    def __init__(self, start: int = 0) -> None:
        self._start = self._stop = start
        self._step = 1
        self._parts: list[Predictions] = []

    def add(self, data: Predictions, weight: Numbers) -> None:
        """Add rows, which follow the previous ones."""
        every = slice(-self._stop % self._step, None, self._step)
        self._stop += len(weight)
        self._parts.append(Predictions(data.y[every], data.proba[every], weight[every]))
        self._thin()

    def merge(self, later: EvenSample) -> None:
        """Add the sample of later rows."""
        if not self._parts:
            self._start = later._start
        step = max(self._step, later._step)
        self._parts = [*self._every(step), *later._every(step)]
        self._stop, self._step = later._stop, step
        self._thin()

    def rows(self) -> Predictions:
        """Return the rows of the sample with their weights."""
        parts = [(part.y, part.proba, part.weight) for part in self._parts]
        return Predictions(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _thin(self) -> None:
        while sum(len(part.y) for part in self._parts) > SAMPLE:
            self._parts = self._every(2 * self._step)
            self._step *= 2

    def _every(self, step: int) -> list[Predictions]:
        """Return the rows of the sample whose numbers are multiples of ``step``."""
        if step == self._step or not self._parts:
            return self._parts
        rows = self.rows()
        first = -(-self._start // self._step)  # the number of the first row of the sample, in steps
        every = slice(-first % (step // self._step), None, step // self._step)
        return [Predictions(rows.y[every].copy(), rows.proba[every].copy(), rows.weight[every].copy())]  # type: ignore[index]
