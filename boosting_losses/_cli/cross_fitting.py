"""Cross-fitting: each row is recalibrated by a calibrator that was fitted to the other folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from .. import _validation, calibration
from ..calibration import Calibrator
from ..metrics import logits
from ..metrics._predictions import Predictions
from ..report._input import normalized, ready
from .calibration_config import METHODS, Calibration

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
#: The rows to which a calibrator is fitted, and the rows that it recalibrates.
Split = tuple[Codes, Codes]


def cross_fitted(
    labels: Numbers,
    probas: Mapping[str, Numbers],
    weight: Numbers | None,
    groups: Codes | None,
    wishes: Calibration,
    *,
    seed: int,
    normalize: bool,
) -> list[Numbers]:
    """Return the recalibrated probabilities of each model, ``(n,)`` for two classes or ``(n, K)``.

    Folds are stratified by class and keep groups together; all models share them. Rows of weight 0 are ignored and keep
    their probabilities.

    Raises
    ------
    ValueError
        If the data are invalid, or a class has fewer rows, or occurs in fewer groups, than there are folds.
    """
    models = []
    for name, given in probas.items():
        proba = normalized(given) if normalize and given.ndim == 2 else given
        try:
            models.append(ready(labels, _validation.moved_inside(proba)[0], weight).tried())
        except ValueError as error:
            raise ValueError(f"model {name!r}: {error}" if len(probas) > 1 else str(error)) from None
    unfitted = getattr(calibration, METHODS[str(wishes.method)])()
    splits = _splits(models[0], groups, wishes.cv_folds, seed)
    return [_recalibrated(data, splits, unfitted) for data in models]


def _recalibrated(data: Predictions, splits: Sequence[Split], unfitted: Calibrator) -> Numbers:
    scores, found = logits(data.proba), data.proba.astype(np.float64)
    for others, part in splits:
        weight = None if data.weight is None else data.weight[others]
        proba = unfitted.fit(scores[others], data.y[others].astype(np.intp), weight).predict_proba(scores[part])
        found[part] = proba[:, 1] if data.is_binary else proba
    return found


def _splits(data: Predictions, groups: Codes | None, folds: int, seed: int) -> list[Split]:
    codes = data.y.astype(np.intp)
    if (codes != data.y).any():
        row = int(np.argmax(codes != data.y))
        raise ValueError(f"calibration requires labels 0 and 1, got {data.y[row]} in row {row}")
    some = np.arange(len(codes)) if data.weight is None else np.flatnonzero(data.weight)
    codes = codes[some]
    if groups is None:
        counts, unit = np.bincount(codes, minlength=data.classes), "rows"
        split = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32).split(codes, codes)
    else:
        own = groups[some]
        pairs = np.unique(own * data.classes + codes)  # each class of each group once
        counts, unit = np.bincount(pairs % data.classes, minlength=data.classes), "groups"
        split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed % 2**32).split(codes, codes, own)
    if counts.min() < folds:  # the rows of a fold might then be all rows of a class
        raise ValueError(
            f"calibration with {folds} folds requires at least {folds} {unit} with each class, got {counts.min()} with"
            f" class {int(np.argmin(counts))}"
        )
    return [(some[others], some[part]) for others, part in split]
