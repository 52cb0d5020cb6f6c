"""Speed of a monitor with many rows, in memory and with a store."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from boosting_losses.monitor import Monitor

from .measure import Bar, Row, chosen

DAY = 86_400


def rows_of(rows: int, only: str | None) -> Iterator[Row]:
    """Measure rows a second in batches of 1,000 with UUIDs as ids, over the last tenth of the rows."""
    for name in chosen(["speed: memory", "speed: SQLite"], str, only):
        with tempfile.TemporaryDirectory() as folder:
            store = None if name == "speed: memory" else Path(folder) / "monitor.db"
            monitor = Monitor(label_delay=DAY, clock=None, store=store)
            seconds, tenth = _filled(monitor, rows)
            for kind, value in seconds.items():
                bar = None if store is None else Bar({"predictions": 15.0, "labels": 10.0}[kind])
                rate = tenth / value / 1000.0
                yield Row(f"{name}, {kind}, last tenth of {rows:,}", "thousand rows a second", rate, bar=bar)
            last = rows / 100_000 * DAY
            for window, start in ((5000, last - DAY / 4), ("1d", last - DAY)):
                monitor.curve(window, start=start)  # loads compiled kernels
                begin = perf_counter()
                monitor.curve(window, start=start)
                milliseconds = 1000.0 * (perf_counter() - begin)
                bar = Bar(100.0, at_least=False)
                yield Row(f"{name}, latest windows of {window} of {rows:,} rows", "milliseconds", milliseconds, bar=bar)
            if store is not None:
                monitor.close()
                begin = perf_counter()
                Monitor.open(store, clock=None)
                yield Row(f"{name}, open", "seconds", perf_counter() - begin)


def _filled(monitor: Monitor, rows: int) -> tuple[dict[str, float], int]:
    """Record and label rows, a day of which has 100,000, and return the seconds of the last tenth."""
    random = np.random.default_rng(0)
    size, tenth = 1_000, rows // 10
    seconds = {"predictions": 0.0, "labels": 0.0}
    for start in range(0, rows, size):
        ids = [str(uuid.UUID(bytes=random.bytes(16))) for _ in range(size)]
        proba = random.beta(1.0, 6.0, size)
        y, time = random.random(size) < proba, start / 100_000 * DAY
        begin = perf_counter()
        monitor.record(ids, proba, time)
        middle = perf_counter()
        monitor.label(ids, y, time + 60.0)
        end = perf_counter()
        if start >= rows - tenth:
            seconds["predictions"] += middle - begin
            seconds["labels"] += end - middle
    return seconds, tenth
