"""False alarms and delays of the monitor's sequential test, in simulated worlds whose probabilities are known."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, softmax
from scipy.stats import chi2

from boosting_losses._types import Array
from boosting_losses.monitor import Detector, Monitor

from . import monitoring_speed
from .measure import Bar, Row, chosen
from .screen import progress

#: The run length that is asked for, in looks of a day; a year has so many.
RUN_LENGTH, YEAR = 1_000.0, 365
#: The scores of the served model.
MEAN, SPREAD = -2.0, 1.5
DAY = 86_400
#: Looks before a change.
BEFORE = 100
CLASSES = 5
CENTRES = np.array([1.0, 0.5, 0.0, -0.5, -1.0])


@dataclass(frozen=True)
class World:
    """Days of rows: the served scores, and how far the truth is from them."""

    name: str
    rows: int
    #: Log odds that the truth is off by, and the standard deviation of the effect of a day.
    shift: float = 0.0
    day_effect: float = 0.0
    #: How far the mean score moves up and down within a year.
    season: float = 0.0
    settings: tuple[tuple[str, Any], ...] = ()

    def looks(self, random: np.random.Generator, count: int) -> Iterator[tuple[Array, Array]]:
        """Yield labels and served log odds of each day."""
        for day in range(count):
            centre = MEAN + self.season * math.sin(2.0 * math.pi * day / YEAR)
            z = centre + SPREAD * random.standard_normal(self.rows)
            truth = z + self.shift + self.day_effect * random.standard_normal()
            yield (random.random(self.rows) < expit(truth)).astype(np.float64), z


EXACT = (("min_saving", 0.0),)
QUIET = [
    World("right, exact test", 1_000, settings=EXACT),
    World("right", 1_000),
    World("season, exact test", 1_000, season=0.8, settings=EXACT),
    World("season", 1_000, season=0.8),
    World("odds x 1.02", 1_000, shift=math.log(1.02)),
    World("day effects of sd 0.1", 1_000, day_effect=0.1),
]
LARGE = [
    World("odds x 1.02", 10_000, shift=math.log(1.02)),
    World("day effects of sd 0.1", 10_000, day_effect=0.1),
]


@dataclass(frozen=True)
class Change:
    """What the truth becomes of served scores."""

    name: str
    truth: Callable[[Array], Array]
    classes: int = 2


def _towards(slope: float, centre: Array | float) -> Callable[[Array], Array]:
    return lambda z: centre + slope * (z - centre)


def _first_class(shift: float) -> Callable[[Array], Array]:
    return lambda z: z + shift * (np.arange(CLASSES) == 0)


CHANGES = [
    Change("odds x 1.5", lambda z: z + math.log(1.5)),
    Change("odds / 1.5", lambda z: z - math.log(1.5)),
    Change("slope 0.7", _towards(0.7, MEAN)),
    Change("slope 0.5", _towards(0.5, MEAN)),
    Change("odds of one class x 1.5", _first_class(math.log(1.5)), CLASSES),
    Change("odds of one class / 1.5", _first_class(-math.log(1.5)), CLASSES),
    Change("slope 0.7", _towards(0.7, CENTRES), CLASSES),
    Change("slope 0.5", _towards(0.5, CENTRES), CLASSES),
]


def run(arguments: argparse.Namespace) -> list[Row]:
    """Simulate years of quiet worlds, a tenth as many of the large ones, and many runs of each change."""
    years, repeats, only = arguments.years, arguments.runs, arguments.only
    with ProcessPoolExecutor(arguments.jobs) as pool:
        return [
            *_false_alarms(pool, years, only),
            *_delays(pool, repeats, only),
            *_slices(pool, years, only),
            *_late_labels(pool, repeats, only),
            *monitoring_speed.rows_of(arguments.rows, only),
        ]


def _mapped(pool: ProcessPoolExecutor, function: Callable[[Any], Any], tasks: list[Any], title: str) -> list[Any]:
    return [future.result() for future in progress([pool.submit(function, task) for task in tasks], title)]


# ---- false alarms ---------------------------------------------------------------------------------------------------


def _false_alarms(pool: ProcessPoolExecutor, years: int, only: str | None) -> Iterator[Row]:
    worlds = chosen([*QUIET, *LARGE], lambda world: f"false alarms: {world.name}", only)
    decade = 10
    tasks = []
    for world in worlds:
        several = max(1, (years if world in QUIET else years // 10) // decade)
        tasks += [(world, number, min(decade, years)) for number in range(several)]
    alarms: dict[World, list[tuple[int, int]]] = defaultdict(list)
    for (world, _, length), count in zip(tasks, _mapped(pool, _alarms, tasks, "false alarms"), strict=True):
        alarms[world].append((count, length * YEAR))
    for world, found in alarms.items():
        total, looks = (sum(part) for part in zip(*found, strict=True))
        # Poisson's interval, by its relation to chi-square.
        low = chi2.ppf(0.025, 2 * total) / 2 if total else 0.0
        high = chi2.ppf(0.975, 2 * total + 2) / 2
        name = f"false alarms: {world.name}, {world.rows:,} rows a day, {looks // YEAR:,} years"
        if world in LARGE:
            yield Row(name, "alarms", float(total), bar=Bar(0.0, at_least=False))
        else:
            per = RUN_LENGTH / looks
            yield Row(name, "per 1,000 looks", total * per, low * per, high * per, bar=Bar(1.0, at_least=False))


def _alarms(task: tuple[World, int, int]) -> int:
    world, number, years = task
    random = np.random.default_rng([number, world.rows, round(1000 * (world.shift + world.day_effect + world.season))])
    detector = Detector(run_length=RUN_LENGTH, **dict(world.settings))
    count = 0
    for y, z in world.looks(random, years * YEAR):
        if detector.update(y, z).alarm:
            count += 1
            detector.restart()
    return count


# ---- delays ---------------------------------------------------------------------------------------------------------


def _delays(pool: ProcessPoolExecutor, repeats: int, only: str | None) -> Iterator[Row]:
    names = {index: f"delay: {change.name}, {change.classes} classes" for index, change in enumerate(CHANGES)}
    for index in chosen(list(names), names.__getitem__, only):
        found = _mapped(pool, _delay, [(index, number) for number in range(repeats)], names[index])
        delays = np.array([delay for delay in found if delay is not None])
        shortest = math.log(RUN_LENGTH) / (100 * _divergence(CHANGES[index]))
        yield Row(
            names[index],
            "median delay / shortest possible",
            float(np.median(delays)) / shortest,
            bar=Bar(1.5, at_least=False),
        )
        yield Row(f"{names[index]}, in looks of 100 rows", "median delay", float(np.median(delays)))
    for name in chosen(["delay: odds x 1.2, 10,000 rows a day, default tolerance"], str, only):
        found = _mapped(pool, _days_to_find, list(range(repeats)), name)
        soon = np.mean([delay is not None and delay <= 3 for delay in found])
        yield Row(name, "% found within 3 days", 100.0 * float(soon), bar=Bar(95.0))


def _scores(random: np.random.Generator, rows: int, classes: int) -> Array:
    if classes == 2:
        return MEAN + SPREAD * random.standard_normal(rows)
    return CENTRES + SPREAD * random.standard_normal((rows, classes))


def _labels(random: np.random.Generator, truth: Array) -> Array:
    if truth.ndim == 1:
        return (random.random(len(truth)) < expit(truth)).astype(np.float64)
    cumulative = np.cumsum(softmax(truth, axis=1), axis=1)
    return np.sum(random.random(len(truth))[:, None] > cumulative[:, :-1], axis=1).astype(np.float64)


def _delay(task: tuple[int, int]) -> int | None:
    """Return the number of looks after the change until the alarm; None where it came before the change."""
    index, number = task
    change = CHANGES[index]
    random = np.random.default_rng([index, number])
    detector = Detector(change.classes, run_length=RUN_LENGTH, min_saving=0.0)
    for look in range(10 * BEFORE):
        z = _scores(random, 100, change.classes)
        if detector.update(_labels(random, change.truth(z) if look >= BEFORE else z), z).alarm:
            return None if look < BEFORE else look - BEFORE + 1
    return 10 * BEFORE


def _divergence(change: Change) -> float:
    """Return the Kullback-Leibler divergence of the served probabilities from the truth, in nats a row."""
    z = _scores(np.random.default_rng(0), 400_000, change.classes)
    truth = change.truth(z)
    if change.classes == 2:
        z, truth = (np.column_stack([np.zeros(len(part)), part]) for part in (z, truth))
    difference = log_softmax(truth, axis=1) - log_softmax(z, axis=1)
    return float(np.mean(np.sum(softmax(truth, axis=1) * difference, axis=1)))


def _days_to_find(number: int) -> int | None:
    random = np.random.default_rng([7, number])
    detector = Detector(run_length=RUN_LENGTH)
    for look in range(2 * BEFORE):
        z = _scores(random, 10_000, 2)
        if detector.update(_labels(random, z + math.log(1.2) * (look >= BEFORE)), z).alarm:
            return None if look < BEFORE else look - BEFORE + 1
    return 2 * BEFORE


# ---- slices, late labels --------------------------------------------------------------------------------------------


def _slices(pool: ProcessPoolExecutor, years: int, only: str | None) -> Iterator[Row]:
    for name in chosen(["false alarms: 100 overlapping slices"], str, only):
        length = max(1, years // 5)
        tasks = [(number, 1) for number in range(length)]
        total = sum(_mapped(pool, _alarms_of_slices, tasks, name))
        high = float(chi2.ppf(0.975, 2 * total + 2) / 2)
        low = float(chi2.ppf(0.025, 2 * total) / 2) if total else 0.0
        per = RUN_LENGTH / (length * YEAR)
        yield Row(
            f"{name}, 1,000 rows a day, {length:,} years",
            "per 1,000 looks",
            total * per,
            low * per,
            high * per,
            bar=Bar(1.0, at_least=False),
        )


def _alarms_of_slices(task: tuple[int, int]) -> int:
    """Count looks at which any of 100 slices and of all rows raises an alarm: 10 columns of 10 values."""
    number, years = task
    random = np.random.default_rng([11, number])
    needed = RUN_LENGTH * 101
    detectors = [Detector(run_length=needed, min_saving=0.0) for _ in range(101)]
    count = 0
    for y, z in QUIET[0].looks(random, years * YEAR):
        codes = random.integers(0, 10, (10, len(y)))
        alarm = detectors[100].update(y, z).alarm
        for column in range(10):
            for value in range(10):
                rows = codes[column] == value
                alarm |= detectors[10 * column + value].update(y[rows], z[rows]).alarm
        if alarm:
            count += 1
            for detector in detectors:
                detector.restart()
    return count


def _late_labels(pool: ProcessPoolExecutor, repeats: int, only: str | None) -> Iterator[Row]:
    for name, delay in (("when mature", 30), ("as they come", 0)):
        title = f"false alarms: frauds known in 10 days and their absence in 30, counted {name}"
        if chosen([title], str, only):
            found = _mapped(pool, _alarms_of_late_labels, [(number, delay) for number in range(repeats)], title)
            bar = Bar(0.0, at_least=False) if delay else None
            yield Row(title, "% of runs of 200 days with an alarm", 100.0 * float(np.mean(found)), bar=bar)


def _alarms_of_late_labels(task: tuple[int, int]) -> bool:
    number, delay = task
    random = np.random.default_rng([13, number])
    monitor = Monitor(label_delay=delay * DAY, clock=None)
    due: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for day in range(200):
        z = _scores(random, 200, 2)
        y = _labels(random, z)
        ids = [f"{day}-{row}" for row in range(200)]
        monitor.record(ids, expit(z), day * DAY)
        known = np.where(y == 1.0, random.integers(0, 10, 200), 30)
        for key, label, after in zip(ids, y, known, strict=True):
            due[day + int(after)].append((key, int(label)))
        if due[day]:
            keys, labels = zip(*due.pop(day), strict=True)
            monitor.label(keys, labels, day * DAY + DAY // 2)
        if monitor.alerts():
            return True
    return False
