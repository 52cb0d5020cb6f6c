"""Who may call the service: hosts, origins and the token; and what browsers may do with its responses."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._errors import problem

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SHORTEST_TOKEN = 16
#: The page consists of one document with its own styles and drawings.
_BROWSER_RULES = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Access:
    """ASGI middleware that refuses calls of strangers before it reads their bodies.

    Parameters
    ----------
    app : ASGI application
    token : str or None
        What ``Authorization: Bearer`` must contain, except for ``/healthz``.
    hosts : collection of str or None
        The names that the Host header may have. A page of another site that has redirected its own name to this machine
        (DNS rebinding) is thus refused. None allows all.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Collection[str] | None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_rules(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_BROWSER_RULES)
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, with_rules)
        else:
            status, text, headers = refused
            await problem(status, text, headers)(scope, receive, with_rules)

    def _refused(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _without_port(host) not in self._hosts:
            return 400, f"the Host header must be one of {sorted(self._hosts)}, got {host[:80]!r}", {}
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return 403, f"a page of another origin must not call this service, got {origin[:80]!r}", {}
        is_open = self._token is None or _path(scope) == "/healthz"
        if not is_open and not self._is_authorised(headers.get("authorization", "")):
            text = "the Authorization header must be 'Bearer' and the token of this service, got none or another one"
            return 401, text, {"WWW-Authenticate": "Bearer"}
        return None

    def _is_authorised(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        assert self._token is not None
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        return same and scheme.lower() == "bearer"


def check_token(token: object) -> None:
    """Raise ValueError, without the token in its message, unless a token is long enough and can be sent in a header."""
    if not isinstance(token, str) or not re.fullmatch(rf"[!-~]{{{_SHORTEST_TOKEN},}}", token):
        came = f"{len(token)} characters" if isinstance(token, str) else type(token).__name__
        raise ValueError(
            f"token must have at least {_SHORTEST_TOKEN} visible ASCII characters without spaces, got {came}"
        )


def _without_port(host: str) -> str:
    return re.sub(r":[0-9]*$", "", host).lower()


def _path(scope: Scope) -> str:
    """Return the path within this application, which may be mounted in another one."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
