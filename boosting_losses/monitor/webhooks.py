"""Delivery of alerts to webhooks, in the background."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from .._version import __version__
from ._alerts import Alert
from ._receiver import Counts, Delivery, Policy, Receiver

__all__ = ["Counts", "Webhooks"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Webhooks:
    """Receivers of alerts.

    Each alert is sent to each URL as a POST request whose body is ``Alert.to_json()``. Connection errors and the statuses 429
    and 5xx are tried again, after waits that double and vary at random, or after the ``Retry-After`` of the receiver, up to a
    minute. Other statuses are final; redirects are not followed. Proxies of the environment, such as ``HTTPS_PROXY``, are
    used.

    The header ``Idempotency-Key`` is the same for all attempts, and for the same alert of the same ``source`` after a
    restart, so a receiver can ignore repetitions.

    >>> from boosting_losses.monitor import Monitor
    >>> from boosting_losses.monitor.webhooks import Webhooks
    >>> with Webhooks("https://alerts.example.com/hook", source="fraud") as webhooks:
    ...     monitor = Monitor(label_delay="7d", on_alert=webhooks.send)
    >>> webhooks.counts
    Counts(delivered=0, failed=0, dropped=0, waiting=0)

    Parameters
    ----------
    urls : str or sequence of str
        http or https. A user and password in the URL are sent as basic authentication. Logs contain only the host.
    timeout : float, default 10
        The seconds after which a silent receiver counts as a connection error.
    retries : int, default 5
        The number of attempts after the first one.
    backoff : float, default 1
        The longest wait before the second attempt, in seconds; it doubles with each attempt.
    headers : dict of str to str, optional
        Further headers, such as ``{"Authorization": "Bearer ..."}``. They are never logged.
    queue_size : int, default 100
        The number of alerts that wait for one URL. Further ones are dropped.
    source : str, default ""
        The name of the monitor or of its store, which distinguishes equal alerts of several monitors.
    """

    def __init__(
        self,
        urls: str | Iterable[str],
        *,
        timeout: float = 10.0,
        retries: int = 5,
        backoff: float = 1.0,
        headers: Mapping[str, str] | None = None,
        queue_size: int = 100,
        source: str = "",
    ) -> None:
        for name, number in (("timeout", timeout), ("backoff", backoff)):
            if not 0.0 < number < float("inf"):
                raise ValueError(f"{name} must be finite and > 0, got {number!r}")
        for name, whole, least in (("retries", retries, 0), ("queue_size", queue_size, 1)):
            if isinstance(whole, bool) or not isinstance(whole, int) or whole < least:
                raise ValueError(f"{name} must be a whole number >= {least}, got {whole!r}")
        self._source = source
        policy = Policy(timeout, retries, backoff, queue_size)
        common = {"User-Agent": f"boosting-losses/{__version__}"}
        own = _checked_headers(headers or {})
        self._receivers = []
        for url in [urls] if isinstance(urls, str) else urls:
            address, authorization, name = _parts_of(url)
            self._receivers.append(Receiver(address, name, common | authorization | own, policy))

    def send(self, alert: Alert) -> None:
        """Queue an alert for all URLs, and return at once."""
        body = alert.to_json().encode("ascii")
        identity = hashlib.sha256(self._source.encode("utf-8", "surrogatepass") + b"\0" + body).hexdigest()[:32]
        delivery = Delivery(alert.number, f"{alert.number}-{alert.schema_version}-{identity}", body)
        for receiver in self._receivers:
            receiver.add(delivery)

    @property
    def counts(self) -> Counts:
        """The numbers of deliveries until now."""
        parts = [receiver.counts() for receiver in self._receivers]
        return Counts(*(sum(part[i] for part in parts) for i in range(len(Counts._fields))))

    def close(self, timeout: float = 30.0) -> bool:
        """Deliver what is waiting, then accept no more alerts.

        Parameters
        ----------
        timeout : float, default 30
            The seconds after which the remaining deliveries are dropped.

        Returns
        -------
        bool
            Whether nothing was dropped at the timeout.
        """
        deadline = time.monotonic() + timeout
        for receiver in self._receivers:
            receiver.refuse_more()
        finished = [receiver.finish(deadline) for receiver in self._receivers]
        return all(finished)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parts_of(url: str) -> tuple[str, dict[str, str], str]:
    """Return the URL without its user, the header of basic authentication, and the name for logs."""
    rule = "urls must be http or https URLs in ASCII with a host"
    if not isinstance(url, str):
        raise TypeError(f"{rule}, got {type(url).__name__}")
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{rule}, got one that cannot be parsed") from None
    name = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{rule}, got the scheme {parts.scheme!r} and the host {host!r}")
    if not re.fullmatch(r"[!-~]+", url):
        raise ValueError(f"{rule} and without spaces, got another character in that of {host!r}; percent-encode it")
    user, at, place = parts.netloc.rpartition("@")
    authorization = {}
    if at:
        secret = urllib.parse.unquote(user).encode()
        authorization["Authorization"] = f"Basic {base64.b64encode(secret).decode()}"
    return urllib.parse.urlunsplit(parts._replace(netloc=place, fragment="")), authorization, name


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not (isinstance(name, str) and _TOKEN.fullmatch(name)):
            raise ValueError(f"headers must have names of letters, digits and hyphens, got {name!r}")
        if not (isinstance(value, str) and _FIELD.fullmatch(value)):
            raise ValueError(f"headers must have values of one line in Latin-1, got another one for {name!r}")
    return dict(headers)
