"""Alternating timings of two functions, and the ratio of their times with a confidence interval.

The speed of a machine drifts with its clock frequency and load. Therefore, this package and the reference run in blocks of
A B B A, in which a steady drift cancels. Each block gives one ratio; the interval is that of the median ratio over blocks.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from threadpoolctl import threadpool_limits

import boosting_losses

from .screen import progress

Timed = Callable[[], object]
#: A function of this package and the reference function.
Pair = tuple[Timed, Timed]

#: The smallest number of blocks for which order statistics give a 95 % interval of the median.
_LEAST_FOR_ORDER_STATISTICS = 6
#: Two-sided 95 % critical values of Student's t for 1, 2, ... degrees of freedom.
_STUDENT = (12.706, 4.303, 3.182, 2.776)


@dataclass(frozen=True)
class Budget:
    """The budget of a row: at least ``seconds`` and enough blocks for an interval, or exactly ``repeats`` blocks."""

    seconds: float
    repeats: int | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Budget:
        """Return the budget that ``--seconds`` and ``--repeats`` specify."""
        return cls(arguments.seconds, arguments.repeats)

    def is_spent(self, blocks: int, seconds: float) -> bool:
        """Return whether the given number of blocks and elapsed seconds are sufficient."""
        if self.repeats is not None:
            return blocks >= self.repeats
        return blocks >= _LEAST_FOR_ORDER_STATISTICS and seconds >= self.seconds


@dataclass(frozen=True)
class Bar:
    """A target for a figure: a lower bound, or an upper bound if ``at_least`` is False."""

    limit: float
    at_least: bool = True

    def is_met(self, figure: float) -> bool:
        """Return whether a figure meets the target."""
        return figure >= self.limit if self.at_least else figure <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``measure`` describes ``figure``; ``low`` and ``high`` are its 95 % interval, or None. ``ours`` and ``reference`` are
    median seconds of this package and of the reference.
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
        """Whether the figure meets its bar, or None if it has no bar."""
        return None if self.bar is None else self.bar.is_met(self.figure)


@dataclass(frozen=True)
class Timings:
    """Seconds of each run by block: two runs of this package and two of the reference in each block."""

    ours: list[tuple[float, float]]
    reference: list[tuple[float, float]]

    @property
    def median_ours(self) -> float:
        """The median seconds of this package."""
        return statistics.median(seconds for block in self.ours for seconds in block)

    @property
    def median_reference(self) -> float:
        """The median seconds of the reference."""
        return statistics.median(seconds for block in self.reference for seconds in block)

    def speed_ups(self) -> list[float]:
        """Return the time of the reference divided by that of this package, for each block."""
        return [sum(theirs) / sum(ours) for ours, theirs in zip(self.ours, self.reference, strict=True)]


def interleave(ours: Timed, reference: Timed, budget: Budget) -> Timings:
    """Time two functions in alternation, after one run of each that compiles code and warms the caches."""
    return interleave_pairs([(ours, reference)], budget)[0]


def interleave_pairs(pairs: Sequence[Pair], budget: Budget) -> list[Timings]:
    """Time several pairs, a block of each in turn, so that a drift affects all of them; the budget is for each pair."""
    for ours, reference in pairs:
        ours()
        reference()
    found = [Timings([], []) for _ in pairs]
    start = time.perf_counter()
    while not budget.is_spent(len(found[0].ours), (time.perf_counter() - start) / len(pairs)):
        for (ours, reference), timings in zip(pairs, found, strict=True):
            first, second, third, fourth = (seconds_of(run) for run in (ours, reference, reference, ours))
            timings.ours.append((first, fourth))
            timings.reference.append((second, third))
    return found


def seconds_of(run: Timed) -> float:
    """Return the seconds that one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit this package and the thread pools of compiled libraries to one thread."""
    with boosting_losses.num_threads(1), threadpool_limits(1):
        yield


def speed_up_row(name: str, timings: Timings, items: float, rate_unit: str, bar: Bar | None) -> Row:
    """Return a row with the speed-up over the reference and the rate in million items per second."""
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


@dataclass(frozen=True)
class Case:
    """A speed-up to measure; ``pair`` creates the data and returns the two functions."""

    name: str
    pair: Callable[[], Pair]
    items: int
    rate_unit: str
    bar: Bar | None


def speed_ups(cases: Iterable[Case], arguments: argparse.Namespace) -> list[Row]:
    """Measure the cases whose names match ``--only``, on one thread."""
    budget = Budget.of(arguments)
    with one_thread():
        return [
            speed_up_row(case.name, interleave(*case.pair(), budget), case.items, case.rate_unit, case.bar)
            for case in progress(chosen(cases, lambda case: case.name, arguments.only), arguments.command)
        ]


def median_and_interval(figures: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return the median of positive figures and the ends of its 95 % interval, which are None for a single figure.

    With six or more figures, the ends are order statistics, which require no assumption about the distribution. Fewer
    figures are assumed to be log-normal.
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
    """Return the largest rank (from 0) whose figure exceeds the true median with a probability of at most 2.5 %."""
    if count > 1000:  # close to the largest float, where the normal approximation is accurate
        return math.floor(count / 2 - 0.98 * math.sqrt(count)) - 1
    rank, tail = 0, 0.5**count
    while True:
        tail += math.comb(count, rank + 1) * 0.5**count
        if tail > 0.025:
            return rank
        rank += 1


_Chosen = TypeVar("_Chosen")


def chosen(cases: Iterable[_Chosen], name: Callable[[_Chosen], str], pattern: str | None) -> list[_Chosen]:
    """Return the cases whose name contains the pattern, in which ``*`` matches anything."""
    return [case for case in cases if pattern is None or fnmatchcase(name(case).lower(), f"*{pattern.lower()}*")]
