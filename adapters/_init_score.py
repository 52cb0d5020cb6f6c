"""The init score: the constant raw score, one number or one per class, where training starts."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

InitScore: TypeAlias = "float | tuple[float, ...]"


def as_init_score(values: object) -> InitScore:
    """Return one number or K of them as something immutable."""
    scores = np.atleast_1d(np.asarray(values, dtype=np.float64))
    return float(scores[0]) if scores.size == 1 else tuple(scores.tolist())


def plus_init_score(raw: npt.ArrayLike, init_score: InitScore) -> npt.ArrayLike:
    """Return raw scores with the init score added; the same array where that is 0."""
    return np.asarray(raw) + np.asarray(init_score) if np.any(init_score) else raw
