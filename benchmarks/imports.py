"""What a fresh process waits for: the import, and the first objective call with compiled kernels on disk or without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.progress import Progress

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
_IMPORT, _COLD = "import boosting_losses", "cold start"


def run(repeats: int, only: str | None) -> list[Row]:
    """Measure in fresh processes; a cache is cold only once, so each cold figure needs a cache of its own."""
    rows: list[Row] = []
    measurements: list[tuple[str, Callable[[int], list[Row]]]] = [(_IMPORT, _imports)]
    measurements += [(f"{_COLD} {name}", _cold_start_of(name)) for name in LOSSES]
    with Progress(console=console(), transient=True) as progress:
        for name, measure in progress.track(chosen(measurements, lambda case: case[0], only), description="import"):
            progress.console.log(name)
            rows += measure(repeats)
    return rows


def _imports(repeats: int) -> list[Row]:
    _child(["-c", _TIMED])  # the first process reads the files from the disk and writes the bytecode
    found = [_child(["-c", _TIMED]) for _ in range(repeats)]
    return [
        _seconds("import numpy, numba", [one["dependencies"] for one in found], None),
        _seconds("import boosting_losses beyond them", [one["ours"] for one in found], None),
    ]


def _cold_start_of(name: str) -> Callable[[int], list[Row]]:
    def measure(repeats: int) -> list[Row]:
        warm: list[dict[str, float]] = []
        cold: list[dict[str, float]] = []
        # Compiling is slow and varies little: a few processes are enough for it.
        for _ in range(max(repeats // 5, 1)):
            with tempfile.TemporaryDirectory() as folder:
                cold.append(_objective_calls(name, folder))
                warm += [_objective_calls(name, folder) for _ in range(3)]
                files = [path for path in Path(folder).rglob("*") if path.suffix in (".nbi", ".nbc")]
                size = sum(path.stat().st_size for path in files)
        return [
            _seconds(f"{name}: first objective call, warm cache", [one["first"] for one in warm], Bar(0.3, at_least=False)),
            _seconds(f"{name}: first objective call, cold cache", [one["first"] for one in cold], None),
            _seconds(f"{name}: all kernels, cold cache", [one["all"] for one in cold], Bar(5.0, at_least=False)),
            _count(f"{name}: cache files", "files", len(files)),
            _count(f"{name}: cache size", "MB", size / 1e6),
        ]

    return measure


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
