"""What the service does by itself: it moves the monitor's clock and sends open alerts again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NoReturn

from fastapi import HTTPException

from .. import Alert, Monitor
from .._time import datetime_of, duration_of
from ._calls import Calls
from ._errors import logger

#: Seconds between two looks at the time.
_PAUSE = 60.0


class Clock:
    """Moves the clock of a monitor when a look becomes mature, and only then, since each move is a row of the log.

    Without predictions it does not move, since a past may still be recorded.

    Parameters
    ----------
    monitor : Monitor
    lag : timedelta, str or number of seconds
        How far the clock is behind real time, so that labels on their way are counted.
    now : callable, optional
        Returns seconds since 1970.
    """

    def __init__(self, monitor: Monitor, lag: object, now: Callable[[], float] = time.time) -> None:
        self._monitor = monitor
        self._lag = duration_of("lag", lag, zero=True)
        self._now = now
        settings = monitor._settings  # noqa: SLF001  (they have no public name)
        self._look, self._delay = (round(settings[name] * 1e6) for name in ("look", "label_delay"))
        self._mature_until: int | None = None

    def tick(self) -> None:
        """Move the clock if a look has become mature that nobody has counted."""
        until = (round(self._now() * 1e6) - self._lag - self._delay) // self._look * self._look
        if until == self._mature_until:
            return
        self._monitor.refresh()
        status = self._monitor.status()
        if not status.streams:
            return
        if status.mature_until is None or status.mature_until < datetime_of(until):
            self._monitor.advance(datetime_of(until + self._delay))
        self._mature_until = until


async def run_in_background(
    monitor: Monitor, calls: Calls, clock: Clock | None, on_alert: Callable[[Alert], object] | None
) -> NoReturn:
    """Send the alerts that are open at the start, which a dead process may not have sent, and move the clock for ever."""
    unsent = on_alert
    while True:
        try:
            if unsent is not None:
                alerts = await calls.read(partial(monitor.alerts, "open"))
                await asyncio.to_thread(_send, alerts, unsent)
                unsent = None
            if clock is not None:
                await calls.write(clock.tick)
        except Exception as error:  # noqa: BLE001  (the clock must go on after any error)
            cause = error.detail if isinstance(error, HTTPException) else repr(error)
            logger.error("the clock of the monitor was not moved, next try in %g s: %s", _PAUSE, cause)
        await asyncio.sleep(_PAUSE)


def _send(alerts: Iterable[Alert], on_alert: Callable[[Alert], object]) -> None:
    for alert in alerts:
        try:
            on_alert(alert)
        except Exception as error:  # noqa: BLE001  (a receiver must not stop the service)
            logger.error("alert %d was not sent: %s: %s", alert.number, type(error).__name__, error)
