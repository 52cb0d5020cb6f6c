"""Checks and conversion of the data that users pass to a report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels.rows import ROW_SUM_TOLERANCE
from ..metrics._groups import group_codes, is_missing
from ..metrics._predictions import Predictions, check


def models_by_name(proba: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """Return a mapping of model names to arrays of probabilities."""
    return {name: _validation.numeric("proba", values) for name, values in named_models(proba, names).items()}


def named_models(proba: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """Return a mapping of model names to probabilities, as they were given."""
    if isinstance(proba, Mapping):
        if names is not None:
            raise ValueError("names must not be given with a mapping, whose keys are the names, got both")
        models = {str(name): values for name, values in proba.items()}
        if len(models) < len(proba):
            raise ValueError(f"proba must have keys that differ as strings, got {list(proba)}")
    elif isinstance(proba, (list, tuple)) and len(proba) and getattr(proba[0], "shape", ()) != ():
        named = [f"model {i + 1}" for i in range(len(proba))] if names is None else [str(name) for name in names]
        if len(named) != len(proba) or len(set(named)) != len(named):
            raise ValueError(f"names must hold {len(proba)} different names, one per model, got {named}")
        models = dict(zip(named, proba, strict=True))
    else:
        named = ["model"] if names is None else [names] if isinstance(names, str) else [str(name) for name in names]
        if len(named) != 1:
            raise ValueError(f"names must hold one name for one array of probabilities, got {named}")
        models = {named[0]: proba}
    if not models:
        raise ValueError("proba must hold the probabilities of at least one model, got none")
    return models


def label_codes(y_true: npt.ArrayLike, proba: npt.NDArray[Any], classes: Sequence[Any] | None) -> tuple[Any, list[str]]:
    """Return the labels as numbers, and the names of the classes."""
    n_classes = max(2, proba.shape[1]) if proba.ndim == 2 else 2
    if classes is None:
        y = np.asarray(y_true)
        if y.dtype.kind in "OUS" and any(isinstance(label, (str, bytes)) for label in y.ravel()[:1]):
            raise ValueError(
                f"classes must name the {n_classes} labels in the order of the columns if y_true holds strings, got None"
            )
        return _validation.numeric("y_true", y_true), [str(k) for k in range(n_classes)]
    labels = list(classes)
    if len(labels) != n_classes or len(set(labels)) != n_classes:
        raise ValueError(f"classes must hold {n_classes} different labels, one per class, got {labels}")
    y = np.asarray(y_true)
    if y.dtype.kind in "fO":
        row = next((i for i, label in enumerate(y.ravel().tolist()) if is_missing(label)), None)
        if row is not None:
            raise ValueError(f"y_true must have no missing values, got {y.tolist()[row]!r} in row {row}")
    codes = np.full(y.shape, -1)
    for k, label in enumerate(labels):
        codes[y == label] = k
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise ValueError(f"y_true must hold labels among {labels}, got {y.tolist()[row]!r} in row {row}")
    return codes, [str(label) for label in labels]


def normalized(proba: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Divide each row of probabilities by its sum, unless the sum is not positive and finite."""
    sums = proba.sum(axis=1, dtype=np.float64)
    fine = (sums > 0.0) & np.isfinite(sums)
    return proba / np.where(fine, sums, 1.0)[:, None]


def slice_codes(slices: Any, n: int) -> tuple[dict[str, list[str]], dict[str, npt.NDArray[np.intp]]]:
    """Return the categories of each variable as strings, and the category code of each row."""
    if slices is None:
        return {}, {}
    if not isinstance(slices, Mapping) and not hasattr(slices, "columns"):
        slices = {"slice": slices}
    values: dict[str, list[str]] = {}
    codes: dict[str, npt.NDArray[np.intp]] = {}
    for name in slices:
        column = np.asarray(slices[name])
        if column.shape != (n,):
            raise ValueError(f"slices must have shape ({n},), one category per label, got {column.shape} for {name!r}")
        texts = np.array(["missing" if is_missing(value) else str(value) for value in column.tolist()], dtype=object)
        unique, codes[str(name)] = np.unique(texts.astype(str), return_inverse=True)
        values[str(name)] = unique.tolist()
    return values, codes


def by_group(groups: npt.ArrayLike | None, n: int) -> tuple[npt.NDArray[np.intp] | None, npt.NDArray[np.intp] | None]:
    """Return an order in which the rows of each group are contiguous, and the group code of each row."""
    if groups is None:
        return None, None
    codes = group_codes(groups, n)
    return np.argsort(codes, kind="stable"), codes


def refuse_other_lengths(y: Any, models: Mapping[str, Any], weight: Any) -> None:
    """Raise ValueError unless labels, weights and the probabilities of all models have the same number of rows."""
    _validation.refuse_odd_labels_or_weights(y, weight, multiclass=False)
    first = next(iter(models.values()))
    for name, proba in models.items():
        if proba.ndim not in (1, 2) or len(proba) != len(y):
            raise ValueError(
                f"proba must have one row per label ({len(y)} expected), got shape {proba.shape} of model {name!r}"
            )
        if proba.shape != first.shape:
            raise ValueError(f"all models must have proba of the same shape, got {first.shape} and {proba.shape}")


# ---- blocks of rows -------------------------------------------------------------------------------------------------


def ready(y: npt.ArrayLike, proba: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Predictions:
    """Return checked predictions; raise ValueError unless the labels are class codes."""
    data = check(y, proba, sample_weight)
    if data.y.ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data.y.shape}")
    return Predictions(np.ascontiguousarray(data.y), np.ascontiguousarray(data.proba), data.weight)


def with_meaning(
    y: npt.ArrayLike, probas: Sequence[npt.ArrayLike], sample_weight: npt.ArrayLike | None
) -> tuple[npt.ArrayLike, list[npt.NDArray[Any]], npt.ArrayLike | None]:
    """Return the rows of positive weight that are valid for all models, for which ``Accumulator.add`` raises no error."""
    labels, columns = _validation.numeric("y_true", y), [_validation.numeric("proba", proba) for proba in probas]
    weight = None if sample_weight is None else _validation.numeric("sample_weight", sample_weight)
    shapes_agree = labels.ndim == 1 and all(p.shape[:1] == labels.shape for p in columns)
    if not shapes_agree or (weight is not None and weight.shape != labels.shape):
        return labels, columns, weight  # ``ready`` raises the error
    fine = np.logical_and.reduce([_is_valid(labels, proba.reshape(len(proba), -1)) for proba in columns])
    if weight is not None:
        fine &= (weight > 0.0) & (weight < np.inf)
    if fine.all() or not fine.any():
        return labels, columns, weight
    return labels[fine], [proba[fine] for proba in columns], None if weight is None else weight[fine]


def _is_valid(labels: npt.NDArray[Any], columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    fine: npt.NDArray[np.bool_] = ((columns >= 0.0) & (columns <= 1.0)).all(axis=1) & (labels >= 0)
    if columns.shape[1] > 1:
        fine &= (labels < columns.shape[1]) & (abs(columns.sum(axis=1, dtype=np.float64) - 1.0) <= ROW_SUM_TOLERANCE)
        fine &= labels == np.floor(labels)
    else:
        fine &= labels <= 1
    return fine


@contextmanager
def rows_named(index: npt.NDArray[np.intp]) -> Iterator[None]:
    """Replace the row number within a block by the row number in the whole data in error messages."""
    try:
        yield
    except ValueError as error:
        text = re.sub(r"in row (\d+)$", lambda match: f"in row {index[int(match[1])]}", str(error))
        raise ValueError(text) from None
