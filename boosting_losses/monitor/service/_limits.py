"""What a body may be: JSON, not compressed, not too large and not too slow."""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._errors import problem

#: After the grace, in seconds, a body must have arrived at this many bytes a second on average.
_GRACE, _SLOWEST = 5.0, 1024.0
#: How many of the largest bodies may be in memory together.
_MOST_BODIES = 16
#: A client that still sends does not read a response. The rest of a body is awaited for this many seconds.
_LINGER = 2.0


class Limits:
    """ASGI middleware that reads a body within limits, before the application sees the call.

    Parameters
    ----------
    app : ASGI application
    max_body : int
        The largest body, in bytes.
    body_timeout : float
        Seconds within which a body must arrive. After 5 seconds it must also have arrived at 1 KiB a second on average.
    """

    def __init__(self, app: ASGIApp, *, max_body: int, body_timeout: float) -> None:
        self._app = app
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on with its whole body, or refuse it."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
            await self._app(scope, receive, send)
            return
        body = bytearray()
        try:
            refusal = _refused_form(headers) or await self._read(headers, receive, body)
            if refusal is None:
                await self._app(scope, _replay(bytes(body), receive), send)
            else:
                await refusal(scope, receive, send)
        except ClientDisconnect:
            pass  # nobody is left to answer
        finally:
            self._held -= len(body)

    async def _read(self, headers: Headers, receive: Receive, body: bytearray) -> Response | None:
        """Append the chunks of a body as they come in; return the response if the call is refused."""
        announced = headers.get("content-length", "0")
        if not announced.isdecimal() or int(announced[:20]) > self._max_body:
            return await self._too_large(f"{announced[:20]} bytes", receive, is_coming="expect" not in headers)
        loop = asyncio.get_running_loop()
        start, more = loop.time(), True
        while more:
            until = start + min(self._body_timeout, _GRACE + len(body) / _SLOWEST)
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                return self._too_slow(len(body), loop.time() - start)
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            body += chunk
            self._held += len(chunk)
            if len(body) > self._max_body:
                return await self._too_large("more", receive, is_coming=more)
            if self._held > _MOST_BODIES * self._max_body:
                text = f"all bodies together must have at most {_MOST_BODIES * self._max_body:,} bytes, got more"
                return problem(503, text, {"Retry-After": "1", "Connection": "close"})
        return None

    async def _too_large(self, came: str, receive: Receive, *, is_coming: bool) -> Response:
        if is_coming:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LINGER):
                    while (await receive()).get("more_body", False):
                        pass
        text = f"the body must have at most {self._max_body:,} bytes, got {came}"
        return problem(413, text, {"Connection": "close"})

    def _too_slow(self, size: int, seconds: float) -> Response:
        rule = f"within {self._body_timeout:g} s, at {_SLOWEST:g} bytes a second or faster"
        text = f"the body must arrive {rule}, got {size:,} bytes in {seconds:.1f} s"
        return problem(408, text, {"Connection": "close"})


def _refused_form(headers: Headers) -> Response | None:
    coding = headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        return problem(415, f"the body must not be compressed, got Content-Encoding {coding[:80]!r}")
    kind = headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        return problem(415, f"Content-Type must be application/json, got {kind[:80]!r}")
    return None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a channel that passes on a body that has been read, and then what follows it."""
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return whole.pop() if whole else await receive()

    return replayed
