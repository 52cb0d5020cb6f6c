"""Data to compare probabilities on: real sets that scikit-learn ships, and made ones whose probabilities are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

Array = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class DataSet:
    """Features, labels and, where there are any, the probabilities that these were drawn from, sample weights, times."""

    X: Any
    y: npt.NDArray[Any]
    proba: Array | None = None
    weight: Array | None = None
    time: Array | None = None

    @property
    def is_binary(self) -> bool:
        return len(np.unique(self.y)) == 2

    def take(self, rows: npt.NDArray[np.intp]) -> DataSet:
        """Some of the rows."""
        X = self.X.iloc[rows] if hasattr(self.X, "iloc") else self.X[rows]
        others = (None if values is None else values[rows] for values in (self.proba, self.weight, self.time))
        return DataSet(X, self.y[rows], *others)


Maker = Callable[[int], DataSet]


def real() -> dict[str, Maker]:
    """The same for every seed."""
    loaders = {"breast cancer": load_breast_cancer, "wine": load_wine, "iris": load_iris, "digits": load_digits}
    return {name: partial(_loaded, loader) for name, loader in loaders.items()}


def made() -> dict[str, Maker]:
    """Drawn anew for every seed; the last number is the share of labels that are exchanged for random ones."""
    return {
        "made: smooth, 2 classes": partial(_made, 3000, 2, 0.0, 0.0),
        "made: smooth, 5 % positive": partial(_made, 6000, 2, -4.2, 0.0),
        "made: steep, 2 classes": partial(_made, 3000, 2, 0.0, 0.0, steep=3.0),
        "made: 2 classes, 20 % noise": partial(_made, 3000, 2, 0.0, 0.2),
        "made: 2 classes, 400 rows": partial(_made, 800, 2, 0.0, 0.0),
        "made: smooth, 4 classes": partial(_made, 4000, 4, 0.0, 0.0),
        "made: 10 classes, 10 % noise": partial(_made, 5000, 10, 0.0, 0.1),
    }


def _loaded(loader: Callable[..., Any], seed: int) -> DataSet:
    del seed
    return DataSet(*loader(return_X_y=True))


def _made(rows: int, classes: int, offset: float, noise: float, seed: int, *, steep: float = 1.0) -> DataSet:
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    proba = softmax(waves(X, classes, random, steep, offset), axis=1)
    proba = (1.0 - noise) * proba + noise / classes
    return DataSet(X, drawn(proba, random), proba)


def waves(X: Array, classes: int, random: np.random.Generator, steep: float = 1.0, offset: float = 0.0) -> Array:
    """Scores of the classes, 0 for the first: lines, waves, steps and products of ten features."""
    scores = np.zeros((len(X), classes))
    for k in range(1, classes):
        weights = random.standard_normal(10)
        a, b, c = random.choice(10, 3, replace=False)
        waves = np.sin(2.0 * X[:, a]) + (X[:, b] > 0.3) + X[:, b] * X[:, c]
        scores[:, k] = steep * (0.6 * X @ weights / np.sqrt(2.0) + waves) + offset
    return scores


def drawn(proba: Array, random: np.random.Generator) -> npt.NDArray[np.intp]:
    """A label for each row."""
    below = (proba.cumsum(axis=1) < random.random((len(proba), 1))).sum(axis=1)
    codes: npt.NDArray[np.intp] = np.minimum(below, proba.shape[1] - 1)
    return codes
