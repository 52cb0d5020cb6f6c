"""Checks of the features, labels and weights of ``fit`` and ``predict``, before any library sees them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, validate_data

from .._types import Array

#: Requirements for arrays; frames are passed on as they are, with their categories.
_ARRAY_CHECKS: dict[str, Any] = {"accept_sparse": ["csr"], "ensure_all_finite": "allow-nan", "dtype": "numeric"}


def checked_features(estimator: Any, X: Any, *, as_they_are: bool) -> Any:
    """Return features as numbers, or ``as_they_are`` where the steps of a pipeline take them first."""
    if as_they_are or _is_frame(X):
        _refuse_odd_columns(X, distinct=not as_they_are)
        return validate_data(estimator, X, reset=False, skip_check_array=True)
    return validate_data(estimator, X, reset=False, **_ARRAY_CHECKS)


def checked_data(estimator: Any, X: Any, y: Any, *, as_they_are: bool) -> tuple[Any, npt.NDArray[Any]]:
    """Return features as ``checked_features`` does, and labels."""
    if as_they_are or _is_frame(X):
        _refuse_odd_columns(X, distinct=not as_they_are)
        X = validate_data(estimator, X, skip_check_array=True)
        if y is None:
            raise ValueError("fit requires y to be passed, but the target y is None")
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
    else:
        X, y = validate_data(estimator, X, y, **_ARRAY_CHECKS)
    check_classification_targets(y)
    return X, np.asarray(y)


def checked_weight(sample_weight: Any, X: Any) -> Array | None:
    """Return weights, which must be finite, >= 0 and not all 0."""
    if sample_weight is None:
        return None
    weight: Array = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if not (weight >= 0.0).all():
        row = int(np.argmax(weight < 0.0))
        raise ValueError(f"sample_weight must be finite and >= 0, got {weight[row]} in row {row}")
    if not weight.any():  # scikit-learn refuses this itself in its newer versions
        raise ValueError("sample_weight must have a sum > 0, got only zeros")
    return weight


def refuse_untrainable(weight: Array | None) -> None:
    """Raise ValueError for weights outside the range of float32, in which the libraries keep them."""
    if weight is None:
        return
    single, largest = np.finfo(np.float32), float(weight.max())
    least, most = float(single.smallest_subnormal), float(single.max)
    if not least <= largest <= most:
        raise ValueError(
            f"sample_weight must be of a size that float32 holds, {least:.2g} to {most:.2g}, since the boosting libraries"
            f" train with that, got weights up to {largest:.2g}"
        )


def times(weight: Array | None, factor: float, rows: int) -> Array | None:
    """Return the weights of so many rows, multiplied by a factor."""
    if factor == 1.0:
        return weight
    return np.full(rows, factor) if weight is None else weight * factor


def _is_frame(X: Any) -> bool:
    kind = type(X)  # on the object, a property might compute
    if hasattr(kind, "columns"):
        for collect in ("collect", "compute"):
            if hasattr(kind, collect):
                raise TypeError(f"X must hold its rows, got a lazy {kind.__name__}; call its {collect}() first")
    return hasattr(X, "columns") and hasattr(X, "shape")


def _refuse_odd_columns(X: Any, *, distinct: bool) -> None:
    """Raise ValueError where two columns have one name: each library has another error for that."""
    if distinct:
        for name, count in Counter(map(str, getattr(X, "column_names", X.columns))).most_common(1):
            if count > 1:
                raise ValueError(f"X must have distinct column names, got {name!r} {count} times")
