"""Mean losses of forecasts that are all the same, and comparison with the best of them, the base rate."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import _validation
from ._predictions import Numbers

ProperScore = Literal["log_loss", "brier"]


def refuse_other_score(score: str) -> None:
    """Raise ValueError unless the score is one of the two."""
    if score not in ("log_loss", "brier"):
        raise ValueError(f"score must be 'log_loss' or 'brier', got {score!r}")


def entropy(shares: Numbers, score: ProperScore) -> Numbers:
    """Return the score of predicting the shares of classes ``(..., K)`` themselves: Shannon's or Gini's."""
    if score == "brier":
        gini: Numbers = (shares * (1.0 - shares)).sum(axis=-1)
        return gini * _factor(shares.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        shannon: Numbers = -np.where(shares > 0, shares * np.log(shares), 0.0).sum(axis=-1)
    return shannon


def loss_of_constant(forecast: Numbers, shares: Numbers, score: ProperScore) -> float:
    """Return the score of one forecast ``(K,)`` for all rows, whose classes have these shares ``(K,)``."""
    if score == "brier":
        # The mean of sum_k (y_k - p_k)**2.
        whole = float((shares * (1.0 - shares)).sum() + ((shares - forecast) ** 2).sum())
        return whole * _factor(len(shares))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.where(shares > 0.0, shares * np.log(forecast), 0.0).sum())


def over_base_rate(mean: Numbers | float, shares: Numbers, score: ProperScore, *, explained: bool) -> Numbers:
    """Return the ratio of a mean loss to that of the base rate, or, where ``explained``, what is missing to 1."""
    with np.errstate(divide="ignore", invalid="ignore"):  # replicates may lack one of the classes
        ratio: Numbers = mean / entropy(shares, score)
    return 1.0 - ratio if explained else ratio


def class_shares(y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None, *, binary: bool) -> Numbers:
    """Return the weighted shares of the classes among labels, ``(K,)``."""
    y, weight = _validation.labels_and_weights(y_true, sample_weight, multiclass=True)
    if binary:
        rate = float(np.average(y if y.ndim == 1 else y[:, 1], weights=weight))
        return np.array([1.0 - rate, rate])
    if y.ndim == 2:
        shares: Numbers = np.average(y, axis=0, weights=weight).astype(np.float64)
    else:
        shares = np.bincount(y.astype(np.intp), weights=weight, minlength=3).astype(np.float64)
        shares /= shares.sum()
    return shares


def _factor(classes: int) -> float:
    """Return what the Brier score of two classes, of one column, is of that of both columns."""
    return 0.5 if classes == 2 else 1.0
