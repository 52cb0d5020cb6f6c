"""Streams, the detector of each, and the decision to raise an alert."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import metrics
from .._types import Doubles
from ._alerts import Alert, Facts, Kind, ThresholdRule, alert_of
from ._detector import Detector
from ._history import Slice
from ._rows import UNLABELLED, RowNumbers, Rows
from ._time import microseconds_of


@dataclass(frozen=True)
class Watching:
    """The settings of streams and alerts."""

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
        """Return a new detector."""
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
    #: For each kind of alert, the number of looks until the end of the cool-down.
    quiet_until: dict[str, int] = field(default_factory=dict)

    @property
    def where(self) -> Slice:
        """The slice as rows know it."""
        return self.column, self.code


class Watch:
    """All streams of a monitor.

    The run length holds for all streams together: with S streams, each requires the evidence of a run length that is S times
    as long (Bonferroni correction).
    """

    def __init__(
        self,
        watching: Watching,
        raise_alert: Callable[[Alert], None],
        alerts_of: Callable[[Stream, str], list[Alert]],
    ):
        self._watching = watching
        self._raise = raise_alert
        self._alerts_of = alerts_of
        self.streams: dict[tuple[str, str | None, int], Stream] = {}
        self._unwatched: dict[str, None] = {}

    @property
    def unwatched(self) -> int:
        """The number of slices beyond the limit."""
        return len(self._unwatched)

    @property
    def needed(self) -> float:
        """The evidence that an alarm requires, in nats."""
        return math.log(self._watching.run_length * max(len(self.streams), 1))

    def count(self, model: str, rows: Rows, cohort: int, numbers: RowNumbers) -> None:
        """Add the rows of a mature cohort to the streams to which they belong."""
        for stream in self._streams_of(model, rows, numbers):
            own = rows.numbers_of(stream.where, numbers)
            labelled = own[(rows.y[own] != UNLABELLED) & (rows.weight[own] > 0.0)]
            if len(labelled):
                self._count(stream, rows, cohort, labelled)

    def state(self) -> dict[str, Any]:
        """Return the content for a snapshot."""
        streams = [
            {name: value for name, value in vars(stream).items() if name != "detector"}
            | {"detector": stream.detector.state()}
            for stream in self.streams.values()
        ]
        return {"streams": streams, "unwatched": list(self._unwatched)}

    def load(self, state: dict[str, Any]) -> None:
        """Replace the content by that of a snapshot."""
        self._unwatched = dict.fromkeys(state["unwatched"])
        self.streams = {}
        for record in state["streams"]:
            detector = self._watching.detector()
            detector.load(record["detector"])
            stream = Stream(**(record | {"detector": detector}))
            self.streams[stream.model, stream.column, stream.code] = stream

    def _streams_of(self, model: str, rows: Rows, numbers: RowNumbers) -> Iterator[Stream]:
        yield self._stream(model, None, -1, None)
        for column, values in rows.slice_values.items():
            for code in np.unique(rows.slice_codes(column)[numbers]).tolist():
                if code < 0:
                    continue
                if (model, column, code) not in self.streams and len(self.streams) >= self._watching.max_streams:
                    self._unwatched[f"{model}, {column}={values[code]}"] = None
                    continue
                yield self._stream(model, column, code, f"{column}={values[code]}")

    def _stream(self, model: str, column: str | None, code: int, name: str | None) -> Stream:
        key = (model, column, code)
        if key not in self.streams:
            self.streams[key] = Stream(model, column, code, name, self._watching.detector())
        return self.streams[key]

    def _count(self, stream: Stream, rows: Rows, cohort: int, numbers: RowNumbers) -> None:
        proba, y = rows.proba[numbers], rows.y[numbers]
        evidence = stream.detector.update(y, metrics.logits(proba), rows.weight[numbers], rows.group[numbers])
        stream.cohorts.append(cohort)
        stream.nats.append(evidence.nats)
        stream.labels += len(numbers)
        impossible = numbers[_served(proba, y) == 0.0]
        if len(impossible) and self._may_alert(stream, "impossible"):
            self._alert(stream, rows, impossible, "impossible", cohort)
        enough = evidence.nats >= self.needed and stream.labels >= self._watching.min_labels
        if enough and self._may_alert(stream, "miscalibrated"):
            since = self._since(stream, evidence.since)
            self._alert(stream, rows, self._labelled(stream, rows, since), "miscalibrated", since)
        if not self._may_alert(stream, "miscalibrated"):
            stream.detector.restart()  # evidence from the cool-down must not raise the next alert
        rule = self._watching.rule
        if rule is not None and stream.column is None and self._may_alert(stream, "threshold"):
            self._apply_rule(rule, stream, rows)

    def _since(self, stream: Stream, look: int) -> int:
        """Return the cohort of a look, or that of an unresolved alert that this one continues."""
        cohort = stream.cohorts[look]
        earlier = [alert for alert in self._alerts_of(stream, "miscalibrated") if alert.state != "resolved"]
        recent = (stream.cohorts[-1] - 2 * (self._watching.cool_down + 1)) * self._watching.look
        if earlier and earlier[-1].since is not None and microseconds_of(earlier[-1].time) >= recent:
            cohort = min(cohort, microseconds_of(earlier[-1].since) // self._watching.look)
        return cohort

    def _is_muted(self, stream: Stream, kind: str) -> bool:
        earlier = self._alerts_of(stream, kind)
        return bool(earlier) and earlier[-1].state == "acknowledged"

    def _labelled(self, stream: Stream, rows: Rows, since: int | None = None) -> RowNumbers:
        """Return the labelled rows of counted cohorts, from one cohort on, in the order of their prediction times."""
        look = self._watching.look
        own = rows.numbers_of(stream.where)
        chosen = (rows.y[own] != UNLABELLED) & (rows.weight[own] > 0.0)
        chosen &= rows.time[own] < (stream.cohorts[-1] + 1) * look
        if since is not None:
            chosen &= rows.time[own] >= since * look
        numbers = own[chosen]
        ordered: RowNumbers = numbers[np.argsort(rows.time[numbers], kind="stable")]
        return ordered

    def _may_alert(self, stream: Stream, kind: str) -> bool:
        return len(stream.cohorts) > stream.quiet_until.get(kind, 0) and not self._is_muted(stream, kind)

    def _apply_rule(self, rule: ThresholdRule, stream: Stream, rows: Rows) -> None:
        latest = self._labelled(stream, rows)[-rule.rolling_window :]
        if len(latest) < rule.min_samples_for_alert:
            return
        if rule.log_loss(rows.proba[latest], rows.y[latest], rows.weight[latest]) > rule.limit:
            self._alert(stream, rows, latest, "threshold", None)

    def _alert(self, stream: Stream, rows: Rows, numbers: RowNumbers, kind: Kind, since: int | None) -> None:
        look = self._watching.look
        facts = Facts(
            kind=kind,
            model=stream.model,
            slice=stream.slice,
            time=(stream.cohorts[-1] + 1) * look,
            since=None if since is None else since * look,
            evidence=stream.detector.evidence().nats,
            needed=self.needed,
            run_length=self._watching.run_length,
            rule=self._watching.rule,
        )
        stream.quiet_until[kind] = len(stream.cohorts) + self._watching.cool_down
        self._raise(alert_of(facts, rows.proba[numbers], rows.y[numbers], rows.weight[numbers]))


def _served(proba: Doubles, y: npt.NDArray[np.int32]) -> Doubles:
    if proba.ndim == 1:
        own: Doubles = np.where(y == 1, proba, 1.0 - proba)
        return own
    chosen: Doubles = proba[np.arange(len(y)), y]
    return chosen
