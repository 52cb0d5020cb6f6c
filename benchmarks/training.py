"""Whole training runs with losses of this package and with builtin losses: time, share of the objective, and memory."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .measure import Bar, Budget, Row, chosen, interleave, median_and_interval
from .screen import progress
from .training_cases import Case, cases, pair

_SHARE_BAR = Bar(0.03, at_least=False)
#: XGBoost itself holds two copies of the raw scores for a custom objective, which writes the gradient over one of them.
_MEMORY_BARS = {"XGBoost": Bar(3.2, at_least=False), "LightGBM": Bar(2.0, at_least=False)}


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the cases whose names match ``--only``."""
    budget, threads = Budget.of(arguments), arguments.threads or os.cpu_count() or 1
    wanted = [case for case in cases() if not arguments.quick or case.classes <= 10]
    factor = arguments.scale * (0.1 if arguments.quick else 1.0)
    wanted = [replace(case, rows=max(int(case.rows * factor), 10 * case.classes)) for case in wanted]
    rows: list[Row] = []
    for case in progress(chosen(wanted, lambda case: case.name, arguments.only), "training"):
        # The scratch memory of CatBoost hides other arrays, and only Linux reports the peak.
        if case.library != "CatBoost" and sys.platform == "linux":
            rows.append(_memory_row(case, threads))
        rows += _time_rows(case, budget, threads)
    return rows


# ---- time --------------------------------------------------------------------------------------------------------------


def _time_rows(case: Case, budget: Budget, threads: int) -> list[Row]:
    ours, builtin = pair(case, threads)
    shares: list[float] = []

    def ours_with_clock() -> None:
        with _clock(case.library) as clock:
            ours()
        if clock.calls:
            shares.append(clock.seconds / (time.perf_counter() - clock.first))

    counted = case.library != "CatBoost"  # CatBoost calls the objective per block or row: timing would dominate
    timings = interleave(ours_with_clock if counted else ours, builtin, budget)
    middle, low, high = median_and_interval([1.0 / speed_up for speed_up in timings.speed_ups()])
    rows = [
        Row(
            f"{case.name}: training",
            "time, ours / builtin",
            middle,
            low,
            high,
            timings.median_ours,
            timings.median_reference,
            case.rows * case.rounds / timings.median_ours / 1e6,
            "Mrow/s a round",
            higher_is_better=False,
        )
    ]
    if counted:
        middle, low, high = median_and_interval(shares[1:])  # the first run was the warm-up
        rows.append(
            Row(
                f"{case.name}: objective",
                "share of the rounds' time",
                middle,
                low,
                high,
                bar=_SHARE_BAR,
                higher_is_better=False,
            )
        )
    return rows


@dataclass
class _Clock:
    """The total seconds in the objective, its number of calls, and the start time of its first call."""

    seconds: float = 0.0
    calls: int = 0
    first: float = 0.0


@contextmanager
def _clock(library: str) -> Iterator[_Clock]:
    """Time each call of the objective that the adapter's ``train`` uses, within the block."""
    name = "InPlaceObjective" if library == "XGBoost" else "Objective"
    objective: Any = getattr(importlib.import_module(f"boosting_losses.adapters.{library.lower()}._objects"), name)
    original: Callable[..., Any] = objective.__call__
    clock = _Clock()

    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        if not clock.calls:
            clock.first = start
        result = original(*arguments, **options)
        clock.seconds += time.perf_counter() - start
        clock.calls += 1
        return result

    objective.__call__ = timed
    try:
        yield clock
    finally:
        objective.__call__ = original


# ---- memory ------------------------------------------------------------------------------------------------------------


def _memory_row(case: Case, threads: int) -> Row:
    """Measure the extra memory in units of a gradient array, in fresh processes, since a peak never decreases."""
    extra = _peak(case, threads, "ours") - _peak(case, threads, "builtin")
    return Row(
        f"{case.name}: extra peak memory",
        "gradient arrays",
        extra / case.gradient_bytes,
        bar=_MEMORY_BARS[case.library],
        higher_is_better=False,
    )


def _peak(case: Case, threads: int, side: str) -> int:
    arguments = [json.dumps(asdict(case)), str(threads), side]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    peak: int = json.loads(done.stdout)
    return peak
