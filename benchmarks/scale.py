"""Scores, a report and a calibrator on rows that never exist at once: time and peak memory of this process."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import dask
import dask.array as da
import numpy as np

from boosting_losses.calibration import TemperatureScaling
from boosting_losses.dask import fit, report, score
from boosting_losses.report import Accumulator

from .measure import Bar, Row, chosen
from .resident import measured, peak
from .screen import progress

#: The peak memory that is allowed, in MiB.
_LIMIT = Bar(2048.0, at_least=False)
#: Rows of all sizes are computed once for this number before they are measured, so that compiled kernels are in memory.
_FEW = 20_000


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the requested functions with Dask's threads."""
    tasks = _tasks()
    found: list[Row] = []
    with dask.config.set(scheduler="threads", num_workers=arguments.threads):
        for name in progress(chosen(list(tasks), str, arguments.only), "scale"):
            tasks[name](*_data(_FEW, _FEW // 2))
            found += _rows(name, tasks[name], arguments.rows, arguments.partition)
    return [*found, Row("report: sums of a partition, pickled", "MiB", _size_of_sums() / 2**20)]


def _tasks() -> dict[str, Callable[[Any, Any, Any], object]]:
    return {
        "log loss": lambda y, raw, proba: score("log_loss", y, proba),
        "calibration error (ECE)": lambda y, raw, proba: score("calibration_error", y, proba),
        "area under the ROC curve": lambda y, raw, proba: score("roc_auc", y, proba),
        "report": lambda y, raw, proba: report(y, proba),
        "temperature scaling": lambda y, raw, proba: fit(TemperatureScaling(), raw, y),
    }


def _rows(name: str, task: Callable[[Any, Any, Any], object], rows: int, partition: int) -> Iterator[Row]:
    y, raw, proba = _data(rows, partition)
    start = perf_counter()
    measured(lambda: task(y, raw, proba))
    seconds, highest = perf_counter() - start, peak()
    title = f"{name}: {rows:,} rows in partitions of {partition:,}"
    yield Row(f"{title}, time", "seconds", seconds)
    if highest is not None:
        yield Row(f"{title}, peak memory of the process", "MiB", highest / 2**20, bar=_LIMIT)


def _data(rows: int, partition: int) -> tuple[Any, Any, Any]:
    """Return labels, raw scores and probabilities, which are made when a partition is computed."""
    sizes = (partition,) * (rows // partition) + ((rows % partition,) if rows % partition else ())
    seeds = da.from_array(np.arange(len(sizes)), chunks=1)
    columns = seeds.map_blocks(_made, sizes, chunks=(sizes, (3,)), new_axis=1, dtype=np.float64, meta=np.empty((0, 0)))
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _made(seed: Any, sizes: tuple[int, ...]) -> Any:
    random = np.random.default_rng(int(seed[0]))
    raw = random.normal(-2.0, 1.5, sizes[int(seed[0])])
    y = random.random(len(raw)) < 1.0 / (1.0 + np.exp(-raw))
    return np.stack([y, 1.3 * raw, 1.0 / (1.0 + np.exp(-1.3 * raw))], axis=1)


def _size_of_sums() -> int:
    y, _, proba = (column.compute() for column in _data(_FEW, _FEW))
    whole = Accumulator(["model"])
    whole.prepare(y, [proba], n_rows=2**30)
    part = whole.part(0)
    part.add(y, [proba])
    return len(pickle.dumps(part))
