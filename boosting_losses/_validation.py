"""Validation of labels, raw scores, sample weights and probabilities, and their conversion to arrays.

The functions check shapes, dtypes and lengths. Kernels check values during the computation. If a kernel reports an invalid
value, ``refuse_binary`` or ``refuse_multiclass`` finds its row and raises the error.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from . import _threads
from ._kernels.rows import ROW_SUM_TOLERANCE
from ._types import Array

#: Probabilities outside [0, 1] by no more than this are attributed to rounding.
ROUNDING = 1e-6

_Result = TypeVar("_Result")


class RoundedWarning(UserWarning):
    """Warning that probabilities slightly outside [0, 1], because of rounding, were moved to 0 or 1."""


def binary(
    y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[Array, Array, Array | None]:
    """Return labels ``(n,)``, raw scores ``(n,)`` and weights ``(n,)`` or None, for ``each_chunk``."""
    scores = numeric("raw", raw)
    refuse_other_dimensions(scores, multiclass=False)
    y = numeric("y_true", y_true)
    weight = None if sample_weight is None else numeric("sample_weight", sample_weight)
    refuse_odd_labels_or_weights(y, weight, multiclass=False)
    refuse_other_length(y, scores, "raw")
    return y, scores, weight


def multiclass(
    y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[Array, Array, Array | None]:
    """Return labels ``(n,)`` or ``(n, K)``, raw scores ``(n, K)`` and weights ``(n,)`` or None, for ``each_chunk``."""
    scores = numeric("raw", raw)
    refuse_other_dimensions(scores, multiclass=True)
    y, weight = labels_and_weights(y_true, sample_weight, multiclass=True)
    refuse_other_length(y, scores, "raw")
    refuse_other_shape(y, scores, "raw")
    return y, scores, weight


class Chunk(NamedTuple):
    """Consecutive rows in the form that kernels require: the rows from ``begin`` to ``end`` of the arrays."""

    rows: slice  #: their place in the whole data
    y: Array
    raw: Array
    weight: Array | None
    begin: int
    end: int

    def of(self, results: Array) -> Array:
        """Return results for the whole data, or for the chunk, such that ``begin`` and ``end`` also refer to them."""
        return results if len(self.y) == len(results) else results[self.rows]


def each_chunk(
    task: Callable[[Chunk], _Result],
    y: Array,
    raw: Array,
    weight: Array | None,
    *,
    width: float = 1.0,
    whole: bool = False,
    rows_together: bool = False,
) -> list[_Result]:
    """Return the results of a task for consecutive chunks, in order, computed by several threads if the data are large.

    ``width`` is the work for one row (see ``_threads.chunks``). With ``whole``, a chunk of data that require no conversion
    contains the whole arrays. With ``rows_together``, raw scores are in C order.
    """
    same_dtype = weight is None or weight.dtype == y.dtype
    in_order = not rows_together or raw.flags.c_contiguous
    ready = same_dtype and in_order and _is_ready(y) and _is_ready(raw) and (weight is None or _is_ready(weight))
    slices = _threads.chunks(len(y), width)
    if ready and len(slices) == 1:
        return [task(Chunk(slices[0], y, raw, weight, 0, len(y)))]

    def of(rows: slice) -> _Result:
        if ready and whole:
            return task(Chunk(rows, y, raw, weight, rows.start, rows.stop))
        some_y, some_raw, some_weight = y[rows], raw[rows], None if weight is None else weight[rows]
        if not ready:
            some_y, some_raw = _ready(some_y), _ready(some_raw)
            some_raw = np.ascontiguousarray(some_raw) if rows_together else some_raw
            some_weight = None if some_weight is None else _ready(some_weight)
            if some_weight is not None and some_weight.dtype != some_y.dtype:
                some_y, some_weight = some_y.astype(np.float64, copy=False), some_weight.astype(np.float64, copy=False)
        return task(Chunk(rows, some_y, some_raw, some_weight, 0, rows.stop - rows.start))

    return _threads.each(of, slices)


def check_outputs(raw: Array, **outputs: Array) -> None:
    """Raise ValueError if kernels cannot write one number per raw score to an output array."""
    for name, array in outputs.items():
        if array.shape != raw.shape or array.dtype not in (np.float32, np.float64) or not array.flags.writeable:
            form = f"{'writeable' if array.flags.writeable else 'read-only'} {array.dtype} of shape {array.shape}"
            raise ValueError(
                f"{name} must be writeable, float32 or float64, and have the shape {raw.shape} of raw, got {form}"
            )


def raw_scores(raw: npt.ArrayLike, *, multiclass: bool) -> Array:
    """Return raw scores as float32 or float64: ``(n,)`` for a binary loss, ``(n, K)``, K >= 2, for a multiclass loss."""
    scores = numbers("raw", raw)
    refuse_other_dimensions(scores, multiclass=multiclass)
    return scores


def labels_and_weights(
    y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None, *, multiclass: bool
) -> tuple[Array, Array | None]:
    """Return labels and weights of equal length and equal dtype, which limits the number of compiled variants."""
    y = numbers("y_true", y_true)
    weight = None if sample_weight is None else numbers("sample_weight", sample_weight)
    refuse_odd_labels_or_weights(y, weight, multiclass=multiclass)
    if weight is not None and weight.dtype != y.dtype:
        y, weight = y.astype(np.float64, copy=False), weight.astype(np.float64, copy=False)
    return y, weight


def numbers(name: str, values: npt.ArrayLike) -> Array:
    """Return an aligned, writeable, C-ordered array of native float32 or float64; copy only if necessary."""
    array = numeric(name, values)
    result: Array = np.require(array, _dtype(array), ["C", "A", "W"])
    return result


def numeric(name: str, values: npt.ArrayLike) -> Array:
    """Return an array of any numeric dtype except half precision, without conversion if possible.

    Objects that can be converted to numbers, such as a nullable pandas column, are converted to float64. Half precision
    raises an error, because the boosting libraries silently misread it. Masked entries raise an error, because their hidden
    values would be used. Text raises an error even if it represents a number.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(f"{name} must not contain masked entries, got {np.sum(np.ma.getmaskarray(values))}")
    array = np.asarray(values)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "O":
        text = next((value for value in array.flat if isinstance(value, (str, bytes))), None)
        if text is not None:
            raise TypeError(f"{name} must be numeric, got non-numeric objects such as {text!r}")
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{name} must be numeric, got non-numeric objects: {error}") from None
    elif kind not in "biuf" or (kind == "f" and size not in (4, 8)):
        raise TypeError(f"{name} must be of a float32, float64, integer or boolean dtype, got {array.dtype}")
    return array


def _dtype(array: Array) -> type[np.floating[Any]]:
    return np.float32 if array.dtype.kind == "f" and array.dtype.itemsize == 4 else np.float64


def _is_ready(array: Array) -> bool:
    ordered = array.flags.c_contiguous or array.flags.f_contiguous
    return ordered and array.flags.behaved and array.dtype in (np.float32, np.float64)


def _ready(array: Array) -> Array:
    return array if _is_ready(array) else np.require(array, _dtype(array), ["C", "A", "W"])


def refuse_binary(y: Array, raw: Array, weight: Array | None) -> None:
    """Raise ValueError for the first row that is invalid for a binary loss, if any."""
    refuse_weights(weight)
    refuse_binary_labels(y)
    refuse_raw(raw)


def refuse_multiclass(y: Array, raw: Array, weight: Array | None) -> None:
    """Raise ValueError for the first row that is invalid for a multiclass loss, if any."""
    refuse_weights(weight)
    refuse_class_labels(y, raw.shape[1])
    refuse_raw(raw)


def refuse_weights(weight: Array | None) -> None:
    """Raise ValueError unless the weights are finite, >= 0 and not all 0."""
    if weight is None:
        return
    _refuse_first(~((weight >= 0) & (weight < np.inf)), weight, "sample_weight must be finite and >= 0")
    if not weight.any():
        raise ValueError(f"sample_weight must have a sum > 0, got {weight.shape[0]} weights that are all 0")
    sum_of_weights(weight)


def sum_of_weights(weight: npt.NDArray[Any]) -> float:
    """Return the sum of the weights in float64; raise ValueError if it is infinite."""
    with np.errstate(over="ignore"):
        total = float(np.sum(weight, dtype=np.float64))
    if total == np.inf:
        raise ValueError(f"sample_weight must have a finite sum, got {weight.shape[0]} weights up to {weight.max()}")
    return total


def refuse_binary_labels(y: Array) -> None:
    """Raise ValueError unless the labels ``(n,)`` lie in [0, 1]."""
    _refuse_first(~((y >= 0) & (y <= 1)), y, "y_true must lie in [0, 1]")


def refuse_class_labels(y: Array, n_classes: int | None = None) -> None:
    """Raise ValueError unless labels are class codes ``(n,)`` below ``n_classes`` or valid soft labels ``(n, K)``."""
    if y.ndim == 1:
        bad = ~((y >= 0) & (y < (np.inf if n_classes is None else n_classes)) & (y == np.floor(y)))
        codes = "0, 1, 2, ..." if n_classes is None else f"0..{n_classes - 1}"
        _refuse_first(bad, y, f"y_true must hold class codes {codes}")
    else:
        _refuse_first(~((y >= 0) & (y <= 1)), y, "y_true with soft labels must lie in [0, 1]")
        sums = y.sum(axis=1, dtype=np.float64)
        _refuse_first(~(abs(sums - 1) <= ROW_SUM_TOLERANCE), sums, "rows of y_true with soft labels must sum to 1")


def refuse_bad_probabilities(proba: Array) -> None:
    """Raise ValueError unless probabilities lie in [0, 1] and each row ``(n, K)`` sums to 1."""
    _refuse_first(~((proba >= 0) & (proba <= 1)), proba, "proba must lie in [0, 1]")
    refuse_other_row_sums(proba)


def refuse_other_row_sums(proba: Array) -> None:
    """Raise ValueError unless each row of probabilities ``(n, K)`` sums to 1."""
    if proba.ndim == 2:
        sums = proba.sum(axis=1, dtype=np.float64)
        _refuse_first(~(abs(sums - 1) <= ROW_SUM_TOLERANCE), sums, "rows of proba must sum to 1")


def moved_inside(proba: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    """Move probabilities that are outside [0, 1] because of rounding to 0 or 1; return the array and the number moved."""
    outside = (proba < 0.0) & (proba >= -ROUNDING) | (proba > 1.0) & (proba <= 1.0 + ROUNDING)
    if not outside.any():
        return proba, 0
    return np.where(outside, np.clip(proba, 0.0, 1.0), proba).astype(proba.dtype), int(np.count_nonzero(outside))


def tried_probabilities(proba: npt.NDArray[Any]) -> Array:
    """Return valid probabilities: move those that are outside [0, 1] because of rounding, with a warning.

    Raise ValueError if other probabilities are outside [0, 1] or rows do not sum to 1.
    """
    given = numbers("proba", proba) + 0.0  # -0.0 becomes 0.0
    values, moved = moved_inside(given)
    if moved:
        first = np.argwhere(values != given)[0]
        warnings.warn(
            f"proba must lie in [0, 1], got {moved} values outside by at most {ROUNDING:g}, which were moved to 0 or 1; the"
            f" first is {given[tuple(first)]} in row {first[0]}",
            RoundedWarning,
            stacklevel=2,
        )
    refuse_bad_probabilities(values)
    return values


def refuse_raw(raw: Array) -> None:
    """Raise ValueError for the first raw score that is not finite, if any."""
    width = 0.25 * raw.size / max(len(raw), 1)
    if not all(_threads.each_part(lambda rows: bool(np.isfinite(raw[rows]).all()), len(raw), width)):
        _refuse_first(~np.isfinite(raw), raw, "raw must be finite")


def refuse_other_dimensions(raw: Array, *, multiclass: bool) -> None:
    """Raise ValueError unless raw scores have the shape that the loss requires."""
    if multiclass and (raw.ndim != 2 or raw.shape[1] < 2):
        raise ValueError(f"raw must have shape (n, K) with K >= 2 for a multiclass loss, got {raw.shape}")
    if not multiclass and raw.ndim != 1:
        raise ValueError(f"raw must have shape (n,) for a binary loss, got {raw.shape}")


def refuse_odd_labels_or_weights(y: Array, weight: Array | None, *, multiclass: bool) -> None:
    """Raise ValueError unless labels have the shape that the loss requires and there is one weight per label."""
    if y.ndim != 1 and not (multiclass and y.ndim == 2):
        shapes = "(n,) or (n, K)" if multiclass else "(n,)"
        raise ValueError(f"y_true must have shape {shapes}, got {y.shape}")
    if y.shape[0] == 0:
        raise ValueError("y_true must hold at least one label, got none")
    if weight is not None and weight.shape != y.shape[:1]:
        raise ValueError(f"sample_weight must have shape {y.shape[:1]}, one weight per label, got {weight.shape}")


def _refuse_first(bad: npt.NDArray[Any], values: Array, rule: str) -> None:
    if bad.any():
        first = np.argwhere(bad)[0]
        raise ValueError(f"{rule}, got {values[tuple(first)]} in row {first[0]}")


def refuse_other_length(y: Array, values: Array, name: str) -> None:
    """Raise ValueError unless there is one label per row of ``values``."""
    if y.shape[0] != values.shape[0]:
        rows = f"{y.shape[0]} labels for {values.shape[0]} rows"
        raise ValueError(f"y_true must have one label per row of {name}, got {rows}")


def refuse_other_shape(y: Array, values: Array, name: str) -> None:
    """Raise ValueError if soft labels ``(n, K)`` and ``values`` differ in shape."""
    if y.ndim == 2 and y.shape != values.shape:
        raise ValueError(f"y_true with soft labels must have the shape of {name}, got {y.shape} and {values.shape}")
