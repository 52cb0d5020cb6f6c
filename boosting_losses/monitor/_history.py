"""Sums of cohorts whose rows have been deleted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from ._sums import Sums, columns_of

#: A slicing column with the code of one of its values, or None with -1 for all rows of a model.
Slice = tuple[str | None, int]


@dataclass
class History:
    """The sums of old cohorts of one model, by slice."""

    n_classes: int
    cohorts: dict[Slice, npt.NDArray[np.int64]] = field(default_factory=dict)
    tables: dict[Slice, npt.NDArray[np.float64]] = field(default_factory=dict)
    largest_weight: float = 0.0

    def add(self, where: Slice, cohorts: npt.NDArray[np.int64], sums: Sums) -> None:
        """Add the sums of cohorts, which may already have sums of other rows."""
        old_cohorts, old_table = self.of(where)
        known, position = np.unique(np.concatenate([old_cohorts, cohorts]), return_inverse=True)
        table = np.zeros((len(known), columns_of(self.n_classes)))
        np.add.at(table, position, np.concatenate([old_table, sums.table]))
        self.cohorts[where], self.tables[where] = known, table

    def of(self, where: Slice) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return cohort numbers and their sums."""
        if where not in self.cohorts:
            return np.empty(0, np.int64), np.empty((0, columns_of(self.n_classes)))
        return self.cohorts[where], self.tables[where]

    def state(self) -> dict[str, Any]:
        """Return the content for a snapshot."""
        return {
            "slices": [list(where) for where in self.cohorts],
            "cohorts": list(self.cohorts.values()),
            "tables": list(self.tables.values()),
            "largest_weight": self.largest_weight,
        }

    @classmethod
    def from_state(cls, n_classes: int, state: dict[str, Any]) -> Self:
        """Return the history of a snapshot."""
        keys = [(column, code) for column, code in state["slices"]]
        return cls(
            n_classes,
            dict(zip(keys, state["cohorts"], strict=True)),
            dict(zip(keys, state["tables"], strict=True)),
            state["largest_weight"],
        )
