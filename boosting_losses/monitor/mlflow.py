"""Curves and alerts of a monitor in an MLflow run."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._version import __version__
from ._snapshot import StreamState
from ._time import datetime_of, duration_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

    from ._monitor import Monitor

__all__ = ["log_monitor"]

_FOLDER = "monitor"
#: MLflow's limit for one request.
_METRICS_PER_BATCH = 1000
#: MLflow permits 250 characters in all.
_LONGEST_PART = 60
_NOT_SCORES = ("start", "end", "provisional")
#: The score that every window has; it is logged last, so a window that has it is complete.
_LAST = "labelled"


def log_monitor(
    monitor: Monitor,
    *,
    run_id: str | None = None,
    window: Any = "7d",
    max_series: int = 100,
    client: MlflowClient | None = None,
) -> str:
    """Log the curves, evidence and alerts of a monitor to an MLflow run.

    Call it each day with the same run: it logs only what is new. A window is logged once, when the labels of all its rows
    are final; later corrections of labels change the curves of the monitor, but not what has been logged. The step is the
    number of looks from 1970 to the end of the window, and the timestamp is this end.

    Metrics are named ``monitor/MODEL/SCORE`` and ``monitor/MODEL/COLUMN/VALUE/SCORE``, such as
    ``monitor/default/country/DE/log_loss``. Characters that MLflow does not permit are replaced and a hash is appended, so
    names stay different. Scores that are not defined are not logged. The alerts are the artifact ``monitor/alerts.json``,
    and the page is ``monitor/monitor.html``; each call replaces them.

    Parameters
    ----------
    monitor : Monitor
    run_id : str, optional
        The default is the active run.
    window : str or timedelta, default "7d"
        The length of the windows, as in :meth:`Monitor.curve`. A run has one window.
    max_series : int, default 100
        The largest number of models and slices, models first, whose curves are logged. The tag ``monitor.omitted_series``
        is the number of others.
    client : mlflow.MlflowClient, optional
        The default uses the tracking URI of MLflow.

    Returns
    -------
    str
        The id of the run.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    ValueError
        If no run is given or active, or the run has been logged with another window.
    """
    try:
        import mlflow  # noqa: PLC0415  (an optional dependency)
        from mlflow.entities import Param, RunTag  # noqa: PLC0415
    except ImportError:
        raise ImportError('log_monitor needs MLflow: pip install "boosting-losses[mlflow]"') from None
    if not isinstance(window, str | timedelta | np.timedelta64):
        raise ValueError(f"window must be a duration such as '7d', got {window!r}")
    seconds = str(duration_of("window", window) / 1e6)
    if isinstance(max_series, bool) or not isinstance(max_series, int) or max_series < 1:
        raise ValueError(f"max_series must be a whole number >= 1, got {max_series!r}")
    client = client or mlflow.MlflowClient()
    if run_id is None:
        active = mlflow.active_run()
        if active is None:
            raise ValueError("run_id must be given, or a run be active as in `with mlflow.start_run():`")
        run_id = str(active.info.run_id)
    run = client.get_run(run_id)
    logged = run.data.params.get("monitor.window", seconds)
    if logged != seconds:
        raise ValueError(f"window must be that of the run, {logged} seconds, got {window!r}")
    snapshot = monitor._snapshot(max_series)  # noqa: SLF001  (part of this package)
    client.log_batch(run_id, params=[Param("monitor.window", seconds)], synchronous=True)
    metrics = [
        metric
        for stream in snapshot.streams
        for metric in _new_metrics(monitor, stream, window, snapshot.look, client, run)
    ]
    for first in range(0, len(metrics), _METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=metrics[first : first + _METRICS_PER_BATCH], synchronous=True)
    alerts = monitor.alerts()
    _log_text(client, run_id, "alerts.json", "[" + ",\n".join(alert.to_json() for alert in alerts) + "]\n")
    _log_text(client, run_id, "monitor.html", monitor.to_html())
    tags = {
        "monitor.version": __version__,
        "monitor.mature_until": "" if snapshot.mature_until is None else datetime_of(snapshot.mature_until).isoformat(),
        "monitor.open_alerts": str(sum(alert.state == "open" for alert in alerts)),
        "monitor.omitted_series": str(snapshot.omitted),
    }
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()], synchronous=True)
    return run_id


def _new_metrics(
    monitor: Monitor, stream: StreamState, window: Any, look: int, client: MlflowClient, run: Run
) -> Iterator[Metric]:
    """Yield the metrics of a stream that the run does not have, window by window."""
    name = _name_of(stream)

    def is_new(end: npt.NDArray[np.int64], score: str) -> npt.NDArray[np.bool_]:
        key = f"{name}/{score}"
        if key not in run.data.metrics:
            return np.ones(len(end), np.bool_)
        history = client.get_metric_history(run.info.run_id, key)
        return ~np.isin(end // look, [metric.step for metric in history])

    curve = monitor.curve(window, model=stream.model, slice=stream.slice)
    end = curve.end.astype("datetime64[us]").astype(np.int64)
    columns = {score: values for score, values in curve.to_dict().items() if score not in (*_NOT_SCORES, _LAST)}
    new = is_new(end, _LAST) & ~curve.provisional
    yield from _metrics(name, columns | {_LAST: curve.labelled}, end, new, look)
    evidence = monitor.evidence(model=stream.model, slice=stream.slice)
    end = evidence.end.astype("datetime64[us]").astype(np.int64)
    needed = np.full(len(end), evidence.needed)
    yield from _metrics(
        name, {"needed_evidence": needed, "evidence": evidence.nats}, end, is_new(end, "evidence"), look
    )


def _metrics(
    name: str, columns: dict[str, Any], end: npt.NDArray[np.int64], chosen: npt.NDArray[np.bool_], look: int
) -> Iterator[Metric]:
    from mlflow.entities import Metric  # noqa: PLC0415

    for i in np.flatnonzero(chosen).tolist():
        for score, values in columns.items():
            value = float(values[i])
            if math.isfinite(value):
                yield Metric(f"{name}/{score}", value, int(end[i]) // 1000, int(end[i]) // look)


def _name_of(stream: StreamState) -> str:
    parts = [_FOLDER, _part(stream.model)]
    column, _ = stream.where
    if column is not None and stream.slice is not None:
        parts += [_part(column), _part(stream.slice.removeprefix(f"{column}="))]
    return "/".join(parts)


def _part(text: str) -> str:
    """Return a part of a metric's name: the text if MLflow permits it, otherwise a similar one with a hash."""
    if len(text) <= _LONGEST_PART and re.fullmatch(r"\w(?:[\w .-]*[\w-])?", text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    permitted = re.sub(r"[^\w-]", "_", text[:_LONGEST_PART])
    return f"{permitted}-{digest}"


def _log_text(client: MlflowClient, run_id: str, file: str, text: str) -> None:
    client.log_text(run_id, text, f"{_FOLDER}/{file}")
