"""The state of a monitor, as a record and as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StreamStatus:
    """The state of a model or of one of its slices.

    Attributes
    ----------
    model, slice : str, str or None
    rows, labelled : int
        The numbers of predictions and of labelled predictions.
    coverage : float
        The share of labelled rows in mature cohorts; NaN if there are none.
    looks, evidence, needed : int, float, float
        The number of counted cohorts, their evidence in nats, and the evidence that an alarm requires.
    log_loss, expected_log_loss : float
        Over the labelled rows of mature cohorts that are kept.
    missing_at_random : bool
        False if labelled and unlabelled rows have different mean probabilities. All scores then describe a selection of
        the rows.
    first, last : datetime or None
        The times of the first and the last valid prediction; of deleted rows, the start of their cohort is known.
    """

    model: str
    slice: str | None
    rows: int
    labelled: int
    coverage: float
    looks: int
    evidence: float
    needed: float
    log_loss: float
    expected_log_loss: float
    missing_at_random: bool
    first: datetime | None = None
    last: datetime | None = None

    def __str__(self) -> str:
        name = self.model if self.slice is None else f"{self.model}, {self.slice}"
        if not self.looks:
            return f"{name}: {self.rows:,} predictions, {self.labelled:,} labels, no mature cohort yet"
        text = (
            f"{name}: {self.rows:,} predictions, {self.labelled:,} labels, {self.coverage:.1%} of mature rows labelled;"
            f" log loss {self.log_loss:.4f}, expected {self.expected_log_loss:.4f};"
            f" evidence {self.evidence:.1f} of {self.needed:.1f} nats after {self.looks} looks"
        )
        if not self.missing_at_random:
            text += "; labelled and unlabelled rows have different mean probabilities"
        return text


@dataclass(frozen=True)
class Status:
    """The state of a monitor.

    Attributes
    ----------
    clock : datetime or None
        The latest label time, or a later time set by ``advance``.
    mature_until : datetime or None
        Labels of rows predicted before this time are final.
    streams : list of StreamStatus
    open_alerts : int
        The number of alerts that are not resolved.
    counts : dict
        Counts of the cases in the table of docs/monitoring.md.
    """

    clock: datetime | None
    mature_until: datetime | None
    streams: list[StreamStatus]
    open_alerts: int
    counts: dict[str, int]

    def __str__(self) -> str:
        lines = [str(stream) for stream in self.streams] or ["no predictions yet"]
        if self.mature_until is not None:
            lines.append(f"labels are final for predictions before {self.mature_until:%Y-%m-%d %H:%M}")
        lines.append(f"{self.open_alerts} alerts are not resolved")
        if self.counts:
            lines.append(
                ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in sorted(self.counts.items()))
            )
        return "\n".join(lines)
