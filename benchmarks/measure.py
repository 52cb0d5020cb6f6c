"""The measuring core: two functions timed in turn, and what can be said about the ratio of their times.

A machine drifts: clocks change, neighbours come and go. So ours and the reference run in blocks of A B B A, in which a
steady drift cancels; each block gives one ratio, and the interval is that of the median ratio over blocks.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

Timed = Callable[[], object]

#: Fewer blocks have no order statistics around the median that cover it in 95 of 100 cases.
_LEAST_FOR_ORDER_STATISTICS = 6
#: Two-sided 95 % points of Student's t for 1, 2, ... degrees of freedom.
_STUDENT = (12.706, 4.303, 3.182, 2.776)


@dataclass(frozen=True)
class Budget:
    """How long to measure a row: for some seconds and blocks enough for an interval, or for ``repeats`` blocks."""

    seconds: float
    repeats: int | None = None

    def is_spent(self, blocks: int, seconds: float) -> bool:
        if self.repeats is not None:
            return blocks >= self.repeats
        return blocks >= _LEAST_FOR_ORDER_STATISTICS and seconds >= self.seconds


@dataclass(frozen=True)
class Bar:
    """What a figure should reach."""

    limit: float
    at_least: bool = True

    def is_met(self, figure: float) -> bool:
        return figure >= self.limit if self.at_least else figure <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``figure`` is what the row is about, in the words of ``measure``, with its 95 % interval where there is one; ``ours``
    and ``reference`` are median seconds.
    """

    name: str
    measure: str
    figure: float
    low: float | None = None
    high: float | None = None
    ours: float | None = None
    reference: float | None = None
    rate: float | None = None
    rate_unit: str | None = None
    bar: Bar | None = None
    higher_is_better: bool = True

    @property
    def met(self) -> bool | None:
        return None if self.bar is None else self.bar.is_met(self.figure)


@dataclass(frozen=True)
class Timings:
    """Seconds of each run, block by block: two of ours and two of the reference in each."""

    ours: list[tuple[float, float]]
    reference: list[tuple[float, float]]

    @property
    def median_ours(self) -> float:
        return statistics.median(seconds for block in self.ours for seconds in block)

    @property
    def median_reference(self) -> float:
        return statistics.median(seconds for block in self.reference for seconds in block)

    def speed_ups(self) -> list[float]:
        """How many times faster ours is, one figure per block."""
        return [sum(theirs) / sum(ours) for ours, theirs in zip(self.ours, self.reference, strict=True)]


def interleave(ours: Timed, reference: Timed, budget: Budget) -> Timings:
    """Time two functions in turn, after one run of each that compiles and warms the caches."""
    ours()
    reference()
    timings = Timings([], [])
    start = time.perf_counter()
    while not budget.is_spent(len(timings.ours), time.perf_counter() - start):
        first, second, third, fourth = (seconds_of(run) for run in (ours, reference, reference, ours))
        timings.ours.append((first, fourth))
        timings.reference.append((second, third))
    return timings


def seconds_of(run: Timed) -> float:
    """The seconds that one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def speed_up_row(name: str, timings: Timings, items: float, rate_unit: str, bar: Bar | None) -> Row:
    """How many times faster ours is than the reference, and how many million items it does in a second."""
    figure, low, high = median_and_interval(timings.speed_ups())
    return Row(
        name,
        "speed-up",
        figure,
        low,
        high,
        timings.median_ours,
        timings.median_reference,
        items / timings.median_ours / 1e6,
        rate_unit,
        bar,
    )


def median_and_interval(figures: Sequence[float]) -> tuple[float, float | None, float | None]:
    """The median of positive figures and the ends of a 95 % interval for it; no ends for a single figure.

    From six figures on the ends are two of the figures themselves, by their ranks, which assumes nothing about their
    distribution. Fewer are taken for log-normal.
    """
    ordered = sorted(figures)
    count = len(ordered)
    middle = statistics.median(ordered)
    if count == 1:
        return middle, None, None
    if count < _LEAST_FOR_ORDER_STATISTICS:
        logs = [math.log(figure) for figure in ordered]
        centre = statistics.fmean(logs)
        reach = _STUDENT[count - 2] * statistics.stdev(logs) / math.sqrt(count)
        return middle, math.exp(centre - reach), math.exp(centre + reach)
    rank = _rank_of_lower_end(count)
    return middle, ordered[rank], ordered[count - 1 - rank]


def _rank_of_lower_end(count: int) -> int:
    """The largest rank (from 0) such that fewer figures lie below the median with a probability of 2.5 % at most."""
    if count > 1000:  # where 2**count is near the largest float, and the normal distribution as good
        return math.floor(count / 2 - 0.98 * math.sqrt(count)) - 1
    rank, tail = 0, 0.5**count
    while True:
        tail += math.comb(count, rank + 1) * 0.5**count
        if tail > 0.025:
            return rank
        rank += 1


_Case = TypeVar("_Case")


def chosen(cases: Iterable[_Case], name: Callable[[_Case], str], pattern: str | None) -> list[_Case]:
    """The cases whose name contains the pattern, in which ``*`` stands for anything."""
    return [case for case in cases if pattern is None or fnmatchcase(name(case).lower(), f"*{pattern.lower()}*")]
