"""The state of a monitor for a reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StreamStatus:
    """What is known of a model, or of one of its slices.

    Attributes
    ----------
    model, slice : str, str or None
    rows, labelled : int
        All predictions, and those with a label.
    coverage : float
        The share of labelled rows among those of mature cohorts; NaN before there are any.
    looks, evidence, needed : int, float, float
        Mature cohorts that were counted, their evidence in nats, and what an alarm takes.
    log_loss, expected_log_loss : float
        Of all labelled rows of mature cohorts.
    missing_at_random : bool
        False where labels are missing more often for some probabilities than for others: then the scores are of a selection.
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

    def __str__(self) -> str:
        name = self.model if self.slice is None else f"{self.model}, {self.slice}"
        if not self.looks:
            return f"{name}: {self.rows:,} predictions, {self.labelled:,} labels, no mature cohort yet"
        text = (
            f"{name}: {self.rows:,} predictions, {self.labelled:,} labels, {self.coverage:.1%} of mature rows labelled;"
            f" log loss {self.log_loss:.4f}, expected {self.expected_log_loss:.4f};"
            f" evidence {max(self.evidence, 0.0):.1f} of {self.needed:.1f} nats after {self.looks} looks"
        )
        if not self.missing_at_random:
            text += "; labels are missing more often for some probabilities than for others"
        return text


@dataclass(frozen=True)
class Status:
    """The state of a monitor.

    Attributes
    ----------
    clock : datetime or None
        The latest time of a label, or where ``advance`` has put the clock.
    mature_until : datetime or None
        Rows predicted before this are final.
    streams : list of StreamStatus
    open_alerts : int
        Alerts that are not resolved.
    counts : dict
        How often each case of the table in the documentation has happened.
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
