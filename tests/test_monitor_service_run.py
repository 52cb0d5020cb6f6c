"""The HTTP service as a process: bad and slow clients, signals, a kill, and a full disk."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from boosting_losses.monitor import Monitor
from boosting_losses.monitor.service import serve

ROOT = Path(__file__).parents[1]
TOKEN = "correct-horse-battery"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}
DAY = 86_400
#: The patience with slow clients is shortened to 2 seconds.
PROGRAM = """
import json, sys
from boosting_losses.monitor import Monitor
from boosting_losses.monitor.service import _limits, _run, serve

_limits._GRACE = _run._HEAD_TIMEOUT = 2.0
serve(Monitor(label_delay="1d", clock=None, store=sys.argv[1]), port=0, lag=None, **json.loads(sys.argv[2]))
"""


class Running:
    """A service in another process."""

    def __init__(self, store, folder, **options):
        self.store = Path(store)
        self._log = folder / "service.log"
        with self._log.open("wb") as log:
            arguments = [sys.executable, "-c", PROGRAM, str(store), json.dumps({"token": TOKEN} | options)]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log, env=environment)
        until = time.monotonic() + 60
        while not (found := re.search(r"Listening at http://127\.0\.0\.1:(\d+)", self.log())):
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < until, self.log()
            time.sleep(0.05)
        self.port = int(found[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def log(self):
        return self._log.read_text(encoding="utf-8")

    def client(self, **options):
        return httpx.Client(base_url=self.url, headers=AUTHORISED, timeout=60, trust_env=False, **options)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path):
    running = []

    def begin(store=tmp_path / "monitor.db", **options):
        running.append(Running(store, tmp_path, **options))
        return running[-1]

    yield begin
    for service in running:
        service.process.kill()
        service.process.wait()


def batch(number, rows=20):
    return {"ids": [f"{number}-{row}" for row in range(rows)], "proba": [0.25] * rows, "time": 0}


def fill(client, days=30, rows=100):
    """Record a month of predictions that are too low, which raises an alert."""
    chance = np.random.default_rng(0)
    for day in range(days):
        ids = [f"{day}-{row}" for row in range(rows)]
        proba = chance.uniform(0.05, 0.5, rows)
        y = (chance.random(rows) < 1.6 * proba).astype(int).tolist()
        prediction = {"ids": ids, "proba": proba.tolist(), "time": day * DAY, "slices": {"country": "DE"}}
        client.post("/v1/predictions", json=prediction).raise_for_status()
        client.post("/v1/labels", json={"ids": ids, "y": y, "time": day * DAY}).raise_for_status()
    assert client.get("/v1/alerts").json()


def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        serve(Monitor(label_delay=0), port=other.getsockname()[1])


@pytest.mark.slow
def test_schemathesis_finds_nothing(start, tmp_path):
    pytest.importorskip("schemathesis")
    service = start()
    with service.client() as client:
        fill(client)
    config = tmp_path / "schemathesis.toml"
    # Lengths of several lists must agree, and names must be known, which no schema can say.
    config.write_text('[checks]\npositive_data_acceptance.expected-statuses = ["2xx", 401, 404, 422]\n')
    arguments = ["--checks", "all", "-n", "20", "--seed", "1", "--generation-database", "none", "--no-color"]
    header = ["-H", f"Authorization: Bearer {TOKEN}"]
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "--config-file",
            config,
            "run",
            f"{service.url}/openapi.json",
            *header,
            *arguments,
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=600,
    )
    assert result.returncode == 0, result.stdout[-5000:]
    assert int(re.search(r"(\d+) generated", result.stdout)[1]) >= 200
    assert "Traceback" not in service.log()
    assert TOKEN not in service.log()


def raw(head, body=b"", *, method=b"POST", path=b"/v1/predictions", host=b"Host: localhost"):
    lines = [
        method + b" " + path + b" HTTP/1.1",
        host,
        b"Authorization: Bearer " + TOKEN.encode(),
        b"Connection: close",
        *head,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


JSON = b"Content-Type: application/json"
GOOD = json.dumps(batch("raw", 1)).encode()
GARBAGE = [
    b"",
    b"\r\n\r\n",
    b"\x00" * 1000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",  # no host
    b"GET /v1/status HTTP/1.0\r\n\r\n",
    b"GET " + b"/x" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(3000)) + b"\r\n",
    raw([b"X: \xff\xfe"], method=b"GET", path=b"/v1/status"),
    raw([], method=b"GET", path=b"/%ff%00%c0%af/../..//v1/status?slice=%ff&slice=%00&model=%ed%a0%80"),
    raw([], method=b"GET", path=b"/v1/curve?window=%D9%A3d"),
    raw([], method=b"GET", path=b"http://evil.example/v1/status"),
    raw([], method=b"OPTIONS", path=b"*"),
    raw(
        [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: x"],
        method=b"GET",
    ),
    raw([b"Content-Length: 10", JSON], GOOD[:5]),  # truncated
    raw([b"Content-Length: %d" % len(GOOD), JSON], GOOD[:-1]),
    raw([b"Content-Length: 3", JSON], GOOD),  # the rest is no request
    raw([b"Content-Length: -1", JSON], GOOD),
    raw([b"Content-Length: x", JSON], GOOD),
    raw([b"Content-Length: 5", b"Content-Length: 6", JSON], GOOD),
    raw([b"Content-Length: 99999999999999999999999", JSON], GOOD),
    raw([b"Content-Length: 99999999", JSON], b" " * 5_000_000),
    raw([b"Content-Length: 5", b"Transfer-Encoding: chunked", JSON], b"0\r\n\r\n"),
    raw([b"Transfer-Encoding: chunked", JSON], b"zz\r\nnonsense\r\n"),
    raw([b"Transfer-Encoding: chunked", JSON], b"5\r\n{}   \r\n5\r\nab"),
    raw([b"Transfer-Encoding: chunked", JSON], b"-1\r\n\r\n"),
    raw([b"Transfer-Encoding: chunked", JSON], b"ffffffffffffffffffff\r\n"),
    raw([b"Transfer-Encoding: chunked", JSON], b"400000\r\n" + b" " * 0x400000 + b"\r\n1\r\n \r\n0\r\n\r\n"),
    raw([b"Transfer-Encoding: gzip", JSON], GOOD),
    raw([b"Transfer-Encoding: chunked, chunked", JSON], b"0\r\n\r\n"),
    raw([b"Content-Length: 2", JSON, b"Content-Encoding: gzip"], b"\x1f\x8b"),
    raw([b"Expect: 100-continue", b"Content-Length: 99999999", JSON]),
    raw([b"Expect: nothing", b"Content-Length: 2", JSON], b"{}"),
    raw([b"Content-Length: 0", JSON]),
    raw([JSON]),
]


def answers_of(service, request, *, leave=False):
    """Send bytes and return the statuses of all answers; a client that leaves ends the sending and misses them."""
    with service.connect() as connection:
        received = b""
        try:
            connection.sendall(request)
            if leave:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError:  # the service has closed the connection
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def mutated(chance, request):
    """Return a request with a few bytes changed, removed or repeated, or cut off."""
    content = bytearray(request)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(content) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            content[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del content[place : place + chance.randint(1, 20)]
        elif kind == 2:
            content[place:place] = content[place : place + chance.randint(1, 40)]
        else:
            del content[place:]
    return bytes(content)


@pytest.mark.slow
def test_garbage_is_refused_without_an_error_of_the_service(start):
    service = start()
    chance = random.Random(0)
    good = raw([b"Content-Length: %d" % len(GOOD), JSON], GOOD)
    assert answers_of(service, good) == [200]
    found = Counter()
    requests = [*GARBAGE, *(mutated(chance, good) for _ in range(400))]
    with ThreadPoolExecutor(40) as threads:
        threads.map(lambda request: answers_of(service, request, leave=True), requests)
        for request, statuses in zip(
            requests, threads.map(lambda request: answers_of(service, request), requests), strict=True
        ):
            assert all(status < 500 for status in statuses), request[:500]
            found.update(statuses)
    assert set(found) >= {200, 400, 401, 404, 405, 408, 413, 415, 422}, found
    with service.client() as client:
        assert client.post("/v1/predictions", json=batch("after")).status_code == 200
        assert client.get("/v1/status").json()["counts"]["recorded"] >= 21
    assert "Traceback" not in service.log()


@pytest.mark.slow
def test_answers_to_bad_http_and_large_bodies_arrive(start):
    service = start(max_body=100_000)
    with service.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    assert json.loads(body)["error"].startswith("the request must be valid HTTP/1.1")
    with service.client() as client:
        for size in (100_001, 1_000_000, 20_000_000):
            for content in (b" " * size, iter([b" " * (size // 10 + 1)] * 10)):
                response = client.post("/v1/predictions", content=content, headers={"Content-Type": "application/json"})
                assert response.status_code == 413
                assert response.json()["error"].startswith("the body must have at most 100,000 bytes")


@pytest.mark.slow
def test_slow_clients_do_not_stop_others_and_are_cut_off(start):
    service = start()
    heads = b"POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"x" * 200
    bodies = raw([b"Content-Length: 5000", JSON], b" " * 5000)
    before_body = len(bodies) - 5000
    stop = threading.Event()

    def drip(connection, content, begin):
        connection.sendall(content[:begin])
        for byte in content[begin:]:
            if stop.wait(1.0):
                break
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                break

    connections = [service.connect() for _ in range(50)]
    with ThreadPoolExecutor(50) as threads:
        for number, connection in enumerate(connections):
            content, begin = (heads, 20) if number % 2 else (bodies, before_body)
            threads.submit(drip, connection, content, begin)
        with service.client() as client:
            for number in range(200):
                assert client.post("/v1/predictions", json=batch(number)).status_code == 200
        answers = []
        for connection in connections:
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionResetError:
                pass
            answers.append(received.partition(b" ")[2][:3])
            connection.close()
        stop.set()
    assert Counter(answers) == {b"408": 25, b"": 25}
    assert "Traceback" not in service.log()


def write_until(service, stop, acknowledged, worker):
    """Record batches and note which were acknowledged, until the service is gone."""
    with service.client() as client:
        for number in range(100_000):
            if stop.is_set():
                return
            content = batch(f"{worker}-{number}")
            try:
                response = client.post("/v1/predictions", json=content)
            except httpx.HTTPError:
                return
            if response.status_code == 200:
                acknowledged.append(content)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_is_acknowledged_survives(start, number):
    service = start()
    acknowledged, stop = [], threading.Event()
    with ThreadPoolExecutor(4) as threads:
        for worker in range(4):
            threads.submit(write_until, service, stop, acknowledged, worker)
        while len(acknowledged) < 200:
            time.sleep(0.01)
        code = service.stop(number)
        stop.set()
    if number != signal.SIGKILL:
        assert code in (0, -number)
        assert "Traceback" not in service.log()
        assert not service.store.with_name("monitor.db-wal").exists()  # the store was closed
    service = start()
    with service.client() as client:
        recorded = client.get("/v1/status").json()["counts"]["recorded"]
        assert recorded >= 20 * len(acknowledged)
        for content in acknowledged:
            assert client.post("/v1/predictions", json=content).status_code == 200
        counts = client.get("/v1/status").json()["counts"]
    assert counts == {"recorded": recorded, "replayed": 20 * len(acknowledged)}


@contextmanager
def small_disk(folder):
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        subprocess.run(mounted, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_was_acknowledged(start, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        service = start(store=disk / "monitor.db")
        acknowledged = 0
        with service.client() as client:
            for number in range(2000):
                response = client.post("/v1/predictions", json=batch(number, 100))
                if response.status_code != 200:
                    break
                acknowledged += 1
            assert response.status_code == 507
            assert "full" in response.json()["error"]
            assert response.headers["retry-after"]
            status = client.get("/v1/status")
            assert status.status_code in (200, 503)
            if status.status_code == 200:
                assert status.json()["counts"] == {"recorded": 100 * acknowledged}
            assert client.get("/healthz").status_code == 200
        service.stop(signal.SIGKILL)
        subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
        service = start(store=disk / "monitor.db")
        with service.client() as client:
            assert client.get("/v1/status").json()["counts"] == {"recorded": 100 * acknowledged}
            assert client.post("/v1/predictions", json=batch(number, 100)).status_code == 200
            assert client.get("/v1/status").json()["counts"] == {"recorded": 100 * (acknowledged + 1)}
        service.stop()
