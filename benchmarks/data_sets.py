"""Data to compare probabilities on: real sets that scikit-learn ships, and made ones whose probabilities are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DataSet:
    """Features, labels and, where they are known, the probabilities that the labels were drawn from."""

    X: Any
    y: npt.NDArray[Any]
    proba: Array | None = None

    @property
    def is_binary(self) -> bool:
        return len(np.unique(self.y)) == 2


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


def from_files(files: list[Path], label: str) -> Iterator[tuple[str, Maker]]:
    """CSV and Parquet files of the caller's; text becomes categories."""
    for file in files:
        yield file.stem, partial(_read, file, label)


def _loaded(loader: Callable[..., Any], seed: int) -> DataSet:
    del seed
    return DataSet(*loader(return_X_y=True))


def _made(rows: int, classes: int, offset: float, noise: float, seed: int, *, steep: float = 1.0) -> DataSet:
    """Scores of waves, steps and products of ten features, softmax, labels drawn."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    scores = np.zeros((rows, classes))
    for k in range(1, classes):
        weights = random.standard_normal(10)
        a, b, c = random.choice(10, 3, replace=False)
        waves = np.sin(2.0 * X[:, a]) + (X[:, b] > 0.3) + X[:, b] * X[:, c]
        scores[:, k] = steep * (0.6 * X @ weights / np.sqrt(2.0) + waves) + offset
    proba = np.exp(scores - scores.max(axis=1, keepdims=True))
    proba = (1.0 - noise) * proba / proba.sum(axis=1, keepdims=True) + noise / classes
    y = (proba.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1).clip(max=classes - 1)
    return DataSet(X, y, proba)


def _read(file: Path, label: str, seed: int) -> DataSet:
    del seed
    import pandas as pd  # noqa: PLC0415  (for files of the caller's only)

    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)
    if label not in frame:
        raise ValueError(f"{file} must have the column {label!r}, got {', '.join(frame.columns[:10])}")
    features = frame.drop(columns=label)
    for name in features:
        if not pd.api.types.is_numeric_dtype(features[name]):
            features[name] = features[name].astype("category").cat.codes
    return DataSet(features.to_numpy(np.float64), frame[label].to_numpy())
