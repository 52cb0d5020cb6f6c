"""The command that runs the service, as a process, beside commands that use the same store."""

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

httpx = pytest.importorskip("httpx")
for needed in ("fastapi", "uvicorn", "click", "yaml"):
    pytest.importorskip(needed)

from boosting_losses.monitor import Monitor  # noqa: E402

ROOT = Path(__file__).parents[1]
TOKEN = "correct-horse-battery"
DAY = 86_400
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "BOOSTING_LOSSES_TOKEN": TOKEN}
COMMAND = [sys.executable, "-m", "boosting_losses", "monitor"]


@contextmanager
def serving(folder, *options, store="m.db"):
    """Run the command, and give its client and process."""
    log = folder / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--store", store, "--port", "0", *options],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=output,
            stderr=output,
        )
    try:
        until = time.monotonic() + 120
        while not (found := re.search(r"Listening at (http://127\.0\.0\.1:\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=found[1], headers=headers, timeout=60, trust_env=False) as client:
            yield client, process
    finally:
        process.kill()
        process.wait()


def command(folder, *arguments, store="m.db", stdin=""):
    result = subprocess.run(
        [*COMMAND, *arguments, "--store", store],
        check=False,
        cwd=folder,
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class Receiver(http.server.BaseHTTPRequestHandler):
    """Refuses the first attempt, and asks to wait a second."""

    numbers: list[int]
    first: threading.Event

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.first.is_set():
            self.numbers.append(body["number"])
            self.send_response(204)
        else:
            self.send_response(503)
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.first.set()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    handler = type("OneReceiver", (Receiver,), {"numbers": [], "first": threading.Event()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", handler
        server.shutdown()
        thread.join()


def with_impossible_event(folder):
    with Monitor(label_delay=0, store=folder / "m.db") as monitor:
        monitor.record(["a"], [0.0], 0)
        monitor.label(["a"], [1], 100)
        monitor.advance(2 * DAY)
        assert len(monitor.alerts()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 0)])
def test_alerts_that_wait_for_their_receiver_are_sent_before_the_service_ends(tmp_path, receiver, number, code):
    url, received = receiver
    with_impossible_event(tmp_path)
    (tmp_path / "m.yaml").write_text(f"monitoring:\n  label_delay: 0s\n  webhooks: ['{url}']\n")
    with serving(tmp_path, "--config", "m.yaml") as (_, process):
        assert received.first.wait(60)
        process.send_signal(number)
        assert process.wait(60) == code
    assert received.numbers == [1]


@pytest.mark.slow
def test_the_service_and_the_commands_share_a_store(tmp_path, store):
    now = time.time()
    times = now - 6 * 3600 + np.arange(4.0)  # mature in 6 hours
    with serving(tmp_path, "--label-delay", "12h", "--look", "1s", "--lag", "none", store=store) as (client, _):
        served = "id,time,p\n" + "".join(f"{row},{at:.3f},0.5\n" for row, at in enumerate(times))
        arguments = ("ingest", "-", "--id", "id", "--time", "time", "--proba", "p")
        assert command(tmp_path, *arguments, store=store, stdin=served) == "recorded 4\n"
        assert client.get("/v1/status").json()["counts"] == {"recorded": 4}
        # Rows that only the command has seen, and labels that only the service has seen.
        assert client.post("/v1/labels", json={"ids": [0, "1"], "y": [0, 1]}).json() == {"rows": 2}
        labels = ("ingest", "-", "--id", "id", "--label", "y")
        assert command(tmp_path, *labels, store=store, stdin="id,y\n0,0\n2,1\n") == "labelled 1, repeated labels 1\n"
        assert client.post("/v1/delete", json={"ids": ["3", "4"]}).json() == {"deleted": 1}
        assert command(tmp_path, *arguments, store=store, stdin=served) == "recorded 1, replayed 3\n"
        counts = client.get("/v1/status").json()["counts"]
    assert counts == {"recorded": 5, "labelled": 3, "repeated_labels": 1, "deleted_by_id": 1, "replayed": 3}


@pytest.mark.slow
def test_without_lag_only_labels_move_the_clock(tmp_path):
    with serving(tmp_path, "--label-delay", "1d", "--lag", "none") as (client, _):
        client.post("/v1/predictions", json={"ids": ["a"], "proba": [0.5], "time": 0}).raise_for_status()
        assert client.get("/v1/status").json()["clock"] is None
    with serving(tmp_path) as (client, _):  # the clock moves at the start
        until = time.monotonic() + 30
        while client.get("/v1/status").json()["clock"] is None:
            assert time.monotonic() < until
            time.sleep(0.1)
