"""Scores of probabilities against other packages, on the same arrays and on one thread."""

from __future__ import annotations

import argparse
import importlib
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics

from boosting_losses import metrics
from boosting_losses._types import Array

from .measure import Bar, Case, Pair, Row, speed_ups

Data = tuple[npt.NDArray[np.int64], Array]
Score = Callable[[npt.NDArray[np.int64], Array], Any]

#: The number of bootstrap replicates; the time of both sides is proportional to it.
REPLICATES = 128


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the rows whose names match ``--only``, on one thread."""
    return speed_ups(_cases(arguments.rows), arguments)


def _cases(n: int) -> Iterator[Case]:
    binary, many = partial(_binary, n), partial(_multiclass, n, 10)

    def case(name: str, data: Callable[[], Data], ours: Score, reference: Score, limit: float) -> Case:
        return Case(name, partial(_pair, data, ours, reference), n if data is binary else 10 * n, "Mcell/s", Bar(limit))

    log_loss, brier = sklearn.metrics.log_loss, sklearn.metrics.brier_score_loss
    yield case("log loss / scikit-learn", binary, metrics.log_loss, log_loss, 30.0)
    yield case("Brier score / scikit-learn", binary, metrics.brier_score, brier, 30.0)
    yield case("log loss, K = 10 / scikit-learn", many, metrics.log_loss, log_loss, 30.0)
    if hasattr(sklearn.metrics, "d2_brier_score"):  # since 1.8, the Brier score supports many classes
        brier_of_many = partial(brier, labels=np.arange(10))
        yield case("Brier score, K = 10 / scikit-learn", many, metrics.brier_score, brier_of_many, 30.0)
    replicates = f"{REPLICATES} replicates of log loss, Brier, ECE / NumPy"
    yield case(replicates, binary, _replicates, _numpy_replicates, 10.0)
    if mapie := _optional("mapie.metrics.calibration", "expected_calibration_error"):
        yield case("ECE, 15 bins / MAPIE", binary, metrics.calibration_error, partial(mapie, num_bins=15), 10.0)
    if decompose := _optional("model_diagnostics.scoring", "decompose"):
        diagnostics = partial(decompose, scoring_function=_optional("model_diagnostics.scoring", "LogLoss")())
        yield case("decomposition of the log loss / model-diagnostics", binary, metrics.decompose, diagnostics, 1.0)
    if smooth := _optional("relplot", "smECE"):
        name = "smooth calibration error / relplot"
        yield case(name, binary, metrics.smooth_calibration_error, lambda y, p: smooth(p, y), 1.0)


def _optional(module: str, name: str) -> Any:
    """Return an attribute of an optional package, or None if the package is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(importlib.import_module(module), name)
    except ImportError:
        return None


def _pair(data: Callable[[], Data], ours: Score, reference: Score) -> Pair:
    y, p = data()
    return partial(ours, y, p), partial(reference, y, p)


def _replicates(y: npt.NDArray[np.int64], p: Array) -> Any:
    scores = {"log_loss": metrics.log_loss, "brier": metrics.brier_score, "ece": metrics.calibration_error}
    return metrics.bootstrap(scores, y, p, n_resamples=REPLICATES)


def _numpy_replicates(y: npt.NDArray[np.int64], p: Array) -> Any:
    """Compute scores by row once, then draw weights for each replicate, as in typical NumPy code."""
    random = np.random.default_rng(0)
    losses = -np.log(np.where(y == 1, p, 1.0 - p))
    squares = (y - p) ** 2
    gaps = p - y
    bins = np.minimum((p * 15).astype(np.int64), 14)
    values = []
    for _ in range(REPLICATES):
        count = random.poisson(1.0, len(y))
        total = count.sum()
        error = np.abs(np.bincount(bins, weights=count * gaps, minlength=15)).sum() / total
        values.append((count @ losses / total, count @ squares / total, error))
    return np.array(values)


def _binary(n: int) -> Data:
    random = np.random.default_rng(0)
    raw = 2.0 * random.standard_normal(n) - 1.0
    p = 1.0 / (1.0 + np.exp(-raw))
    return (random.random(n) < p).astype(np.int64), p


def _multiclass(n: int, classes: int) -> Data:
    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(classes), n)
    return (p.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(max=classes - 1), p
