"""Running the service: its socket, its connections and its end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import socket
from collections.abc import Callable, Collection
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from .. import Alert, Monitor
from ._access import LOOPBACK_NAMES
from ._app import create_app

#: A client must send the head of a request within this time, or twice this time, in seconds.
_HEAD_TIMEOUT = 10.0
#: The largest head of a request, in bytes.
_LARGEST_HEAD = 16_384
#: Seconds that calls have to end after a signal.
_SHUTDOWN_TIMEOUT = 30


def serve(
    monitor: Monitor,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    hosts: Collection[str] = (),
    on_alert: Callable[[Alert], object] | None = None,
    **options: Any,
) -> None:
    """Serve a monitor until SIGINT or SIGTERM; then end the calls that have begun and close the monitor.

    Parameters
    ----------
    monitor : Monitor
    host : str, default "127.0.0.1"
        The address to listen at. One that other machines can reach requires a token; put a proxy with TLS before it.
    port : int, default 8000
        0 for any free one.
    token, on_alert
        See :func:`create_app`.
    hosts : collection of str
        Further names that the Host header may have. Unless ``host`` is an address of this machine alone, no names mean all.
    **options
        Further arguments of :func:`create_app`.

    Raises
    ------
    ValueError
        If an argument is invalid, or other machines could connect without a token.
    OSError
        If the address cannot be listened at.
    """
    family, address = _resolved(host, port)
    is_local = ipaddress.ip_address(address[0]).is_loopback
    if token is None and not is_local:
        raise ValueError(f"host must be an address of this machine alone unless a token is given, got {host!r}")
    names = {*hosts, *LOOPBACK_NAMES, f"[{host}]" if ":" in host else host} if is_local else set(hosts)
    app = create_app(monitor, token=token, hosts=names or None, on_alert=on_alert, **options)
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_LARGEST_HEAD,
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
    )
    with contextlib.closing(monitor), _listening(family, address) as listener:
        shown = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
        logging.getLogger("uvicorn.error").info("Listening at http://%s:%d", shown, listener.getsockname()[1])
        with contextlib.suppress(KeyboardInterrupt):
            _Server(config, monitor).run([listener])


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, (str(address[0]), int(address[1]))


def _listening(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named; otherwise each answer takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """Closes the monitor after the last call. It must do so here, since SIGTERM ends the process at the end of ``run``."""

    def __init__(self, config: uvicorn.Config, monitor: Monitor) -> None:
        super().__init__(config)
        self._monitor = monitor

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._monitor.close()


class _Protocol(H11Protocol):
    """A connection that is closed when its client does not send a whole head in time, and whose errors are JSON."""

    _watch: asyncio.TimerHandle | None = None
    _seen: object = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch = self.loop.call_later(_HEAD_TIMEOUT, self._check)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _check(self) -> None:
        """Close the connection if no call has begun since the last check, and none is being answered."""
        is_busy = self.cycle is not None and not self.cycle.response_complete
        if not is_busy and self.cycle is self._seen:
            self.transport.close()
            return
        self._seen = self.cycle
        self._watch = self.loop.call_later(_HEAD_TIMEOUT, self._check)

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # a response has begun
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # this is the last answer of the connection
            self.cycle.message_event.set()
        body = json.dumps({"error": f"the request must be valid HTTP/1.1: {msg}"}).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()
