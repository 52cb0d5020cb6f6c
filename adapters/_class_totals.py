"""The total weight of each class, from which the init score of rows in several places follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .._types import Array
from ..losses import LogLoss, SoftmaxCrossEntropy
from ._loss import check_values


@dataclass(frozen=True)
class ClassTotals:
    """The total weight of each class; ``a + b`` gives the totals of all rows of ``a`` and ``b``.

    Losses are linear in soft labels, so one row per class with these weights has the same init score as all rows together.
    """

    weight: npt.NDArray[np.float64]
    soft: bool

    def __add__(self, other: ClassTotals) -> ClassTotals:
        size = max(self.weight.size, other.weight.size)
        return ClassTotals(padded(self.weight, size) + padded(other.weight, size), self.soft or other.soft)

    def rows(self, n_classes: int | None = None) -> tuple[Array, Array]:
        """Return one label per class, and the weights of these rows, for at least ``n_classes`` classes."""
        weight = padded(self.weight, max(n_classes or 0, 2, self.weight.size))
        return np.eye(weight.size) if self.soft else np.arange(weight.size, dtype=np.float64), weight


def class_totals(labels: Array, weight: Array | None, *, multiclass: bool) -> ClassTotals:
    """Return the totals of these rows; raise an error if labels or weights are invalid.

    The number of classes may be greater in other rows. The check therefore uses losses without class weights.
    """
    soft = labels.ndim == 2
    if is_weightless(labels, weight):
        return ClassTotals(np.zeros(0), soft and labels.size > 0)
    rows = np.ones(len(labels)) if weight is None else np.asarray(weight, np.float64)
    if not multiclass:
        check_values(LogLoss(), labels, weight, 2)
        ones = float(rows @ labels)
        return ClassTotals(np.array([rows.sum() - ones, ones]), soft=False)
    largest = labels.shape[1] - 1 if soft else np.max(labels)
    classes = max(int(largest) + 1, 2) if 0 <= largest < 1e6 else 2  # the check refuses other codes
    check_values(SoftmaxCrossEntropy(), labels, weight, classes)
    if soft:
        return ClassTotals(rows @ labels, soft)
    return ClassTotals(np.bincount(labels.astype(np.intp), rows, classes).astype(np.float64), soft)


def is_weightless(labels: npt.ArrayLike, weight: npt.ArrayLike | None) -> bool:
    """Return whether there are no rows, or only rows of weight 0."""
    return not (np.any(weight) if weight is not None else np.size(labels))


def padded(values: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return the values followed by zeros."""
    return np.pad(values, (0, size - values.size))
