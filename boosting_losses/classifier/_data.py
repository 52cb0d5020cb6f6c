"""Validation of the features, labels and weights of ``fit`` and ``predict`` before they are passed to a library."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, validate_data

from .._types import Array

#: Requirements for arrays; data frames are passed on unchanged, with their categories.
_ARRAY_CHECKS: dict[str, Any] = {"accept_sparse": ["csr"], "ensure_all_finite": "allow-nan", "dtype": "numeric"}


def checked_features(estimator: Any, X: Any, *, as_they_are: bool) -> Any:
    """Return validated features, as numbers or, if ``as_they_are`` because a pipeline transforms them, unchanged."""
    if as_they_are or _is_frame(X):
        _refuse_odd_columns(X, distinct=not as_they_are)
        return validate_data(estimator, X, reset=False, skip_check_array=True)
    return validate_data(estimator, X, reset=False, **_ARRAY_CHECKS)


def checked_data(estimator: Any, X: Any, y: Any, *, as_they_are: bool) -> tuple[Any, npt.NDArray[Any]]:
    """Return validated features, as in ``checked_features``, and validated labels."""
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
    """Check that weights are finite, >= 0 and not all 0, and return them as float64."""
    if sample_weight is None:
        return None
    weight: Array = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if not (weight >= 0.0).all():
        row = int(np.argmax(weight < 0.0))
        raise ValueError(f"sample_weight must be finite and >= 0, got {weight[row]} in row {row}")
    if not weight.any():  # newer versions of scikit-learn raise this error themselves
        raise ValueError("sample_weight must have a sum > 0, got only zeros")
    return weight


def refuse_untrainable(weight: Array | None) -> None:
    """Raise ValueError if the largest weight is outside the range of float32, in which the libraries store weights."""
    if weight is None:
        return
    single, largest = np.finfo(np.float32), float(weight.max())
    least, most = float(single.smallest_subnormal), float(single.max)
    if not least <= largest <= most:
        raise ValueError(
            f"the largest sample_weight must be within the range of float32, {least:.2g} to {most:.2g}, since the boosting"
            f" libraries store weights in float32, got {largest:.2g}"
        )


def times(weight: Array | None, factor: float, rows: int) -> Array | None:
    """Return the weights multiplied by a factor; without weights, each of the ``rows`` rows has the weight 1."""
    if factor == 1.0:
        return weight
    return np.full(rows, factor) if weight is None else weight * factor


def _is_frame(X: Any) -> bool:
    kind = type(X)  # reading a property of the object itself might start a computation
    if hasattr(kind, "columns"):
        for collect in ("collect", "compute"):
            if hasattr(kind, collect):
                raise TypeError(f"X must be in memory, got a lazy {kind.__name__}; call its {collect}() method first")
    return hasattr(X, "columns") and hasattr(X, "shape")


def _refuse_odd_columns(X: Any, *, distinct: bool) -> None:
    """Raise ValueError if two columns have the same name, for which each library would raise a different error."""
    if distinct:
        for name, count in Counter(map(str, getattr(X, "column_names", X.columns))).most_common(1):
            if count > 1:
                raise ValueError(f"X must have distinct column names, got {name!r} {count} times")
