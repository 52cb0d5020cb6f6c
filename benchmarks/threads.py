"""Several threads against one in this process, next to what as many independent processes gain, and on few rows."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import boosting_losses

from .measure import (
    Bar,
    Budget,
    Row,
    Timed,
    Timings,
    chosen,
    interleave,
    interleave_pairs,
    median_and_interval,
    seconds_of,
)
from .processes import Processes
from .screen import progress
from .workloads import WORKLOADS

#: Numbers of rows for which the threads must not be slower than one thread.
FEW_ROWS = (100, 1_000, 10_000)

_GAIN_BAR = Bar(0.9)
_FEW_ROWS_BAR = Bar(1.03, at_least=False)
#: The least seconds of a run, which calls the work several times: starting processes or reading clocks must not matter.
_SECONDS_OF_RUN, _SECONDS_OF_RUN_ON_FEW_ROWS = 0.2, 0.02


@dataclass(frozen=True)
class _Case:
    work: str
    rows: int

    @property
    def name(self) -> str:
        return f"{self.work}, {self.rows:,} rows"


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the rows whose names match ``--only``."""
    budget, threads = Budget.of(arguments), arguments.threads

    def wanted(*counts: int) -> list[_Case]:
        return chosen([_Case(work, n) for work in WORKLOADS for n in counts], lambda case: case.name, arguments.only)

    rows: list[Row] = []
    if many := wanted(arguments.rows):
        with Processes(threads) as processes:
            for case in progress(many, "threads"):
                rows += _gains(case, processes, threads, budget)
    return rows + [_few_rows(case, threads, budget) for case in progress(wanted(*FEW_ROWS), "threads, few rows")]


def _gains(case: _Case, processes: Processes, threads: int, budget: Budget) -> Iterator[Row]:
    """Measure the gains of threads and of processes in turn, so that the ratio of a block is that of the same moment."""
    work = WORKLOADS[case.work](case.rows)
    processes.load(case.work, case.rows)
    calls = _calls(work, _SECONDS_OF_RUN)
    pairs = [
        (partial(_on, threads, work, calls), partial(_on, 1, work, calls)),
        (partial(processes.together, calls), partial(processes.alone, calls)),
    ]
    of_threads, of_processes = interleave_pairs(pairs, budget)
    gains = of_threads.speed_ups()
    limits = [threads * speed_up for speed_up in of_processes.speed_ups()]
    yield _row(f"{case.name}: {threads} threads", "speed-up over 1 thread", gains, of_threads, calls)
    yield _row(
        f"{case.name}: {threads} processes", f"{threads} x time alone / time together", limits, of_processes, calls
    )
    ratios = [gain / limit for gain, limit in zip(gains, limits, strict=True)]
    yield Row(f"{case.name}: threads / processes", "ratio of these", *median_and_interval(ratios), bar=_GAIN_BAR)


def _few_rows(case: _Case, threads: int, budget: Budget) -> Row:
    work = WORKLOADS[case.work](case.rows)
    calls = _calls(work, _SECONDS_OF_RUN_ON_FEW_ROWS)
    timings = interleave(partial(_on, threads, work, calls), partial(_on, 1, work, calls), budget)
    ratios = [1.0 / speed_up for speed_up in timings.speed_ups()]
    row = _row(f"{case.name}: {threads} threads", f"time, {threads} threads / 1 thread", ratios, timings, calls)
    return replace(row, bar=_FEW_ROWS_BAR, higher_is_better=False)


def _on(threads: int, work: Timed, calls: int) -> None:
    with boosting_losses.num_threads(threads):
        for _ in range(calls):
            work()


def _calls(work: Timed, seconds: float) -> int:
    """Return the number of calls on one thread that take at least the given seconds."""
    _on(1, work, 1)  # compiles the code
    return math.ceil(seconds / max(min(seconds_of(partial(_on, 1, work, 1)) for _ in range(3)), 1e-9))


def _row(name: str, measure: str, figures: list[float], timings: Timings, calls: int) -> Row:
    ours, reference = timings.median_ours / calls, timings.median_reference / calls
    return Row(name, measure, *median_and_interval(figures), ours, reference)
