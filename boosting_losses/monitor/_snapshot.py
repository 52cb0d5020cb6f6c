"""The state of the first streams of a monitor and their latest mature window, for exports that collect often.

The monitor's lock is held only while references are taken and labels are copied. Columns of rows are append-only, so
everything else is computed from views of them without the lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ._alerts import Alert, State
from ._curves import Curve, curve_of
from ._history import Slice
from ._ledger import Ledger
from ._rows import UNLABELLED, Rows
from ._sums import Sums, columns_of, sums_of, terms_of
from ._time import Times
from ._watch import Watch


class StreamState(NamedTuple):
    """A stream and the sums of its deleted rows by cohort."""

    model: str
    slice: str | None
    where: Slice
    evidence: float
    old_cohorts: npt.NDArray[np.int64]
    old_sums: Doubles


class Columns(NamedTuple):
    """The rows of a model."""

    time: Times
    proba: Doubles
    weight: Doubles
    y: npt.NDArray[np.int32]
    #: The code of each row, for each slicing column with a watched slice.
    codes: dict[str, npt.NDArray[np.int32]]
    largest_weight: float


@dataclass(frozen=True)
class Snapshot:
    """The state of a monitor at one moment.

    Attributes
    ----------
    streams : list of StreamState
        Models first, then slices, each in the order in which they were first seen.
    omitted : int
        The number of streams beyond the requested ones.
    unwatched : int
        The number of slices beyond ``max_streams``.
    needed : float
    counts : dict
        Counts of cases.
    alerts : Counter
        The number of alerts by model, slice and state.
    clock_lag : float or None
        Seconds; None without labels or without a clock.
    """

    streams: list[StreamState]
    omitted: int
    unwatched: int
    needed: float
    counts: dict[str, int]
    alerts: Counter[tuple[str, str | None, State]]
    clock_lag: float | None
    look: int
    n_classes: int
    mature_until: int | None
    models: dict[str, Columns]

    def totals(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the numbers of predictions and of labelled predictions of each stream, deleted rows included."""
        found = np.zeros((2, len(self.streams)), np.int64)
        for model, columns in self.models.items():
            labelled = columns.y != UNLABELLED
            for positions, codes, segments in self._groups(model, columns, None):
                rows = np.bincount(segments, minlength=len(codes) + 1)
                found[0, positions] = rows[1:]
                found[1, positions] = np.bincount(segments[labelled], minlength=len(codes) + 1)[1:]
        for i, stream in enumerate(self.streams):
            old = Sums(stream.old_sums)
            found[:, i] += np.array([old["rows"].sum(), old["labelled"].sum()]).round().astype(np.int64)
        return found[0], found[1]

    def window(self, looks: int) -> Curve:
        """Return the scores of the last mature looks; the entries are streams.

        ``low`` and ``high`` are valid for the largest weight of all streams.
        """
        until = self.mature_until or 0
        first = until - looks * self.look if self.mature_until is not None else until
        table = np.zeros((len(self.streams), columns_of(self.n_classes)))
        largest = 0.0
        for model, columns in self.models.items():
            inside = np.flatnonzero((columns.time >= first) & (columns.time < until))
            terms = terms_of(columns.proba[inside], columns.y[inside], columns.weight[inside])
            largest = max(largest, columns.largest_weight, float(terms.weight.max(initial=0.0)))
            for positions, codes, segments in self._groups(model, columns, inside):
                table[positions] = sums_of(terms, segments, len(codes) + 1).table[1:]
        for i, stream in enumerate(self.streams):
            start = stream.old_cohorts * self.look
            table[i] += stream.old_sums[(start >= first) & (start < until)].sum(axis=0)
        edges = np.full(len(table), first), np.full(len(table), until)
        return curve_of(Sums(table), edges, self.n_classes, largest, np.zeros(len(table), np.bool_))

    def _groups(
        self, model: str, columns: Columns, chosen: npt.NDArray[np.intp] | None
    ) -> list[tuple[list[int], npt.NDArray[np.int64], npt.NDArray[np.intp]]]:
        """Return the streams of a model by slicing column.

        Returns
        -------
        list of (positions, codes, segments)
            The positions of the streams of one column, their codes in increasing order, and for each row 1 + the index of
            its stream among them, 0 for other rows.
        """
        by_column: dict[str | None, list[tuple[int, int]]] = {}
        for i, stream in enumerate(self.streams):
            if stream.model == model:
                by_column.setdefault(stream.where[0], []).append((stream.where[1], i))
        groups = []
        for column, members in by_column.items():
            codes, positions = (list(part) for part in zip(*sorted(members), strict=True))
            wanted = np.array(codes, np.int64)
            if column is None:
                segments = np.ones(len(columns.y) if chosen is None else len(chosen), np.intp)
            else:
                own = columns.codes[column] if chosen is None else columns.codes[column][chosen]
                place = np.minimum(np.searchsorted(wanted, own), len(wanted) - 1)
                segments = np.where(wanted[place] == own, place + 1, 0)
            groups.append((positions, wanted, segments))
        return groups


def snapshot_of(
    ledger: Ledger, watch: Watch, alerts: Sequence[Alert], look: int, n_classes: int, most: int, now: float | None
) -> Snapshot:
    """Return the state of at most ``most`` streams; the monitor's lock must be held."""
    known: dict[tuple[str, Slice], tuple[str | None, float]] = {
        (model, (None, -1)): (None, 0.0) for model in ledger.models
    }
    for stream in watch.streams.values():
        known[stream.model, stream.where] = stream.slice, stream.detector.evidence().nats
    ordered = sorted(known.items(), key=lambda item: item[1][0] is not None)
    streams = [
        StreamState(model, name, where, evidence, *ledger.models[model].history.of(where))
        for (model, where), (name, evidence) in ordered[:most]
    ]
    return Snapshot(
        streams=streams,
        omitted=max(len(ordered) - most, 0),
        unwatched=watch.unwatched,
        needed=watch.needed,
        counts=dict(ledger.counts),
        alerts=Counter((alert.model, alert.slice, alert.state) for alert in alerts),
        clock_lag=None if now is None or not ledger.has_begun else now - ledger.clock / 1e6,
        look=look,
        n_classes=n_classes,
        mature_until=ledger.mature_until if ledger.has_begun else None,
        models={
            model: _columns(rows, {stream.where[0] for stream in streams if stream.model == model})
            for model, rows in ledger.models.items()
            if any(stream.model == model for stream in streams)
        },
    )


def _columns(rows: Rows, wanted: set[str | None]) -> Columns:
    codes = {column: rows.slice_codes(column) for column in wanted if column is not None}
    return Columns(rows.time, rows.proba, rows.weight, rows.y.copy(), codes, rows.history.largest_weight)
