"""Alerts: records whose text is a sentence with the numbers that matter."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, Self, cast

import numpy as np
import numpy.typing as npt

from .. import metrics
from .._types import Doubles
from ._recalibration import Recalibration, recalibrate
from ._sums import terms_of
from ._time import datetime_of, words

Kind = Literal["miscalibrated", "impossible", "threshold"]
State = Literal["open", "acknowledged", "resolved"]

#: Rises when fields change their meaning or go.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Alert:
    """A reason to look at a model.

    Attributes
    ----------
    number : int
        Numbers start at 1; ``acknowledge`` and ``resolve`` take them.
    kind : {"miscalibrated", "impossible", "threshold"}
        "miscalibrated": the sequential test found that a recalibration would improve the probabilities. "impossible": an
        event happened although its served probability was exactly 0. "threshold": the rolling log loss exceeded the limit
        of a :class:`ThresholdRule`.
    model : str
    slice : str or None
        As ``"country=DE"``; None for all rows.
    time : datetime
        The end of the last cohort that was counted.
    since : datetime or None
        An estimate of when the change happened.
    labels : int
        The number of labelled rows on which the alert is based.
    evidence, needed : float
        The evidence and the evidence that an alarm requires, in nats.
    run_length : float
        The guaranteed average number of looks until a false alarm of any watched stream.
    saving, saving_low, saving_high : float
        The log loss, in nats a row, that a recalibration would save: a cross-fitted estimate from the rows of the alert
        with a 95 % interval. The interval is not corrected for the choice of these rows. NaN for "impossible" and for too
        few rows.
    mean_proba, mean_label : float or None
        The mean prediction and the event rate of these rows, for two classes.
    shift, slope : float or None
        The recalibration of the log odds z, for two classes: ``shift + slope * z``.
    text : str
        A sentence with these numbers.
    state : {"open", "acknowledged", "resolved"}
    schema_version : int
    """

    number: int
    kind: Kind
    model: str
    slice: str | None
    time: datetime
    since: datetime | None
    labels: int
    evidence: float
    needed: float
    run_length: float
    saving: float
    saving_low: float
    saving_high: float
    mean_proba: float | None
    mean_label: float | None
    shift: float | None
    slope: float | None
    text: str
    state: State = "open"
    schema_version: int = SCHEMA_VERSION

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them; times are in ISO 8601."""
        record = asdict(self)
        for name in ("time", "since"):
            record[name] = None if record[name] is None else record[name].isoformat()
        return record

    def to_json(self) -> str:
        """Return the fields as a JSON object; numbers that are NaN or infinite become null."""
        record = self.to_dict()
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in record.items()
        }
        return json.dumps(finite, allow_nan=False)

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Self:
        """Return the alert of a record made by ``to_dict``."""
        times = {name: record[name] and datetime.fromisoformat(record[name]) for name in ("time", "since")}
        return cls(**(record | times))

    def in_state(self, state: State) -> Alert:
        """Return the same alert in another state."""
        return replace(self, state=state)


@dataclass(frozen=True)
class ThresholdRule:
    """Alert when the rolling log loss exceeds a baseline by a share.

    Most dashboards use this rule. It raises an alert when the mix of rows becomes harder although the probabilities are right
    (``examples/monitor_drift.py`` shows this). It can miss predictions that are too high, since these lower the log loss of
    rare events, and it needs a baseline. It is provided for users who are required to have it.

    Parameters
    ----------
    baseline : float
        Log loss of the validation data, in nats.
    alert_threshold_pct : float, default 10
    rolling_window : int, default 5000
        The number of labelled rows, the latest by their prediction time.
    min_samples_for_alert : int, default 200
        The number of labelled rows below which there is no alert.
    balanced : bool, default False
        Whether the log loss is :func:`boosting_losses.metrics.balanced_log_loss`, in which every class counts the same. The
        baseline must be of the same kind. A window without rows of some class raises no alert.
    """

    baseline: float
    alert_threshold_pct: float = 10.0
    rolling_window: int = 5000
    min_samples_for_alert: int = 200
    balanced: bool = False

    def __post_init__(self) -> None:
        if not (0.0 < self.baseline < float("inf")):
            raise ValueError(f"baseline must be a log loss > 0, got {self.baseline!r}")
        if not self.alert_threshold_pct > 0.0:
            raise ValueError(f"alert_threshold_pct must be > 0, got {self.alert_threshold_pct!r}")
        for name in ("rolling_window", "min_samples_for_alert"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise ValueError(f"{name} must be a whole number >= 1, got {getattr(self, name)!r}")
        if self.min_samples_for_alert > self.rolling_window:
            raise ValueError(
                f"min_samples_for_alert must be at most rolling_window={self.rolling_window},"
                f" got {self.min_samples_for_alert}"
            )

    @property
    def limit(self) -> float:
        """The log loss above which there is an alert."""
        return self.baseline * (1.0 + self.alert_threshold_pct / 100.0)

    def log_loss(self, proba: Doubles, y: npt.NDArray[np.int32], weight: Doubles) -> float:
        """Return the log loss of a window; NaN if it must be balanced and a class is missing."""
        if not self.balanced:
            return float(np.average(terms_of(proba, y, weight).loss, weights=weight))
        return float(np.mean(metrics.log_loss_by_class(y.astype(np.float64), proba, weight)))


@dataclass(frozen=True)
class Facts:
    """The facts of an alert that do not depend on its rows; times are in microseconds."""

    kind: Kind
    model: str
    slice: str | None
    time: int
    since: int | None
    evidence: float
    needed: float
    run_length: float
    rule: ThresholdRule | None

    @property
    def name(self) -> str:
        """The model and its slice."""
        return self.model if self.slice is None else f"{self.model}, {self.slice}"


def alert_of(facts: Facts, proba: Doubles, y: npt.NDArray[np.int32], weight: Doubles) -> Alert:
    """Return the alert for labelled rows in the order of time; its number is 0."""
    positive = weight > 0.0
    proba, y, weight = proba[positive], y[positive], weight[positive]
    found = None
    if facts.kind != "impossible":  # these rows were chosen by their labels
        with contextlib.suppress(ValueError):  # there are too few rows, or all labels are of one class
            found = recalibrate(proba, y, weight, datetime_of(0), None)
    binary = proba.ndim == 1
    slope, shift = found.calibrator.fitted_[0] if found is not None and binary else (None, None)
    return Alert(
        number=0,
        kind=facts.kind,
        model=facts.model,
        slice=facts.slice,
        time=datetime_of(facts.time),
        since=None if facts.since is None else datetime_of(facts.since),
        labels=len(y),
        evidence=facts.evidence,
        needed=facts.needed,
        run_length=facts.run_length,
        saving=math.nan if found is None else found.saving,
        saving_low=math.nan if found is None else found.low,
        saving_high=math.nan if found is None else found.high,
        mean_proba=float(np.average(proba, weights=weight)) if binary else None,
        mean_label=float(np.average(y, weights=weight)) if binary else None,
        shift=None if shift is None else float(shift),
        slope=None if slope is None else float(slope),
        text=_sentence(facts, proba, y, weight, found, slope),
    )


def _sentence(
    facts: Facts,
    proba: Doubles,
    y: npt.NDArray[np.int32],
    weight: Doubles,
    found: Recalibration | None,
    slope: float | None,
) -> str:
    if facts.kind == "threshold":
        rule = cast(ThresholdRule, facts.rule)
        loss, kind = rule.log_loss(proba, y, weight), "balanced log loss" if rule.balanced else "log loss"
        return (
            f"{facts.name}: the {kind} of the last {len(y):,} labelled rows is {loss:.4f}, above {rule.limit:.4f} ="
            f" {rule.baseline:.4f} + {rule.alert_threshold_pct:g} %"
        )
    if facts.kind == "impossible":
        events = "1 event" if len(y) == 1 else f"{len(y):,} events"
        return f"{facts.name}: {events} predicted before {words(facts.time)} had a served probability of exactly 0"
    text = f"{facts.name}: since {words(facts.since or 0)} {_direction(proba, y, weight, slope)}"
    if found is not None:
        text += (
            f": recalibration would save {found.saving:.3g} nats a row ({found.low:.3g} to {found.high:.3g}, not corrected"
            " for the choice of the start)"
        )
    odds = math.exp(min(facts.evidence, 700.0))
    return text + f"; evidence 1 : {odds:{',.0f' if odds < 1e7 else '.0e'}}; {len(y):,} labels"


def _direction(proba: Doubles, y: npt.NDArray[np.int32], weight: Doubles, slope: float | None) -> str:
    """Return in words which way the probabilities are wrong."""
    columns = proba[:, None] if proba.ndim == 1 else proba
    events = (y[:, None] == (np.arange(columns.shape[1]) if proba.ndim == 2 else np.array([1]))).astype(np.float64)
    predicted, observed = (np.average(part, axis=0, weights=weight) for part in (columns, events))
    error = np.sqrt(np.maximum(predicted * (1.0 - predicted), 1e-12) / len(y))
    k = int(np.argmax(np.abs(observed - predicted) / error))
    parts = []
    if abs(observed[k] - predicted[k]) > 2.0 * error[k]:
        class_ = "" if proba.ndim == 1 else f" for class {k}"
        direction = "low" if observed[k] > predicted[k] else "high"
        parts.append(f"too {direction}{class_} (mean prediction {predicted[k]:.3g}, event rate {observed[k]:.3g})")
    if slope is not None and abs(slope - 1.0) > 0.1:
        parts.append(f"{'overconfident' if slope < 1.0 else 'underconfident'} (slope {slope:.2f})")
    return f"predictions are {' and '.join(parts)}" if parts else "predictions are miscalibrated"
