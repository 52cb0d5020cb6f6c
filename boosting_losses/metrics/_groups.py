"""Groups of dependent rows, and rows of weight zero."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ._predictions import Predictions


def counted(data: Predictions, groups: npt.ArrayLike | None) -> tuple[Predictions, npt.ArrayLike | None]:
    """Return the rows with nonzero weight and their groups; other rows are ignored."""
    codes = None if groups is None else group_codes(groups, len(data.y))
    if data.weight is None or data.weight.all() or not data.weight.any():
        return data, codes
    some = np.flatnonzero(data.weight)
    return data.take(some), None if codes is None else codes[some]


def group_codes(groups: npt.ArrayLike, n: int) -> npt.NDArray[np.intp]:
    """Encode the groups of n rows as consecutive integers from 0."""
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), one group per label, got {labels.shape}")
    if labels.dtype.kind in "fO":
        row = next((i for i, label in enumerate(labels.tolist()) if is_missing(label)), None)
        if row is not None:
            raise ValueError(f"groups must have no missing values, got {labels.tolist()[row]!r} in row {row}")
    try:
        codes: npt.NDArray[np.intp] = np.unique(labels, return_inverse=True)[1]
    except TypeError:
        raise TypeError("groups must all be of one type, such as strings or numbers, got a mixture") from None
    if len(codes) and codes.max() < 1:
        raise ValueError(f"groups must name at least 2 groups, got only {labels.tolist()[0]!r}")
    return codes


def is_missing(value: object) -> bool:
    """Return whether a value is None, NaN or another missing value, such as ``pandas.NA``."""
    try:
        return value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:
        return True
