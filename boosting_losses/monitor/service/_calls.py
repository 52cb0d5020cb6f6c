"""The calls to the monitor, one after another in one thread; only so many may wait for their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import HTTPException
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from .. import Monitor
from ._errors import logger

_R = TypeVar("_R")
#: Seconds after which a client should repeat a call that was refused.
_RETRY = {"Retry-After": "1"}


class Calls:
    """The calls to a monitor, whose lock lets only one of them run at a time.

    One thread keeps their order. Calls beyond the limit are refused at once, so that clients wait and not the service.

    Parameters
    ----------
    monitor : Monitor
    max_waiting : int
        The largest number of calls that wait or run.
    """

    def __init__(self, monitor: Monitor, max_waiting: int) -> None:
        self._monitor = monitor
        self._max_waiting = max_waiting
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="monitor")

    async def write(self, call: Callable[[], _R]) -> _R:
        """Return the result of a call that the monitor has committed."""
        try:
            return await self._in_turn(call)
        except (SQLAlchemyError, OSError) as error:
            raise _failed(507, "accept the call", error, "it is not acknowledged, and can be repeated") from None

    async def read(self, question: Callable[[], _R]) -> _R:
        """Return what a question finds, after the calls of other processes have been applied."""

        def refreshed() -> _R:
            self._monitor.refresh()
            return question()

        try:
            return await self._in_turn(refreshed)
        except (SQLAlchemyError, OSError) as error:
            raise _failed(503, "be readable", error, "repeat the call") from None

    async def drain(self) -> None:
        """Wait until all calls that were accepted have ended."""
        await asyncio.wrap_future(self._thread.submit(lambda: None))

    async def _in_turn(self, call: Callable[[], _R]) -> _R:
        if self._waiting >= self._max_waiting:
            raise HTTPException(
                503, f"at most {self._max_waiting} calls may wait, got one more; repeat it later", _RETRY
            )
        self._waiting += 1
        try:
            return await asyncio.wrap_future(self._thread.submit(call))
        except (TypeError, ValueError, OverflowError) as error:  # what the monitor refuses
            raise HTTPException(422, str(error)) from None
        finally:
            self._waiting -= 1


def _failed(status: int, rule: str, error: Exception, advice: str) -> HTTPException:
    # The message of SQLAlchemy contains the statement and its parameters, that of the driver does not.
    cause = error.orig if isinstance(error, DBAPIError) else getattr(error, "strerror", None) or error
    text = f"the store must {rule}, got {type(error).__name__}: {cause}"
    logger.error("%s", text)
    return HTTPException(status, f"{text}; {advice}", _RETRY)
