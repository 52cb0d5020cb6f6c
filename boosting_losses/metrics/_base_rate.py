"""Mean losses of constant forecasts, and comparison with the best constant forecast, the base rate."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from .. import _validation
from ._predictions import Numbers

ProperScore = Literal["log_loss", "brier"]


def refuse_other_score(score: str) -> None:
    """Raise ValueError unless the score is 'log_loss' or 'brier'."""
    if score not in ("log_loss", "brier"):
        raise ValueError(f"score must be 'log_loss' or 'brier', got {score!r}")


def entropy(shares: Numbers, score: ProperScore) -> Numbers:
    """Return the score of predicting the class shares ``(..., K)``: the Shannon entropy or the Gini impurity."""
    if score == "brier":
        gini: Numbers = (shares * (1.0 - shares)).sum(axis=-1)
        return gini * _factor(shares.shape[-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        shannon: Numbers = -np.where(shares > 0, shares * np.log(shares), 0.0).sum(axis=-1)
    return shannon


def loss_of_constant(forecast: Numbers, shares: Numbers, score: ProperScore) -> float:
    """Return the score of predicting one forecast ``(K,)`` for all rows, given the class shares ``(K,)``."""
    if score == "brier":
        # The mean of sum_k (y_k - p_k)**2.
        whole = float((shares * (1.0 - shares)).sum() + ((shares - forecast) ** 2).sum())
        return whole * _factor(len(shares))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.where(shares > 0.0, shares * np.log(forecast), 0.0).sum())


def over_base_rate(mean: Numbers | float, shares: Numbers, score: ProperScore, *, explained: bool) -> Numbers:
    """Return the ratio of a mean loss to the loss of the base rate, or 1 minus this ratio if ``explained``."""
    with np.errstate(divide="ignore", invalid="ignore"):  # replicates may lack one of the classes
        ratio: Numbers = mean / entropy(shares, score)
    return 1.0 - ratio if explained else ratio


def class_shares(y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None, *, binary: bool) -> Numbers:
    """Return the weighted share of each class in the labels, ``(K,)``."""
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
    """Return the factor that converts a Brier score summed over all columns to the usual score.

    For two classes, the usual score has one column.
    """
    return 0.5 if classes == 2 else 1.0
