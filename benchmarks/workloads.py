"""The work that the command ``threads`` measures: the public functions that use several threads, on random data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from boosting_losses import FocalLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss, metrics
from boosting_losses._types import Array
from boosting_losses.calibration import PlattScaling, TemperatureScaling
from boosting_losses.losses import Loss

from .measure import Timed

REPLICATES = 512


def _scores(rows: int, classes: int | None, dtype: type = np.float32) -> tuple[Array, Array]:
    """Draw raw scores and labels; ``None`` means one score per row. The labels agree with the scores in half of the rows."""
    random = np.random.default_rng(0)
    raw = random.standard_normal(rows if classes is None else (rows, classes), dtype=np.float32)
    best = raw > 0.0 if classes is None else raw.argmax(axis=1)
    y = np.where(random.random(rows) < 0.5, best, random.integers(0, classes or 2, rows))
    y[: classes or 2] = np.arange(classes or 2)  # the smallest data, too, contain every class
    return raw.astype(dtype, copy=False), y


def _derivatives(loss: Loss, classes: int | None, rows: int) -> Timed:
    """Compute derivatives as for XGBoost, into given arrays: mapping new pages could cost more than the arithmetic."""
    raw, y = _scores(rows, classes)
    gradient, hessian = np.full_like(raw, 0.0), np.full_like(raw, 0.0)
    return partial(loss.write_gradient_hessian, y.astype(np.float32), raw, None, gradient, hessian)


def _mean_loss(rows: int) -> Timed:
    raw, y = _scores(rows, 10)
    return partial(SoftmaxCrossEntropy(), y.astype(np.float32), raw)


def _log_loss(rows: int) -> Timed:
    raw, y = _scores(rows, 10, np.float64)
    return partial(metrics.log_loss, y, SoftmaxCrossEntropy().activation(raw))


def _bootstrap(rows: int) -> Timed:
    raw, y = _scores(rows, None, np.float64)
    scores = {"log_loss": metrics.log_loss, "brier": metrics.brier_score, "ece": metrics.calibration_error}
    return partial(metrics.bootstrap, scores, y, 1.0 / (1.0 + np.exp(-raw)), n_resamples=REPLICATES)


def _fit(calibrator: Callable[[], Any], classes: int | None, rows: int) -> Timed:
    raw, y = _scores(rows, classes, np.float64)
    return lambda: calibrator().fit(raw, y)


#: By name, the function that draws data of a number of rows and returns the call to time.
WORKLOADS: dict[str, Callable[[int], Timed]] = {
    "focal": partial(_derivatives, FocalLoss(), None),
    "softmax, K = 10": partial(_derivatives, SoftmaxCrossEntropy(), 10),
    "softmax, K = 100": partial(_derivatives, SoftmaxCrossEntropy(), 100),
    "softmax focal, K = 10": partial(_derivatives, SoftmaxFocalLoss(), 10),
    "mean loss of raw scores, K = 10": _mean_loss,
    "log loss of probabilities, K = 10": _log_loss,
    f"{REPLICATES} bootstrap replicates of log loss, Brier, ECE": _bootstrap,
    "Platt scaling, fit": partial(_fit, PlattScaling, None),
    "temperature scaling, K = 10, fit": partial(_fit, TemperatureScaling, 10),
}
