"""Checks of what users pass to a monitor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._types import Doubles
from ._rows import is_missing

#: Probabilities may lie outside [0, 1], and sums of K probabilities may differ from 1, by this much.
_ROUNDING, _SUM_ROUNDING = 1e-6, 1e-4


def check_number(name: str, value: object, least: int) -> int:
    """Return a whole number that is large enough."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return int(value)


def list_of(name: str, values: Any, count: int | None = None) -> list[Hashable]:
    """Return hashable values as a list, NumPy scalars as Python's."""
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} must be a sequence with one entry for each row, got the text {values!r}")
    try:
        found = values.tolist() if hasattr(values, "tolist") else list(values)
        len(found), set(found)
    except TypeError:
        raise TypeError(
            f"{name} must be a sequence of hashable entries, one for each row, got {values!r:.80}"
        ) from None
    if count is not None and len(found) != count:
        raise ValueError(f"{name} must have {count} entries, one for each id, got {len(found)}")
    return [value.item() if isinstance(value, np.generic) else value for value in found]


def texts_of(name: str, values: Any, count: int) -> list[str]:
    """Return one text for each row, from one value for all rows or one for each."""
    if values is None or np.ndim(values) == 0:
        return [str(values)] * count
    return [str(value) for value in list_of(name, values, count)]


def refuse_unstorable(ids: Sequence[Hashable], groups: Sequence[Hashable] | None) -> None:
    """Raise an error if a store cannot keep some ids or groups."""
    for name, values in (("ids", ids), ("group", groups or ())):
        for value in values:
            if type(value) not in (str, int) and not (name == "group" and is_missing(value)):
                raise TypeError(f"{name} must be texts or integers in a store, got {value!r}")


def probabilities_of(proba: npt.ArrayLike, count: int, n_classes: int) -> Doubles:
    """Return probabilities in the form of ``Rows``, with NaN in invalid rows."""
    p = np.asarray(_validation.numeric("proba", proba), np.float64)
    if p.ndim == 2 and p.shape[1] == 2 and n_classes == 2:
        p = np.where(np.abs(p.sum(axis=1) - 1.0) <= _SUM_ROUNDING, p[:, 1], np.nan)
    wanted = (count,) if n_classes == 2 else (count, n_classes)
    if p.shape != wanted:
        raise ValueError(f"proba must have shape {wanted}, one row for each id, got {p.shape}")
    with np.errstate(invalid="ignore"):
        if p.ndim == 1:
            return np.where((p >= -_ROUNDING) & (p <= 1.0 + _ROUNDING), np.clip(p, 0.0, 1.0), np.nan) + 0.0
        total = p.sum(axis=1, keepdims=True)
        fine = ((p >= 0.0) & (p <= 1.0 + _ROUNDING)).all(axis=1) & (np.abs(total[:, 0] - 1.0) <= _SUM_ROUNDING)
    return np.where(fine[:, None], p / np.where(total > 0.0, total, 1.0), np.nan) + 0.0


def reference_of(reference: Any, n_classes: int) -> Doubles:
    """Return the probabilities of a reference as one score per row."""
    p = np.asarray(_validation.numeric("reference", reference), np.float64)
    if p.ndim == 2:
        p = p[:, 1] if n_classes == 2 else p.max(axis=1)
    if p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("reference must be a pair of times in a tuple, or probabilities in [0, 1]")
    return p


def weights_of(weight: npt.ArrayLike | None, count: int) -> Doubles:
    """Return finite weights >= 0, 1 by default."""
    if weight is None:
        return np.ones(count)
    w = np.asarray(_validation.numbers("weight", weight), np.float64)
    if w.shape != (count,):
        raise ValueError(f"weight must have shape ({count},), one for each id, got {w.shape}")
    wrong = ~(np.isfinite(w) & (w >= 0.0))
    if wrong.any():
        raise ValueError(f"weight must be finite and >= 0, got {w[wrong][0]} in row {int(np.argmax(wrong))}")
    return w


def codes_of(y: npt.ArrayLike, count: int, n_classes: int) -> npt.NDArray[np.int32]:
    """Return labels as class codes."""
    codes = _validation.numbers("y", y)
    if codes.shape != (count,):
        raise ValueError(f"y must have shape ({count},), one label for each id, got {codes.shape}")
    wrong = ~((codes >= 0) & (codes < n_classes) & (codes == np.floor(codes)))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"y must hold class codes 0..{n_classes - 1}, got {codes[row]} in row {row}")
    return codes.astype(np.int32)
