"""The results that pages and figures of a monitor show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ...metrics import ReliabilityCurve
from .._alerts import Alert
from .._curves import Curve, EvidenceCurve
from .._drift import DriftCurve
from .._status import Status, StreamStatus


class Period(NamedTuple):
    """The reliability curve of the rows predicted in [start, end)."""

    start: datetime
    end: datetime
    curve: ReliabilityCurve


@dataclass(frozen=True)
class StreamOverview:
    """The results of one stream.

    Attributes
    ----------
    status : StreamStatus
    alerts : list of Alert
    mature_until : datetime or None
    window : timedelta
        The length of the windows of ``curve`` and ``drift``, which overlap.
    curve, looks : Curve
        ``looks`` has one window per cohort, or per several cohorts if there are many.
    evidence : EvidenceCurve
    drift : DriftCurve or None
        None if all rows have been deleted.
    before, now : Period or None
        The first half of the period with final labels, and its last window; None without labels.
    """

    status: StreamStatus
    alerts: list[Alert]
    mature_until: datetime | None
    window: timedelta
    curve: Curve
    looks: Curve
    evidence: EvidenceCurve
    drift: DriftCurve | None
    before: Period | None
    now: Period | None


@dataclass(frozen=True)
class Overview:
    """The results of a monitor; ``streams`` are those with figures, ``settings`` the parameters of the monitor."""

    status: Status
    alerts: list[Alert]
    streams: list[StreamOverview]
    settings: Mapping[str, Any]
