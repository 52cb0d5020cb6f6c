"""Checks of many random cases of a library in a separate process."""

from __future__ import annotations

import importlib
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

#: The number of trainings per process; a crash of the library loses the remaining ones.
_ROUND = 100


def drawn(cases: Any, number: int, examples: int, attempt: Callable[[Any], None]) -> None:
    """Call a function on random cases, which are the same for the same seed."""
    run = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )(given(cases)(attempt))
    seed(number)(run)()


def work(library: str, number: int, end: float, out: Connection) -> None:
    """Check cases and report each; for a failure, report the line in the library's module and the message."""
    module = importlib.import_module(f"tests.trainings.{library}")

    def attempt(case: object) -> None:
        if time.time() > end:
            return
        out.send(("case", repr(case), ""))
        try:
            module.check(case)
        except Exception as error:  # noqa: BLE001
            frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == Path(module.__file__)]
            place = f"line {frames[-1].lineno}, {frames[-1].name}"
            out.send(("failure", f"{type(error).__name__} at {place}", str(error)))

    drawn(module.cases(), number, _ROUND, attempt)
    out.send(("end", "", ""))
