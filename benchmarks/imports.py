"""Start-up times of a fresh process: imports, first calls with a warm or a cold kernel cache, and compilations."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .cold_start import LOSSES, REPORT
from .measure import Bar, Row, chosen, median_and_interval
from .screen import progress

#: The number of functions that are listed for each cold start.
_LISTED = 6
_TIMED = """
import json, time
start = time.perf_counter()
import numpy, numba
middle = time.perf_counter()
import boosting_losses
print(json.dumps({"dependencies": middle - start, "ours": time.perf_counter() - middle}))
"""


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure start-up times in fresh processes; every cold start gets a new cache directory."""
    measurements: list[tuple[str, Callable[[int], list[Row]]]] = [("import", _imports)]
    measurements += [(f"cold start {name}", partial(_cold_start, name)) for name in (*LOSSES, REPORT)]
    wanted = chosen(measurements, lambda measurement: measurement[0], arguments.only)
    return [row for _, measure in progress(wanted, "import") for row in measure(arguments.repeats)]


def _imports(repeats: int) -> list[Row]:
    _child(["-c", _TIMED])  # the first process reads the files from disk and writes the bytecode
    found = [_child(["-c", _TIMED]) for _ in range(repeats)]
    return [
        _seconds("import numpy, numba", [one["dependencies"] for one in found]),
        _seconds("import boosting_losses beyond them", [one["ours"] for one in found]),
    ]


def _cold_start(name: str, repeats: int) -> list[Row]:
    warm, cold = [], []
    for _ in range(max(repeats // 5, 1)):  # cold starts are slow and vary little, so few suffice
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_first_calls(name, folder))
            warm += [_first_calls(name, folder) for _ in range(3)]
            files = [path for path in Path(folder).rglob("*") if path.suffix in (".nbi", ".nbc")]
            size = sum(path.stat().st_size for path in files)
    title = f"cold start {name}"
    call = "report" if name == REPORT else "objective call"
    warm_bar, all_bar = (None, None) if name == REPORT else (Bar(0.3, at_least=False), Bar(5.0, at_least=False))
    rows = [
        _seconds(f"{title}: first {call}, warm cache", [one["first"] for one in warm], warm_bar),
        _seconds(f"{title}: first {call}, cold cache", [one["first"] for one in cold]),
        *_compilations(title, [one["compilations"] for one in cold]),
    ]
    if name != REPORT:
        rows.append(_seconds(f"{title}: all kernels, cold cache", [one["all"] for one in cold], all_bar))
    rows.append(_count(f"{title}: files in the cache", "files", len(files)))
    return [*rows, _count(f"{title}: size of the cache", "MB", size / 1e6)]


def _compilations(title: str, runs: Sequence[dict[str, tuple[int, float]]]) -> Iterator[Row]:
    """Yield the number of functions that the first call compiles, their total seconds, and the slowest ones."""
    counts = {name: count for name, (count, _) in runs[0].items()}
    yield _count(f"{title}: functions that it compiles", "functions", sum(counts.values()))
    yield _seconds(f"{title}: compilation of these", [sum(seconds for _, seconds in run.values()) for run in runs])
    seconds = {name: [run[name][1] for run in runs] for name in counts}
    for name in sorted(counts, key=lambda name: -statistics.median(seconds[name]))[:_LISTED]:
        times = f" ({counts[name]} times)" if counts[name] > 1 else ""
        yield _seconds(
            f"{title}: compilation of {name}{times}", seconds[name], measure="seconds without nested functions"
        )


def _first_calls(name: str, cache: str) -> dict[str, Any]:
    return _child(["-m", "benchmarks.cold_start", name], NUMBA_CACHE_DIR=cache)


def _child(arguments: Sequence[str], **environment: str) -> dict[str, Any]:
    """Run a fresh interpreter and return the JSON object that it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **environment},
    )
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def _seconds(name: str, seconds: Sequence[float], bar: Bar | None = None, measure: str = "seconds") -> Row:
    middle, low, high = median_and_interval(seconds)
    return Row(name, measure, middle, low, high, ours=middle, bar=bar, higher_is_better=False)


def _count(name: str, unit: str, figure: float) -> Row:
    """Return a row for a figure without variation."""
    return Row(name, unit, figure, figure, figure, higher_is_better=False)
