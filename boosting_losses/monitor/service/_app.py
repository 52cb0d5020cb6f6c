"""The application: routes, middleware, and what runs in the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer

from ..._version import __version__
from .. import Alert, Monitor
from ._access import Access, check_token
from ._background import Clock, run_in_background
from ._calls import Calls
from ._errors import handle_errors
from ._limits import Limits
from ._responses import Problem
from ._routes import health, routes

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
    }
    for status, description in {
        400: "The body is not JSON, or the host is unknown.",
        401: "The token is missing or wrong.",
        403: "A page of another origin called.",
        408: "The body arrived too slowly.",
        413: "The body is too large.",
        415: "The body is not declared as JSON, or it is compressed.",
        422: "An argument is invalid. Nothing was recorded.",
        503: "Too many calls wait, or the store cannot be read. Repeat the call later.",
        507: "The store failed. The call is not acknowledged and can be repeated.",
    }.items()
}


def create_app(
    monitor: Monitor,
    *,
    token: str | None = None,
    hosts: Collection[str] | None = None,
    on_alert: Callable[[Alert], object] | None = None,
    lag: Any = "1h",
    max_body: int = 4_194_304,
    body_timeout: float = 30.0,
    max_waiting: int = 64,
) -> FastAPI:
    """Return an ASGI application around a monitor.

    Parameters
    ----------
    monitor : Monitor
        It may be used elsewhere at the same time. The application does not close it.
    token : str, optional
        A secret of at least 16 visible ASCII characters, which every call except ``GET /healthz`` must have in the header
        ``Authorization: Bearer``. Without it, everybody who can connect can read and write.
    hosts : collection of str, optional
        The names that the Host header may have, without ports. The default allows all.
    on_alert : callable, optional
        Called with each alert in state "open" when the application starts, so that alerts which a dead process did not send
        are sent. Pass the ``on_alert`` of the monitor.
    lag : timedelta, str, number of seconds or None, default "1h"
        The clock of the monitor follows real time at this distance, so that labels on their way are counted. With None only
        labels move it, which suits a replay of the past.
    max_body : int, default 4 MiB
        The largest body of a request, in bytes.
    body_timeout : float, default 30
        Seconds within which a body must arrive.
    max_waiting : int, default 64
        The number of calls that may wait for the monitor. Further ones are refused with status 503.

    Returns
    -------
    FastAPI
        To be served or mounted. An application that mounts it must run its lifespan:
        ``FastAPI(lifespan=lambda app: mounted.router.lifespan_context(mounted))``. Otherwise the clock does not move and
        open alerts are not sent again.

    Raises
    ------
    ValueError
        If an argument is invalid.
    """
    for name, value in (("max_body", max_body), ("body_timeout", body_timeout), ("max_waiting", max_waiting)):
        if not value > 0:
            raise ValueError(f"{name} must be > 0, got {value!r}")
    if token is not None:
        check_token(token)
    calls = Calls(monitor, max_waiting)
    clock = None if lag is None else Clock(monitor, lag)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(run_in_background(monitor, calls, clock, on_alert))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await calls.drain()

    app = FastAPI(
        title="Monitor of served probabilities",
        version=__version__,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        responses=_PROBLEMS,
    )
    handle_errors(app)
    app.add_middleware(Limits, max_body=max_body, body_timeout=body_timeout)
    app.add_middleware(Access, token=token, hosts=hosts)
    documented = [] if token is None else [Depends(HTTPBearer(auto_error=False))]  # Access checks the token
    app.include_router(routes(monitor, calls), dependencies=documented)
    app.include_router(health())
    return app
