"""The child process of ``imports`` that times the first calls of a loss, or a first report, and prints JSON.

Timing starts after the imports. A loss is called on arrays as in the first round of XGBoost: float32 labels and scores, no
weights. A report has 300 rows.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba.core import event

from boosting_losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.losses.multiclass import MulticlassLoss

LOSSES = {loss.__name__: loss for loss in (LogLoss, FocalLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss)}
REPORT = "report"
#: The common name of all functions that Numba itself implements, such as ``np.empty``.
OF_NUMBA = "NumPy functions of Numba"


class Compilations(event.Listener):
    """The number of compilations of each function and their seconds, excluding nested compilations."""

    def __init__(self) -> None:
        self.by_function: dict[str, tuple[int, float]] = {}
        #: The start of each running compilation, and the seconds of the compilations nested in it.
        self._running: list[list[float]] = []

    def on_start(self, event: Any) -> None:
        """Record the start of a compilation."""
        del event
        self._running.append([time.perf_counter(), 0.0])

    def on_end(self, event: Any) -> None:
        """Count a compilation, and add its seconds to the nested time of the enclosing compilation."""
        start, nested = self._running.pop()
        seconds = time.perf_counter() - start
        if self._running:
            self._running[-1][1] += seconds
        function = event.data["dispatcher"].py_func
        module = function.__module__.removeprefix("boosting_losses._kernels.")
        name = OF_NUMBA if module.startswith("numba.") else f"{module}.{function.__qualname__}"
        count, total = self.by_function.get(name, (0, 0.0))
        self.by_function[name] = (count + 1, total + seconds - nested)


@contextmanager
def compilations() -> Iterator[Compilations]:
    """Record all compilations in the block; loading code from the cache is not a compilation."""
    listener = Compilations()
    with event.install_listener("numba:compile", listener):
        yield listener


def calls_of(name: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a function that makes the first call, and one that calls all other kernels of a loss."""
    if name == REPORT:
        from boosting_losses.report import ProbabilityReport  # noqa: PLC0415  (would slow down the other child processes)

        random = np.random.default_rng(0)
        proba = random.uniform(0.05, 0.95, 300)
        y = (random.random(300) < proba).astype(np.int64)
        return lambda: str(ProbabilityReport.from_predictions(y, proba)), lambda: None
    loss: Loss = LOSSES[name]()
    y = np.array([0.0, 1.0, 0.0, 1.0], np.float32)
    raw = np.zeros((4, 2) if loss.multiclass else 4, np.float32)

    def others() -> None:
        loss(y, raw)
        loss.init_score(y)
        loss.activation(raw)
        loss.posterior(raw)
        if isinstance(loss, MulticlassLoss):
            loss.row_function(2)(raw[0].astype(np.float64), 0.0, 1.0)

    return lambda: loss.gradient_hessian(y, raw), others


def main(name: str) -> None:
    """Make the first call, then all others; print the seconds after each and the compilations of the first call."""
    first_call, others = calls_of(name)
    start = time.perf_counter()
    with compilations() as compiled:
        first_call()
    first = time.perf_counter()
    others()
    found = {"first": first - start, "all": time.perf_counter() - start, "compilations": compiled.by_function}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
