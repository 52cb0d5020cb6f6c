"""Streams of looks, each with its detector, and the alerts that follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from ._alerts import ThresholdRule
from ._detector import Detector
from ._recalibration import Recalibration, recalibrate
from ._rows import UNLABELLED, RowNumbers, Rows
from ._sums import Vector, logits_of, terms_of
from ._time import datetime_of, words


@dataclass(frozen=True)
class Watching:
    """What is watched, and when an alert is raised."""

    n_classes: int
    look: int
    run_length: float
    min_saving: float | None
    look_effect: float
    min_labels: int
    cool_down: int
    max_streams: int
    rule: ThresholdRule | None

    def detector(self) -> Detector:
        """Return a detector that has seen nothing."""
        return Detector(
            self.n_classes, run_length=self.run_length, min_saving=self.min_saving, look_effect=self.look_effect
        )


@dataclass
class Stream:
    """The rows of a model, or of one of its slices."""

    model: str
    #: The slicing column and the code of its value; None for all rows.
    column: str | None
    code: int
    slice: str | None
    detector: Detector
    #: The cohort of each look, and the evidence after it.
    cohorts: list[int] = field(default_factory=list)
    nats: list[float] = field(default_factory=list)
    labels: int = 0
    #: For each kind of alert, the look before which none is raised again.
    quiet_until: dict[str, int] = field(default_factory=dict)

    def rows(self, rows: Rows, among: RowNumbers | None = None) -> RowNumbers:
        """Return the numbers of the stream's rows, all of them or ``among`` some of the model's."""
        chosen = np.arange(len(rows)) if among is None else among
        return chosen if self.column is None else chosen[rows.slice_codes(self.column)[chosen] == self.code]


class Watch:
    """All streams of a monitor.

    Alerts are raised so that false ones of all streams together come at most once in ``run_length`` looks on average: with S
    streams each needs the evidence of a run length S times as long.
    """

    def __init__(
        self, watching: Watching, raise_alert: Callable[[dict[str, Any]], None], is_muted: Callable[[Stream, str], bool]
    ):
        self._watching = watching
        self._raise = raise_alert
        self._is_muted = is_muted
        self.streams: dict[tuple[str, str | None, int], Stream] = {}
        self.unwatched = 0

    @property
    def needed(self) -> float:
        """The evidence that an alarm takes, in nats."""
        return math.log(self._watching.run_length * max(len(self.streams), 1))

    def count(self, model: str, rows: Rows, cohort: int, numbers: RowNumbers) -> None:
        """Count the mature rows of a cohort in all of its streams."""
        for stream in self._streams_of(model, rows, numbers):
            own = stream.rows(rows, numbers)
            labelled = own[rows.y[own] != UNLABELLED]
            if len(labelled):
                self._count(stream, rows, cohort, labelled)

    def _streams_of(self, model: str, rows: Rows, numbers: RowNumbers) -> Iterator[Stream]:
        yield self._stream(model, None, -1, None)
        for column, values in rows.slice_values.items():
            for code in np.unique(rows.slice_codes(column)[numbers]).tolist():
                if code < 0:
                    continue
                if (model, column, code) not in self.streams and len(self.streams) >= self._watching.max_streams:
                    self.unwatched += 1
                    continue
                yield self._stream(model, column, code, f"{column}={values[code]}")

    def _stream(self, model: str, column: str | None, code: int, name: str | None) -> Stream:
        key = (model, column, code)
        if key not in self.streams:
            self.streams[key] = Stream(model, column, code, name, self._watching.detector())
        return self.streams[key]

    def _count(self, stream: Stream, rows: Rows, cohort: int, numbers: RowNumbers) -> None:
        proba, y = rows.proba[numbers], rows.y[numbers]
        evidence = stream.detector.update(y, logits_of(proba), powers(rows.weight[numbers], rows.group[numbers]))
        stream.cohorts.append(cohort)
        stream.nats.append(evidence.nats)
        stream.labels += len(numbers)
        impossible = int(np.sum(_served(proba, y) == 0.0))
        if impossible and self._may_alert(stream, "impossible"):
            self._alert(stream, rows, "impossible", cohort, evidence.nats, impossible)
        enough = evidence.nats >= self.needed and stream.labels >= self._watching.min_labels
        if enough and self._may_alert(stream, "miscalibrated"):
            self._alert(stream, rows, "miscalibrated", stream.cohorts[evidence.since], evidence.nats, 0)
        if not self._may_alert(stream, "miscalibrated"):
            stream.detector.restart()  # what happens while it is quiet must not raise an alert afterwards
        rule = self._watching.rule
        if rule is not None and stream.column is None and self._may_alert(stream, "threshold"):
            self._apply_rule(rule, stream, rows)

    def _may_alert(self, stream: Stream, kind: str) -> bool:
        return len(stream.cohorts) > stream.quiet_until.get(kind, 0) and not self._is_muted(stream, kind)

    def _apply_rule(self, rule: ThresholdRule, stream: Stream, rows: Rows) -> None:
        until = (stream.cohorts[-1] + 1) * self._watching.look
        numbers = np.flatnonzero((rows.time < until) & (rows.y != UNLABELLED))
        latest = numbers[np.argsort(rows.time[numbers], kind="stable")][-rule.rolling_window :]
        if len(latest) < rule.min_samples_for_alert:
            return
        terms = terms_of(rows.proba[latest], rows.y[latest], rows.weight[latest])
        loss = float(np.average(terms.loss, weights=terms.weight))
        if loss > rule.limit:
            start = int(rows.time[latest[0]]) // self._watching.look
            self._alert(stream, rows, "threshold", start, loss, 0)

    def _alert(self, stream: Stream, rows: Rows, kind: str, since: int, value: float, impossible: int) -> None:
        look = self._watching.look
        last = stream.cohorts[-1]
        own = stream.rows(rows)
        inside = (rows.time[own] >= since * look) & (rows.time[own] < (last + 1) * look) & (rows.y[own] != UNLABELLED)
        numbers = own[inside]
        numbers = numbers[np.argsort(rows.time[numbers], kind="stable")]
        proba, y, weight = rows.proba[numbers], rows.y[numbers], rows.weight[numbers]
        found = _recalibration(proba, y, weight, since * look)
        record = {
            "kind": kind,
            "model": stream.model,
            "slice": stream.slice,
            "time": datetime_of((last + 1) * look),
            "since": None if kind == "threshold" else datetime_of(since * look),
            "labels": len(numbers),
            "evidence": float(stream.detector.evidence().nats),
            "needed": self.needed,
            "run_length": self._watching.run_length,
            "saving": math.nan if found is None else found.saving,
            "saving_low": math.nan if found is None else found.low,
            "saving_high": math.nan if found is None else found.high,
            "mean_proba": None if proba.ndim == 2 else float(np.average(proba, weights=weight)),
            "mean_label": None if proba.ndim == 2 else float(np.average(y, weights=weight)),
            "shift": None,
            "slope": None,
        }
        if found is not None and proba.ndim == 1:
            slope, shift = found.calibrator.fitted_[0]
            record |= {"shift": float(shift), "slope": float(slope)}
        record["text"] = _sentence(record, self._watching.rule, value, impossible)
        stream.quiet_until[kind] = len(stream.cohorts) + self._watching.cool_down
        self._raise(record)


def powers(weight: Vector, group: npt.NDArray[np.int64]) -> Vector:
    """Return the power of each row's bet: its weight over the largest, over the number of rows of its group."""
    _, position, size = np.unique(group, return_inverse=True, return_counts=True)
    largest = weight.max()
    found: Vector = weight / (largest if largest > 0.0 else 1.0) / size[position]
    return found


def _served(proba: Vector, y: npt.NDArray[np.int32]) -> Vector:
    if proba.ndim == 1:
        own: Vector = np.where(y == 1, proba, 1.0 - proba)
        return own
    chosen: Vector = proba[np.arange(len(y)), y]
    return chosen


def _recalibration(proba: Vector, y: npt.NDArray[np.int32], weight: Vector, since: int) -> Recalibration | None:
    try:
        return recalibrate(proba, y, weight, datetime_of(since), None)
    except ValueError:  # too few rows, or of one class alone
        return None


def _sentence(record: dict[str, Any], rule: ThresholdRule | None, value: float, impossible: int) -> str:
    who = record["model"] if record["slice"] is None else f"{record['model']}, {record['slice']}"
    if record["kind"] == "threshold":
        assert rule is not None
        return (
            f"{who}: the log loss of the last {record['labels']:,} labelled rows is {value:.4f}, above {rule.limit:.4f} ="
            f" {rule.baseline:.4f} + {rule.alert_threshold_pct:g} %"
        )
    if record["kind"] == "impossible":
        rows = "1 event" if impossible == 1 else f"{impossible:,} events"
        return f"{who}: {rows} of {words(_micro(record['time']) - 1)} had a probability of exactly 0"
    text = f"{who}: since {words(_micro(record['since']))} {_direction(record)}"
    if not math.isnan(record["saving"]):
        text += (
            f": recalibrating would save {record['saving']:.3g} nats a row ({record['saving_low']:.3g} to"
            f" {record['saving_high']:.3g}, not corrected for choosing the start)"
        )
    odds = math.exp(min(record["evidence"], 700.0))
    return text + f"; evidence 1 : {odds:{',.0f' if odds < 1e7 else '.0e'}}; {record['labels']:,} labels"


def _micro(time: datetime) -> int:
    return round(time.timestamp() * 1_000_000)


def _direction(record: dict[str, Any]) -> str:
    proba, label, slope = record["mean_proba"], record["mean_label"], record["slope"]
    if proba is None or slope is None:
        return "the probabilities are wrong"
    parts = []
    error = math.sqrt(max(proba * (1.0 - proba), 1e-12) / max(record["labels"], 1))
    if abs(label - proba) > 2.0 * error:
        parts.append(f"too {'low' if label > proba else 'high'} (mean {proba:.3g}, events {label:.3g})")
    if abs(slope - 1.0) > 0.1:
        parts.append(f"too {'sure' if slope < 1.0 else 'unsure'} (slope {slope:.2f})")
    return f"predictions are {' and '.join(parts)}" if parts else "predictions are wrong"
