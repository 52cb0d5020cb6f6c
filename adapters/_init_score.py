"""The init score: the constant raw score (a scalar, or one value per class) from which training starts."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

InitScore: TypeAlias = "float | tuple[float, ...]"


def as_init_score(values: object) -> InitScore:
    """Return one init score as a float, or K of them as a tuple."""
    scores = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return float(scores[0]) if scores.size == 1 else tuple(scores.tolist())


def plus_init_score(raw: npt.ArrayLike, init_score: InitScore) -> npt.ArrayLike:
    """Return raw scores with the init score added; return the same array if the init score is 0."""
    return np.asarray(raw) + np.asarray(init_score) if np.any(init_score) else raw
