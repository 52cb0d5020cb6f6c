"""Functions that read and check CatBoost's training and evaluation pools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss
from .._loss import check_values, naming
from ._groups import has_groups, weights_in_groups

#: Single precision, in which a pool stores numeric labels, represents all integers up to this one exactly.
_EXACT = 2**24


def check_pool(pool: object, name: str) -> None:
    """Raise TypeError if the data is not a ``Pool``."""
    if not isinstance(pool, cb.Pool):
        raise TypeError(f"{name} must be a Pool, got {type(pool).__name__}; make one with catboost.Pool(X, y)")


def encode(loss: Loss, raw_labels: npt.ArrayLike, settings: Mapping[str, Any]) -> tuple[Array, tuple[Any, ...] | None]:
    """Return the class codes that CatBoost will assign, and the class of each code; return soft labels and None."""
    if raw_labels is None or np.ndim(raw_labels) == 0:
        raise ValueError("the data must have labels, got none")
    labels = np.asarray(raw_labels)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"labels must have shape (n,), at least one, got {labels.shape}")
    if labels.dtype.kind in "iuf" and np.abs(labels).max() >= _EXACT:
        raise ValueError(
            f"labels that are numbers must be below {_EXACT}, got {labels[np.argmax(np.abs(labels))].item()}: CatBoost stores"
            " them in single precision, in which two classes may become equal; use strings or class codes 0..K-1"
        )
    names = settings.get("class_names")
    if names is None:
        if labels.dtype.kind == "f" and not loss.multiclass and not (labels == np.floor(labels)).all():
            if not ((labels >= 0) & (labels <= 1)).all():
                raise ValueError("labels that are not integers must lie in [0, 1], or be listed in class_names")
            if settings.get("class_weights") is not None or settings.get("auto_class_weights") not in (None, "None"):
                raise ValueError("class_weights must be omitted for soft labels, which belong to both classes")
            return labels.astype(np.float64), None
        names = np.unique(labels).tolist()
        if all(isinstance(name, float) and name.is_integer() for name in names):
            names = [int(name) for name in names]
    if not loss.multiclass and len(names) != 2:
        raise ValueError(f"labels must be of 2 classes for the binary {loss}, got {len(names)}: {names[:5]}")
    return codes_of(labels, tuple(names)), tuple(names)


def codes_of(labels: npt.ArrayLike, names: tuple[Any, ...]) -> Array:
    """Return the position of each label among the classes."""
    array = np.asarray(labels)
    known = np.asarray(names)
    if array.dtype.kind in "US" or known.dtype.kind in "US":
        array, known = array.astype(str), known.astype(str)
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known, array, sorter=order), len(known) - 1)]
    wrong = known[found] != array
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"labels must be among the classes {list(names)}, got {array[row].item()!r} in row {row}")
    codes: Array = found.astype(np.float64)
    return codes


def weights_of(pool: cb.Pool, codes: Array, names: tuple[Any, ...] | None, settings: dict[str, Any]) -> Array:
    """Return the weight of each row in training: its sample weight times its class weight.

    If ``class_weights`` is a dictionary, replace it in ``settings`` with a list in the order of the class codes, which
    ``catboost.cv`` also accepts.
    """
    given, automatic = settings.get("class_weights"), settings.get("auto_class_weights")
    if isinstance(given, dict):
        if set(given) != set(names or ()):
            raise ValueError(f"class_weights must have the classes {list(names or ())} as keys, got {list(given)}")
        given = settings["class_weights"] = [given[name] for name in names or ()]
    if given is not None and len(given) != len(names or ()):
        raise ValueError(f"class_weights must hold one weight per class, got {len(given)} for {len(names or ())}")
    if has_groups(pool):
        return weights_in_groups(pool, names, settings)
    weight: Array = np.asarray(pool.get_weight(), dtype=np.float64)
    if given is not None:
        values = np.asarray(given, dtype=np.float64)
    elif automatic not in (None, "None"):
        sums = np.bincount(codes.astype(np.intp), weight, len(names or ()))
        whole = np.floor(sums)  # as CatBoost rounds; it does not reweight a class whose weights sum to less than 1
        values = np.where(whole > 0, whole.max() / np.maximum(whole, 1), 1.0)
        values = np.sqrt(values) if automatic == "SqrtBalanced" else values
    else:
        return weight
    product: Array = weight * values[codes.astype(np.intp)]
    return product


def has_baseline(pool: cb.Pool) -> bool:
    """Return whether the caller's pool has a baseline."""
    return bool(np.asarray(pool.get_baseline()).size)


def check_pool_values(loss: Loss, pool: cb.Pool, codes: Array, n_classes: int) -> None:
    """Raise an error if labels or weights are invalid for the loss."""
    check_values(loss, codes, np.asarray(pool.get_weight(), dtype=np.float64), n_classes)


def evaluation_pools(eval_set: Any) -> list[cb.Pool]:
    """Return the evaluation sets as a list."""
    pools = [eval_set] if isinstance(eval_set, cb.Pool) else list(eval_set if eval_set is not None else ())
    for index, pool in enumerate(pools):
        check_pool(pool, f"eval_set {index}")
    return pools


def check_evaluation(loss: Loss, pool: cb.Pool, name: str, names: tuple[Any, ...] | None, *, baseline: bool) -> None:
    """Raise an error if evaluation data are invalid, before training starts."""
    with naming(name):
        labels = pool.get_label()
        if labels is None or np.ndim(labels) == 0:
            raise ValueError("the data must have labels, got none")
        codes = np.asarray(labels, dtype=np.float64) if names is None else codes_of(labels, names)
        check_pool_values(loss, pool, codes, 2 if names is None else len(names))
    if has_baseline(pool) != baseline:
        raise ValueError(f"{name} must have a baseline if and only if the training pool has")
