"""The metrics that monitors export, and their points."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Literal, NamedTuple

from ._alerts import State
from ._snapshot import Snapshot, StreamState

PREFIX = "boosting_losses.monitor"
_STATES: tuple[State, ...] = ("open", "acknowledged", "resolved")
#: The attribute with which OpenTelemetry marks the sum of all series beyond a limit.
_OVERFLOW = {"otel.metric.overflow": True}

Attributes = dict[str, str | bool]


class Spec(NamedTuple):
    """An instrument."""

    name: str
    kind: Literal["gauge", "counter", "updowncounter"]
    unit: str
    description: str


class Point(NamedTuple):
    """A value of an instrument."""

    name: str
    value: float
    attributes: Attributes


#: Scores by model and slice, of the latest mature window.
_SCORES = (
    Spec("log_loss", "gauge", "nat", "Log loss of the latest mature window."),
    Spec("expected_log_loss", "gauge", "nat", "Its expectation under the served probabilities."),
    Spec("log_loss_difference", "gauge", "nat", "Log loss minus its expectation; log losses are clipped at 10 nats."),
    Spec("brier_score", "gauge", "1", "Brier score of the latest mature window."),
    Spec("calibration_error", "gauge", "1", "Calibration error of the latest mature window, 15 bins."),
    Spec("mean_prediction", "gauge", "1", "Mean served probability of the latest mature window."),
    Spec("event_rate", "gauge", "1", "Share of events in the latest mature window."),
)
INSTRUMENTS = (
    *_SCORES,
    Spec("coverage", "gauge", "1", "Share of labelled predictions in the latest mature window."),
    Spec("evidence", "gauge", "nat", "Evidence against the served probabilities."),
    Spec("needed_evidence", "gauge", "nat", "Evidence that an alert requires."),
    Spec("predictions", "counter", "{row}", "Predictions by model and slice; slices overlap with their model."),
    Spec("labels", "counter", "{row}", "Labelled predictions by model and slice; slices overlap with their model."),
    Spec("cases", "counter", "{row}", "Predictions and labels by what happened to them."),
    Spec("alerts", "updowncounter", "{alert}", "Alerts by model, slice and state."),
    Spec("clock_lag", "gauge", "s", "Time since the clock of the monitor, its latest label."),
    Spec("omitted_series", "gauge", "{series}", "Models and slices that are not exported because of the limit."),
    Spec("unwatched_slices", "gauge", "{slice}", "Slices that are not watched because of the limit."),
)
#: The attributes of curves with other names.
_FIELDS = {"log_loss_difference": "difference", "mean_prediction": "mean_proba", "event_rate": "mean_label"}


def points_of(snapshot: Snapshot, looks: int, max_series: int) -> list[Point]:
    """Return all points; values that are not finite are left out."""
    found = [*_by_stream(snapshot, looks, max_series), *_alerts(snapshot), *_of_monitor(snapshot)]
    return [point for point in found if math.isfinite(point.value)]


def _by_stream(snapshot: Snapshot, looks: int, max_series: int) -> Iterator[Point]:
    window = snapshot.window(looks)
    predictions, labels = snapshot.totals()
    for i, stream in enumerate(snapshot.streams):
        attributes = _attributes(stream)
        for name, *_ in _SCORES:
            values = getattr(window, _FIELDS.get(name, name))
            if values.ndim == 1:
                yield Point(name, float(values[i]), attributes)
            elif i < max_series // snapshot.n_classes:
                for k, value in enumerate(values[i].tolist()):
                    yield Point(name, value, attributes | {"class": str(k)})
        if window.rows[i]:
            yield Point("coverage", float(window.labelled[i] / window.rows[i]), attributes)
        yield Point("evidence", stream.evidence, attributes)
        yield Point("needed_evidence", snapshot.needed, attributes)
        yield Point("predictions", int(predictions[i]), attributes)
        yield Point("labels", int(labels[i]), attributes)


def _alerts(snapshot: Snapshot) -> Iterator[Point]:
    """Yield the number of alerts of each stream and state, 0 included; those of omitted streams are summed."""
    left = Counter(snapshot.alerts)
    for stream in snapshot.streams:
        for state in _STATES:
            count = left.pop((stream.model, stream.slice, state), 0)
            yield Point("alerts", count, _attributes(stream) | {"state": state})
    if snapshot.omitted or left:
        for state in _STATES:
            count = sum(number for key, number in left.items() if key[2] == state)
            yield Point("alerts", count, _OVERFLOW | {"state": state})


def _of_monitor(snapshot: Snapshot) -> Iterator[Point]:
    for case, count in snapshot.counts.items():
        yield Point("cases", count, {"case": case})
    if snapshot.clock_lag is not None:
        yield Point("clock_lag", snapshot.clock_lag, {})
    yield Point("omitted_series", snapshot.omitted, {})
    yield Point("unwatched_slices", snapshot.unwatched, {})


def _attributes(stream: StreamState) -> Attributes:
    """Return the model, and the slice unless the stream has all rows."""
    model: Attributes = {"model": _text(stream.model)}
    return model if stream.slice is None else model | {"slice": _text(stream.slice)}


def _text(name: str) -> str:
    """Return a name that can be encoded: a lone surrogate becomes its escape sequence."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
