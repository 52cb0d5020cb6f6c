"""The delivery of alerts to one URL, in a thread of its own, with further attempts after errors."""

from __future__ import annotations

import email.utils
import http.client
import logging
import random
import re
import threading
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

_LOGGER = logging.getLogger(__name__)
#: The longest wait between two attempts, in seconds, whatever a receiver asks for.
_LONGEST_WAIT = 60.0


class Counts(NamedTuple):
    """The numbers of deliveries, one for each alert and URL.

    Attributes
    ----------
    delivered : int
        The receiver answered with a status 2xx.
    failed : int
        The receiver refused, or all attempts failed.
    dropped : int
        There was no attempt or not the last one: the queue was full, or the webhooks were closed.
    waiting : int
        Not finished yet.
    """

    delivered: int
    failed: int
    dropped: int
    waiting: int


class Policy(NamedTuple):
    """How deliveries are repeated; see ``Webhooks``."""

    timeout: float
    retries: int
    backoff: float
    queue_size: int


class Delivery(NamedTuple):
    """An alert as it is sent."""

    number: int
    key: str
    body: bytes


class Receiver:
    """A URL with its queue, and a thread while the queue is not empty. A slow receiver delays no other.

    Parameters
    ----------
    url : str
        Without a user and password.
    name : str
        The name for logs.
    headers : dict of str to str
    policy : Policy
    """

    def __init__(self, url: str, name: str, headers: Mapping[str, str], policy: Policy) -> None:
        self._url = url
        self._name = name
        self._headers = headers
        self._policy = policy
        self._changed = threading.Condition()
        self._queue: deque[Delivery] = deque()
        self._thread: threading.Thread | None = None
        self._counts: Counter[str] = Counter()
        self._busy = False
        self._refuses = False
        self._gives_up = threading.Event()

    def add(self, delivery: Delivery) -> None:
        """Queue a delivery, or drop it if the queue is full."""
        with self._changed:
            accepted = not self._refuses and len(self._queue) < self._policy.queue_size
            if accepted:
                self._queue.append(delivery)
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._work, name=f"webhook {self._name}", daemon=True)
                    self._thread.start()
            else:
                self._counts["dropped"] += 1
        if not accepted:
            reason = "the webhooks are closed" if self._refuses else "its queue is full"
            _LOGGER.error("alert %d for %s is dropped: %s", delivery.number, self._name, reason)

    def counts(self) -> Counts:
        """Return the numbers of deliveries until now."""
        with self._changed:
            return Counts(
                self._counts["delivered"],
                self._counts["failed"],
                self._counts["dropped"],
                waiting=len(self._queue) + self._busy,
            )

    def refuse_more(self) -> None:
        """Drop all later deliveries."""
        with self._changed:
            self._refuses = True

    def finish(self, deadline: float) -> bool:
        """Wait for the deliveries until a time, and drop the remaining ones; tell whether there were none."""
        with self._changed:
            done = self._changed.wait_for(self._is_idle, deadline - time.monotonic())
            if done:
                return True
            self._gives_up.set()  # the current delivery counts itself as dropped
            lost = len(self._queue)
            self._counts["dropped"] += lost
            self._queue.clear()
        _LOGGER.error("%d alerts for %s are dropped: the webhooks are closed", lost, self._name)
        return False

    def _is_idle(self) -> bool:
        return not self._queue and not self._busy

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._thread = None
                    return
                delivery, self._busy = self._queue.popleft(), True
            outcome = "failed"
            try:
                outcome = self._deliver(delivery)
            except Exception:
                _LOGGER.exception("alert %d could not be sent to %s", delivery.number, self._name)
            finally:
                with self._changed:
                    self._counts[outcome] += 1
                    self._busy = False
                    self._changed.notify_all()

    def _deliver(self, delivery: Delivery) -> str:
        for attempt in range(self._policy.retries + 1):
            if self._gives_up.is_set():
                return "dropped"
            answer = self._post(delivery)
            if isinstance(answer.status, int) and 200 <= answer.status < 300:
                return "delivered"
            may_improve = not isinstance(answer.status, int) or answer.status == 429 or answer.status >= 500
            last = attempt == self._policy.retries or not may_improve
            _LOGGER.log(
                logging.ERROR if last else logging.WARNING,
                "alert %d for %s: %s in attempt %d of %d%s",
                delivery.number,
                self._name,
                answer.status,
                attempt + 1,
                self._policy.retries + 1,
                ", given up" if last else "",
            )
            if last:
                break
            self._gives_up.wait(self._wait_of(attempt, answer.retry_after))
        return "failed"

    def _post(self, delivery: Delivery) -> _Answer:
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "Idempotency-Key": delivery.key,
        }
        request = urllib.request.Request(self._url, delivery.body, headers, method="POST")
        try:
            with _opener().open(request, timeout=self._policy.timeout) as response:
                return _Answer(response.status, _seconds_of(response.headers.get("Retry-After")))
        except (OSError, http.client.HTTPException) as error:
            # The text of an error may contain what the receiver sent, or the URL.
            reason = getattr(error, "reason", error)
            return _Answer(type(reason if isinstance(reason, Exception) else error).__name__, None)

    def _wait_of(self, attempt: int, asked: float | None) -> float:
        if asked is not None:
            return min(asked, _LONGEST_WAIT)
        longest = min(self._policy.backoff * 2.0 ** min(attempt, 30), _LONGEST_WAIT)
        return random.uniform(0.5, 1.0) * longest


class _Answer(NamedTuple):
    #: The status, or the name of a connection error.
    status: int | str
    retry_after: float | None


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows http and https only, follows no redirects, and returns every status."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    return opener


def _seconds_of(retry_after: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date; None if it is neither."""
    if retry_after is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        moment = email.utils.parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((aware - datetime.now(UTC)).total_seconds(), 0.0)
