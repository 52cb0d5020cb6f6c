"""Calibrated probabilities from the raw scores of one training, and their scores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from boosting_losses import LogLoss, Loss, SoftmaxCrossEntropy, metrics
from boosting_losses._types import Array
from boosting_losses.classifier._select_calibrator import CALIBRATORS, HeldOut, choose
from boosting_losses.metrics._base_rate import class_shares, entropy

from ..study.data_sets import DataSet
from ..study.splits import Parts
from .plan import BUILTIN, PLAIN
from .training import Trained

#: The sigmoid or softmax of the raw scores, the posterior of the loss, and the automatically chosen calibration of it.
NONE, POSTERIOR, AUTO = "none", "posterior", "auto"
CALIBRATIONS = (NONE, POSTERIOR, "temperature", "sigmoid", "beta", "vector", "isotonic", AUTO)
#: The keys that ``scores`` returns.
SCORES = (
    "log_loss",
    "log_loss_low",
    "log_loss_high",
    "base_log_loss",
    "nce",
    "brier",
    "ece",
    "auc",
    "average_precision",
    "excess_log_loss",
    "proba_error",
)


def runs(trained: Trained, loss_name: str, loss: Loss | None, parts: Parts, n_classes: int) -> Iterator[dict[str, Any]]:
    """Yield each calibration with its seconds and the scores of its probabilities on the test rows."""
    ways = _calibrations(trained, loss, parts, n_classes)
    if loss_name in (BUILTIN, PLAIN):  # their activation equals the posterior
        del ways[POSTERIOR]
    for name, calibrate in ways.items():
        start = time.perf_counter()
        try:
            proba, chosen = calibrate()
            seconds = time.perf_counter() - start
            of_run = {"chosen": chosen, "calibration_seconds": seconds, **scores(parts.test, proba), "error": None}
        except Exception as error:  # noqa: BLE001  (no error may stop the other calibrations)
            of_run = {"error": f"{type(error).__name__}: {error}"}
        yield {"calibration": name, **of_run}


def _calibrations(
    trained: Trained, loss: Loss | None, parts: Parts, n_classes: int
) -> dict[str, Callable[[], tuple[Array, str | None]]]:
    """Return the calibration functions by name; each returns probabilities and the method that ``auto`` chose."""
    binary = n_classes == 2
    proper: Loss = LogLoss() if binary else SoftmaxCrossEntropy()
    loss = loss or proper

    def calibrated(name: str) -> tuple[Array, str | None]:
        inner = loss.posterior_logits(trained.inner)
        chosen = None
        if name == AUTO:
            rows = np.arange(len(inner))
            chosen = choose(HeldOut(inner, parts.inner.y, parts.inner.weight, np.zeros_like(rows), rows))["method"]
        calibrator = CALIBRATORS[chosen or name]().fit(inner, parts.inner.y, parts.inner.weight)
        proba: Array = calibrator.predict_proba(loss.posterior_logits(trained.test))
        return (proba[:, 1] if binary else proba), chosen

    ways: dict[str, Callable[[], tuple[Array, str | None]]] = {}
    ways[NONE] = lambda: (loss.activation(trained.test), None)
    ways[POSTERIOR] = lambda: (loss.posterior(trained.test), None)
    for name in CALIBRATIONS[2:]:
        if not (binary and name == "vector"):  # for two classes, vector scaling equals "sigmoid"
            ways[name] = lambda name=name: calibrated(name)  # type: ignore[misc]
    return ways


def scores(test: DataSet, proba: Array) -> dict[str, float | None]:
    """Score probabilities of class 1, ``(n,)``, or of all classes, ``(n, K)``.

    Two more scores are computed if the true probabilities are known. ``excess_log_loss`` is the mean of
    KL(true || predicted): the log loss above the lowest possible one, without the noise of the labels. ``proba_error`` is
    the mean of abs(true - predicted).
    """
    y, weight = test.y, test.weight
    loss = metrics.confidence_interval(metrics.log_loss, y, proba, weight)
    return {
        "log_loss": loss.value,
        "log_loss_low": loss.low,
        "log_loss_high": loss.high,
        "base_log_loss": float(entropy(class_shares(y, weight, binary=proba.ndim == 1), "log_loss")),
        "nce": metrics.normalized_cross_entropy(y, proba, weight),
        "brier": metrics.brier_score(y, proba, weight),
        "ece": metrics.calibration_error(y, proba, weight),
        **_ranking(test, proba),
        **_against_truth(test, proba),
    }


def _ranking(test: DataSet, proba: Array) -> dict[str, float]:
    """Score the ranking; for more than two classes, return the mean over one-vs-rest problems."""
    if proba.ndim == 1:
        of_classes = [(test.y, proba)]
    else:
        of_classes = [(test.y == k, proba[:, k]) for k in range(proba.shape[1])]
    return {
        name: float(np.mean([score(y, p, sample_weight=test.weight) for y, p in of_classes]))
        for name, score in (("auc", roc_auc_score), ("average_precision", average_precision_score))
    }


def _against_truth(test: DataSet, proba: Array) -> dict[str, float | None]:
    if test.proba is None:
        return {"excess_log_loss": None, "proba_error": None}
    predicted = np.column_stack([1.0 - proba, proba]) if proba.ndim == 1 else proba
    eps = float(np.finfo(np.float64).eps)  # the clipping bound of the log loss
    ratio = np.log(np.clip(test.proba, eps, None)) - np.log(np.clip(predicted.astype(np.float64), eps, None))
    divergence = (test.proba * ratio).sum(axis=1)
    error = np.abs(test.proba - predicted).mean(axis=1)
    return {
        "excess_log_loss": float(np.average(divergence, weights=test.weight)),
        "proba_error": float(np.average(error, weights=test.weight)),
    }
