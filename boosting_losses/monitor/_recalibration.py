"""A calibrator for the served probabilities, with an estimate of the log loss that it saves."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from .._types import Doubles
from ..calibration import Calibrator, PlattScaling, TemperatureScaling, VectorScaling
from ..metrics import logits
from ..metrics._predictions import Predictions, each

_NORMAL_95 = 1.959963984540054
#: With fewer labels per class, vector scaling would overfit.
_ROWS_PER_CLASS = 50
_LEAST_ROWS = 10
_FOLDS = 5


@dataclass(frozen=True)
class Recalibration:
    """A calibrator for served probabilities, and the log loss that it saves.

    Attributes
    ----------
    calibrator : Calibrator
        Fitted on all rows. :meth:`predict_proba` applies it to probabilities; the calibrator itself takes logits.
    saving, low, high : float
        The log loss that it saves, in nats a row, from 5-fold cross-fitting, with a 95 % interval. Folds are contiguous
        within each class.
    rows : int
        The number of labelled rows in the fit.
    since : datetime
        The prediction time of the first of them.
    """

    calibrator: Calibrator
    saving: float
    low: float
    high: float
    rows: int
    since: datetime

    def predict_proba(self, proba: npt.ArrayLike) -> Doubles:
        """Return recalibrated probabilities in the form of those given, ``(n,)`` of the second class or ``(n, K)``."""
        served = np.asarray(proba, np.float64)
        two_columns = served.ndim == 2 and served.shape[1] == 2
        recalibrated: Doubles = self.calibrator.predict_proba(logits(served[:, 1] if two_columns else served))
        return recalibrated if served.ndim == 2 else recalibrated[:, 1]

    def __str__(self) -> str:
        return (
            f"{type(self.calibrator).__name__} fitted on {self.rows:,} rows since {self.since:%Y-%m-%d} saves"
            f" {self.saving:.4g} nats a row ({self.low:.4g} to {self.high:.4g})"
        )


def default_calibrator(proba: Doubles, labels: int) -> Calibrator:
    """Return an unfitted calibrator that suits the number of labels."""
    if proba.ndim == 1:
        return PlattScaling()
    return VectorScaling() if labels >= _ROWS_PER_CLASS * proba.shape[1] else TemperatureScaling()


def recalibrate(
    proba: Doubles, y: npt.NDArray[np.int32], weight: Doubles, since: datetime, calibrator: Calibrator | None
) -> Recalibration:
    """Fit a calibrator to labelled rows, which are in order of time, and estimate its saving.

    Raises
    ------
    ValueError
        With fewer than 10 rows, or labels all of one class.
    """
    if len(y) < _LEAST_ROWS or len(np.unique(y)) < 2:
        raise ValueError(
            f"recalibration needs at least {_LEAST_ROWS} mature labelled rows of at least 2 classes, got {len(y)} rows"
            f" of {len(np.unique(y))}"
        )
    unfitted = default_calibrator(proba, len(y)) if calibrator is None else calibrator
    scores = logits(proba)
    saving = np.full(len(y), np.nan)
    # Each class is split into contiguous periods, so that every fit has rows of every class that occurs twice.
    folds = max(2, min(_FOLDS, int(np.bincount(y)[np.unique(y)].min())))
    for others, part in _splits(y, folds):
        fitted = clone(unfitted).fit(scores[others], y[others], weight[others])
        recalibrated = fitted.predict_proba(scores[part])
        recalibrated = recalibrated[:, 1] if proba.ndim == 1 else recalibrated
        saving[part] = _losses(proba[part], y[part]) - _losses(recalibrated, y[part])
    mean = float(np.average(saving, weights=weight))
    error = float(np.sqrt(np.sum((weight * (saving - mean)) ** 2)) / weight.sum())
    fitted = clone(unfitted).fit(scores, y, weight)
    return Recalibration(fitted, mean, mean - _NORMAL_95 * error, mean + _NORMAL_95 * error, len(y), since)


def _splits(y: npt.NDArray[np.int32], folds: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    with warnings.catch_warnings():
        # A class with a single row is missing in one of the fits.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield from StratifiedKFold(folds).split(y, y)


def _losses(proba: Doubles, y: npt.NDArray[np.int32]) -> Doubles:
    return each(Predictions(y.astype(np.float64), np.ascontiguousarray(proba), None))[0]
