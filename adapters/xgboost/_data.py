"""Functions that read and check XGBoost's training and evaluation data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xgboost as xgb

from ..._types import Array
from ...losses import Loss
from .._loss import check_values, naming
from ._workers import anywhere, classes_of_all, has_no_weight, several


def labels_and_weights(data: xgb.DMatrix) -> tuple[Array, Array | None]:
    """Return labels ``(n,)`` or ``(n, K)`` and weights ``(n,)`` or None."""
    _check_type(data)
    labels, weight = data.get_label(), data.get_weight()
    rows = data.num_row()
    if labels.size != rows and rows and labels.size:
        labels = labels.reshape(rows, -1)  # soft labels, which xgboost 3.1 returns as a flat array
    return labels, weight if weight.size else None


def rows_of_all(loss: Loss, data: xgb.DMatrix, n_classes: int | None) -> tuple[Array, Array | None]:
    """Return labels and weights with the init score of the rows of all processes: one row per class if there are several."""
    labels, weight = labels_and_weights(data)
    return classes_of_all(loss, labels, weight, n_classes) if several() else (labels, weight)


def has_margins(data: xgb.DMatrix) -> bool:
    """Return whether the rows have base margins, which replace the init score."""
    _check_type(data)
    return anywhere(bool(data.get_base_margin().size))


def _check_type(data: object) -> None:
    if not isinstance(data, xgb.DMatrix):
        raise TypeError(f"the data must be a DMatrix, got {type(data).__name__}")


def named_data(evals: Any) -> list[tuple[xgb.DMatrix, str]]:
    """Return the evaluation data and their names as a list of pairs."""
    if evals is not None and not isinstance(evals, Iterable):
        raise TypeError(f"evals must hold pairs (DMatrix, name), got {type(evals).__name__}")
    pairs = list(evals or ())
    for pair in pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[1], str)):
            raise TypeError(f"evals must hold pairs (DMatrix, name), got {pair!r}")
    return pairs


def check_evaluation(
    loss: Loss, data: xgb.DMatrix, name: str, settings: Mapping[str, Any], *, soft: bool, margins: bool
) -> None:
    """Raise an error if evaluation data are invalid, before training starts."""
    check_name(name)
    with naming(f"evals {name!r}"):
        labels, weight = labels_and_weights(data)
        if has_no_weight(labels, weight):
            return
        if loss.multiclass and soft != (labels.ndim == 2):
            kind = "soft labels (n, K)" if soft else "class codes (n,)"
            raise ValueError(f"y_true must hold {kind}, as dtrain does, got the shape {labels.shape}")
        n_classes = labels.shape[1] if labels.ndim == 2 else settings.get("num_class", 1)
        check_values(loss, labels, weight, n_classes, np.float32)
    if bool(data.get_base_margin().size) != margins:
        raise ValueError(f"evals {name!r} must have base margins if and only if dtrain has")


def check_name(name: str) -> None:
    """Raise ValueError if XGBoost cannot parse the name of an evaluation set."""
    if " " in name or ":" in name:
        raise ValueError(
            f"names in evals must not contain spaces or colons, because XGBoost cannot parse such names, got {name!r}"
        )
