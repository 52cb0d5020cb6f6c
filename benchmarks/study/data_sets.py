"""Data sets for comparing probabilities: those of scikit-learn, and synthetic ones with known probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from boosting_losses._types import Array


@dataclass(frozen=True)
class DataSet:
    """Features and labels, and optionally the true probabilities, sample weights and times."""

    X: Any
    y: npt.NDArray[Any]
    proba: Array | None = None
    weight: Array | None = None
    time: Array | None = None

    def take(self, rows: npt.NDArray[np.intp]) -> DataSet:
        """Return the rows with the given indices."""
        X = self.X.iloc[rows] if hasattr(self.X, "iloc") else self.X[rows]
        others = (None if values is None else values[rows] for values in (self.proba, self.weight, self.time))
        return DataSet(X, self.y[rows], *others)


#: A function that returns a data set for a seed.
Maker = Callable[[int], DataSet]


def real() -> dict[str, Maker]:
    """Return the data sets of scikit-learn, which are the same for every seed."""
    loaders = {"breast cancer": load_breast_cancer, "wine": load_wine, "iris": load_iris, "digits": load_digits}
    return {name: partial(_loaded, loader) for name, loader in loaders.items()}


def made() -> dict[str, Maker]:
    """Return the synthetic data sets, which are drawn anew for every seed."""
    return {
        "made: smooth, 2 classes": partial(waves, 3000, 2),
        "made: smooth, 5 % positive": partial(waves, 6000, 2, offset=-4.2),
        "made: steep, 2 classes": partial(waves, 3000, 2, steep=3.0),
        "made: 2 classes, 20 % noise": partial(waves, 3000, 2, noise=0.2),
        "made: 2 classes, 400 rows": partial(waves, 800, 2),
        "made: smooth, 4 classes": partial(waves, 4000, 4),
        "made: 10 classes, 10 % noise": partial(waves, 5000, 10, noise=0.1),
    }


def _loaded(loader: Callable[..., Any], seed: int) -> DataSet:
    del seed
    return DataSet(*loader(return_X_y=True))


def waves(
    rows: int, classes: int, seed: int, *, steep: float = 1.0, offset: float = 0.0, noise: float = 0.0
) -> DataSet:
    """Draw ten normal features, and labels from ``scores_of``; ``noise`` is the share of random labels."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    proba = softmax(scores_of(X, classes, random, steep, offset), axis=1)
    return drawn(X, (1.0 - noise) * proba + noise / classes, random)


def scores_of(X: Array, classes: int, random: np.random.Generator, steep: float = 1.0, offset: float = 0.0) -> Array:
    """Return the class scores (0 for the first class): linear, sinusoidal, step and product terms of ten features."""
    scores = np.zeros((len(X), classes))
    for k in range(1, classes):
        weights = random.standard_normal(10)
        a, b, c = random.choice(10, 3, replace=False)
        waves = np.sin(2.0 * X[:, a]) + (X[:, b] > 0.3) + X[:, b] * X[:, c]
        scores[:, k] = steep * (0.6 * X @ weights / np.sqrt(2.0) + waves) + offset
    return scores


def drawn(X: Any, proba: Array, random: np.random.Generator) -> DataSet:
    """Draw a label for each row from the probabilities of all classes, or from those of the second of two classes."""
    if proba.ndim == 1:
        proba = np.column_stack([1.0 - proba, proba])
    below = (proba.cumsum(axis=1) < random.random((len(proba), 1))).sum(axis=1)
    return DataSet(X, np.minimum(below, proba.shape[1] - 1), proba)
