"""Communication between the processes of distributed training, such as with Dask; a single process does not communicate.

Each process has some of the rows, or none. XGBoost sums the histograms of all processes, but a custom objective and a custom
metric receive only the rows of their own process.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from xgboost import collective

from ..._types import Array
from ...losses import Loss
from .._class_totals import ClassTotals, class_totals, is_weightless, padded


def several() -> bool:
    """Return whether training is distributed over several processes."""
    return bool(collective.get_world_size() > 1)


def anywhere(flag: bool) -> bool:
    """Return whether the flag is set in any process."""
    return bool(_largest(flag)) if several() else flag


def has_no_weight(labels: npt.ArrayLike, weight: npt.ArrayLike | None) -> bool:
    """Return whether training is distributed and this process has no rows, or only rows of weight 0."""
    return several() and is_weightless(labels, weight)


def mean_of_all(local: float, labels: npt.ArrayLike, weight: npt.ArrayLike | None) -> float:
    """Return the weighted mean over the rows of all processes; ``local`` is the mean over the rows of this process."""
    own = _weight(labels, weight)
    total, weights = _sum([local * own, own])
    if not weights:
        raise ValueError("evaluation data must have rows of weight > 0 in at least one process, got none")
    return float(total / weights)


def classes_of_all(loss: Loss, labels: Array, weight: Array | None, n_classes: int | None) -> tuple[Array, Array]:
    """Return one label per class, and the total weight of each class over all processes."""
    own = class_totals(labels, weight, multiclass=loss.multiclass)
    everywhere = _sum(padded(own.weight, _largest(own.weight.size)))
    return ClassTotals(everywhere, anywhere(own.soft)).rows(n_classes)


def _weight(labels: npt.ArrayLike, weight: npt.ArrayLike | None) -> float:
    return float(len(np.asarray(labels)) if weight is None else np.sum(weight, dtype=np.float64))


def _sum(values: Any) -> npt.NDArray[np.float64]:
    return np.asarray(collective.allreduce(np.asarray(values, dtype=np.float64), collective.Op.SUM))


def _largest(value: int) -> int:
    return int(collective.allreduce(np.array([value], dtype=np.int64), collective.Op.MAX)[0])
