"""Whole training runs with losses of this package and with builtin losses: time, shares of its parts, and memory."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from .clock import COPY, Parts, clock
from .measure import Bar, Budget, Pair, Row, Timings, chosen, interleave_pairs, median_and_interval
from .report import Table
from .scaling import Runs, groups_of, numbered, scaling_table, share
from .screen import progress
from .training_cases import Case, cases, pair, ratio_row

_SHARE_BAR = Bar(0.03, at_least=False)
#: XGBoost itself holds two copies of the raw scores for a custom objective, which writes the gradient over one of them.
_MEMORY_BARS = {"XGBoost": Bar(3.2, at_least=False), "LightGBM": Bar(2.0, at_least=False)}


def run(arguments: argparse.Namespace) -> tuple[list[Row], list[Table]]:
    """Measure the cases whose names match ``--only``."""
    budget, threads = Budget.of(arguments), sorted(set(arguments.threads or [os.cpu_count() or 1]))
    wanted = [case for case in cases() if not arguments.quick or case.classes <= 10]
    factor = arguments.scale * (0.1 if arguments.quick else 1.0)
    wanted = [replace(case, rows=max(int(case.rows * factor), 10 * case.classes)) for case in wanted]
    rows: list[Row] = []
    scaling: dict[str, Runs] = {}
    for case in progress(chosen(wanted, lambda case: case.name, arguments.only), "training"):
        # The scratch memory of CatBoost hides other arrays, and only Linux reports the peak.
        if case.library != "CatBoost" and sys.platform == "linux":
            rows.append(_memory_row(case, threads[-1]))
        timings, runs = _measured(case, threads, budget)
        for n in threads:
            rows.append(ratio_row(f"{case.name}, {numbered(n)}: training", case, timings[n]))
            rows += _share_rows(case, n, runs.get(n, []))
        if runs:
            scaling[case.name] = runs
    return rows, [scaling_table(scaling, threads)] if scaling else []


# ---- time --------------------------------------------------------------------------------------------------------------


def _measured(case: Case, threads: Sequence[int], budget: Budget) -> tuple[dict[int, Timings], Runs]:
    """Return the times of both sides, and the parts of this package's runs, for each number of threads."""
    runs: dict[int, list[Parts]] = {}

    def timed(n: int) -> Pair:
        ours, builtin = pair(case, n)
        if case.library == "CatBoost":  # it calls the objective per block or row: timing would dominate
            return ours, builtin
        parts = runs.setdefault(n, [])

        def ours_with_clock() -> None:
            with clock(case.library) as running:
                ours()
                parts.append(running.parts())

        return ours_with_clock, builtin

    timings = interleave_pairs([timed(n) for n in threads], budget)
    return dict(zip(threads, timings, strict=True)), {n: parts[1:] for n, parts in runs.items()}  # the first: warm-up


def _share_rows(case: Case, threads: int, runs: Sequence[Parts]) -> Iterator[Row]:
    for name, group in groups_of(runs[0]).items() if runs else ():
        middle, low, high = median_and_interval([share(parts, group) for parts in runs])
        yield Row(
            f"{case.name}, {numbered(threads)}: {name}",
            "share of the rounds' time",
            middle,
            low,
            high,
            ours=statistics.median(sum(parts[part] for part in group) for parts in runs),
            reference=statistics.median(sum(parts.values()) for parts in runs),
            bar=None if name == COPY else _SHARE_BAR,
            higher_is_better=False,
        )


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
