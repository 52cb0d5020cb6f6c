"""Functions that read and check LightGBM's training and evaluation data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from ..._types import Array
from ...losses import Loss
from .._loss import check_values, naming
from .._parameters import switch


def check_dataset(name: str, data: object) -> None:
    """Raise TypeError if the data is not a ``lightgbm.Dataset``."""
    if not isinstance(data, lgb.Dataset):
        raise TypeError(f"{name} must be a lightgbm.Dataset, got {type(data).__name__}")


def labels_and_weights(data: lgb.Dataset) -> tuple[Array, Array | None]:
    """Return labels ``(n,)`` and weights ``(n,)`` or None; construct a data set that reads them from a file or a parent."""
    if data.label is None and not _is_constructed(data):
        if not _reads_labels(data):
            raise ValueError("the Dataset must have labels, got none")
        data.construct()
    label, weight = data.get_label(), data.get_weight() if _is_constructed(data) else data.weight
    return _column(label), None if weight is None else _column(weight)


def construct_with(data: lgb.Dataset, settings: Mapping[str, Any]) -> None:
    """Construct a data set that reads its labels from a file or a parent, with the parameters of the training.

    ``lightgbm.train`` would construct the data set with these parameters. It cannot change them after construction.
    """
    if data.label is None and _reads_labels(data) and not _is_constructed(data):
        data._update_params({**settings, "objective": "none"})  # noqa: SLF001
        data.construct()


def named_data(
    valid_sets: Sequence[lgb.Dataset] | lgb.Dataset | None,
    valid_names: Sequence[str] | str | None,
    train_set: lgb.Dataset,
) -> list[tuple[lgb.Dataset, str]]:
    """Return the evaluation sets with their names; missing names are those that LightGBM would choose."""
    sets = [valid_sets] if isinstance(valid_sets, lgb.Dataset) else list(valid_sets or ())
    names = [valid_names] if isinstance(valid_names, str) else list(valid_names or ())
    usual = ["training" if data is train_set else f"valid_{index}" for index, data in enumerate(sets)]
    return list(zip(sets, names[: len(sets)] + usual[len(names) :], strict=True))


def best_init_score(loss: Loss, data: lgb.Dataset, settings: Mapping[str, Any]) -> Array:
    """Return the best constant raw score for the data, one value per class; raise an error if the data are invalid."""
    labels, weight = labels_and_weights(data)
    return np.atleast_1d(loss.init_score(labels, weight, settings.get("num_class")))


def wants_init_score(data: lgb.Dataset, settings: Mapping[str, Any]) -> bool:
    """Return whether training starts from the best constant; it does not if disabled, or if the data have init scores."""
    return switch("boost_from_average", settings.get("boost_from_average", True)) and not has_init_score(data)


def has_init_score(data: lgb.Dataset) -> bool:
    """Return whether the caller's data set has init scores."""
    return data.init_score is not None or (_is_constructed(data) and data.get_field("init_score") is not None)


def has_soft_labels(data: lgb.Dataset) -> bool:
    """Return whether some labels are not integers."""
    labels, _ = labels_and_weights(data)
    return bool((np.asarray(labels, dtype=np.float64) % 1 != 0).any())


def without_predictions(*sets: lgb.Dataset) -> None:
    """Remove the predictions of ``init_model``, which LightGBM leaves in the caller's data sets.

    These predictions would shift later trainings on the same data, and would be mistaken for the caller's init scores.
    """
    for data in sets:
        data.init_score = None
        data._predictor = None  # noqa: SLF001  there is no public method to reset it
        if _is_constructed(data):
            data.set_field("init_score", None)


def check_evaluation(loss: Loss, data: lgb.Dataset, name: str, n_classes: int, *, scores: bool) -> None:
    """Raise an error if evaluation data are invalid, before training starts."""
    with naming(f"valid_sets {name!r}"):
        check_values(loss, *labels_and_weights(data), n_classes)
    if has_init_score(data) != scores:
        raise ValueError(f"valid_sets {name!r} must have init scores if and only if train_set has")


def _column(values: Any) -> Array:
    """Return a column in any form that LightGBM accepts, such as a one-column DataFrame, as an array."""
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _is_constructed(data: lgb.Dataset) -> bool:
    """Return whether LightGBM has already constructed its own copy of the data."""
    return data._handle is not None  # noqa: SLF001  LightGBM has no public method for this


def _reads_labels(data: lgb.Dataset) -> bool:
    """Return whether the labels come from a parent data set or from a file."""
    return data.used_indices is not None or isinstance(data.data, (str, Path))
