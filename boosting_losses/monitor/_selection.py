"""The rows of one model or slice, and their scores over time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from .._types import Doubles
from ._curves import Curve, curve_of, time_windows
from ._drift import DriftCurve, drift_curve
from ._history import Slice
from ._input import check_number
from ._rows import UNLABELLED, RowNumbers, Rows
from ._status import StreamStatus
from ._sums import Sums, sums_of
from ._time import Times, datetime_of, duration_of, times_of
from ._watch import Stream

#: A step that gives more windows is an error.
_MOST_WINDOWS = 1_000_000
_EARLIEST, _LATEST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Selection:
    """The rows of a model or slice at one moment.

    Parameters
    ----------
    rows : Rows
        All rows of the model.
    where : Slice
    n_classes : int
    look, mature_until : int
        Microseconds.
    """

    def __init__(self, rows: Rows, where: Slice, n_classes: int, look: int, mature_until: int) -> None:
        self.rows = rows
        self.numbers = rows.numbers_of(where)
        self._where = where
        self._n_classes = n_classes
        self._look = look
        self._mature_until = mature_until

    @property
    def time(self) -> Times:
        """The prediction times."""
        times: Times = self.rows.time[self.numbers]
        return times

    @property
    def scores(self) -> Doubles:
        """The probability of class 1, or the largest of K classes, of each row."""
        return _scores(self.rows.proba[self.numbers])

    def mature(self, start: Any, end: Any) -> RowNumbers:
        """Return the mature labelled rows predicted in [start, end), in order of time."""
        first, last = span_of(start, end)
        inside = within(self.time, first, min(last, self._mature_until))
        return self._in_order(self.numbers[inside & (self.rows.y[self.numbers] != UNLABELLED)])

    def curve(self, window: Any, step: Any, start: Any, end: Any) -> Curve:
        """Return the scores of windows of time or of labelled rows; see ``Monitor.curve``."""
        if isinstance(window, (int, np.integer)) and not isinstance(window, bool):
            return self._curve_of_rows(check_number("window", window, 1), step, span_of(start, end))
        return self._curve_of_time(duration_of("window", window), step, span_of(start, end))

    def drift_curve(self, window: Any, step: Any, invalid: Times) -> DriftCurve:
        """Compare windows with the first two; ``invalid`` contains the times of invalid predictions."""
        length, stride = duration_of("window", window), self._stride(step)
        time = self.time
        if not len(time):
            raise ValueError("drift_curve needs predictions that have not been deleted, got none")
        begin = int(time.min()) // stride * stride
        reference_end = begin + 2 * length
        starts, ends = _windows(begin, int(time.max()), length, stride)
        after = starts >= reference_end
        return drift_curve(time, self.scores, invalid, (starts[after], ends[after]), (begin, reference_end))

    def status(self, stream: Stream, needed: float) -> StreamStatus:
        """Return the state of the stream of these rows."""
        rows, mature = self.rows, self.numbers[self.time < self._mature_until]
        labelled = rows.y[mature] != UNLABELLED
        terms = rows.terms(mature)
        w = np.where(labelled, terms.weight, 0.0)
        total = float(w.sum())
        first, last = self._first_and_last()
        return StreamStatus(
            model=stream.model,
            slice=stream.slice,
            rows=len(self.numbers),
            labelled=int(np.sum(rows.y[self.numbers] != UNLABELLED)),
            coverage=float(labelled.mean()) if len(mature) else float("nan"),
            looks=len(stream.cohorts),
            evidence=stream.detector.evidence().nats if stream.cohorts else 0.0,
            needed=needed,
            log_loss=float(w @ terms.loss) / total if total else float("nan"),
            expected_log_loss=float(w @ terms.expected) / total if total else float("nan"),
            missing_at_random=_missing_at_random(rows.proba[mature], labelled),
            first=first,
            last=last,
        )

    def _first_and_last(self) -> tuple[datetime | None, datetime | None]:
        times = np.concatenate([self.rows.history.of(self._where)[0] * self._look, self.time])
        return (datetime_of(int(times.min())), datetime_of(int(times.max()))) if len(times) else (None, None)

    def _curve_of_rows(self, window: int, step: Any, span: tuple[int, int]) -> Curve:
        rows = self.rows
        labelled = rows.y[self.numbers] != UNLABELLED
        numbers = self._in_order(self.numbers[within(self.time, *span) & labelled])
        stride = max(1, window // 20) if step is None else check_number("step", step, 1)
        last = np.arange(window, len(numbers) + 1, stride)
        cuts, position = np.unique(np.concatenate([last - window, last]), return_inverse=True)
        segment = np.searchsorted(cuts, np.arange(len(numbers)), side="right")
        sums = sums_of(rows.terms(numbers), segment, len(cuts) + 1)
        time = rows.time[numbers]
        edges = time[last - window], time[last - 1]
        provisional = edges[1] >= self._mature_until
        return self._curve(sums, position, edges, float(rows.weight[numbers].max(initial=0.0)), provisional)

    def _curve_of_time(self, length: int, step: Any, span: tuple[int, int]) -> Curve:
        rows, first = self.rows, max(span[0], _EARLIEST + length) - length
        numbers = self.numbers[within(self.time, first, span[1])]
        cohorts, old = rows.history.of(self._where)
        inside = within(cohorts * self._look, first, span[1])
        cohorts, old = cohorts[inside], old[inside]
        stride = self._stride(step)
        if len(cohorts) and (length % self._look or stride % self._look):
            raise ValueError("window and step must be multiples of the look, since old rows are kept as sums of looks")
        time, old_time = rows.time[numbers], cohorts * self._look
        times = np.concatenate([time, old_time])
        if not len(times):
            return self._curve(Sums(np.zeros((1, old.shape[1]))), np.empty(0, np.intp), (times, times), 1.0, times > 0)
        starts, ends = _windows(int(times.min()), int(times.max()), length, stride)
        shown = (ends > span[0]) & (ends <= span[1])
        edges = starts[shown], ends[shown]
        cuts, position = np.unique(np.concatenate(edges), return_inverse=True)
        sums = sums_of(rows.terms(numbers), np.searchsorted(cuts, time, side="right"), len(cuts) + 1)
        np.add.at(sums.table, np.searchsorted(cuts, old_time, side="right"), old)
        largest = max(rows.history.largest_weight, float(rows.weight[numbers].max(initial=0.0)))
        return self._curve(sums, position, edges, largest, edges[1] > self._mature_until)

    def _curve(
        self,
        sums: Sums,
        position: RowNumbers,
        edges: tuple[Times, Times],
        largest_weight: float,
        provisional: npt.NDArray[np.bool_],
    ) -> Curve:
        first, last = np.split(position, 2)
        return curve_of(sums.between(first, last), edges, self._n_classes, largest_weight, provisional)

    def _stride(self, step: Any) -> int:
        return self._look if step is None else duration_of("step", step)

    def _in_order(self, numbers: RowNumbers) -> RowNumbers:
        ordered: RowNumbers = numbers[np.argsort(self.rows.time[numbers], kind="stable")]
        return ordered


def span_of(start: Any, end: Any) -> tuple[int, int]:
    """Return two times in microseconds; without them, all times lie between."""
    first = _EARLIEST if start is None else int(times_of("start", start, 1)[0])
    last = _LATEST if end is None else int(times_of("end", end, 1)[0])
    return first, last


def within(times: Times, first: int, last: int) -> npt.NDArray[np.bool_]:
    """Tell which times lie in [first, last)."""
    inside: npt.NDArray[np.bool_] = (times >= first) & (times < last)
    return inside


def _windows(first: int, last: int, length: int, step: int) -> tuple[Times, Times]:
    if (last - first) // step > _MOST_WINDOWS:
        raise ValueError(f"step must give at most {_MOST_WINDOWS:,} windows, got {step / 1e6:g} s")
    return time_windows(first, last, length, step)


def _scores(proba: Doubles) -> Doubles:
    scores: Doubles = proba if proba.ndim == 1 else proba.max(axis=1)
    return scores


def _missing_at_random(proba: Doubles, labelled: npt.NDArray[np.bool_]) -> bool:
    """Tell whether the mean scores of labelled and of unlabelled rows differ by no more than four standard errors."""
    scores = _scores(proba)
    with_label, without = scores[labelled], scores[~labelled]
    if min(len(with_label), len(without)) < 30:
        return True
    error = np.sqrt(with_label.var() / len(with_label) + without.var() / len(without))
    return bool(abs(with_label.mean() - without.mean()) <= 4.0 * error)
