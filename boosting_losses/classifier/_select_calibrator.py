"""Selection of the simplest calibrator whose cross-fitted log loss is within one standard error of the best."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from .._types import Array
from ..calibration import (
    BetaCalibration,
    Calibrator,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    Uncalibrated,
    VectorScaling,
)

#: The calibrators by name, from the simplest to the most flexible.
CALIBRATORS: dict[str, type[Calibrator]] = {
    "none": Uncalibrated,
    "temperature": TemperatureScaling,
    "sigmoid": PlattScaling,
    "beta": BetaCalibration,
    "vector": VectorScaling,
    "isotonic": IsotonicCalibration,
}
#: The candidates. For K classes, vector scaling replaces sigmoid and beta calibration, which fit one class at a time.
_FOR_TWO = ("none", "temperature", "sigmoid", "beta", "isotonic")
_FOR_MORE = ("none", "temperature", "vector", "isotonic")
#: With fewer rows, isotonic regression overfits: it has few, wide steps.
_LEAST_FOR_ISOTONIC = 1000


class HeldOut(NamedTuple):
    """Posterior logits of held-out rows, with class codes, weights, fold indices and row indices."""

    logits: Array
    y: npt.NDArray[np.intp]
    weight: Array | None
    fold: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]

    def seen(self) -> npt.NDArray[np.intp]:
        """Return the codes of the classes that have rows with positive weight."""
        return np.unique(self.y if self.weight is None else self.y[self.weight > 0.0])

    def where(self, rows: npt.NDArray[np.bool_]) -> HeldOut:
        """Return the rows selected by a mask."""
        weight = None if self.weight is None else self.weight[rows]
        return HeldOut(self.logits[rows], self.y[rows], weight, self.fold[rows], self.row[rows])


def choose(held_out: HeldOut) -> dict[str, Any]:
    """Return a report with the selected calibrator as ``method`` and the scores of all candidates.

    Each candidate is fitted to the rows of all folds except one and scored on the rows of that fold, because the most
    flexible candidate would always have the lowest loss on the rows to which it was fitted. The simplest candidate whose
    mean loss is within one standard error of the lowest is selected. The standard error is that of the mean difference
    between the losses of the two candidates on the same rows.
    """
    # A row that several folds hold out is used once. Otherwise, a calibrator could be fitted to one score of the row and
    # evaluated on another.
    first = np.zeros(len(held_out.y), dtype=bool)
    first[np.unique(held_out.row, return_index=True)[1]] = True
    held_out = held_out.where(first)
    if len(np.unique(held_out.fold)) < 2:
        held_out = held_out._replace(fold=_folds(held_out.y))
    names: tuple[str, ...] = _FOR_TWO if held_out.logits.ndim == 1 else _FOR_MORE
    if len(held_out.y) < _LEAST_FOR_ISOTONIC:
        names = tuple(name for name in names if name != "isotonic")
    losses = {name: _cross_fitted_losses(CALIBRATORS[name](), held_out) for name in names}
    means = {name: float(np.average(loss, weights=held_out.weight)) for name, loss in losses.items()}
    best = min(names, key=means.__getitem__)
    scores = {}
    for name in names:
        difference, error = _mean_and_error(losses[name] - losses[best], held_out.weight)
        scores[name] = {"log_loss": means[name], "above_best": difference, "standard_error": error}
    chosen = next(name for name in names if scores[name]["above_best"] <= scores[name]["standard_error"])
    return {"method": chosen, "best": best, "scores": scores, "rows": len(held_out.y)}


def fitted(calibrator: Calibrator, held_out: HeldOut) -> Calibrator:
    """Return a clone of the calibrator that is fitted to the held-out rows."""
    fresh: Calibrator = clone(calibrator)
    return fresh.fit(held_out.logits, held_out.y, held_out.weight)


def _cross_fitted_losses(calibrator: Calibrator, held_out: HeldOut) -> Array:
    losses = np.empty(len(held_out.y))
    for fold in np.unique(held_out.fold):
        inside = held_out.fold == fold
        others, rows = held_out.where(~inside), held_out.where(inside)
        proba = fitted(calibrator, others).predict_proba(rows.logits)
        own = np.take_along_axis(proba, rows.y[:, None], axis=1)[:, 0]
        losses[inside] = -np.log(np.maximum(own, np.finfo(np.float64).eps))
    return losses


def _mean_and_error(values: Array, weight: Array | None) -> tuple[float, float]:
    w = np.ones(len(values)) if weight is None else weight.astype(np.float64)
    mean = float(np.average(values, weights=w))
    return mean, float(np.sqrt(np.sum((w * (values - mean)) ** 2)) / w.sum())


def _folds(y: npt.NDArray[np.intp], count: int = 5) -> npt.NDArray[np.intp]:
    """Split rows that come from a single fold into new folds; return the fold index of each row."""
    rarest = int(np.bincount(y)[np.unique(y)].min())
    if rarest < 2:
        raise ValueError(
            'calibration="auto" must have at least 2 held-out rows of each class to compare calibrators, got 1; choose a'
            " calibration by name"
        )
    fold = np.empty(len(y), dtype=np.intp)
    splitter = StratifiedKFold(min(count, rarest), shuffle=True, random_state=0)
    parts: Iterable[tuple[Any, Any]] = splitter.split(np.zeros(len(y)), y)
    for number, (_, rows) in enumerate(parts):
        fold[rows] = number
    return fold
