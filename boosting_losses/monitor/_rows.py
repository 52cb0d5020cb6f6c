"""The predictions of one model and their labels, in memory: growing columns and an index of ids."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ._history import History, Slice
from ._sums import Terms, sums_of, terms_of
from ._time import Times

RowNumbers = npt.NDArray[np.intp]

UNLABELLED = -1
_NEVER = np.iinfo(np.int64).max


class _Column:
    """An array that grows at its end."""

    def __init__(self, dtype: npt.DTypeLike, width: tuple[int, ...] = ()) -> None:
        self._values = np.empty((1024, *width), dtype)
        self._count = 0

    def append(self, values: npt.NDArray[Any]) -> None:
        count = self._count + len(values)
        if count > len(self._values):
            grown = np.empty((max(count, 2 * len(self._values)), *self._values.shape[1:]), self._values.dtype)
            grown[: self._count] = self._values[: self._count]
            self._values = grown
        self._values[self._count : count] = values
        self._count = count

    @property
    def values(self) -> npt.NDArray[Any]:
        """A writable view of all values."""
        return self._values[: self._count]

    def keep(self, chosen: npt.NDArray[np.bool_]) -> None:
        """Delete all values but the chosen ones."""
        self._values = self.values[chosen]
        self._count = len(self._values)


def is_missing(value: Hashable) -> bool:
    """Tell whether a row has no group."""
    return value is None or (isinstance(value, float) and math.isnan(value))


class Rows:
    """The rows of one model, in the order of recording.

    Parameters
    ----------
    n_classes : int
    look : int
        The length of a cohort, in microseconds.
    """

    def __init__(self, n_classes: int, look: int) -> None:
        self._n_classes = n_classes
        self._look = look
        #: The sums of deleted rows.
        self.history = History(n_classes)
        self._row_of: dict[Hashable, int] = {}
        self._time = _Column(np.int64)
        self._proba = _Column(np.float64, () if n_classes == 2 else (n_classes,))
        self._weight = _Column(np.float64)
        self._group = _Column(np.int64)
        self._y = _Column(np.int32)
        self._label_time = _Column(np.int64)
        self._slices: dict[str, _Column] = {}
        #: The values of each slicing column; their positions are the codes.
        self.slice_values: dict[str, list[str]] = {}
        self._slice_codes: dict[str, dict[str, int]] = {}
        self._group_codes: dict[Hashable, int] = {}
        #: How many rows have been recorded, with those that have been deleted since. Group codes are made of it, so that they
        #: stay unique.
        self._recorded = 0
        #: Row numbers of each cohort that is not closed yet.
        self.open: dict[int, list[RowNumbers]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._time.values)

    @property
    def time(self) -> Times:
        return self._time.values

    @property
    def proba(self) -> Doubles:
        return self._proba.values

    @property
    def weight(self) -> Doubles:
        return self._weight.values

    @property
    def group(self) -> npt.NDArray[np.int64]:
        """Group codes >= 0; a row without a group has a unique negative code."""
        return self._group.values

    @property
    def y(self) -> npt.NDArray[np.int32]:
        """Class codes, or ``UNLABELLED``."""
        return self._y.values

    @property
    def label_time(self) -> Times:
        return self._label_time.values

    def slice_codes(self, name: str) -> npt.NDArray[np.int32]:
        """Return the slice code of each row, -1 for rows that were recorded without this column."""
        return self._slices[name].values

    def numbers_of(self, where: Slice, among: RowNumbers | None = None) -> RowNumbers:
        """Return the row numbers of a slice, of all rows or among some."""
        column, code = where
        numbers = np.arange(len(self)) if among is None else among
        return numbers if column is None else numbers[self.slice_codes(column)[numbers] == code]

    def terms(self, numbers: RowNumbers) -> Terms:
        """Return the terms of some rows."""
        return terms_of(self.proba[numbers], self.y[numbers], self.weight[numbers])

    def row_numbers(self, ids: Sequence[Hashable]) -> RowNumbers:
        """Return the row number of each id, -1 for unknown ids."""
        return np.fromiter(map(self._row_of.get, ids, repeat(-1)), np.intp, len(ids))

    def append(
        self,
        ids: Sequence[Hashable],
        time: Times,
        proba: Doubles,
        weight: Doubles,
        groups: Sequence[Hashable] | None,
        slices: Mapping[str, Sequence[str]],
    ) -> None:
        """Append rows; their ids must be new and unique."""
        first = len(self)
        self._row_of.update(zip(ids, range(first, first + len(ids)), strict=True))
        self._time.append(time)
        self._proba.append(proba)
        self._weight.append(weight)
        self._group.append(self._codes_of_groups(groups, len(ids)))
        self._y.append(np.full(len(ids), UNLABELLED, np.int32))
        self._label_time.append(np.full(len(ids), _NEVER, np.int64))
        for name in dict.fromkeys([*self._slices, *slices]):
            self._append_slice(name, slices.get(name), first, len(ids))
        cohorts = time // self._look
        for cohort in np.unique(cohorts):
            self.open[int(cohort)].append(first + np.flatnonzero(cohorts == cohort))

    def set_labels(self, rows: RowNumbers, y: npt.NDArray[np.int32], time: Times) -> None:
        """Set the labels of rows."""
        self.y[rows], self.label_time[rows] = y, time

    def forget(self, until: int) -> None:
        """Replace rows that were predicted before a time, the end of a cohort, by the sums of their cohorts."""
        gone = self.time < until
        if not gone.any():
            return
        slices = [(name, code) for name, values in self.slice_values.items() for code in range(len(values))]
        for where in ((None, -1), *slices):
            numbers = self.numbers_of(where, np.flatnonzero(gone))
            cohorts, segment = np.unique(self.time[numbers] // self._look, return_inverse=True)
            self.history.add(where, cohorts, sums_of(self.terms(numbers), segment, len(cohorts)))
        self.history.largest_weight = max(self.history.largest_weight, float(self.weight[gone].max()))
        self._keep(~gone)

    def delete(self, ids: Iterable[Hashable]) -> set[Hashable]:
        """Delete the rows of ids, and return the ids that had one."""
        found = {key: self._row_of[key] for key in ids if key in self._row_of}
        if found:
            kept = np.ones(len(self), bool)
            kept[list(found.values())] = False
            self._keep(kept)
        return set(found)

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Delete all rows but some, and the names of groups that have no rows left."""
        number = np.cumsum(kept) - 1
        self._row_of = {key: int(number[row]) for key, row in self._row_of.items() if kept[row]}
        still = {cohort: [number[r[kept[r]]] for r in rows] for cohort, rows in self.open.items()}
        self.open = defaultdict(list, {cohort: rows for cohort, rows in still.items() if any(map(len, rows))})
        for column in self._columns():
            column.keep(kept)
        used = set(np.unique(self.group).tolist())
        self._group_codes = {group: code for group, code in self._group_codes.items() if code in used}

    def _columns(self) -> list[_Column]:
        fixed = [self._time, self._proba, self._weight, self._group, self._y, self._label_time]
        return [*fixed, *self._slices.values()]

    def state(self) -> dict[str, Any]:
        """Return the content for a snapshot."""
        return {
            "ids": list(self._row_of),
            "columns": [column.values for column in self._columns()],
            "slice_values": self.slice_values,
            "groups": [list(self._group_codes), list(self._group_codes.values())],
            "recorded": self._recorded,
            "open": [[cohort, np.concatenate(rows)] for cohort, rows in self.open.items()],
            "history": self.history.state(),
        }

    @classmethod
    def from_state(cls, n_classes: int, look: int, state: dict[str, Any]) -> Self:
        """Return the rows of a snapshot."""
        rows = cls(n_classes, look)
        rows._row_of = {key: number for number, key in enumerate(state["ids"])}
        rows.slice_values = state["slice_values"]
        rows._slices = {name: _Column(np.int32) for name in rows.slice_values}
        rows._slice_codes = {
            name: {value: code for code, value in enumerate(values)} for name, values in rows.slice_values.items()
        }
        rows._group_codes = dict(zip(*state["groups"], strict=True))
        rows._recorded = state["recorded"]
        for column, values in zip(rows._columns(), state["columns"], strict=True):
            column.append(values)
        rows.open.update({cohort: [numbers] for cohort, numbers in state["open"]})
        rows.history = History.from_state(n_classes, state["history"])
        return rows

    def _codes_of_groups(self, groups: Sequence[Hashable] | None, count: int) -> npt.NDArray[np.int64]:
        first, self._recorded = self._recorded, self._recorded + count
        if groups is None:
            return -1 - np.arange(first, first + count)
        return np.fromiter(
            (
                -1 - row if is_missing(group) else self._group_codes.setdefault(group, row)
                for row, group in zip(range(first, first + count), groups, strict=True)
            ),
            np.int64,
            count,
        )

    def _append_slice(self, name: str, values: Iterable[str] | None, first: int, count: int) -> None:
        if name not in self._slices:
            self._slices[name] = _Column(np.int32)
            self._slices[name].append(np.full(first, -1, np.int32))
            self._slice_codes[name], self.slice_values[name] = {}, []
        codes = self._slice_codes[name]
        if values is None:
            self._slices[name].append(np.full(count, -1, np.int32))
            return
        self._slices[name].append(
            np.fromiter((codes.setdefault(str(value), len(codes)) for value in values), np.int32, count)
        )
        self.slice_values[name] = list(codes)
