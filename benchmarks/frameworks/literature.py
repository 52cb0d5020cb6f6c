"""A published table next to its replication: the posterior of focal boosting on a diabetes survey.

Johnston et al., "Estimating Calibrated Risks Using Focal Loss and Gradient-Boosted Trees for Clinical Risk Prediction",
Electronics 14(9):1838, 2025, tune XGBoost with a focal loss on the BRFSS 2015 diabetes indicators (duplicates dropped,
70 % training rows, three splits). They compare the sigmoid of its scores with the closed form that this package calls the
posterior, with Platt scaling and with isotonic regression. The published figures are those stored in the notebook of the
paper. Gamma is taken from the paper; the tree settings are those of ``frameworks``, untuned.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from ..report import environment, markdown_table, measured
from ..screen import console, table
from ..study import TableError
from ..study.intervals import number
from ..study.store import Store
from ..study.tables import Table, load
from . import supervisor
from .comparison import summaries
from .data import from_file
from .options import SIZES
from .plan import BUILTIN, fits, focal
from .runs import table as table_of_runs
from .scoring import NONE, POSTERIOR
from .text import many

GAMMA = 1.083
#: AUC, Brier score and log loss; None if the notebook does not contain the figure.
PUBLISHED: dict[tuple[str, str], tuple[float | None, float | None, float | None]] = {
    (focal(GAMMA), NONE): (0.818, 0.117, 0.383),
    (focal(GAMMA), POSTERIOR): (0.818, 0.105, 0.337),
    (focal(GAMMA), "sigmoid"): (None, None, 0.337),
    (focal(GAMMA), "isotonic"): (None, None, 0.338),
}
_HEADINGS = ("XGBoost", "AUC", "paper", "Brier", "paper", "log loss", "paper")
_OURS = ((BUILTIN, NONE), *PUBLISHED)


def run(arguments: argparse.Namespace) -> int:
    """Train on the user's copy of the survey and print one table with the published and the replicated figures."""
    try:
        copy = _without_duplicates(arguments.data, arguments.label, arguments.out)
        source = from_file(copy, arguments.label)
        store = Store(arguments.out)
    except (TableError, OSError) as error:
        print(f"literature: {error}", file=sys.stderr)  # noqa: T201
        return 2
    budget = SIZES["standard"].budget
    plan = list(fits([source], arguments.seeds, ["xgboost"], [BUILTIN, focal(GAMMA)], budget))
    supervisor.run(plan, store, console(), time_limit=None, retry_failed=True)
    runs = table_of_runs(plan, store)
    lines = _lines(summaries(runs)[source.name])
    console().print(table(_HEADINGS, lines))
    if arguments.markdown is not None:
        arguments.markdown.write_text(_markdown(lines, runs), encoding="utf-8")
    return 0


def _without_duplicates(file: Path, label: str, folder: Path) -> Path:
    """Write a copy without duplicate rows, as in the paper, and return its path."""
    frame = load(Table(file, label))
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"{file.stem}.parquet"
    frame.drop_duplicates().to_parquet(copy)
    return copy


def _lines(summary: pd.DataFrame) -> list[tuple[str, ...]]:
    lines = []
    for loss, calibration in _OURS:
        ours = summary.loc["XGBoost", loss, calibration]
        paper = PUBLISHED.get((loss, calibration), (None, None, None))
        cells = [f"{loss}, {'uncalibrated' if calibration == NONE else calibration}"]
        for name, published in zip(("auc", "brier", "log_loss"), paper, strict=True):
            cells += [f"{ours[name]:.4f}", number(published)]
        lines.append(tuple(cells))
    return lines


def _markdown(lines: list[tuple[str, ...]], runs: pd.DataFrame) -> str:
    rows = int(runs[["train_rows", "inner_rows", "test_rows"]].iloc[0].sum())
    words = f"{rows:,} rows without duplicates, {many(runs['seed'].nunique(), 'split')}."
    return "\n\n".join([measured(environment({})), words, markdown_table(_HEADINGS, lines)]) + "\n"
