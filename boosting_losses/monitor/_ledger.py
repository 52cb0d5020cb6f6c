"""Joining predictions with labels, and reporting each cohort when its labels are final.

A *cohort* contains the rows of a model that were predicted within one look, such as a day. It is *mature* when
``label_delay`` has passed since its end. The clock is the latest label time, or a later time set by ``advance``, so a
replay of the same calls gives the same result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ._rows import UNLABELLED, RowNumbers, Rows
from ._time import Times

Codes = npt.NDArray[np.int32]
#: The number of a cohort, or those of several.
_Cohort = TypeVar("_Cohort", int, Times)

#: The label time of a label that was assumed at maturity, so that any actual label replaces it.
_ASSUMED = np.iinfo(np.int64).min
_BEGINNING = np.iinfo(np.int64).min
_NEVER = np.iinfo(np.int64).max
#: A label waits for its prediction for so many times the period in which a cohort matures.
_MATURITIES_TO_WAIT = 10


class Ledger:
    """The rows of all models, in memory.

    Parameters
    ----------
    n_classes : int
    look, label_delay : int
        Microseconds.
    assumed : int
        The class that is assumed for rows without a label at maturity, or ``UNLABELLED``.
    when_mature : callable
        Called once for each mature cohort with the model, the cohort number and the row numbers, in order of maturity.
    """

    def __init__(
        self,
        n_classes: int,
        look: int,
        label_delay: int,
        assumed: int,
        when_mature: Callable[[str, int, RowNumbers], None],
    ) -> None:
        self._n_classes = n_classes
        self._look = look
        self._label_delay = label_delay
        self._assumed = assumed
        self._when_mature = when_mature
        self.models: dict[str, Rows] = {}
        #: Counts of the cases in the table of docs/monitoring.md.
        self.counts: Counter[str] = Counter()
        self.clock = _BEGINNING
        #: No open cohort becomes mature before this time.
        self._next_maturity = _NEVER
        #: Rows that were predicted before this time have been replaced by sums.
        self._deleted_until = _BEGINNING
        #: Labels whose predictions have not arrived yet.
        self._waiting: dict[Hashable, tuple[int, int]] = {}
        #: Time and slices of each invalid prediction, by model and id.
        self._invalid: dict[str, dict[Hashable, tuple[int, list[str]]]] = {}

    @property
    def mature_until(self) -> int:
        """The end of the last mature cohort, in microseconds."""
        if not self.has_begun:
            return _BEGINNING
        return (self.clock - self._label_delay) // self._look * self._look

    @property
    def has_begun(self) -> bool:
        """Whether the clock has been set."""
        return self.clock != _BEGINNING

    def invalid_times(self, model: str, slice: str | None) -> Times:
        """Return the times of the invalid predictions of a model or slice."""
        rows = self._invalid.get(model, {}).values()
        return np.array([time for time, slices in rows if slice is None or slice in slices], np.int64)

    def record(
        self,
        model: str,
        ids: list[Hashable],
        time: Times,
        proba: Doubles,
        weight: Doubles,
        groups: Sequence[Hashable] | None,
        slices: Mapping[str, Sequence[str]],
    ) -> None:
        """Add predictions; invalid ones (NaN) are only counted."""
        if model not in self.models:
            self.models[model] = Rows(self._n_classes, self._look)
        rows = self.models[model]
        valid = np.isfinite(proba if proba.ndim == 1 else proba.sum(axis=1))
        # Sums of deleted cohorts contain their rows, so a replay of these must not add them again.
        deleted = time < self._deleted_until
        fresh = valid & ~deleted & (rows.row_numbers(ids) < 0)
        if not fresh.all() or len(set(ids)) < len(ids):
            first_of = {ids[i]: i for i in reversed(np.flatnonzero(fresh).tolist())}
            take = np.sort(np.fromiter(first_of.values(), np.intp, len(first_of)))
            again = valid & ~deleted
            again[take] = False
            self.counts["deleted"] += int(deleted.sum())
            self._record_invalid(model, ids, time, slices, np.flatnonzero(~valid & ~deleted).tolist())
            chosen = take.tolist()
            repeated = [ids[i] for i in np.flatnonzero(again)], time[again], proba[again]
            ids, time, proba, weight = [ids[i] for i in chosen], time[take], proba[take], weight[take]
            groups = None if groups is None else [groups[i] for i in chosen]
            slices = {name: [values[i] for i in chosen] for name, values in slices.items()}
        else:
            repeated = None
        first = len(rows)
        rows.append(ids, time, proba, weight, groups, slices)
        self.counts["recorded"] += len(ids)
        if repeated is not None:
            self._count_repeated(rows, *repeated)
        self._label_known(rows, range(first, len(rows)), ids)
        if len(time):
            self._next_maturity = min(self._next_maturity, self._maturity(int(time.min()) // self._look))
            if self._next_maturity <= self.clock:
                self._drop_late(rows)

    def known_by(self, ids: list[Hashable], now: int) -> Times:
        """Return ``now`` for each id, or the maturity of its row if this is earlier."""
        times = np.full(len(ids), now, np.int64)
        for rows in self.models.values():
            numbers = rows.row_numbers(ids)
            known = np.flatnonzero(numbers >= 0)
            times[known] = np.minimum(times[known], self._maturity(rows.time[numbers[known]] // self._look))
        return times

    def label(self, ids: list[Hashable], y: Codes, time: Times) -> None:
        """Add labels in order of time, and close each cohort with the labels known at its maturity."""
        if not len(time):
            return
        if np.any(time[1:] < time[:-1]):
            order = np.argsort(time, kind="stable")
            ids, y, time = [ids[i] for i in order.tolist()], y[order], time[order]
        begin, mature_before = 0, self.mature_until
        for maturity in self._maturities(int(time[-1])):
            end = int(np.searchsorted(time, maturity, side="right"))
            self._apply(ids[begin:end], y[begin:end], time[begin:end])
            self._close(maturity)
            begin = end
        self._apply(ids[begin:], y[begin:], time[begin:])
        self._move_clock(int(time[-1]), mature_before)

    def advance(self, clock: int) -> None:
        """Move the clock and close the cohorts that become mature."""
        mature_before = self.mature_until
        for maturity in self._maturities(clock):
            self._close(maturity)
        self._move_clock(clock, mature_before)

    def forget(self, until: int) -> None:
        """Replace the rows before a time by sums, and drop labels that still wait for older predictions."""
        for rows in self.models.values():
            rows.forget(until)
        self._deleted_until = max(self._deleted_until, until)
        self._waiting = {key: label for key, label in self._waiting.items() if label[1] >= until}
        self._invalid = {
            model: {key: row for key, row in rows.items() if row[0] >= until} for model, rows in self._invalid.items()
        }

    def delete(self, ids: Iterable[Hashable]) -> int:
        """Delete rows, waiting labels and invalid predictions, and return the number of ids that had any of them."""
        wanted = set(ids)
        found = wanted & self._waiting.keys()
        for rows in self.models.values():
            found |= rows.delete(wanted)
        for invalid in self._invalid.values():
            found |= wanted & invalid.keys()
        self._waiting = {key: label for key, label in self._waiting.items() if key not in found}
        self._invalid = {
            model: {key: row for key, row in rows.items() if key not in found} for model, rows in self._invalid.items()
        }
        self.counts["deleted_by_id"] += len(found)
        return len(found)

    def state(self) -> dict[str, Any]:
        """Return the content for a snapshot."""
        return {
            "models": {model: rows.state() for model, rows in self.models.items()},
            "counts": dict(self.counts),
            "clock": self.clock,
            "deleted_until": self._deleted_until,
            "waiting": [[key, *label] for key, label in self._waiting.items()],
            "invalid": {model: [[key, *row] for key, row in rows.items()] for model, rows in self._invalid.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Replace the content by that of a snapshot."""
        self.models = {
            model: Rows.from_state(self._n_classes, self._look, rows) for model, rows in state["models"].items()
        }
        self.counts = Counter(state["counts"])
        self.clock = state["clock"]
        self._deleted_until = state["deleted_until"]
        self._waiting = {key: (y, time) for key, y, time in state["waiting"]}
        self._invalid = {
            model: {key: (time, slices) for key, time, slices in rows} for model, rows in state["invalid"].items()
        }
        self._next_maturity = self._first_maturity()

    # ---- predictions --------------------------------------------------------------------------------------------

    def _record_invalid(
        self, model: str, ids: list[Hashable], time: Times, slices: Mapping[str, Sequence[str]], positions: list[int]
    ) -> None:
        known = self._invalid.setdefault(model, {})
        for i in positions:
            if ids[i] in known:
                self.counts["replayed"] += 1
                continue
            known[ids[i]] = int(time[i]), [f"{name}={values[i]}" for name, values in slices.items()]
            self.counts["invalid"] += 1

    def _count_repeated(self, rows: Rows, ids: list[Hashable], time: Times, proba: Doubles) -> None:
        known = rows.row_numbers(ids)
        alike = rows.proba[known] == proba
        same = (alike if alike.ndim == 1 else alike.all(axis=1)) & (rows.time[known] == time)
        self.counts["replayed"] += int(same.sum())
        self.counts["conflicting"] += int((~same).sum())

    def _label_known(self, rows: Rows, numbers: range, ids: list[Hashable]) -> None:
        """Label new rows whose labels arrived earlier, or are known from another model."""
        found: list[tuple[int, int, int]] = []
        if self._waiting:
            found += [
                (number, *self._waiting.pop(key))
                for number, key in zip(numbers, ids, strict=True)
                if key in self._waiting
            ]
        for other in self.models.values():
            if other is rows:
                continue
            theirs = other.row_numbers(ids)
            labelled = np.flatnonzero(theirs >= 0)
            labelled = labelled[
                (other.y[theirs[labelled]] != UNLABELLED) & (other.label_time[theirs[labelled]] != _ASSUMED)
            ]
            found += [
                (numbers[i], int(other.y[theirs[i]]), int(other.label_time[theirs[i]])) for i in labelled.tolist()
            ]
        if found:
            number, y, time = (np.array(part) for part in zip(*found, strict=True))
            rows.set_labels(number, y.astype(np.int32), time)

    def _drop_late(self, rows: Rows) -> None:
        """Exclude new rows of closed cohorts from the evidence."""
        for cohort in [cohort for cohort in rows.open if self._maturity(cohort) <= self.clock]:
            late = rows.open.pop(cohort)
            self.counts["late_predictions"] += sum(map(len, late))
        self._next_maturity = self._first_maturity()

    # ---- labels -------------------------------------------------------------------------------------------------

    def _apply(self, ids: list[Hashable], y: Codes, time: Times) -> None:
        """Set labels, which are in order of time."""
        unknown = np.ones(len(ids), bool)
        for rows in self.models.values():
            numbers = rows.row_numbers(ids)
            known = numbers >= 0
            unknown &= ~known
            self._apply_to(rows, numbers[known], y[known], time[known])
        for i in np.flatnonzero(unknown).tolist():
            before = self._waiting.get(ids[i])
            if before is None or before[1] <= time[i]:
                self._waiting[ids[i]] = int(y[i]), int(time[i])
        self.counts["early_labels"] += int(unknown.sum())

    def _apply_to(self, rows: Rows, numbers: RowNumbers, y: Codes, time: Times) -> None:
        """Set labels in order of time; a row may have several."""
        while len(numbers):
            _, once = np.unique(numbers, return_index=True)
            self._set(rows, numbers[once], y[once], time[once])
            again = np.ones(len(numbers), bool)
            again[once] = False
            numbers, y, time = numbers[again], y[again], time[again]

    def _set(self, rows: Rows, numbers: RowNumbers, y: Codes, time: Times) -> None:
        before = rows.y[numbers]
        is_new = (before == UNLABELLED) | (rows.label_time[numbers] == _ASSUMED)
        newer = time >= rows.label_time[numbers]
        corrected = ~is_new & (before != y) & newer
        closed = rows.time[numbers] < self.mature_until
        self.counts["labelled"] += int(is_new.sum())
        self.counts["late_labels"] += int((is_new & closed).sum())
        self.counts["repeated_labels"] += int((~is_new & (before == y)).sum())
        self.counts["corrected_labels"] += int(corrected.sum())
        self.counts["outdated_labels"] += int((~is_new & (before != y) & ~newer).sum())
        latest = is_new | newer
        rows.set_labels(numbers[latest], y[latest], time[latest])

    # ---- maturity -----------------------------------------------------------------------------------------------

    def _maturity(self, cohort: _Cohort) -> _Cohort:
        return (cohort + 1) * self._look + self._label_delay

    def _first_maturity(self) -> int:
        cohorts = [cohort for rows in self.models.values() for cohort in rows.open]
        return self._maturity(min(cohorts)) if cohorts else _NEVER

    def _maturities(self, clock: int) -> list[int]:
        if clock < self._next_maturity:
            return []
        cohorts = {cohort for rows in self.models.values() for cohort in rows.open}
        return sorted(self._maturity(cohort) for cohort in cohorts if self._maturity(cohort) <= clock)

    def _move_clock(self, clock: int, mature_before: int) -> None:
        """Move the clock, after the cohorts that are mature by then have been closed."""
        self.clock = max(self.clock, clock)
        if self.mature_until > mature_before:
            self._next_maturity = self._first_maturity()
            self._drop_unmatched()

    def _drop_unmatched(self) -> None:
        oldest = self.mature_until - _MATURITIES_TO_WAIT * (self._look + self._label_delay)
        kept = {key: label for key, label in self._waiting.items() if label[1] >= oldest}
        self.counts["unmatched_labels"] += len(self._waiting) - len(kept)
        self._waiting = kept

    def _close(self, maturity: int) -> None:
        cohort = (maturity - self._label_delay) // self._look - 1
        self.clock = max(self.clock, maturity)
        for model in sorted(self.models):
            rows = self.models[model]
            numbers = rows.open.pop(cohort, None)
            if numbers is None:
                continue
            together = np.concatenate(numbers)
            if self._assumed != UNLABELLED:
                without = together[rows.y[together] == UNLABELLED]
                rows.set_labels(
                    without, np.full(len(without), self._assumed, np.int32), np.full(len(without), _ASSUMED)
                )
            self._when_mature(model, cohort, together)
