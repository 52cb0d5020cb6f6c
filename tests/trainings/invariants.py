"""Invariants of every training in every library."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from boosting_losses import LogLoss, Loss, SoftmaxCrossEntropy
from boosting_losses.metrics import brier_score

from .data import Rows


def probabilities_fit_scores(loss: Loss, raw: np.ndarray, proba: np.ndarray) -> None:
    """Check that probabilities sum to 1 and, without class weights, are ordered like the raw scores."""
    assert proba.ndim == 2
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    assert_allclose(proba.sum(1), 1.0, atol=1e-5)
    if not loss.multiclass:
        assert (np.diff(proba[np.argsort(raw), 1]) >= -1e-7).all()
    elif not getattr(loss, "class_weight", None):
        rows = np.arange(len(raw))
        assert_allclose(proba[rows, raw.argmax(1)], proba.max(1), atol=1e-6)


def same_scores(found: Any, expected: Any, what: str, atol: float = 0.0) -> None:
    """Check that raw scores agree."""
    assert_allclose(found, expected, atol=atol, rtol=0, err_msg=what)


def metric_value(name: str, loss: Loss, rows: Rows, raw: np.ndarray) -> float | None:
    """Return the metric with this name, computed from raw scores, or None if the name is unknown."""
    hard = rows.y if rows.y.ndim == 1 else rows.y.argmax(1)
    if name == "merror":
        return float(np.average(raw.argmax(1) != hard, weights=rows.weight))
    if name in ("logloss", "mlogloss"):
        plain: Loss = LogLoss() if raw.ndim == 1 else SoftmaxCrossEntropy()
        return plain(rows.y, raw, rows.weight)
    if name.endswith("_loss"):
        return loss(rows.y, raw, rows.weight)
    if name == "brier_score":
        return brier_score(rows.y, loss.posterior(raw), rows.weight)
    if name == "auc" and raw.ndim == 1 and set(np.unique(rows.y)) == {0, 1}:
        return float(roc_auc_score(rows.y, raw, sample_weight=rows.weight))
    return None


class Unchanged:
    """Copies of the caller's parameters and arrays, which are compared after a training."""

    def __init__(self, settings: dict[str, Any], *parts: Rows) -> None:
        self.settings, self.parts = settings, parts
        self.before = copy.deepcopy((settings, parts))

    def check(self) -> None:
        """Check that nothing has changed."""
        settings, parts = self.before
        assert self.settings == settings
        for now, then in zip(self.parts, parts, strict=True):
            for array, before in zip(now, then, strict=True):
                if hasattr(before, "equals"):
                    assert array.equals(before)
                elif before is not None:
                    assert_array_equal(array, before)
