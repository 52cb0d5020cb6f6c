"""Metrics through OpenTelemetry's SDK, its wire format, and the text of Prometheus."""

import gc
import logging
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from prometheus_client.parser import text_string_to_metric_families

import boosting_losses
from boosting_losses.monitor import Monitor
from boosting_losses.monitor._snapshot import Snapshot
from boosting_losses.monitor.telemetry import instrument, prometheus

from .monitored import DAY, add_days, filled

PREFIX = "boosting_losses.monitor."
SCORES = {
    "log_loss": "log_loss",
    "expected_log_loss": "expected_log_loss",
    "log_loss_difference": "difference",
    "brier_score": "brier_score",
    "calibration_error": "calibration_error",
    "mean_prediction": "mean_proba",
    "event_rate": "mean_label",
}


def instrumented(monitor, **options):
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    return reader, instrument(monitor, provider, **options)


def points_of(reader):
    """Return the values by metric, model, slice and further attributes."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    (resource,) = data.resource_metrics
    (scope,) = resource.scope_metrics
    assert (scope.scope.name, scope.scope.version) == ("boosting_losses.monitor", boosting_losses.__version__)
    found = {}
    for metric in scope.metrics:
        for point in metric.data.data_points:
            found[key_of(metric.name.removeprefix(PREFIX), point.attributes)] = point.value
    return nonzero_cases(found)


def nonzero_cases(found):
    return {key: value for key, value in found.items() if value or not key[0].startswith("cases")}


def key_of(name, attributes=None, **more):
    return (name, *sorted(({} if attributes is None else dict(attributes)).items() | more.items()))


def expected_of(monitor, streams, days=7):
    """Return what status() and curve() say about the last mature days."""
    status = monitor.status()
    found = {}
    for stream in status.streams:
        if (stream.model, stream.slice) not in streams:
            continue
        who = {"model": stream.model} | ({} if stream.slice is None else {"slice": stream.slice})
        curve = monitor.curve(f"{days}d", model=stream.model, slice=stream.slice)
        last = np.flatnonzero(curve.end == np.datetime64(status.mature_until.replace(tzinfo=None)))[0]
        assert not curve.provisional[last]
        for name, column in SCORES.items():
            value = getattr(curve, column)[last]
            if np.ndim(value):
                found |= {key_of(name, who, **{"class": str(k)}): v for k, v in enumerate(value)}
            else:
                found[key_of(name, who)] = value
        found[key_of("coverage", who)] = curve.labelled[last] / curve.rows[last]
        found[key_of("evidence", who)] = stream.evidence
        found[key_of("needed_evidence", who)] = stream.needed
        found[key_of("predictions", who)] = stream.rows
        found[key_of("labels", who)] = stream.labelled
        for state in ("open", "acknowledged", "resolved"):
            alerts = [a for a in monitor.alerts(state) if (a.model, a.slice) == (stream.model, stream.slice)]
            found[key_of("alerts", who, state=state)] = len(alerts)
    found |= {key_of("cases", case=case): count for case, count in status.counts.items() if case != "unwatched_slices"}
    found[key_of("omitted_series")] = len(status.streams) - len(streams)
    found[key_of("unwatched_slices")] = status.counts.get("unwatched_slices", 0)
    return found


def all_streams(monitor):
    return {(stream.model, stream.slice) for stream in monitor.status().streams}


@pytest.mark.parametrize(
    "options", [{}, {"n_classes": 3}, {"models": ("a", "b")}, {"shift_from": 5, "models": ("a",)}], ids=str
)
def test_points_are_those_of_status_and_curves(options):
    monitor = filled(**options)
    if "shift_from" in options:
        monitor.acknowledge(1)
        assert monitor.alerts()
    reader, _ = instrumented(monitor)
    found = points_of(reader)
    assert found == pytest.approx(expected_of(monitor, all_streams(monitor)))
    add_days(monitor, range(20, 23), model=options.get("models", ("default",))[0])
    assert points_of(reader) == pytest.approx(expected_of(monitor, all_streams(monitor)))
    reader_of_days, _ = instrumented(monitor, looks=3)
    assert points_of(reader_of_days) == pytest.approx(expected_of(monitor, all_streams(monitor), days=3))


def test_deleted_rows_stay_in_scores_and_counters():
    monitor = filled(values=("DE", "FR", "IT"))
    reader, _ = instrumented(monitor)
    before = points_of(reader)
    monitor.forget(15 * DAY)
    assert monitor.status().streams[0].rows < before[key_of("predictions", model="default")]
    assert points_of(reader) == pytest.approx(before)
    fresh, _ = instrumented(monitor)  # which has not seen the larger numbers
    assert points_of(fresh) == pytest.approx(before)


def test_counters_never_fall(monkeypatch):
    monitor = filled(days=4)
    reader, _ = instrumented(monitor)
    before = points_of(reader)
    totals = Snapshot.totals
    monkeypatch.setattr(Snapshot, "totals", lambda snapshot: [part - 5 for part in totals(snapshot)])
    assert points_of(reader) == before
    monkeypatch.setattr(Snapshot, "totals", lambda snapshot: [part + 5 for part in totals(snapshot)])
    assert points_of(reader)[key_of("labels", model="default")] == before[key_of("labels", model="default")] + 5


def test_an_empty_monitor_has_no_scores():
    monitor = Monitor(label_delay="2d", clock=None)
    reader, _ = instrumented(monitor)
    assert points_of(reader) == {key_of("omitted_series"): 0, key_of("unwatched_slices"): 0}
    monitor.record(["a"], [0.5], 0)
    who = {"model": "default"}
    found = points_of(reader)
    assert found[key_of("predictions", who)] == 1
    assert not any(key[0] in SCORES or key[0] == "coverage" for key in found)


def test_values_that_are_not_defined_are_not_reported(caplog):
    monitor = Monitor(label_delay="1d", clock=None)
    monitor.record(["a", "b"], [0.5, 0.4], 0)
    monitor.advance(5 * DAY)  # no labels
    reader, _ = instrumented(monitor)
    found = points_of(reader)
    assert found[key_of("coverage", model="default")] == 0.0
    assert not any(key[0] in SCORES for key in found)
    assert not caplog.records


def test_the_window_ends_at_the_clock_and_not_at_the_last_rows():
    monitor = filled(days=20)
    monitor.advance(24 * DAY)
    reader, _ = instrumented(monitor)
    curve = monitor.curve("5d")  # of the 7 days before 22 January, the last 2 are empty
    assert points_of(reader)[key_of("log_loss", model="default")] == pytest.approx(curve.log_loss[-1])
    monitor.advance(60 * DAY)
    assert key_of("log_loss", model="default") not in points_of(reader)


def test_the_clock_lag_is_measured_with_the_clock_of_the_monitor():
    monitor = Monitor(label_delay="1d", clock=lambda: 1000.0)
    reader, _ = instrumented(monitor)
    assert key_of("clock_lag") not in points_of(reader)
    monitor.advance(400)
    assert points_of(reader)[key_of("clock_lag")] == pytest.approx(600.0)


def test_the_number_of_series_is_limited():
    monitor = filled(models=("a", "b"), values=[f"v{i}" for i in range(6)], shift_from=3, max_streams=9)
    everything = all_streams(monitor)
    assert len(everything) == 9
    reader, _ = instrumented(monitor, max_series=3)
    found = points_of(reader)
    kept = {("a", None), ("b", None), next((s.model, s.slice) for s in monitor.status().streams if s.slice)}
    overflow = {key: value for key, value in found.items() if ("otel.metric.overflow", True) in key}
    assert {k: v for k, v in found.items() if k not in overflow} == pytest.approx(expected_of(monitor, kept))
    assert found[key_of("omitted_series")] == 6
    assert found[key_of("unwatched_slices")] == 12 + 2 - 9
    alerts = sum(value for key, value in found.items() if key[0] == "alerts")
    assert alerts == len(monitor.alerts())
    assert sum(overflow.values()) == sum((a.model, a.slice) not in kept for a in monitor.alerts()) > 0


def test_metrics_by_class_are_limited():
    monitor = filled(n_classes=5, values=["x", "y", "z"])
    found = points_of(instrumented(monitor, max_series=10)[0])
    assert sum(key[0] == "event_rate" for key in found) == 10
    assert sum(key[0] == "log_loss" for key in found) == 4


def test_monitors_share_a_provider():
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    first, second = filled(days=8), filled(days=9)
    one = instrument(first, provider, attributes={"monitor": "one"})
    instrument(second, provider, attributes={"monitor": "two"})
    found = points_of(reader)
    assert found[key_of("predictions", model="default", monitor="one")] == 8 * 60
    assert found[key_of("predictions", model="default", monitor="two")] == 9 * 60
    with pytest.raises(ValueError, match=r"attributes must differ .* got {'monitor': 'one'} again"):
        instrument(second, provider, attributes={"monitor": "one"})
    one.stop()
    assert not one.is_active
    assert {dict(key[1:])["monitor"] for key in points_of(reader)} == {"two"}
    instrument(first, provider, attributes={"monitor": "one"})
    assert points_of(reader) == found


def test_a_deleted_monitor_has_no_points():
    monitor = filled(days=4)
    reader, instrumentation = instrumented(monitor)
    assert points_of(reader)
    del monitor
    gc.collect()
    assert not instrumentation.is_active
    assert points_of(reader) == {}


def test_each_collection_takes_one_snapshot():
    monitor = filled(days=4)
    taken = []
    original = monitor._snapshot
    monitor._snapshot = lambda most: taken.append(most) or original(most)
    readers = [InMemoryMetricReader(), InMemoryMetricReader()]
    provider = MeterProvider(metric_readers=readers, shutdown_on_exit=False)
    instrument(monitor, provider)
    for count in (1, 2, 3):
        for reader in readers:
            points_of(reader)
        assert len(taken) == 2 * count


def test_an_error_is_logged_and_the_next_collection_works(caplog):
    monitor = filled(days=4)
    reader, _ = instrumented(monitor)
    before = points_of(reader)
    original, monitor._snapshot = monitor._snapshot, lambda most: 1 / 0
    assert points_of(reader) == {}
    assert [record.message for record in caplog.records] == ["the metrics of a monitor could not be collected"]
    monitor._snapshot = original
    assert points_of(reader) == before


def test_other_processes_are_seen_with_refresh(tmp_path, caplog):
    writer = filled(days=5, store=tmp_path / "monitor.db")
    exporter = Monitor.open(tmp_path / "monitor.db", clock=None)
    stale, _ = instrumented(exporter)
    fresh, _ = instrumented(exporter, refresh=True)
    add_days(writer, [5])
    key = key_of("predictions", model="default")
    assert points_of(stale)[key] == 5 * 60
    assert points_of(fresh)[key] == points_of(stale)[key] == 6 * 60
    exporter.refresh = lambda: 1 / 0
    assert points_of(fresh)[key] == 6 * 60
    assert [record.message for record in caplog.records] == ["the store of a monitor could not be read"]


def test_collecting_while_threads_write():
    monitor = filled(days=3)
    reader, _ = instrumented(monitor)
    failed = []

    def write():
        try:
            add_days(monitor, range(3, 15), rows=200)
            monitor.forget(8 * DAY)
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    counts = []
    while thread.is_alive():
        counts.append(points_of(reader)[key_of("predictions", model="default")])
    thread.join()
    assert not failed
    assert counts == sorted(counts)
    assert points_of(reader)[key_of("predictions", model="default")] == 3 * 60 + 12 * 200


@pytest.mark.parametrize("options", [{"looks": 0}, {"looks": True}, {"max_series": 1.5}])
def test_arguments_are_checked(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be a whole number >= 1, got"):
        instrument(Monitor(label_delay="1d"), MeterProvider(shutdown_on_exit=False), **options)


def test_the_global_provider_may_be_set_later():
    code = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from boosting_losses.monitor import Monitor
from boosting_losses.monitor.telemetry import instrument
one, two = Monitor(label_delay="1d", clock=None), Monitor(label_delay="1d", clock=None)
instrument(one, attributes={"monitor": "one"})
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
instrument(two, metrics.get_meter_provider(), attributes={"monitor": "two"})
data = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
print(sorted({point.attributes["monitor"] for metric in data for point in metric.data.data_points}))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['one', 'two']\n"
    assert not done.stderr


def test_without_opentelemetry_the_error_names_the_extra():
    code = """
import sys
sys.modules.update(dict.fromkeys(["opentelemetry", "opentelemetry.metrics", "prometheus_client"]))
from boosting_losses.monitor import Monitor, telemetry
for function in (telemetry.instrument, telemetry.prometheus):
    try:
        function(Monitor(label_delay="1d"))
    except ImportError as error:
        assert 'pip install "boosting-losses[telemetry]"' in str(error)
    else:
        raise SystemExit("no error")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the wire format --------------------------------------------------------------------------------------------------


@pytest.fixture
def collector():
    """Receive OTLP over HTTP."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportMetricsServiceRequest.FromString(body))
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/metrics", received
    server.shutdown()
    thread.join()
    server.server_close()


def test_otlp_carries_the_values_of_the_monitor(collector):
    endpoint, received = collector
    monitor = filled(days=16, models=("a\udc80", 'quote"\n\\'), values=("Zürich", "=\0"))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint), export_interval_millis=1e9)
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    instrument(monitor, provider)
    assert provider.force_flush()
    provider.shutdown()
    (resource,) = received[0].resource_metrics
    (scope,) = [part for part in resource.scope_metrics if part.scope.name == "boosting_losses.monitor"]
    found, kinds = {}, {}
    for metric in scope.metrics:
        name = metric.name.removeprefix(PREFIX)
        kind = metric.WhichOneof("data")
        kinds[name] = (kind, metric.unit, getattr(metric, kind).is_monotonic if kind == "sum" else None)
        for point in getattr(metric, kind).data_points:
            attributes = {a.key: a.value.string_value for a in point.attributes}
            found[key_of(name, attributes)] = getattr(point, point.WhichOneof("value"))
    expected = expected_of(monitor, all_streams(monitor))
    escaped = {
        (key[0], *((name, value.replace("\udc80", "\\udc80")) for name, value in key[1:])): v
        for key, v in expected.items()
    }
    assert nonzero_cases(found) == pytest.approx(escaped)
    assert kinds["log_loss"] == ("gauge", "nat", None)
    assert kinds["predictions"] == ("sum", "{row}", True)
    assert kinds["alerts"] == ("sum", "{alert}", False)


# ---- Prometheus -------------------------------------------------------------------------------------------------------


def test_prometheus_text_has_the_values_of_the_monitor():
    odd = ('quote"', "line\nbreak", "back\\slash", "Zürich", "\udc80", "")
    monitor = filled(models=("a b", '"\\\n'), values=odd, clock=lambda: 25.0 * DAY, rows=200)
    other = filled(days=3)
    metrics, others = prometheus(monitor), prometheus(other)
    assert metrics.content_type.startswith("text/plain; version=")
    text = metrics.text().decode("utf-8")
    assert metrics.text().decode("utf-8") == text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if not name.startswith("otel_scope_")}
            key = key_of(sample.name.removeprefix("boosting_losses_monitor_"), {k: v for k, v in labels.items() if v})
            assert key not in found
            found[key] = sample.value
    suffixes = dict.fromkeys(
        ("log_loss", "expected_log_loss", "log_loss_difference", "evidence", "needed_evidence"), "_nat"
    )
    suffixes |= dict.fromkeys(("predictions", "labels", "cases"), "_total")
    expected = {
        (key[0] + suffixes.get(key[0], ""), *((name, value.replace("\udc80", "\\udc80")) for name, value in key[1:])): v
        for key, v in expected_of(monitor, all_streams(monitor)).items()
    }
    lag = found.pop(key_of("clock_lag_seconds"))
    assert lag == pytest.approx(25 * DAY - 19 * DAY - 100)
    assert nonzero_cases(found) == pytest.approx(expected)
    assert b"quote" not in others.text()
    metrics.close()
    assert b"boosting_losses" not in metrics.text()
    assert b"boosting_losses" in others.text()
    others.close()


def test_prometheus_serves_threads():
    monitor = filled(days=4)
    metrics = prometheus(monitor)
    expected = metrics.text()
    texts = []
    threads = [threading.Thread(target=lambda: texts.extend(metrics.text() for _ in range(5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == [expected] * 20
    metrics.close()


def test_nothing_is_logged_by_the_sdk(caplog):
    caplog.set_level(logging.DEBUG)
    monitor = filled(days=12, values=("x", "y"))
    reader, _ = instrumented(monitor)
    metrics = prometheus(monitor)
    points_of(reader), metrics.text()
    metrics.close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
