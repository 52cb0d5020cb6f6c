"""Curves and alerts in MLflow runs."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # the only local store of mlflow-skinny

import mlflow

from boosting_losses.monitor import Monitor
from boosting_losses.monitor.mlflow import log_monitor

from .monitored import DAY, add_days, filled


@pytest.fixture
def client(tmp_path):
    return mlflow.MlflowClient(tracking_uri=(tmp_path / "runs").as_uri())


@pytest.fixture
def run_id(client):
    return client.create_run(client.create_experiment("monitoring")).info.run_id


def logged(client, run_id):
    """Return the values by metric and step, and check that no point is there twice."""
    found = {}
    for key in client.get_run(run_id).data.metrics:
        for point in client.get_metric_history(run_id, key):
            assert (key, point.step) not in found
            assert point.timestamp == point.step * DAY * 1000
            found[key, point.step] = point.value
    return found


def expected_of(monitor, model, slice, name, window="7d"):
    curve = monitor.curve(window, model=model, slice=slice)
    found = {}
    for i in np.flatnonzero(~curve.provisional):
        step = int(curve.end[i].astype("datetime64[D]").astype(int))
        for score, values in curve.to_dict().items():
            if score not in ("start", "end", "provisional") and np.isfinite(values[i]):
                found[f"monitor/{name}/{score}", step] = float(values[i])
    evidence = monitor.evidence(model=model, slice=slice)
    for end, nats in zip(evidence.end, evidence.nats, strict=True):
        step = int(end.astype("datetime64[D]").astype(int))
        found[f"monitor/{name}/evidence", step] = nats
        found[f"monitor/{name}/needed_evidence", step] = evidence.needed
    return found


@pytest.mark.parametrize("n_classes", [2, 3])
def test_mature_windows_are_logged(client, run_id, n_classes):
    monitor = filled(days=12, n_classes=n_classes)
    assert log_monitor(monitor, run_id=run_id, client=client) == run_id
    expected = expected_of(monitor, "default", None, "default")
    for value in ("DE", "FR"):
        expected |= expected_of(monitor, "default", f"country={value}", f"default/country/{value}")
    assert logged(client, run_id) == pytest.approx(expected)
    last = max(step for _, step in expected)
    assert last * DAY == monitor.status().mature_until.timestamp()


def test_a_daily_job_logs_each_window_once(client, run_id):
    monitor = filled(days=8)
    for day in range(8, 20):
        log_monitor(monitor, run_id=run_id, client=client)
        log_monitor(monitor, run_id=run_id, client=client)
        add_days(monitor, [day])
    log_monitor(monitor, run_id=run_id, client=client)
    found = logged(client, run_id)
    expected = expected_of(monitor, "default", None, "default")
    for value in ("DE", "FR"):
        expected |= expected_of(monitor, "default", f"country={value}", f"default/country/{value}")
    # The width of a confidence sequence depends on the largest weight until the day of logging.
    varying = {key for key in expected if key[0].endswith(("/low", "/high"))}
    assert varying < found.keys()
    found, expected = ({k: v for k, v in part.items() if k not in varying} for part in (found, expected))
    assert found == pytest.approx(expected)


def test_corrections_do_not_change_what_is_logged(client, run_id):
    monitor = filled(days=10)
    log_monitor(monitor, run_id=run_id, client=client)
    before = logged(client, run_id)
    monitor.label([f"0-1-{row}" for row in range(60)], np.ones(60), 9 * DAY + 200)
    log_monitor(monitor, run_id=run_id, client=client)
    assert logged(client, run_id) == before


def test_a_model_that_is_recorded_later_with_older_times_is_logged(client, run_id):
    monitor = filled(days=10)
    log_monitor(monitor, run_id=run_id, client=client)
    add_days(monitor, range(3), model="old")
    log_monitor(monitor, run_id=run_id, client=client)
    add_days(monitor, range(5), model="old", seed=0)
    log_monitor(monitor, run_id=run_id, client=client)
    steps = {step for key, step in logged(client, run_id) if key == "monitor/old/log_loss"}
    curve = monitor.curve("7d", model="old")
    assert steps == set(curve.end[~curve.provisional].astype("datetime64[D]").astype(int).tolist())


def test_an_interrupted_call_is_completed(client, run_id, monkeypatch):
    monitor = filled(days=30, n_classes=3)
    original, batches = client.log_batch, []

    def fail(*arguments, metrics=(), **options):
        assert len(metrics) <= 1000
        batches.append(len(metrics))
        if len(metrics) and len(batches) == 3:
            raise ConnectionError
        return original(*arguments, metrics=metrics, **options)

    monkeypatch.setattr(client, "log_batch", fail)
    with pytest.raises(ConnectionError):
        log_monitor(monitor, run_id=run_id, client=client)
    log_monitor(monitor, run_id=run_id, client=client)
    assert max(batches) == 1000
    complete = filled(days=30, n_classes=3)
    expected = expected_of(complete, "default", None, "default")
    for value in ("DE", "FR"):
        expected |= expected_of(complete, "default", f"country={value}", f"default/country/{value}")
    found = {
        (key, point.step): point.value
        for key in client.get_run(run_id).data.metrics
        for point in client.get_metric_history(run_id, key)
    }
    assert found == pytest.approx(expected)


def test_alerts_and_tags(client, run_id, tmp_path):
    monitor = filled(days=20, shift_from=5)
    for served in range(3):
        monitor.record([f"zero{served}"], [0.0], 20 * DAY, model="zero")
    monitor.label(["zero0"], [1], 20 * DAY + 10)
    monitor.advance(30 * DAY)
    assert any(np.isnan(alert.saving) for alert in monitor.alerts())
    monitor.resolve(1)
    log_monitor(monitor, run_id=run_id, client=client)

    def strict(constant):
        raise AssertionError(constant)

    path = client.download_artifacts(run_id, "monitor/alerts.json", str(tmp_path))
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        found = json.load(file, parse_constant=strict)
    assert [alert["text"] for alert in found] == [alert.text for alert in monitor.alerts()]
    assert found[0]["state"] == "resolved"
    tags = client.get_run(run_id).data.tags
    assert tags["monitor.open_alerts"] == str(len(monitor.alerts("open")))
    assert tags["monitor.mature_until"] == "1970-01-29T00:00:00+00:00"
    assert tags["monitor.omitted_series"] == "0"


def test_names_are_permitted_and_different(client, run_id):
    values = [
        "DE",
        "D/E",
        "D_E",
        "D=E",
        "a\udc80",
        "..",
        "",
        " ",
        "x" * 300,
        "x" * 301,
        "Zürich",
        "a:b",
        "50 %",
        "v1.2",
    ]
    monitor = filled(days=8, models=("m", "../m", "m/country/DE"), values=values)
    log_monitor(monitor, run_id=run_id, client=client)
    names = {key.rpartition("/")[0] for key, _ in logged(client, run_id)}
    streams = monitor.status().streams
    assert len(streams) == 3 * (1 + len(values))
    assert len(names) == len(streams)
    assert {"monitor/m", "monitor/m/country/DE", "monitor/m/country/Zürich", "monitor/m/country/v1.2"} < names
    assert all(len(name) < 220 and re.fullmatch(r"[\w./ -]+", name) for name in names)


def test_series_are_limited(client, run_id):
    monitor = filled(days=6, models=("a", "b"))
    log_monitor(monitor, run_id=run_id, client=client, max_series=3)
    names = {key.rpartition("/")[0] for key, _ in logged(client, run_id)}
    assert {"monitor/a", "monitor/b"} < names
    assert len(names) == 3
    assert client.get_run(run_id).data.tags["monitor.omitted_series"] == "3"


def test_the_active_run_is_the_default(client, run_id, tmp_path):
    monitor = Monitor(label_delay="1d", clock=None)
    with pytest.raises(ValueError, match="run_id must be given, or a run be active"):
        log_monitor(monitor, client=client)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    try:
        with mlflow.start_run(run_id=run_id):
            assert log_monitor(monitor) == run_id  # an empty monitor
    finally:
        mlflow.set_tracking_uri(before)
    assert logged(client, run_id) == {}


def test_a_run_has_one_window(client, run_id):
    monitor = filled(days=5)
    log_monitor(monitor, run_id=run_id, client=client, window="3d")
    with pytest.raises(ValueError, match=r"window must be that of the run, 259200.0 seconds, got '7d'"):
        log_monitor(monitor, run_id=run_id, client=client)
    log_monitor(monitor, run_id=run_id, client=client, window="72h")


@pytest.mark.parametrize(
    ("options", "words"), [({"window": 5000}, "window must be a duration"), ({"max_series": 0}, "max_s")]
)
def test_arguments_are_checked(client, run_id, options, words):
    with pytest.raises(ValueError, match=words):
        log_monitor(Monitor(label_delay="1d"), run_id=run_id, client=client, **options)


def test_without_mlflow_the_error_names_the_extra():
    code = """
import sys
sys.modules["mlflow"] = None
from boosting_losses.monitor import Monitor, mlflow
try:
    mlflow.log_monitor(Monitor(label_delay="1d"))
except ImportError as error:
    assert 'pip install "boosting-losses[mlflow]"' in str(error)
else:
    raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
