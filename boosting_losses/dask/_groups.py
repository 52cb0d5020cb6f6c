"""Group codes of rows in partitions, for groups of contiguous rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..metrics._groups import is_missing

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class GroupRuns:
    """The runs of rows of the same group in a partition.

    ``values`` contains the group of each run, ``lengths`` its number of rows, and ``counts`` whether some of its rows have a
    weight above 0.
    """

    values: list[Any]
    lengths: Codes
    counts: npt.NDArray[np.bool_]

    def each_row(self, of_runs: Codes) -> Codes:
        """Return the code of each row, given those of the runs."""
        return np.repeat(of_runs, self.lengths)


@dataclass(frozen=True)
class GroupCodes:
    """The codes of the groups of all partitions, numbered in the order of their rows.

    ``of_runs`` contains the codes of the runs of each partition, and ``ended`` the number of groups with a weight above 0
    that end before it.
    """

    n_groups: int
    of_runs: list[Codes]
    ended: list[int]


def runs_of(groups: npt.NDArray[Any], weight: npt.NDArray[Any] | None, start: int) -> GroupRuns:
    """Return the runs of a partition, whose first row has the number ``start``."""
    if groups.ndim != 1:
        raise ValueError(f"groups must have shape (n,), one group per label, got (n, {groups.shape[1]})")
    changes: npt.NDArray[np.bool_] = np.asarray(groups[1:] != groups[:-1], dtype=np.bool_)
    first = np.flatnonzero(np.concatenate([[True], changes])) if len(groups) else np.zeros(0, np.intp)
    values = groups[first].tolist()
    missing = next((i for i, value in enumerate(values) if is_missing(value)), None)
    if missing is not None:
        raise ValueError(f"groups must have no missing values, got {values[missing]!r} in row {start + first[missing]}")
    counted = np.ones(len(groups), dtype=np.bool_) if weight is None else weight != 0
    lengths = np.diff(first, append=len(groups))
    return GroupRuns(values, lengths, np.logical_or.reduceat(counted, first) if len(first) else counted)


def numbered(partitions: Sequence[GroupRuns]) -> GroupCodes:
    """Return codes of the groups of partitions with rows; raise ValueError if the rows of a group are not contiguous."""
    codes: dict[Any, int] = {}
    of_runs, ended = [], []
    before, last = 0, -1  # the number of groups with weight, and the last of them
    for number, runs in enumerate(partitions):
        own = np.empty(len(runs.values), dtype=np.intp)
        for i, value in enumerate(runs.values):
            if value in codes and codes[value] != len(codes) - 1:
                raise ValueError(
                    f"the rows of each group must be contiguous, got rows of group {value!r} after those of other groups, in"
                    f" partition {number}: sort the rows by group"
                )
            own[i] = codes.setdefault(value, len(codes))
        with_weight = own[runs.counts]
        continues = len(with_weight) > 0 and with_weight[0] == last
        ended.append(before - int(continues))
        of_runs.append(own)
        if len(with_weight):
            before, last = before + len(with_weight) - int(continues), int(with_weight[-1])
    if len(codes) < 2:
        raise ValueError(f"groups must name at least 2 groups, got only {next(iter(codes))!r}")
    return GroupCodes(len(codes), of_runs, ended)
