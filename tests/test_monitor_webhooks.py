"""Webhooks, and the hook that announces new alerts."""

import base64
import copy
import email.utils
import json
import logging
import pickle
import socket
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from boosting_losses.monitor import Monitor
from boosting_losses.monitor import _receiver as receiver_module
from boosting_losses.monitor.webhooks import Counts, Webhooks

from .monitored import DAY, add_days, filled

QUICK = {"backoff": 0.001, "timeout": 20.0}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def alert():
    return filled(days=20, shift_from=5).alerts()[0]


class Receiver:
    """A server that answers with the given statuses and headers, then with 204."""

    def __init__(self):
        self.requests, self.answers, self.release = [], [], threading.Event()
        self.release.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.path, dict(self.headers), body))
                outer.release.wait(20)
                status, headers = outer.answers.pop(0) if outer.answers else (204, {})
                if status is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def answer(self, *statuses):
        self.answers = [status if isinstance(status, tuple) else (status, {}) for status in statuses]

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver():
    found = Receiver()
    yield found
    found.stop()


def test_an_alert_is_posted_as_strict_json(receiver, alert):
    odd = replace(alert, saving=float("nan"), saving_low=float("-inf"), model="a\udc80é")
    with Webhooks(receiver.url + "?token=x", headers={"X-Team": "fraud"}, **QUICK) as webhooks:
        webhooks.send(odd)
    ((path, headers, body),) = receiver.requests

    def strict(constant):
        raise AssertionError(constant)

    assert json.loads(body, parse_constant=strict) == odd.to_dict() | {"saving": None, "saving_low": None}
    assert path == "/hook?token=x"
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Team"] == "fraud"
    assert headers["User-Agent"].startswith("boosting-losses/")
    assert "Authorization" not in headers
    assert webhooks.counts == Counts(1, 0, 0, 0)


@pytest.mark.parametrize("status", [500, 503, 429, None])
def test_transient_errors_are_tried_again(receiver, alert, status):
    receiver.answer(status, status)
    with Webhooks(receiver.url, retries=2, **QUICK) as webhooks:
        webhooks.send(alert)
    assert webhooks.counts == Counts(1, 0, 0, 0)
    assert len(receiver.requests) == 3
    assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.requests}) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 410, 301, 302, 307, 308])
def test_other_errors_are_final_and_redirects_are_not_followed(receiver, alert, status):
    receiver.answer((status, {"Location": receiver.url + "/elsewhere"}))
    with Webhooks(receiver.url, **QUICK) as webhooks:
        webhooks.send(alert)
    assert webhooks.counts == Counts(0, 1, 0, 0)
    assert [path for path, _, _ in receiver.requests] == ["/hook"]


def test_retries_end(receiver, alert, caplog):
    receiver.answer(*[500] * 9)
    with Webhooks(receiver.url, retries=3, **QUICK) as webhooks:
        webhooks.send(alert)
    assert webhooks.counts == Counts(0, 1, 0, 0)
    assert len(receiver.requests) == 4
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3 + [logging.ERROR]
    assert caplog.records[-1].message.endswith("500 in attempt 4 of 4, given up")


def waits_of(monkeypatch, receiver, alert, **options):
    """Return the waits between attempts, which are not waited for."""
    waits = []
    monkeypatch.setattr(receiver_module.threading.Event, "wait", lambda event, timeout=None: waits.append(timeout))
    webhooks = Webhooks(receiver.url, **{"timeout": 20.0} | options)
    webhooks.send(alert)
    while webhooks.counts.waiting:
        time.sleep(0.005)
    return [wait for wait in waits if wait not in (None, 20)]


def test_waits_double_up_to_a_minute_with_jitter(monkeypatch, receiver, alert):
    receiver.answer(*[500] * 9)
    waits = waits_of(monkeypatch, receiver, alert, retries=8, backoff=2.0)
    longest = [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert len(waits) == 8
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))
    assert len(set(waits)) == 8


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("100000", 60.0),
        (email.utils.formatdate(4e9, usegmt=True), 60.0),
        (email.utils.formatdate(0, usegmt=True), 0.0),
    ],
)
def test_retry_after_is_honoured_up_to_a_minute(monkeypatch, receiver, alert, header, wait):
    receiver.answer((429, {"Retry-After": header}))
    assert waits_of(monkeypatch, receiver, alert) == [wait]


@pytest.mark.parametrize("header", ["soon", "-1", "1e3", "nan", "Fri, 99 Foo 2026"])
def test_an_invalid_retry_after_is_ignored(monkeypatch, receiver, alert, header):
    receiver.answer((503, {"Retry-After": header}))
    (wait,) = waits_of(monkeypatch, receiver, alert, backoff=3.0)
    assert 1.5 <= wait <= 3.0


def test_the_key_identifies_alert_and_source(receiver, alert):
    receiver.answer()
    for source, sent in (("a", alert), ("a", alert), ("b", alert), ("a", replace(alert, number=2))):
        with Webhooks(receiver.url, source=source, **QUICK) as webhooks:
            webhooks.send(sent)
    keys = [headers["Idempotency-Key"] for _, headers, _ in receiver.requests]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert keys[0].startswith(f"{alert.number}-{alert.schema_version}-")


def test_send_never_blocks_and_a_full_queue_drops(receiver, alert, caplog):
    receiver.release.clear()
    webhooks = Webhooks(receiver.url, queue_size=3, **QUICK)
    webhooks.send(alert)
    while not receiver.requests:
        time.sleep(0.005)
    for _ in range(5):
        webhooks.send(alert)
    assert webhooks.counts == Counts(0, 0, 2, 4)
    assert [record.message for record in caplog.records] == [
        f"alert {alert.number} for http://127.0.0.1:{receiver.server.server_port} is dropped: its queue is full"
    ] * 2
    receiver.release.set()
    assert webhooks.close()
    assert webhooks.counts == Counts(4, 0, 2, 0)
    webhooks.send(alert)
    assert webhooks.counts == Counts(4, 0, 3, 0)


def test_close_gives_up_after_its_timeout(receiver, alert):
    receiver.answer(*[500] * 9)
    webhooks = Webhooks(receiver.url, backoff=60.0)
    for _ in range(3):
        webhooks.send(alert)
    while len(receiver.requests) < 1:
        time.sleep(0.005)
    assert not webhooks.close(timeout=0.01)
    while webhooks.counts.waiting:
        time.sleep(0.005)
    assert webhooks.counts == Counts(0, 0, 3, 0)
    assert len(receiver.requests) == 1


def test_a_dead_receiver_delays_no_other(receiver, alert):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # does not listen
        dead = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        webhooks = Webhooks([dead, receiver.url], backoff=60.0)
        for _ in range(3):
            webhooks.send(alert)
        while len(receiver.requests) < 3:
            time.sleep(0.005)
        assert webhooks.counts.waiting >= 3
        webhooks.close(timeout=0)


def test_no_thread_remains_without_work(receiver, alert):
    webhooks = Webhooks(receiver.url, **QUICK)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("webhook")]
    for _ in range(2):
        webhooks.send(alert)
        while [thread for thread in threading.enumerate() if thread.name.startswith("webhook")]:
            time.sleep(0.005)
    assert webhooks.counts == Counts(2, 0, 0, 0)


def test_secrets_are_sent_and_not_logged(receiver, alert, caplog):
    caplog.set_level(logging.DEBUG)
    receiver.answer(500, None, 400)
    url = receiver.url.replace("http://", "http://us%65r:pass%40word@") + "/path-secret?token=query-secret#part"
    with Webhooks(url, headers={"X-Key": "header-secret"}, **QUICK) as webhooks:
        webhooks.send(alert)
    path, headers, _ = receiver.requests[0]
    assert path == "/hook/path-secret?token=query-secret"
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"user:pass@word"
    assert headers["Host"].startswith("127.0.0.1:")
    assert len(caplog.records) == 3
    assert not [word for word in ("secret", "pass", "us%65r", "user") if word in caplog.text]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/secret",
        "file:///etc/secret",
        "example.com/secret",
        "http:///secret",
        "http://user:secret@",
        "http://a b/secret",
        "http://exam\nple.com/secret",
        "https://example.com/sécret",
        "http://example.com:port/secret",
        "http://[::1/secret",
        "",
    ],
)
def test_urls_are_checked_without_showing_secrets(url):
    with pytest.raises(ValueError, match="urls must be http or https URLs in ASCII with a host") as error:
        Webhooks(url)
    assert "cret" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout must be finite and > 0, got 0"),
        ({"backoff": float("nan")}, "backoff must be finite and > 0, got nan"),
        ({"retries": -1}, "retries must be a whole number >= 0, got -1"),
        ({"queue_size": True}, "queue_size must be a whole number >= 1, got True"),
        ({"headers": {"A B": "x"}}, "headers must have names .*, got 'A B'"),
        ({"headers": {"A": "x\r\nSet-Cookie: y"}}, "headers must have values of one line in Latin-1, .* for 'A'"),
    ],
)
def test_arguments_are_checked(options, words):
    with pytest.raises(ValueError, match=words):
        Webhooks("https://example.com", **options)


# ---- on_alert ---------------------------------------------------------------------------------------------------------


def test_each_new_alert_is_announced_once_without_the_lock():
    heard, free = [], []

    def listen(alert):
        heard.append(alert)
        thread = threading.Thread(target=lambda: free.append(monitor.status()))
        thread.start()
        thread.join(20)
        if alert.number == 1:
            monitor.acknowledge(1)

    monitor = Monitor(label_delay="2d", clock=None, on_alert=listen)
    add_days(monitor, range(20), shift_from=5)
    monitor.resolve(1)
    add_days(monitor, range(20, 60), shift_from=5)
    assert len(heard) == len(free) == len(monitor.alerts()) > 2
    assert [alert.number for alert in heard] == list(range(1, len(heard) + 1))
    assert {alert.state for alert in heard} == {"open"}


def test_an_exception_loses_nothing(caplog):
    def fail(alert):
        raise RuntimeError("no")

    broken, sound = filled(days=20, shift_from=5, on_alert=fail), filled(days=20, shift_from=5)
    assert [str(alert) for alert in broken.alerts()] == [str(alert) for alert in sound.alerts()]
    assert str(broken.status()) == str(sound.status())
    assert [record.message for record in caplog.records] == [
        f"on_alert failed for alert {alert.number}" for alert in sound.alerts()
    ]


def test_the_process_whose_call_raised_an_alert_announces_it(tmp_path):
    store, heard, others = tmp_path / "monitor.db", [], []
    monitor = filled(days=12, shift_from=5, store=store, on_alert=heard.append)
    assert [alert.number for alert in heard] == [alert.number for alert in monitor.alerts()]
    assert heard
    other = Monitor.open(store, clock=None, on_alert=others.append)
    assert not others  # replayed
    add_days(monitor, range(12, 30), shift_from=5)
    other.refresh()
    assert len(other.alerts()) == len(heard) > 2
    assert not others
    count = len(heard)
    add_days(other, range(30, 50), shift_from=5)
    monitor.refresh()
    assert len(heard) == count
    assert [alert.number for alert in others] == list(range(count + 1, len(monitor.alerts()) + 1))
    assert others


def test_a_call_that_was_committed_but_not_read_is_announced_later(tmp_path):
    heard = []
    monitor = filled(days=12, shift_from=7, store=tmp_path / "monitor.db", on_alert=heard.append)
    log, read = monitor._log, monitor._log.read
    count = len(heard)

    def fail(after):
        raise OSError("disconnected")

    log.read = fail
    for day in range(12, 30):
        with pytest.raises(OSError, match="disconnected"):
            add_days(monitor, [day], shift_from=7)
    with pytest.raises(OSError, match="disconnected"):
        monitor.advance(40 * DAY)
    log.read = read
    monitor.refresh()
    assert len(heard) == len(monitor.alerts())
    assert not monitor._own_calls
    assert len(heard) >= count


def test_copies_do_not_announce():
    heard = []
    monitor = filled(days=12, shift_from=9, on_alert=heard.append)
    count = len(heard)
    for twin in (copy.deepcopy(monitor), pickle.loads(pickle.dumps(monitor))):
        add_days(twin, range(12, 25), shift_from=9)
        assert len(twin.alerts()) > count
    assert len(heard) == count
    add_days(monitor, range(12, 25), shift_from=9)
    assert len(heard) == len(monitor.alerts()) > count


def test_a_monitor_with_webhooks_can_be_pickled_and_delivers(receiver):
    with Webhooks(receiver.url, source="m", **QUICK) as webhooks:
        monitor = filled(days=20, shift_from=5, on_alert=webhooks.send)
        pickle.dumps(monitor)
    assert [json.loads(body)["number"] for _, _, body in receiver.requests] == [a.number for a in monitor.alerts()]


def test_on_alert_must_be_callable():
    with pytest.raises(TypeError, match="on_alert must be None or a callable of an alert, got 'print'"):
        Monitor(label_delay="1d", on_alert="print")
