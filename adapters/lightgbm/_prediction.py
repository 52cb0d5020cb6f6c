"""Raw scores and probabilities of LightGBM's models."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss
from .._init_score import plus_init_score
from .._prediction import checked_rounds, probabilities, refuse_ranges
from ._model import Model, booster_of, loss_of, missing_init_score


def raw_score(model: Model, X: Any, *, rounds: int | None = None, **options: Any) -> Array:
    """Return the raw scores of a model, init score included.

    Parameters
    ----------
    model : Booster or LGBMModel
    X : array-like or DataFrame
    rounds : int, optional
        How many rounds to use, from the first on. Default: up to the best one of an early-stopped model, otherwise all.
    **options
        Of ``Booster.predict``: ``validate_features``, ``num_threads`` and others.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float64

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not a number of rounds that the model has.
    """
    booster = booster_of(model)
    refuse_ranges(options, "num_iteration", "start_iteration")
    if rounds is not None:
        rounds = checked_rounds(rounds, booster.current_iteration())
    scores = np.asarray(booster.predict(X, raw_score=True, num_iteration=rounds, **options))
    return np.asarray(plus_init_score(scores, missing_init_score(model)))


def predict_proba(
    model: Model, X: Any, loss: Loss | None = None, *, rounds: int | None = None, **options: Any
) -> npt.NDArray[np.float64]:
    """Return class probabilities: the posterior that the raw scores imply under the loss they were trained with.

    Parameters
    ----------
    model : Booster or LGBMModel
    X, rounds, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries. LightGBM's model files carry none.

    Returns
    -------
    ndarray of shape (n, K), float64
        Two columns for a binary loss.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, or another one than is given; if ``rounds`` is wrong, as for
        :func:`raw_score`.
    """
    loss = loss_of(model, loss)
    return probabilities(loss, raw_score(model, X, rounds=rounds, **options))


def rounds_of(booster: lgb.Booster) -> int:
    """Return the number of rounds that raw scores use: up to the best one of an early-stopped model, otherwise all."""
    return int(booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration())
