"""The runs of a plan as a table: settings, versions, scores, costs and errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from ..study.store import Store
from .plan import LIBRARIES, Fit, versions
from .scoring import SCORES

#: The columns shared by all calibrations of a training.
_OF_TRAININGS = (
    "classes",
    "train_rows",
    "inner_rows",
    "test_rows",
    "rounds",
    "fit_seconds",
    "predict_seconds",
    "peak_mb",
)
#: The columns that identify a run.
KEYS = ("data", "seed", "library", "loss", "calibration")
#: The columns that may differ between two calls with the same settings.
COSTS = ("fit_seconds", "predict_seconds", "calibration_seconds", "peak_mb")


def table(plan: Iterable[Fit], store: Store) -> pd.DataFrame:
    """Return one row for each calibration of each finished training, and one without scores for each failed training."""
    rows = [row for fit in plan for row in _rows(fit, store.answer(fit))]
    columns = [*KEYS, "made", "error", "chosen", *_OF_TRAININGS, "calibration_seconds", *SCORES]
    others = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in columns]
    frame = pd.DataFrame(rows).reindex(columns=[*columns, *others])
    numbers = [*_OF_TRAININGS, "calibration_seconds", *SCORES]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def _rows(fit: Fit, answer: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if answer is None:
        return
    settings = {
        "data": fit.source.name,
        "seed": fit.seed,
        "library": LIBRARIES[fit.library],
        "loss": fit.loss,
        "made": fit.source.is_made,
        **({} if fit.source.time is None else {"time": fit.source.time}),
        **{f"budget_{name}": value for name, value in asdict(fit.budget).items()},
        "version": versions(fit.library)[fit.library],
        **{f"version_{name}": value for name, value in versions(fit.library).items() if name != fit.library},
        "error": answer["error"],
    }
    if answer["error"]:
        yield settings
        return
    for run in answer["runs"]:
        yield settings | {name: answer[name] for name in _OF_TRAININGS} | run  # overrides the error of the training
