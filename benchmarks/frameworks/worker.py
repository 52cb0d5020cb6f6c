"""A process that trains with one library. It reads JSON requests from standard input and writes answers, one per line.

Each answer is preceded by an empty one when the data are loaded and the code is compiled: the time limit starts there.

The process ends when its standard input is closed, even during a training.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from ..study.data_sets import DataSet
from ..study.splits import Parts
from . import scoring
from .data import Source, split
from .losses import loss_of
from .plan import Budget
from .training import train


def answer(request: dict[str, Any], warmed: set[tuple[Any, ...]], begin: Callable[[], None]) -> dict[str, Any]:
    """Call ``begin``, train and score once; an exception is reported in the answer."""
    try:
        return _trained(request, warmed, begin)
    except Exception as error:  # noqa: BLE001  (no error may stop the other trainings)
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _trained(request: dict[str, Any], warmed: set[tuple[Any, ...]], begin: Callable[[], None]) -> dict[str, Any]:
    parts = Source(**request["source"]).parts(request["seed"])
    n_classes = parts.n_classes
    library, budget = request["library"], Budget(**request["budget"])
    loss = loss_of(request["loss"], parts.train, n_classes)
    kind = (request["loss"], n_classes, parts.train.weight is None)
    if kind not in warmed:  # compile or load the kernels
        warmed.add(kind)
        small = _small(n_classes, weighted=parts.train.weight is not None)
        warm_up = train(library, loss, small, n_classes, Budget(rounds=2), 0)
        list(scoring.runs(warm_up, request["loss"], loss, small, n_classes))
    begin()
    trained = train(library, loss, parts, n_classes, budget, request["seed"])
    return {
        "error": None,
        "classes": n_classes,
        "train_rows": len(parts.train.y),
        "inner_rows": len(parts.inner.y),
        "test_rows": len(parts.test.y),
        "rounds": trained.rounds,
        "fit_seconds": trained.fit_seconds,
        "predict_seconds": trained.predict_seconds,
        "peak_mb": None if trained.peak_bytes is None else trained.peak_bytes / 1e6,
        "runs": list(scoring.runs(trained, request["loss"], loss, parts, n_classes)),
    }


def _small(n_classes: int, *, weighted: bool) -> Parts:
    """Return a small data set for a warm-up training."""
    rows = 20 * n_classes
    X = np.random.default_rng(0).standard_normal((rows, 3))
    y = np.arange(rows) % n_classes
    return split(DataSet(X, y, weight=np.ones(rows) if weighted else None), 0)


def _read(lines: queue.SimpleQueue[str]) -> None:
    """Queue requests; end the process when standard input is closed."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


def main() -> None:
    """Answer requests until standard input is closed."""
    # Output that libraries print must not be mixed with the answers.
    answers: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()

    def say(found: dict[str, Any]) -> None:
        answers.write(json.dumps(found) + "\n")
        answers.flush()

    warmed: set[tuple[Any, ...]] = set()
    while True:
        say(answer(json.loads(lines.get()), warmed, lambda: say({})))


if __name__ == "__main__":
    main()
