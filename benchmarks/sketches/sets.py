"""Data sets with many classes: one group for development, and another for judging.

The data for judging come from other families, so that methods developed on waves are not judged on waves. Clusters are in
both groups, because sketches had performed worse on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from scipy.special import softmax
from sklearn.datasets import make_classification
from sklearn.tree import ExtraTreeRegressor

from ..study import data_sets
from ..study.data_sets import DataSet, Maker, drawn
from ..study.splits import Parts, three_parts

#: Classes with fewer rows are excluded, since each part needs at least one row of every class.
LEAST = 8


def development() -> Mapping[str, Maker]:
    """Return the development sets; all methods run on the first eight, and the shipped method on all."""
    return {
        "digits": data_sets.real()["digits"],
        "waves, 5 classes": partial(_waves, 6000, 5),
        "waves, 10 classes": partial(_waves, 10_000, 10),
        "waves, 12 classes, uneven": partial(_waves, 8000, 12, uneven=1.5),
        "waves, 20 classes, 2000 rows": partial(_waves, 2000, 20),
        "waves, 20 classes": partial(_waves, 10_000, 20),
        "waves, 100 classes": partial(_waves, 10_000, 100, steep=2.0),
        "clusters, 10 classes": partial(_clusters, 5000, 10),
        "waves, 3 classes": partial(_waves, 2000, 3),
        "waves, 4 classes, 500 rows": partial(_waves, 500, 4),
        "waves, 10 classes, little noise": partial(_waves, 3000, 10, steep=4.0),
        "clusters, 4 classes, 1000 rows": partial(_clusters, 1000, 4),
        "clusters, 6 classes, no noise": partial(_clusters, 3000, 6, noise=0.0, apart=2.0),
        "clusters, 20 classes": partial(_clusters, 4000, 20),
    }


def judging() -> Mapping[str, Maker]:
    """Return the sets that were used after the defaults had been fixed.

    An early version with one projection had been run on wine, iris and some clusters.
    """
    real = data_sets.real()
    return {
        "wine": real["wine"],
        "iris": real["iris"],
        "clusters, 30 classes": partial(_clusters, 6000, 30),
        "normals, 15 classes": partial(_normals, 5000, 15),
        "normals, 60 classes": partial(_normals, 9000, 60),
        "trees, 8 classes": partial(_trees, 5000, 8),
        "ordered, 6 classes": partial(_ordered, 4000, 6),
    }


def split(data: DataSet, seed: int) -> Parts:
    """Split into 50 % training, 20 % validation and 30 % test rows, stratified by class, without small classes."""
    _, codes, counts = np.unique(data.y, return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts[codes] >= LEAST)
    _, y = np.unique(codes[kept], return_inverse=True)
    coded = DataSet(np.asarray(data.X, dtype=np.float32)[kept], y)
    return Parts(*(coded.take(rows) for rows in three_parts(y, 0.3, 2 / 7, seed)))


def _waves(rows: int, classes: int, seed: int, *, steep: float = 1.0, uneven: float = 0.0) -> DataSet:
    random = np.random.default_rng([seed, classes])
    X = random.standard_normal((rows, 10))
    scores = data_sets.scores_of(X, classes, random, steep) - uneven * np.log(np.arange(1.0, classes + 1.0))
    return drawn(X, softmax(scores, axis=1), random)


def _clusters(rows: int, classes: int, seed: int, *, noise: float = 0.05, apart: float = 1.0) -> DataSet:
    """Draw two clusters for each class at the vertices of a hypercube, in ten of twenty dimensions."""
    options = {"n_informative": 10, "n_clusters_per_class": 2, "flip_y": noise, "class_sep": apart}
    return DataSet(*make_classification(rows, 20, n_classes=classes, random_state=seed, **options))


def _normals(rows: int, classes: int, seed: int) -> DataSet:
    """Draw each class from a normal distribution with its own mean and covariance."""
    random = np.random.default_rng(seed)
    y = random.integers(classes, size=rows)
    means = 1.2 * random.standard_normal((classes, 8))
    shapes = random.standard_normal((classes, 8, 8)) / np.sqrt(8.0)
    return DataSet(means[y] + np.einsum("nij,nj->ni", shapes[y], random.standard_normal((rows, 8))), y)


def _trees(rows: int, classes: int, seed: int) -> DataSet:
    """Draw labels whose scores are sums of random trees, on features of which half are integers."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 12))
    X[:, :6] = np.round(2.0 * X[:, :6])
    scores = np.zeros((rows, classes))
    for tree in range(6):
        grown = ExtraTreeRegressor(max_leaf_nodes=40, random_state=100 * seed + tree)
        scores += grown.fit(X, 2.0 * random.standard_normal((rows, classes))).predict(X) * 6.0
    return drawn(X, softmax(scores, axis=1), random)


def _ordered(rows: int, classes: int, seed: int) -> DataSet:
    """Draw classes that are intervals of one latent variable, such as grades."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((rows, 10))
    hidden = X[:, 0] + np.sin(2.0 * X[:, 1]) + X[:, 2] * X[:, 3] + 0.5 * random.logistic(size=rows)
    return DataSet(X, np.digitize(hidden, np.quantile(hidden, np.arange(1, classes) / classes)))
