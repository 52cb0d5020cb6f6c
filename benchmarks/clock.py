"""The seconds of the parts of training rounds: the objective, the sketch, XGBoost's copy of the scores, and the library."""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

OBJECTIVE, SKETCH, COPY, LIBRARY = "objective", "sketch", "copy of the scores", "library"

#: The seconds of each part in all rounds of a run.
Parts = dict[str, float]


@dataclass
class Stopwatch:
    """The seconds of each call of a function, and the start of the first one."""

    first: float = 0.0
    seconds: list[float] = field(default_factory=list)

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its calls timed."""

        def call(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            if not self.seconds:
                self.first = start
            result = function(*arguments, **options)
            self.seconds.append(time.perf_counter() - start)
            return result

        return call


@dataclass
class Clock:
    """A stopwatch for each part of a round that is called from Python."""

    objective: Stopwatch = field(default_factory=Stopwatch)
    sketch: Stopwatch = field(default_factory=Stopwatch)
    copy: Stopwatch = field(default_factory=Stopwatch)

    def parts(self) -> Parts:
        """Return the seconds of the parts, given that training has just ended.

        The rounds begin with the first call of the objective. The first copy comes before it and is not counted, because it
        includes preparing the training; the mean of the other copies is counted for the first round instead.
        """
        seconds = time.perf_counter() - self.objective.first
        found = {OBJECTIVE: sum(self.objective.seconds)}
        if self.sketch.seconds:
            found[SKETCH] = sum(self.sketch.seconds)
        if later := self.copy.seconds[1:]:
            mean = statistics.fmean(later)
            found[COPY] = mean + sum(later)
            seconds += mean
        return {**found, LIBRARY: seconds - sum(found.values())}


@contextmanager
def clock(library: str) -> Iterator[Clock]:
    """Time the calls in the runs of the adapter's ``train`` within the block."""
    adapter = f"boosting_losses.adapters.{library.lower()}"
    objects, found = importlib.import_module(f"{adapter}._objects"), Clock()
    with ExitStack() as stack:

        def replace(owner: Any, name: str, new: Callable[..., Any]) -> None:
            stack.enter_context(patch.object(owner, name, new))

        objective = objects.InPlaceObjective if library == "XGBoost" else objects.Objective
        replace(objective, "__call__", found.objective.timed(objective.__call__))
        if library == "XGBoost":
            training, booster = (
                importlib.import_module(f"{adapter}._training"),
                importlib.import_module("xgboost").Booster,
            )
            replace(training, "sketched", _with_timed_sketch(training.sketched, found.sketch))
            replace(booster, "predict", found.copy.timed(booster.predict))
        yield found


def _with_timed_sketch(sketched: Callable[..., Any], stopwatch: Stopwatch) -> Callable[..., Any]:
    def make(*arguments: Any) -> Any:
        objective = sketched(*arguments)
        objective.split_grad = stopwatch.timed(objective.split_grad)
        return objective

    return make
