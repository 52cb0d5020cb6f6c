"""The results of a monitor that its pages and figures show, for windows that fit the observed period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from ._alerts import Alert
from ._status import Status, StreamStatus
from ._time import datetime_of, microseconds_of
from ._views.data import Overview, Period, StreamOverview

if TYPE_CHECKING:
    from ._monitor import Monitor

#: Streams with figures on a page, and windows in a figure.
MOST_DRAWN, MOST_WINDOWS = 6, 150
#: Windows are at most this share of the observed period.
_WINDOWS_PER_PERIOD = 5
_DAY = 86_400_000_000
#: Lengths of windows, in microseconds: multiples of a week do not vary with the day of the week.
_LENGTHS = tuple(int(days * _DAY) for days in (1 / 24, 1 / 4, 1, 7, 28, 91, 364))
_BINS = 10


def overview(monitor: Monitor, settings: Mapping[str, Any]) -> Overview:
    """Return the state of a monitor."""
    status, alerts = monitor.status(), monitor.alerts()
    look = round(settings["look"] * 1e6)
    drawn = [stream_overview(monitor, stream, status.mature_until, look) for stream in _drawn(status, alerts)]
    return Overview(status, alerts, drawn, settings)


def stream_overview(monitor: Monitor, status: StreamStatus, mature_until: datetime | None, look: int) -> StreamOverview:
    """Return the results of a stream; ``look`` is in microseconds."""
    which: dict[str, Any] = {"model": status.model, "slice": status.slice}
    window, step = _window_and_step(status, look)
    looks = monitor.curve(step, step=step, **which)
    drift = monitor.drift_curve(window, step=step, **which) if status.rows else None
    before = now = None
    if drift is not None and mature_until is not None:
        begin = int(drift.reference_start.astype(np.int64))
        end = min(microseconds_of(mature_until), int(looks.end[-1].astype(np.int64)))
        middle = begin + (end - begin) // 2 // look * look
        before = _period(monitor, begin, middle, which)
        now = _period(monitor, max(middle, end - window // timedelta(microseconds=1)), end, which)
    return StreamOverview(
        status=status,
        alerts=[alert for alert in monitor.alerts() if (alert.model, alert.slice) == (status.model, status.slice)],
        mature_until=mature_until,
        window=window,
        curve=monitor.curve(window, step=step, **which),
        looks=looks,
        evidence=monitor.evidence(**which),
        drift=drift,
        before=before,
        now=now,
    )


def _drawn(status: Status, alerts: list[Alert]) -> list[StreamStatus]:
    """Return the streams with figures: models, and slices with alerts; those with unresolved and late alerts first."""
    latest = {(alert.model, alert.slice): alert.number for alert in alerts}
    unresolved = {(alert.model, alert.slice) for alert in alerts if alert.state != "resolved"}

    def urgency(stream: StreamStatus) -> tuple[bool, bool, int]:
        key = stream.model, stream.slice
        return key not in unresolved, stream.slice is not None, -latest.get(key, 0)

    shown = [stream for stream in status.streams if stream.slice is None or (stream.model, stream.slice) in latest]
    chosen = sorted(shown, key=urgency)[:MOST_DRAWN]
    return [stream for stream in shown if stream in chosen]


def _window_and_step(status: StreamStatus, look: int) -> tuple[timedelta, timedelta]:
    """Return the length of windows and their distance, both multiples of the look."""
    looks = 1
    if status.first is not None and status.last is not None:
        looks = microseconds_of(status.last) // look - microseconds_of(status.first) // look + 1
    step = look * -(-looks // MOST_WINDOWS)
    fitting = [n for n in _LENGTHS if n % look == 0 and n * _WINDOWS_PER_PERIOD <= looks * look]
    return timedelta(microseconds=max([step, *fitting])), timedelta(microseconds=step)


def _period(monitor: Monitor, start: int, end: int, which: Mapping[str, Any]) -> Period | None:
    if start >= end:
        return None
    times = datetime_of(start), datetime_of(end)
    try:
        return Period(*times, monitor.reliability(*times, n_bins=_BINS, strategy="quantile", **which))
    except ValueError:  # no labels
        return None
