"""Shares of the parts of a round at more cores than were measured, by Amdahl's law.

The seconds of each part are modelled as t(n) = serial + parallel / n, both non-negative, for n threads on n cores. The model
knows neither limits of memory bandwidth nor the cost of more threads, so an extrapolation is a scenario, not a measurement.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .clock import COPY, LIBRARY, OBJECTIVE, SKETCH, Parts
from .measure import median_and_interval
from .report import Table

#: The numbers of cores for which shares are extrapolated.
CORES = (8, 16, 32, 64)
#: The groups of parts whose shares are reported, by name.
GROUPS = {OBJECTIVE: (OBJECTIVE,), f"{OBJECTIVE} + {SKETCH}": (OBJECTIVE, SKETCH), COPY: (COPY,)}

#: The parts of each run, by the number of threads.
Runs = Mapping[int, Sequence[Parts]]


@dataclass(frozen=True)
class Amdahl:
    """Amdahl's law: seconds of work of which a part does not become faster with more cores."""

    serial: float
    parallel: float

    @classmethod
    def fitted(cls, seconds: Mapping[int, float]) -> Amdahl:
        """Return the least-squares fit to the seconds for at least two numbers of threads."""
        x, t = [1.0 / threads for threads in seconds], list(seconds.values())
        mean_x, mean_t = sum(x) / len(x), sum(t) / len(t)
        parallel = sum((a - mean_x) * (b - mean_t) for a, b in zip(x, t, strict=True)) / sum(
            (a - mean_x) ** 2 for a in x
        )
        if parallel < 0.0:
            return cls(mean_t, 0.0)
        serial = mean_t - parallel * mean_x
        if serial < 0.0:  # faster than proportional: the best fit without a serial part
            return cls(0.0, sum(a * b for a, b in zip(x, t, strict=True)) / sum(a * a for a in x))
        return cls(serial, parallel)

    def seconds(self, cores: int) -> float:
        """Return the seconds on a number of cores."""
        return self.serial + self.parallel / cores


def share(parts: Parts, group: Sequence[str]) -> float:
    """Return the share of a group of parts in the seconds of all parts."""
    return sum(parts[name] for name in group) / sum(parts.values())


def at(cores: int, measured: Mapping[int, Parts]) -> Parts:
    """Return the parts on a number of cores, from one run for each number of threads.

    From a single number of threads, the library is assumed to be perfectly parallel, and the other parts to be serial.
    """
    threads = next(iter(measured))
    if len(measured) == 1:
        return {name: t * (threads / cores if name == LIBRARY else 1.0) for name, t in measured[threads].items()}
    by_part = {name: {n: parts[name] for n, parts in measured.items()} for name in measured[threads]}
    return {name: Amdahl.fitted(seconds).seconds(cores) for name, seconds in by_part.items()}


def groups_of(parts: Parts) -> dict[str, tuple[str, ...]]:
    """Return the groups of which all parts were measured."""
    return {name: group for name, group in GROUPS.items() if set(group) <= parts.keys()}


def scaling_table(cases: Mapping[str, Runs], threads: Sequence[int]) -> Table:
    """Return the measured and the extrapolated shares of all cases, as a table."""
    law = "by Amdahl's law, from " + " and ".join(map(numbered, threads))
    if len(threads) == 1:
        law += " only: it is assumed that the library is perfectly parallel and that the objective becomes no faster"
    more = _not_measured(threads)
    headings = ["", *(f"{numbered(n)}, measured" for n in threads)]
    if len(threads) > 1:
        headings.append(f"speed-up with {threads[-1]} threads, measured")
    headings += [f"{n} cores, extrapolated" for n in more]
    lines = [line for name, runs in cases.items() for line in _lines(name, runs, more)]
    return Table(f"Share of the rounds' time with 95 % interval. Extrapolated: {law}.", headings, lines)


def _not_measured(threads: Sequence[int]) -> list[int]:
    return [cores for cores in CORES if cores not in threads]


def _lines(name: str, runs: Runs, more: Sequence[int]) -> Iterator[list[str]]:
    together = [dict(zip(runs, parts, strict=True)) for parts in zip(*runs.values(), strict=True)]
    for words, group in groups_of(together[0][next(iter(runs))]).items():
        cells = [_cell([share(parts, group) for parts in runs[threads]]) for threads in runs]
        if len(runs) > 1:
            cells.append(f"{_speed_up(together, group):.2f}, library {_speed_up(together, (LIBRARY,)):.2f}")
        cells += [_cell([share(at(cores, measured), group) for measured in together]) for cores in more]
        yield [f"{name}: {words}", *cells]


def _speed_up(together: Sequence[Mapping[int, Parts]], group: Sequence[str]) -> float:
    """Return the median speed-up of a group from the fewest to the most threads."""
    seconds = [[sum(measured[n][name] for name in group) for n in sorted(measured)] for measured in together]
    return statistics.median(by_threads[0] / by_threads[-1] for by_threads in seconds)


def _cell(shares: Sequence[float]) -> str:
    middle, low, high = median_and_interval(shares)
    interval = "" if low is None or high is None else f" ({100 * low:.2g} to {100 * high:.2g})"
    return f"{100 * middle:.2g} %{interval}"


def numbered(n: int) -> str:
    """Return the number of threads as text."""
    return f"{n} thread{'' if n == 1 else 's'}"
