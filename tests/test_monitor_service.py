"""The HTTP service in this process: the same answers as the monitor gives, and words for everything it refuses."""

import asyncio
import json
import logging
import math
import re
import threading
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from boosting_losses.monitor import Monitor
from boosting_losses.monitor.service import _limits, create_app, serve
from boosting_losses.monitor.service._background import Clock

DAY = 86_400
TOKEN = "correct-horse-battery"


def watching(**settings):
    return Monitor(**({"label_delay": "1d", "clock": None} | settings))


def filled(monitor, send=None, days=40, rows=60, classes=2):
    """Record a month of predictions and labels, whose probabilities become wrong, by calls or by ``send``."""
    random = np.random.default_rng(1)
    for day in range(days):
        logits = random.normal(-0.5, 1.5, (rows, classes))
        logits[:, 0] = 0.0
        served, true = np.exp(logits), np.exp(logits + (np.arange(classes) if day >= 15 else 0.0))
        served, true = served / served.sum(axis=1, keepdims=True), true / true.sum(axis=1, keepdims=True)
        y = (random.random((rows, 1)) > true.cumsum(axis=1)).sum(axis=1)
        proba = served[:, 1] if classes == 2 else served
        ids = [f"{day}-{row}" for row in range(rows)]
        country = ["DE" if row % 3 else "Ελλάδα" for row in range(rows)]
        weight = random.uniform(0.5, 1.0, rows)
        if send is None:
            monitor.record(ids, proba, day * DAY, slices={"country": country}, weight=weight)
            monitor.label(ids, y, day * DAY + 60)
        else:
            prediction = {"ids": ids, "proba": proba.tolist(), "time": day * DAY, "weight": weight.tolist()}
            send("/v1/predictions", prediction | {"slices": {"country": country}})
            send("/v1/labels", {"ids": ids, "y": y.tolist(), "time": day * DAY + 60})
    return monitor


def request(app, method, path, **arguments):
    """Return the response of an application, without a network."""

    async def call():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(call())


class Service:
    """An application with its monitor, and calls to it."""

    def __init__(self, monitor=None, **options):
        self.monitor = watching() if monitor is None else monitor
        self.app = create_app(self.monitor, **({"lag": None} | options))

    def get(self, path, status=200, **arguments):
        return self._checked(request(self.app, "GET", path, **arguments), status)

    def post(self, path, body=None, status=200, **arguments):
        if isinstance(body, (str, bytes)):
            arguments = {"content": body, "headers": {"Content-Type": "application/json"}} | arguments
        elif body is not None:
            arguments["json"] = body
        return self._checked(request(self.app, "POST", path, **arguments), status)

    def refused(self, body, path="/v1/predictions", status=422, **arguments):
        return self.post(path, body, status, **arguments)["error"]

    def _checked(self, response, status):
        assert response.status_code == status, response.text
        if response.headers["content-type"] != "application/json":
            return response
        found = response.json()
        if status >= 400:
            assert list(found) == ["error"]
        return found


def one(**changes):
    return {"ids": ["a"], "proba": [0.5], "time": 0} | changes


def as_json(value):
    """Return a record of arrays as JSON should show it."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if hasattr(value, "__dataclass_fields__"):
        value = vars(value)
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return [as_json(part) for part in value.tolist()]
    if isinstance(value, list):
        return [as_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def times_read(value):
    """Return an answer with its times as datetimes."""
    if isinstance(value, dict):
        return {name: times_read(part) for name, part in value.items()}
    if isinstance(value, list):
        return [times_read(part) for part in value]
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) and value[4:5] == "-" else value
    except ValueError:
        return value


def times_aware(value):
    if isinstance(value, dict):
        return {name: times_aware(part) for name, part in value.items()}
    if isinstance(value, list):
        return [times_aware(part) for part in value]
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def assert_same(answer, record):
    assert times_read(answer) == times_aware(as_json(record))


# ---- the same as the monitor ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_answers_are_those_of_the_monitor(classes):
    direct = filled(watching(n_classes=classes), classes=classes)
    service = Service(watching(n_classes=classes))
    filled(service.monitor, service.post, classes=classes)
    assert_same(service.get("/v1/status"), direct.status())
    alerts = service.get("/v1/alerts")
    assert alerts
    assert_same(alerts, direct.alerts())
    greek = {"slice": "country=Ελλάδα"}
    assert_same(service.get("/v1/curve"), direct.curve())
    assert_same(
        service.get("/v1/curve", params={"window": 300, "step": 50, **greek}), direct.curve(300, step=50, **greek)
    )
    period = {"start": "1970-01-05", "end": "1970-01-20T12:00:00Z"}
    assert_same(
        service.get("/v1/curve", params={"window": "3d", "step": "12h", **period}),
        direct.curve("3d", step="12h", **period),
    )
    assert_same(service.get("/v1/evidence", params=greek), direct.evidence(**greek))
    assert_same(service.get("/v1/reliability", params={"n_bins": 7, **period}), direct.reliability(n_bins=7, **period))
    found, expected = service.get("/v1/recalibration"), direct.recalibration()
    assert found.pop("text") == str(expected)
    parameters, calibrator = found.pop("parameters"), expected.calibrator
    wanted = (
        dict(zip(("slope", "shift"), calibrator.fitted_[0], strict=True))
        if classes == 2
        else {"slope": calibrator.slope_.tolist(), "shift": calibrator.intercept_.tolist()}
    )
    assert parameters == wanted
    assert found.pop("calibrator") == type(calibrator).__name__
    assert_same(found, {name: getattr(expected, name) for name in ("saving", "low", "high", "rows", "since")})


def test_alerts_change_their_state():
    service = Service(filled(watching()))
    alert = service.get("/v1/alerts?state=open")[0]
    number = alert["number"]
    assert service.post(f"/v1/alerts/{number}/acknowledge") == alert | {"state": "acknowledged"}
    assert service.monitor.alerts("acknowledged")[0].number == number
    assert service.post(f"/v1/alerts/{number}/resolve")["state"] == "resolved"
    assert number not in [alert["number"] for alert in service.get("/v1/alerts?state=open")]
    last = len(service.monitor.alerts())
    assert service.post("/v1/alerts/999/resolve", status=404)["error"] == (
        f"number must be that of an alert, 1..{last}, got 999"
    )
    for number, status in (("0", 422), ("-1", 422), ("x", 422), ("1.5", 422), ("9" * 400, 404), ("9" * 5000, 422)):
        service.post(f"/v1/alerts/{number}/resolve", status=status)


def test_an_empty_monitor_has_answers():
    service = Service()
    status = {"clock": None, "mature_until": None, "streams": [], "open_alerts": 0, "counts": {}}
    assert service.get("/v1/status") == status
    assert service.get("/v1/alerts") == []
    assert "must have predictions" in service.get("/v1/curve", 422)["error"]
    assert "none yet" in service.post("/v1/alerts/1/resolve", status=404)["error"]
    service.post("/v1/predictions", one())
    curve = service.get("/v1/curve?window=1d")
    assert curve["log_loss"] == [None]
    assert curve["provisional"] == [True]
    assert service.get("/v1/status")["streams"][0]["coverage"] is None


def test_null_is_a_missing_probability():
    service = Service()
    service.post("/v1/predictions", one(ids=["a", "b", 3], proba=[0.5, None, 1.5]))
    assert service.monitor.status().counts == {"recorded": 1, "invalid": 2}
    three = Service(watching(n_classes=3))
    three.post("/v1/predictions", one(ids=["a", "b"], proba=[[0.2, 0.3, 0.5], [None, 0.5, 0.5]]))
    assert three.monitor.status().counts == {"recorded": 1, "invalid": 1}


def test_a_call_can_be_repeated():
    service = Service()
    for _ in range(2):
        assert service.post("/v1/predictions", one(model="ünï", group=["g"], slices={"a b": 5})) == {"rows": 1}
        assert service.post("/v1/labels", {"ids": ["a"], "y": [1.0], "time": "1970-01-02T00:00+02:00"}) == {"rows": 1}
    assert service.monitor.status().counts == {
        "recorded": 1, "replayed": 1, "labelled": 1, "repeated_labels": 1,
    }  # fmt: skip
    assert service.monitor.curve("1d", slice="a b=5").rows.tolist() == [1]


def test_the_order_of_calls_is_kept_and_all_are_committed(tmp_path):
    service = Service(watching(store=tmp_path / "monitor.db"))

    async def calls():
        transport = httpx.ASGITransport(service.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            bodies = [one(ids=[i], proba=[i / 100]) for i in range(60)]
            return await asyncio.gather(*(client.post("/v1/predictions", json=body) for body in bodies))

    assert {response.status_code for response in asyncio.run(calls())} == {200}
    other = Monitor.open(tmp_path / "monitor.db", clock=None)
    assert other.status().counts == {"recorded": 60}
    other.record(["of another process"], [0.5], 0)
    assert service.get("/v1/status")["counts"] == {"recorded": 61}
    other.close()
    service.monitor.close()


# ---- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("", 422, "the body must be given, got nothing"),
        ("null", 422, "the body must be "),
        ("{", 400, "the body must be JSON, got an error at position 1"),
        (b'{"ids": ["\xff"]}', 400, "the body must be in UTF-8, got invalid bytes at position 10"),
        ('{"ids": ["a"]}'.encode("utf-16"), 400, "UTF-8"),
        ("[" * 100_000, 400, "deeply nested"),
        ('{"proba": [NaN]}', 400, "numbers must be finite, with null for a missing probability, got NaN"),
        ('{"proba": [-Infinity]}', 400, "got -Infinity"),
        ('{"ids": ["a"], "ids": ["b"]}', 400, "the names of an object must be unique, got 'ids' twice"),
        ('{"ids": [' + "9" * 5000 + "]}", 400, "integer"),
        ("[1]", 422, "the body must be an object, got a list with 1 entries"),
        ('"text"', 422, "the body must be an object"),
        ('{"ids": ["\\ud800"], "proba": [1], "time": 0}', 422, "ids[0] must be a text of 1 to 256 valid characters"),
        ('{"slices": {"\\ud800": "x"}, "ids": ["a"], "proba": [1], "time": 0}', 422, "valid characters"),
        (one(ids=[1.0]), 422, "without a decimal point, got 1.0"),
        (one(ids=[True]), 422, "ids[0] must be a text"),
        (one(ids=[None]), 422, "ids[0]"),
        (one(ids=[["a"]]), 422, "ids[0]"),
        (one(ids=[2**63]), 422, "64 bits"),
        (one(ids=[""]), 422, "ids[0]"),
        (one(ids=["x" * 257]), 422, "ids[0] must be a text of 1 to 256"),
        (one(ids="a"), 422, "ids must be a list, got 'a'"),
        (one(ids=[], proba=[]), 422, "ids must have 1 or more entries, got a list with 0 entries"),
        (one(ids=["a"] * 100_001), 422, "ids must have 100,000 or fewer entries"),
        (one(ids=["a", "b"]), 422, "proba must have shape (2,), one row for each id, got (1,)"),
        (one(proba=[True]), 422, "proba[0] must be a finite number, or null for a missing probability, got True"),
        (one(proba=["0.5"]), 422, "got '0.5'"),
        (one(proba=[10**400]), 422, "proba[0] must be a finite number"),
        ('{"ids": ["a"], "proba": [1e999], "time": 0}', 422, "proba[0] must be a finite number"),
        (one(proba=0.5), 422, "proba must be a list, got 0.5"),
        (one(proba=[[0.5, 0.5], [0.5]], ids=["a", "b"]), 422, "proba[1] must have 2 or more entries"),
        (one(proba=[[0.5, 0.5], [0.1, 0.2, 0.7]], ids=["a", "b"]), 422, "proba must hold lists of one length"),
        (one(proba=[[0.5, 0.5], 0.5], ids=["a", "b"]), 422, "proba[1] must be a list, got 0.5"),
        (one(proba=[[[0.5]]]), 422, "proba[0]"),
        (one(time="yesterday"), 422, "time must be a text in ISO 8601, as 2026-05-03T14:00Z, or seconds since 1970"),
        (one(time=["2026-05-03", 5], ids=["a", "b"], proba=[0, 1]), 422, "time[1] must be a text in ISO 8601"),
        (one(time=[5, "20260503"], ids=["a", "b"], proba=[0, 1]), 422, "time[1] must be a number of seconds"),
        (one(time="2026-02-30"), 422, "time must be in ISO 8601"),
        (one(time=1e300), 422, "time must be seconds since 1970, got 1e+300"),
        (one(time=1_780_000_000_000), 422, "divide milliseconds by 1000"),
        (one(time=None), 422, "time must be"),
        (one(time=True), 422, "time must be"),
        (one(weight=[-1]), 422, "weight[0] must be a finite number >= 0, got -1"),
        (one(weight=[1, 2]), 422, "weight must have shape (1,)"),
        (one(group=[None]), 422, "group[0]"),
        (one(group=["a", "b"]), 422, "group must have 1 entries"),
        (one(model=""), 422, "model must be a text of 1 to 128 valid characters, got ''"),
        (one(model=5), 422, "model must be a text"),
        (one(slices={"": "x"}), 422, "slices"),
        (one(slices={"x" * 129: "x"}), 422, "slices"),
        (one(slices={"x": 0.5}), 422, "slices.x must be a text"),
        (one(slices={"x": ["a", "b"]}), 422, "slices['x'] must have 1 entries"),
        (one(slices={str(i): "x" for i in range(21)}), 422, "slices must have 20 or fewer entries"),
        (one(slices=["x"]), 422, "slices must be an object"),
        (one(proba_=1), 422, "proba_ must not be given"),
        ({"ids": ["a"]}, 422, "proba must be given, got nothing (2 errors in all)"),
    ],
)
def test_bad_predictions_are_refused_in_words(body, status, words):
    service = Service()
    assert words in service.refused(body, status=status)
    assert service.monitor.status().counts == {}
    assert service.monitor.status().streams == []


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([2], "y must hold class codes 0..1, got 2.0 in row 0"),
        ([0.5], "y[0] must be a class code, a whole number >= 0, got 0.5"),
        ([-1], "y[0] must be a class code"),
        ([None], "y[0] must be a class code"),
        ([True], "y[0] must be a class code, a whole number >= 0, got True"),
        ([10**30], "y[0] must be a class code"),
        ([0, 1], "y must have shape (1,), one label for each id, got (2,)"),
    ],
)
def test_bad_labels_are_refused_in_words(y, words):
    assert words in Service().refused({"ids": ["a"], "y": y, "time": 0}, "/v1/labels")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("window=0", "window must match"),
        ("window=-5", "window must match"),
        ("window=7x", "window must match"),
        ("window=0d", "window must be > 0, got '0d'"),
        ("window=" + "9" * 400 + "d", "window must match"),
        ("window=1d&step=0s", "step must be > 0"),
        ("window=10&step=1d", "step must be a whole number >= 1, got '1d'"),
        ("windw=1d", "windw must not be given"),
        ("start=now", "start must be a text in ISO 8601"),
        ("model=none", "model must be one of ['default'], got 'none'"),
        ("slice=country=XX", "slice must be one of ['country=Ελλάδα', 'country=DE'], got 'country=XX'"),
        ("window=1&step=1", "step must give at most 10,000 windows"),
        ("window=1s&step=1s", "step must give at most"),
    ],
)
def test_bad_curves_are_refused_in_words(query, words, month):
    assert words in month.get(f"/v1/curve?{query}", 422)["error"]


@pytest.fixture(scope="module")
def month():
    return Service(filled(watching(), days=40, rows=300))


def test_other_paths_and_methods():
    service = Service()
    assert service.get("/v2", 404)["error"] == "the path must be one of /openapi.json, got '/v2'"
    response = request(service.app, "PUT", "/v1/predictions", json={})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert response.json()["error"] == "the method of this path must be POST, got 'PUT'"
    for path in ("/docs", "/redoc"):
        service.get(path, 404)
    assert service.get("/openapi.json")["info"]["title"]


def test_the_form_of_bodies():
    service = Service()
    text = json.dumps(one())
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"):
        error = service.refused(text, status=415, headers={"Content-Type": kind})
        assert error == f"Content-Type must be application/json, got {kind!r}"
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert "must not be compressed, got Content-Encoding 'gzip'" in service.refused(text, status=415, headers=headers)
    service.post("/v1/predictions", text, headers={"Content-Type": "Application/JSON; charset=utf-8"})


def test_large_bodies_are_refused_before_they_are_read():
    service = Service(max_body=1000)
    fits = json.dumps(one()).ljust(1000)
    service.post("/v1/predictions", fits)
    error = service.refused(fits + " ", status=413)
    assert error == "the body must have at most 1,000 bytes, got 1001 bytes"

    async def chunks():
        yield fits.encode()
        yield b" "

    headers = {"Content-Type": "application/json"}
    response = request(service.app, "POST", "/v1/predictions", content=chunks(), headers=headers)
    assert response.status_code == 413
    assert response.json()["error"] == "the body must have at most 1,000 bytes, got more"
    for announced in ("9" * 1000, "x", "-1"):
        headers = {"Content-Type": "application/json", "Content-Length": announced}
        service.refused("{}", status=413, headers=headers)


def scope(**headers):
    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": "POST", "path": "/", "headers": names}


def called(limits, receive, **headers):
    """Return the messages that a middleware sends."""
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(limits(scope(content_type="application/json", **headers), receive, send))
    return sent


def test_slow_bodies_are_refused(monkeypatch):
    monkeypatch.setattr(_limits, "_GRACE", 0.05)
    limits = _limits.Limits(None, max_body=1000, body_timeout=10.0)

    async def slow():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    start, body = called(limits, slow, content_length="1000")
    assert start["status"] == 408
    assert (b"connection", b"close") in start["headers"]
    assert json.loads(body["body"])["error"].startswith("the body must arrive within 10 s, at 1024 bytes a second")
    assert limits._held == 0


def test_all_bodies_together_are_limited_and_a_client_may_leave():
    passed = []

    async def app(scope, receive, send):
        passed.append(await receive())

    async def gone():
        return {"type": "http.disconnect"}

    async def whole():
        return {"type": "http.request", "body": b"12345", "more_body": False}

    limits = _limits.Limits(app, max_body=10, body_timeout=1.0)
    assert called(limits, gone, transfer_encoding="chunked") == []
    limits._held = 16 * 10 - 4
    start, _ = called(limits, whole, transfer_encoding="chunked")
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    limits._held -= 1
    assert called(limits, whole, transfer_encoding="chunked") == []
    assert passed == [{"type": "http.request", "body": b"12345", "more_body": False}]
    assert limits._held == 16 * 10 - 5


def test_calls_beyond_the_limit_are_refused():
    monitor = watching()
    service = Service(monitor, max_waiting=3)
    begun, proceed = threading.Event(), threading.Event()

    def hold():
        with monitor._lock:
            begun.set()
            proceed.wait(10)

    async def calls():
        transport = httpx.ASGITransport(service.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            tasks = [asyncio.create_task(client.post("/v1/predictions", json=one(ids=[i]))) for i in range(4)]
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            health = await client.get("/healthz")
            proceed.set()
            return done, health, await asyncio.gather(*waiting)

    threading.Thread(target=hold).start()
    begun.wait(10)
    (task,), health, accepted = asyncio.run(calls())
    refused = task.result()
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json() == {"error": "at most 3 calls may wait, got one more; repeat it later"}
    assert health.json() == {"status": "ok"}
    assert [response.status_code for response in accepted] == [200] * 3
    service.get("/v1/status")


# ---- the store ------------------------------------------------------------------------------------------------------


def test_a_failing_store_acknowledges_nothing(tmp_path, caplog):
    monitor = watching(store=tmp_path / "monitor.db")
    service = Service(monitor)
    service.post("/v1/predictions", one())
    engine = monitor._log._engine

    def set_pages(number):
        with engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {number}")

    set_pages(1)  # the present number, since it cannot shrink
    large = {"ids": [f"secret-{i}" for i in range(5000)], "proba": [0.5] * 5000, "time": 0}
    error = service.refused(large, status=507)
    assert re.fullmatch(
        "the store must accept the call, got .*full.*; it is not acknowledged, and can be repeated", error
    )
    assert "secret" not in caplog.text
    assert "full" in caplog.text
    assert service.get("/v1/status")["counts"] == {"recorded": 1}
    set_pages(1_000_000)
    service.post("/v1/predictions", large)
    assert service.get("/v1/status")["counts"] == {"recorded": 5001}
    monitor.close()


@pytest.mark.parametrize("error", [sa.exc.TimeoutError("no connection"), ConnectionError("the server is away")])
def test_a_store_that_cannot_be_read(error, monkeypatch):
    def fail(self):
        raise error

    service = Service()
    monkeypatch.setattr(Monitor, "refresh", fail)
    found = service.get("/v1/status", 503)["error"]
    assert found == f"the store must be readable, got {type(error).__name__}: {error}; repeat the call"


def test_bugs_are_logged_and_have_the_same_form(caplog, monkeypatch):
    service = Service()
    monkeypatch.setattr(Monitor, "status", lambda self: 1 / 0)
    assert "unexpected" in service.get("/v1/status", 500)["error"]
    assert "GET '/v1/status' failed with ZeroDivisionError" in caplog.text


# ---- access ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/status", "/", "/metrics", "/openapi.json", "/v1/none", "/healthz/"])
def test_everything_but_health_needs_the_token(path):
    service = Service(token=TOKEN)
    for given in ("", TOKEN, "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer schön"):
        response = request(service.app, "GET", path, headers={"Authorization": given.encode()})
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert list(response.json()) == ["error"]
    response = request(service.app, "GET", path, headers={"Authorization": f"bearer {TOKEN}"})
    assert response.status_code != 401
    assert service.get("/healthz") == {"status": "ok"}


def test_the_token_is_checked_before_the_body_and_not_logged(caplog):
    caplog.set_level(logging.DEBUG)
    service = Service(token=TOKEN, max_body=10)
    service.refused(one(), status=401)
    service.refused(one(), status=413, headers={"Authorization": f"Bearer {TOKEN}"})
    assert TOKEN not in caplog.text
    assert service.app.openapi()["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "with a space in it.", "ünïcödë" * 3, b"x" * 20, 5])
def test_bad_tokens_are_refused_and_not_shown(token):
    with pytest.raises(ValueError, match="token must have at least 16") as error:
        Service(token=token)
    assert not token or str(token) not in str(error.value).partition("got")[0]


def test_hosts_and_origins():
    service = Service(hosts=["localhost", "[::1]", "Monitor.Example"])
    for host in ("localhost", "localhost:8000", "[::1]:8000", "[::1]", "monitor.example:1"):
        service.get("/healthz", headers={"Host": host})
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1", "localhost:8000:1", "[::1"):
        error = service.get("/healthz", 400, headers={"Host": host})["error"]
        assert error == f"the Host header must be one of ['[::1]', 'localhost', 'monitor.example'], got {host!r}"
    service.get("/healthz", headers={"Host": "localhost:80", "Origin": "http://localhost:80"})
    for origin in ("http://evil.example", "null", "http://localhost:81"):
        error = service.post("/v1/alerts/1/resolve", status=403, headers={"Host": "localhost:80", "Origin": origin})
        assert error["error"] == f"a page of another origin must not call this service, got {origin!r}"


def test_browsers_may_not_run_or_keep_anything():
    service = Service(token=TOKEN)
    for path in ("/healthz", "/v1/status", "/none"):
        headers = request(service.app, "GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::"])
def test_other_machines_need_a_token(host):
    with pytest.raises(ValueError, match="host must be an address of this machine alone unless a token is given"):
        serve(watching(), host=host)


@pytest.mark.parametrize(
    "options", [{"max_body": 0}, {"body_timeout": 0.0}, {"body_timeout": math.nan}, {"max_waiting": 0}, {"lag": "x"}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        Service(**options)


# ---- views ----------------------------------------------------------------------------------------------------------


def test_rows_are_deleted():
    service = Service()
    service.post("/v1/predictions", one(ids=["a", 2], proba=[0.5, 0.5]))
    assert service.post("/v1/delete", {"ids": ["a", "unknown"]}) == {"deleted": 1}
    assert service.monitor.status().streams[0].rows == 1
    assert "ids must be given" in service.refused({}, "/v1/delete")


def test_the_page():
    service = Service(filled(watching()))
    response = service.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in response.text
    assert "<link" not in response.text
    assert "Ελλάδα" in response.text


def test_metrics():
    service = Service()
    service.post("/v1/predictions", one())
    response = service.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "boosting_losses_monitor_predictions_total{" in response.text


def test_the_service_can_be_mounted():
    mounted = create_app(watching(), token=TOKEN, lag=None)
    outer = FastAPI(lifespan=lambda app: mounted.router.lifespan_context(mounted))
    outer.mount("/monitor", mounted)
    authorised = {"Authorization": f"Bearer {TOKEN}"}
    assert request(outer, "GET", "/monitor/healthz").json() == {"status": "ok"}
    assert request(outer, "GET", "/monitor/v1/status").status_code == 401
    assert request(outer, "GET", "/monitor/v1/status", headers=authorised).json()["streams"] == []
    assert request(outer, "POST", "/monitor/v1/labels", headers=authorised, json={}).status_code == 422


# ---- in the background ----------------------------------------------------------------------------------------------


def test_the_clock_moves_once_for_each_look(tmp_path):
    monitor = watching(label_delay="2d", store=tmp_path / "monitor.db")
    now = [0.0]
    clock = Clock(monitor, "1h", lambda: now[0])

    def calls():
        return [call.payload["clock"] / 1e6 / DAY for call in monitor._log.read() if call.kind == "advance"]

    clock.tick()
    assert calls() == []  # without predictions, the past may still be recorded
    monitor.record(["a"], [0.5], 0.5 * DAY)
    for quarter in range(4 * 6):
        now[0] = quarter * DAY / 4 + 3600 - 1e-3
        clock.tick()
    assert calls()[-1] == 5.0
    assert len(calls()) == len(set(calls()))
    assert monitor.status().mature_until == datetime(1970, 1, 4, tzinfo=UTC)
    before = len(calls())
    monitor.label(["a"], [1], 7 * DAY)  # labels move the clock as well
    now[0] = 6.5 * DAY
    clock.tick()
    Clock(monitor, "1h", lambda: now[0]).tick()  # another process
    assert len(calls()) == before
    monitor.close()


def test_open_alerts_are_sent_again_and_the_clock_moves():
    monitor = filled(watching())
    monitor.acknowledge(1)
    numbers = [alert.number for alert in monitor.alerts("open")]
    sent, all_sent = [], threading.Event()

    def receive(alert):
        sent.append(alert.number)
        if len(sent) == len(numbers):
            all_sent.set()
        raise RuntimeError("the receiver is away")

    app = create_app(monitor, on_alert=receive, lag="0s")

    async def live():
        async with app.router.lifespan_context(app):
            await asyncio.to_thread(all_sent.wait, 10)
            while monitor.status().clock < today:
                await asyncio.sleep(0.01)

    today = datetime.now(UTC) - timedelta(days=1, seconds=1)
    asyncio.run(asyncio.wait_for(live(), 20))
    assert sent == numbers
    assert sent
