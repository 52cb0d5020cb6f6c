"""Metrics of a monitor for OpenTelemetry, and through it for Prometheus.

* :func:`instrument` registers observable instruments in a meter provider of your program.
* :func:`prometheus` returns the same metrics as text for a ``/metrics`` page.

The documentation lists the metrics (docs/monitoring.md, "OpenTelemetry and Prometheus").
"""

from __future__ import annotations

import functools
import logging
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ._points import INSTRUMENTS, PREFIX, Attributes, Point, points_of

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from ._monitor import Monitor

__all__ = ["Instrumentation", "Prometheus", "instrument", "prometheus"]

_LOGGER = logging.getLogger(__name__)
_EXTRA = 'pip install "boosting-losses[telemetry]"'


def instrument(
    monitor: Monitor,
    meter_provider: MeterProvider | None = None,
    *,
    looks: int = 7,
    max_series: int = 100,
    attributes: Mapping[str, str] | None = None,
    refresh: bool = False,
) -> Instrumentation:
    """Register the metrics of a monitor in a meter provider.

    Scores are those of the last mature ``looks``. Values that are not defined, such as the log loss of a window without
    labels, are not reported. An error in a collection is logged and gives no points.

    Parameters
    ----------
    monitor : Monitor
        Only a weak reference is kept: when the monitor is deleted, its points end.
    meter_provider : opentelemetry.metrics.MeterProvider, optional
        The default is the global one.
    looks : int, default 7
        The length of the window of the scores.
    max_series : int, default 100
        The largest number of models and slices, models first, that are reported. The others are omitted; the gauge
        ``omitted_series`` is their number. Metrics by class are reported for ``max_series // n_classes`` of them.
    attributes : dict of str to str, optional
        Constant attributes of all points, such as ``{"monitor": "fraud"}``. Monitors that share a meter provider must have
        different ones.
    refresh : bool, default False
        Whether each collection first applies the calls that other processes have added to the store. If several processes
        share a store, export from one of them, with ``refresh=True``.

    Returns
    -------
    Instrumentation

    Raises
    ------
    ImportError
        If OpenTelemetry is not installed.
    ValueError
        If an argument is invalid, or another monitor of the meter provider has the same attributes.

    Examples
    --------
    >>> from opentelemetry.sdk.metrics import MeterProvider
    >>> from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    >>> from boosting_losses.monitor import Monitor
    >>> from boosting_losses.monitor.telemetry import instrument
    >>> monitor, reader = Monitor(label_delay="7d"), InMemoryMetricReader()
    >>> instrumentation = instrument(monitor, MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
    >>> monitor.record(["a", "b"], [0.2, 0.9], time="2026-05-01")
    >>> metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    >>> [(m.name, m.data.data_points[0].value) for m in metrics if m.name.endswith("predictions")]
    [('boosting_losses.monitor.predictions', 2)]
    """
    for name, value in (("looks", looks), ("max_series", max_series)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number >= 1, got {value!r}")
    found = Instrumentation(monitor, looks, max_series, {**(attributes or {})}, refresh=refresh)
    _provider_of(meter_provider).add(found)
    return found


class Instrumentation:
    """The registration of a monitor, made by :func:`instrument`."""

    def __init__(self, monitor: Monitor, looks: int, max_series: int, attributes: Attributes, *, refresh: bool) -> None:
        self._monitor = weakref.ref(monitor)
        self._looks = looks
        self._max_series = max_series
        self._refresh = refresh
        self._totals: dict[tuple[object, ...], float] = {}
        self._stopped = False
        self.attributes = attributes

    def stop(self) -> None:
        """Report no more points. Meter providers have no way to remove instruments, so these stay without points."""
        self._stopped = True

    @property
    def is_active(self) -> bool:
        """Whether points are reported: the instrumentation has not been stopped, and its monitor exists."""
        return not self._stopped and self._monitor() is not None

    def collect(self) -> list[Point]:
        """Return the current points, or none after an error, which is logged."""
        monitor = self._monitor()
        if monitor is None or self._stopped:
            return []
        try:
            if self._refresh:
                _refresh(monitor)
            snapshot = monitor._snapshot(self._max_series)  # noqa: SLF001  (part of this package)
            points = points_of(snapshot, self._looks, self._max_series)
            return [self._with_constants(point) for point in points]
        except Exception:
            _LOGGER.exception("the metrics of a monitor could not be collected")
            return []

    def _with_constants(self, point: Point) -> Point:
        value = point.value
        if point.name in _COUNTERS:
            # The deletion of rows must not look like the restart of a counter, after which a rate counts all rows again.
            key = (point.name, *point.attributes.items())
            value = self._totals[key] = max(value, self._totals.get(key, 0))
        return Point(point.name, value, self.attributes | point.attributes)


_COUNTERS = {spec.name for spec in INSTRUMENTS if spec.kind == "counter"}


def _refresh(monitor: Monitor) -> None:
    try:
        monitor.refresh()
    except Exception:  # a database that cannot be reached: the last known state is reported
        _LOGGER.exception("the store of a monitor could not be read")


class _Provider:
    """The monitors of a meter provider.

    A provider ignores a second instrument of the same name, so all monitors share one set of instruments.
    """

    def __init__(self, provider: MeterProvider) -> None:
        self._lock = threading.Lock()
        self._monitors: list[Instrumentation] = []
        self._points: list[Point] = []
        self._asked: set[str] | None = None
        meter = provider.get_meter(PREFIX, __version__)
        create = {
            "gauge": meter.create_observable_gauge,
            "counter": meter.create_observable_counter,
            "updowncounter": meter.create_observable_up_down_counter,
        }
        for spec in INSTRUMENTS:
            callback = functools.partial(self._observe, spec.name)
            create[spec.kind](f"{PREFIX}.{spec.name}", [callback], spec.unit, spec.description)

    def add(self, new: Instrumentation) -> None:
        with self._lock:
            self._monitors = [known for known in self._monitors if known.is_active]
            if any(known.attributes == new.attributes for known in self._monitors):
                raise ValueError(
                    "attributes must differ from those of the other monitors of the meter provider, got"
                    f" {new.attributes!r} again; stop the other instrumentation first if it is obsolete"
                )
            self._monitors.append(new)

    def _observe(self, name: str, _: CallbackOptions) -> list[Observation]:
        """Return the points of one instrument.

        A collection asks each instrument once, so an instrument that is asked again begins the next collection.
        """
        from opentelemetry.metrics import Observation  # noqa: PLC0415  (an optional dependency)

        with self._lock:
            if self._asked is None or name in self._asked:
                self._asked = set()
                self._monitors = [known for known in self._monitors if known.is_active]
                self._points = [point for known in self._monitors for point in known.collect()]
            self._asked.add(name)
            return [Observation(point.value, point.attributes) for point in self._points if point.name == name]


class _Global:
    """The key of the global meter provider, which a program may set after monitors have been instrumented."""


_GLOBAL = _Global()
_PROVIDERS: weakref.WeakKeyDictionary[Any, _Provider] = weakref.WeakKeyDictionary()
_PROVIDERS_LOCK = threading.Lock()


def _provider_of(given: MeterProvider | None) -> _Provider:
    try:
        from opentelemetry.metrics import get_meter_provider  # noqa: PLC0415  (an optional dependency)
    except ImportError:
        raise ImportError(f"metrics of a monitor need OpenTelemetry: {_EXTRA}") from None
    provider = get_meter_provider() if given is None else given
    with _PROVIDERS_LOCK:
        key = _GLOBAL if provider not in _PROVIDERS and provider is get_meter_provider() else provider
        if key not in _PROVIDERS:
            _PROVIDERS[key] = _Provider(provider)
        return _PROVIDERS[key]


def prometheus(monitor: Monitor, *, looks: int = 7, max_series: int = 100, refresh: bool = False) -> Prometheus:
    """Return the metrics of a monitor for a ``/metrics`` page.

    Parameters
    ----------
    monitor, looks, max_series, refresh
        As in :func:`instrument`.

    Returns
    -------
    Prometheus

    Raises
    ------
    ImportError
        If OpenTelemetry or its Prometheus exporter is not installed.

    Examples
    --------
    >>> from boosting_losses.monitor import Monitor
    >>> from boosting_losses.monitor.telemetry import prometheus
    >>> monitor = Monitor(label_delay="7d")
    >>> metrics = prometheus(monitor)
    >>> monitor.record(["a", "b"], [0.2, 0.9], time="2026-05-01")
    >>> "boosting_losses_monitor_predictions_total{" in metrics.text().decode()
    True
    """
    return Prometheus(monitor, looks=looks, max_series=max_series, refresh=refresh)


class Prometheus:
    """The metrics of a monitor as text, made by :func:`prometheus`.

    It has a registry of its own, so the metrics of the rest of the program stay apart.

    Attributes
    ----------
    content_type : str
        The content type of the text.
    """

    def __init__(self, monitor: Monitor, *, looks: int, max_series: int, refresh: bool) -> None:
        try:
            import prometheus_client  # noqa: PLC0415  (optional dependencies)
            from opentelemetry.exporter.prometheus import PrometheusMetricReader  # noqa: PLC0415
            from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
        except ImportError:
            raise ImportError(f"Prometheus needs OpenTelemetry's exporter: {_EXTRA}") from None
        registry = prometheus_client.CollectorRegistry()
        reader = PrometheusMetricReader(disable_target_info=True, registry=registry)
        self._provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
        self._instrumentation = instrument(monitor, self._provider, looks=looks, max_series=max_series, refresh=refresh)
        self._generate = functools.partial(prometheus_client.generate_latest, registry)
        self._lock = threading.Lock()
        self.content_type = prometheus_client.CONTENT_TYPE_LATEST

    def text(self) -> bytes:
        """Return the current metrics."""
        with self._lock:  # the reader mixes up the results of collections at the same time
            return self._generate()

    def close(self) -> None:
        """Report no more metrics."""
        self._instrumentation.stop()
        self._provider.shutdown()
