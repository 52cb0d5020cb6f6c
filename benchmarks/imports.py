"""What a fresh process waits for: the import, and the first objective call with compiled kernels on disk or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.progress import track

from .cold_start import LOSSES
from .measure import Bar, Row, chosen, median_and_interval
from .report import console

_TIMED = """
import json, time
start = time.perf_counter()
import numpy, numba
middle = time.perf_counter()
import boosting_losses
print(json.dumps({"dependencies": middle - start, "ours": time.perf_counter() - middle}))
"""


def run(repeats: int, only: str | None) -> list[Row]:
    """Measure in fresh processes, the cold figures with a new cache directory each time."""
    measurements: list[tuple[str, Callable[[int], list[Row]]]] = [("import", _imports)]
    measurements += [(f"cold start {name}", partial(_cold_start, name)) for name in LOSSES]
    wanted = chosen(measurements, lambda measurement: measurement[0], only)
    return [
        row for _, measure in track(wanted, "import", console=console(), transient=True) for row in measure(repeats)
    ]


def _imports(repeats: int) -> list[Row]:
    _child(["-c", _TIMED])  # the first process reads the files from the disk and writes the bytecode
    found = [_child(["-c", _TIMED]) for _ in range(repeats)]
    return [
        _seconds("import numpy, numba", [one["dependencies"] for one in found], None),
        _seconds("import boosting_losses beyond them", [one["ours"] for one in found], None),
    ]


def _cold_start(name: str, repeats: int) -> list[Row]:
    warm: list[dict[str, float]] = []
    cold: list[dict[str, float]] = []
    for _ in range(max(repeats // 5, 1)):  # compiling is slow and varies little
        with tempfile.TemporaryDirectory() as folder:
            cold.append(_objective_calls(name, folder))
            warm += [_objective_calls(name, folder) for _ in range(3)]
            files = [path for path in Path(folder).rglob("*") if path.suffix in (".nbi", ".nbc")]
            size = sum(path.stat().st_size for path in files)
    title = f"cold start {name}"
    return [
        _seconds(
            f"{title}: first objective call, warm cache", [one["first"] for one in warm], Bar(0.3, at_least=False)
        ),
        _seconds(f"{title}: first objective call, cold cache", [one["first"] for one in cold], None),
        _seconds(f"{title}: all kernels, cold cache", [one["all"] for one in cold], Bar(5.0, at_least=False)),
        _count(f"{title}: files in the cache", "files", len(files)),
        _count(f"{title}: size of the cache", "MB", size / 1e6),
    ]


def _objective_calls(name: str, cache: str) -> dict[str, float]:
    return _child(["-m", "benchmarks.cold_start", name], NUMBA_CACHE_DIR=cache)


def _child(arguments: Sequence[str], **environment: str) -> dict[str, float]:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **environment},
    )
    printed: dict[str, float] = json.loads(done.stdout)
    return printed


def _seconds(name: str, seconds: Sequence[float], bar: Bar | None) -> Row:
    middle, low, high = median_and_interval(seconds)
    return Row(name, "seconds", middle, low, high, ours=middle, bar=bar, higher_is_better=False)


def _count(name: str, unit: str, figure: float) -> Row:
    """A figure that does not vary."""
    return Row(name, unit, figure, figure, figure, higher_is_better=False)
