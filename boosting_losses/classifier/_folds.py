"""Training of one model per fold, and raw scores of the held-out rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from ..adapters._estimators import Labelled, Stopping, Trainer
from ._select_calibrator import HeldOut

Rows: TypeAlias = npt.NDArray[np.intp]


class Fold(NamedTuple):
    """The model of a fold, its number of rounds, and the held-out rows with their raw scores."""

    model: Any
    rounds: int
    rows: Rows
    raw: npt.NDArray[np.floating]


def fit_folds(
    trainer: Trainer,
    data: Labelled,
    splits: Iterable[tuple[Rows, Rows]],
    stopping: Stopping | None,
    n_jobs: int | None,
    verbose: int,
) -> list[Fold]:
    """Train a model for each split; early stopping uses the held-out rows."""
    parts = [(_numbers(train, data), _numbers(test, data)) for train, test in splits]
    if not parts:
        raise ValueError("cv must yield at least one split, got none; a generator is exhausted after one fit")
    for number, (train, test) in enumerate(parts, 1):
        _check_part(f"fold {number} of {len(parts)}", data, train, test)
    jobs = (
        delayed(_fit_fold)(trainer, data, train, test, stopping, f"fold {number} of {len(parts)}", verbose)
        for number, (train, test) in enumerate(parts, 1)
    )
    folds: list[Fold] = Parallel(n_jobs=n_jobs)(jobs)
    return folds


def held_out(folds: list[Fold], y: npt.NDArray[np.intp], weight: Any, logits: Callable[[Any], Any]) -> HeldOut:
    """Return the posterior logits of the held-out rows of all folds; a row occurs once per fold that holds it out."""
    rows = np.concatenate([fold.rows for fold in folds])
    return HeldOut(
        logits(np.concatenate([fold.raw for fold in folds])),
        y[rows],
        None if weight is None else weight[rows],
        np.repeat(np.arange(len(folds)), [len(fold.rows) for fold in folds]),
        rows,
    )


def _numbers(rows: Any, data: Labelled) -> Rows:
    """Return the indices of rows that are given as indices or as a mask."""
    numbers: Rows = np.arange(len(data.y))[np.asarray(rows, dtype=None if len(rows) else np.intp)]
    return numbers


def _check_part(name: str, data: Labelled, train: Rows, test: Rows) -> None:
    """Raise ValueError if the training part lacks a class or the held-out part is empty.

    A library numbers only the classes in its training data, so a missing class would shift the codes of the others.
    """
    seen = data.y[train] if data.weight is None else data.y[train][data.weight[train].astype(np.float32) > 0.0]
    missing = np.setdiff1d(data.y, seen)
    if len(missing):
        raise ValueError(
            f"{name}: the training part must hold every class with positive weight, got none of class code {missing[0]}"
        )
    if not len(test):
        raise ValueError(f"{name}: the held-out part must hold at least one row, got none")


def _fit_fold(
    trainer: Trainer, data: Labelled, train: Rows, test: Rows, stopping: Stopping | None, name: str, verbose: int
) -> Fold:
    start = time.perf_counter()
    inside, outside = _part(data, train), _part(data, test)
    try:
        model = trainer.train(inside, held_out=outside, stopping=stopping)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    raw = trainer.raw_score(model, outside.X)
    rounds = trainer.rounds(model)
    if verbose:
        loss = trainer.loss(outside.y, raw, outside.weight)
        seconds = time.perf_counter() - start
        print(f"{name}: {rounds} rounds, loss of the held-out rows {loss:.5f}, {seconds:.1f} s", flush=True)  # noqa: T201
    return Fold(model, rounds, test, raw)


def _part(data: Labelled, rows: Rows) -> Labelled:
    weight = None if data.weight is None else data.weight[rows]
    return Labelled(_safe_indexing(data.X, rows), data.y[rows], weight)
