"""Predictions of two classes, converted to a common form."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from ._predictions import Predictions, checked

Numbers = npt.NDArray[np.float64]


class TwoClasses:
    """Labels, probabilities of y = 1 and weights, each float64 of shape ``(n,)``; rows of weight 0 are omitted."""

    def __init__(self, data: Predictions) -> None:
        """Store predictions whose values have been checked; raise ValueError for more than two classes."""
        if data.classes > 2:
            others = "to score class k, pass proba[:, k] with y_true == k"
            rule = "proba must contain probabilities of two classes, (n,) or (n, 2)"
            raise ValueError(f"{rule}, got {data.proba.shape}; {others}")
        some = slice(None) if data.weight is None else data.weight > 0.0
        self.y: Numbers = data.y[some].astype(np.float64)
        self._given = data.proba[some]
        self.proba: Numbers = self._given.astype(np.float64)
        self.weight: Numbers = np.ones(len(self.y)) if data.weight is None else data.weight[some].astype(np.float64)
        self._raw = None if data.raw is None else data.raw[some].astype(np.float64)

    @cached_property
    def log_odds(self) -> Numbers:
        """The given raw scores, or the log odds of the probabilities, clipped by the machine epsilon of their dtype."""
        if self._raw is not None:
            return self._raw
        eps = float(np.finfo(np.float32 if self._given.dtype == np.float32 else np.float64).eps)
        inner = np.clip(self.proba, eps, 1.0 - eps)
        scores: Numbers = np.log(inner) - np.log1p(-inner)
        return scores

    def refuse_one_class(self) -> None:
        """Raise ValueError unless both classes occur in the labels."""
        least, most = self.y.min(), self.y.max()
        if most == 0.0 or least == 1.0:
            raise ValueError(f"y_true must hold both classes, got class {int(most)} only")

    def refuse_soft_labels(self) -> None:
        """Raise ValueError unless every label is 0 or 1."""
        soft = (self.y != 0.0) & (self.y != 1.0)
        if soft.any():
            raise ValueError(f"y_true must hold labels 0 and 1, got {self.y[soft][0]}")


def two_classes(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None,
    raw: npt.ArrayLike | None,
) -> TwoClasses:
    """Check the shapes and the values of predictions of two classes."""
    return TwoClasses(checked(y_true, proba, sample_weight, raw))
