"""Splits of rows into parts: at random and stratified by class, or by time.

A split by time tests on rows that are later than all that was trained on, as a model is used. The latest half of the rows is
cut into as many test periods as there are seeds, of equally many rows. A single seed tests on as many rows as a random
split does. Seed 0 has the latest period, seed 1 the one before, and so on, so that no row is tested on twice. Each seed
trains on the rows before its period and leaves out those after it. Of the rows before, the latest stop the training and
calibrate. Rows of one time stay on one side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from boosting_losses._types import Array

from . import TableError
from .data_sets import DataSet

#: The share of the rows to test on: all periods together, and a single one.
TOGETHER, ALONE = 0.5, 0.3
#: What the parts are for, in the order of time.
PARTS = ("train on", "stop and calibrate on", "test on")

Rows = np.ndarray[Any, np.dtype[np.intp]]


class Parts(NamedTuple):
    """Rows to train on, to stop early and calibrate on, and to test on; labels are class codes."""

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
    """Split off a share of the rows to test on, and a share of the others to stop early and calibrate on."""
    rest, tested = two_parts(codes, test, seed)
    train, stopping = two_parts(codes[rest], inner, seed)
    return rest[train], rest[stopping], tested


def share(periods: int) -> float:
    """Return the share of all rows that a seed tests on in a split by time."""
    return min(ALONE, TOGETHER / periods)


def by_time(time: Array, seed: int, periods: int, inner: float) -> tuple[Rows, Rows, Rows]:
    """Return the rows to train on, to stop early and calibrate on, and to test on.

    Parameters
    ----------
    time : ndarray of float, shape (n_rows,)
        Finite, in any unit.
    seed, periods : int
        The period to test on, counted from the latest, and the number of periods.
    inner : float
        The share of the rows before the test period that stop the training.

    Raises
    ------
    TableError
        If a part would have no row.
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
                f"a split by time must have rows in every part, got none to {what} for seed {seed}, since rows of one time"
                f" stay together, of which there are {len(bounds) - 1}; ask for fewer --seeds, or do without --time"
            )
    return parts


def check_classes(codes: Rows, parts: tuple[Rows, Rows, Rows], classes: Rows, seed: int) -> None:
    """Check that every class has two rows in each part of a split by time, as in random splits.

    Raises
    ------
    TableError
        If a class has fewer.
    """
    for part, what in zip(parts, PARTS, strict=True):
        counts = np.bincount(codes[part], minlength=len(classes))
        if counts.min() < 2:
            rarest = classes[counts.argmin()].item()
            raise TableError(
                f"every class must have at least 2 rows in every part of a split by time, got {counts.min()} of {rarest!r}"
                f" to {what} for seed {seed}; ask for fewer --seeds, or for sets without it"
            )


def in_words(name: str, column: str, periods: int, inner: float) -> str:
    """Say how a set is split by time, what varies from seed to seed, and what its intervals mean."""
    tested = f"about {100.0 * share(periods):.3g} % of the rows"
    words = (
        f"{name} is split by time, in the order of {column!r}, which is no feature: every test row is later than all rows"
        f" that are trained or calibrated on. Of the rows before the test rows, the latest {100.0 * inner:.3g} % stop the"
        " training and calibrate."
    )
    if periods == 1:
        return f"{words} The one seed tests on the latest rows, {tested}."
    return (
        f"{words} Seed 0 tests on the latest rows, {tested}, each further seed on as many before them, and leaves out what is"
        " later. So seeds differ in the period, not in a draw of rows: an interval over seeds says how a difference changes"
        " from period to period. The periods share rows that are trained on, for which it is widened. It remains rough:"
        f" neighbouring periods are alike, there are only {periods}, and a change after the last row is not in it."
    )
