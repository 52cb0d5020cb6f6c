"""Splits of rows into parts: random and stratified by class, or by time.

A split by time tests on rows that are later than all training rows, as in the use of a model. The latest half of the rows
is divided into one test period per seed, with equal numbers of rows. A single seed tests on the same share of rows as a
random split. Seed 0 has the latest period, seed 1 the one before, and so on, so that no row is tested on twice. Each seed
trains on the rows before its period and excludes those after it. The latest of the rows before the period are used for early
stopping and calibration. Rows with the same time stay in the same part.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from boosting_losses._types import Array

from . import TableError
from .data_sets import DataSet

#: The share of test rows: all periods together, and the maximum for a single period.
TOGETHER, ALONE = 0.5, 0.3
#: The purposes of the parts, in order of time.
PARTS = ("train on", "stop and calibrate on", "test on")

Rows = np.ndarray[Any, np.dtype[np.intp]]


class Parts(NamedTuple):
    """Rows for training, for early stopping and calibration, and for testing; labels are class codes."""

    train: DataSet
    inner: DataSet
    test: DataSet

    @property
    def n_classes(self) -> int:
        """The number of classes."""
        return int(self.train.y.max()) + 1


def two_parts(codes: Rows, share: float, seed: int) -> tuple[Rows, Rows]:
    """Split at random, stratified by class code; the second part has the given share of the rows."""
    first, second = train_test_split(np.arange(len(codes)), test_size=share, stratify=codes, random_state=seed)
    return first, second


def three_parts(codes: Rows, test: float, inner: float, seed: int) -> tuple[Rows, Rows, Rows]:
    """Split off a share of the rows for testing, and a share of the rest for early stopping and calibration."""
    rest, tested = two_parts(codes, test, seed)
    train, stopping = two_parts(codes[rest], inner, seed)
    return rest[train], rest[stopping], tested


def share(periods: int) -> float:
    """Return the share of all rows that each seed tests on in a split by time."""
    return min(ALONE, TOGETHER / periods)


def by_time(time: Array, seed: int, periods: int, inner: float) -> tuple[Rows, Rows, Rows]:
    """Return the rows for training, for early stopping and calibration, and for testing.

    Parameters
    ----------
    time : ndarray of float, shape (n_rows,)
        Finite times in any unit.
    seed, periods : int
        The period to test on, counted from the latest, and the number of periods.
    inner : float
        The share of the rows before the test period that is used for early stopping and calibration.

    Raises
    ------
    TableError
        If a part has no rows.
    """
    order = np.argsort(time, kind="stable")
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(time[order])) + 1, [len(order)]])

    def cut(position: float) -> int:
        return int(bounds[np.abs(bounds - position).argmin()])

    end = cut(len(order) * (1.0 - seed * share(periods)))
    start = cut(len(order) * (1.0 - (seed + 1) * share(periods)))
    middle = cut((1.0 - inner) * start)
    parts = (order[:middle], order[middle:start], order[start:end])
    for part, what in zip(parts, PARTS, strict=True):
        if not len(part):
            raise TableError(
                f"a split by time must have rows in every part, got none to {what} for seed {seed}; rows with the same time"
                f" stay together, and there are {len(bounds) - 1} distinct times; use fewer --seeds, or omit --time"
            )
    return parts


def check_classes(codes: Rows, parts: tuple[Rows, Rows, Rows], classes: Rows, seed: int) -> None:
    """Check that every class has two rows in each part of a split by time, as in random splits.

    Raises
    ------
    TableError
        If a class has fewer than two rows in a part.
    """
    for part, what in zip(parts, PARTS, strict=True):
        counts = np.bincount(codes[part], minlength=len(classes))
        if counts.min() < 2:
            rarest = classes[counts.argmin()].item()
            raise TableError(
                f"every class must have at least 2 rows in every part of a split by time, got {counts.min()} of {rarest!r}"
                f" to {what} for seed {seed}; use fewer --seeds, or remove the rows of this class"
            )


def in_words(name: str, column: str, periods: int, inner: float) -> str:
    """Return a description of a split by time: the parts, the role of the seeds, and the meaning of intervals."""
    tested = f"about {100.0 * share(periods):.3g} % of the rows"
    words = (
        f"{name} is split by time, in the order of {column!r}, which is not a feature: every test row is later than all rows"
        f" used for training or calibration. Of the rows before the test rows, the latest {100.0 * inner:.3g} % are used for"
        " early stopping and calibration."
    )
    if periods == 1:
        return f"{words} The one seed tests on the latest rows, {tested}."
    return (
        f"{words} Seed 0 tests on the latest rows, {tested}; each further seed tests on the period before and excludes all"
        " later rows. Thus, seeds differ in the period, not in a random sample of rows: an interval over seeds shows how a"
        " difference varies between periods. It is widened because the periods share training rows. It is approximate:"
        f" adjacent periods are correlated, there are only {periods}, and it does not account for changes after the last row."
    )
