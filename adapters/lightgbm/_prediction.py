"""Functions that return raw scores and probabilities of LightGBM's models."""

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
    """Return the raw scores of a model, including the init score.

    Parameters
    ----------
    model : Booster or LGBMModel
    X : array-like or DataFrame
    rounds : int, optional
        Number of rounds to use, starting with the first. Default: up to the best round for an early-stopped model,
        otherwise all rounds.
    **options
        Other options of ``Booster.predict``, such as ``validate_features`` and ``num_threads``.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float64

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not an integer from 1 to the number of rounds of the model.
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
    """Return class probabilities: the posterior that the raw scores imply under the training loss.

    Parameters
    ----------
    model : Booster or LGBMModel
    X, rounds, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Required only if the model carries no loss, such as a LightGBM model loaded from a file. Default: the loss that the
        model carries.

    Returns
    -------
    ndarray of shape (n, K), float64
        A binary loss gives two columns.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, if the given loss differs from the model's, or if ``rounds`` is
        invalid (see :func:`raw_score`).
    """
    loss = loss_of(model, loss)
    return probabilities(loss, raw_score(model, X, rounds=rounds, **options))


def rounds_of(booster: lgb.Booster) -> int:
    """Return the number of rounds used for raw scores: up to the best round if training stopped early, otherwise all."""
    return int(booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration())
