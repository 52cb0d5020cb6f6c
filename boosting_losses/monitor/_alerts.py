"""Alerts: a sentence with numbers, and a record with fields."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

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
        Counts from 1; what ``acknowledge`` and ``resolve`` take.
    kind : {"miscalibrated", "impossible", "threshold"}
        The sequential test found probabilities that a recalibration would improve; an event happened whose probability was
        served as exactly 0; or the rolling log loss exceeded the baseline by the given share.
    model : str
    slice : str or None
        As ``"country=DE"``; None for all rows.
    time : datetime
        The end of the last cohort that was counted.
    since : datetime or None
        An estimate of when the change happened.
    labels : int
        How many labels there are since then.
    evidence, needed : float
        In nats: the log loss that bets against the probabilities have saved, and what an alarm takes.
    run_length : float
        The least average number of looks to a false alarm of any stream that is watched.
    saving, saving_low, saving_high : float
        Nats a row that recalibrating would save, cross-fitted on the rows since the estimated change, with a 95 % interval
        that is not corrected for choosing them.
    mean_proba, mean_label : float or None
        Of these rows, for two classes.
    shift, slope : float or None
        The recalibration that would help now, for two classes: ``shift + slope * log odds``.
    text : str
        All of it in a sentence.
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

    def in_state(self, state: State) -> Alert:
        """Return the same alert in another state."""
        return replace(self, state=state)


@dataclass(frozen=True)
class ThresholdRule:
    """Alert when the rolling log loss exceeds a baseline by a share.

    This is what most dashboards do. In simulations (``python -m benchmarks monitoring``) it raises an alarm with every change
    of the mix of customers though the probabilities stay right, never sees predictions that are too high, whose loss
    falls, and needs several times as many labels as the sequential test. It is here for those who must have it.

    Parameters
    ----------
    baseline : float
        Log loss of the validation data, in nats.
    alert_threshold_pct : float, default 10
    rolling_window : int, default 5000
        How many labelled rows, the latest by time of prediction.
    min_samples_for_alert : int, default 200
    """

    baseline: float
    alert_threshold_pct: float = 10.0
    rolling_window: int = 5000
    min_samples_for_alert: int = 200

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
