"""Functions that return raw scores and probabilities of XGBoost's models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..._types import Array
from ...losses import Loss
from .._prediction import checked_rounds, probabilities
from ._model import SHIFTED, Model, booster_of, is_linear, loss_of


def raw_score(model: Model, X: Any, *, rounds: int | None = None) -> Array:
    """Return the raw scores of a model, including the init score and base margins.

    Parameters
    ----------
    model : Booster or XGBModel
    X : DMatrix, or any data from which one can be constructed
    rounds : int, optional
        Number of rounds to use, starting with the first. Default: up to the best round for an early-stopped model
        (including a ``Booster``, whose own ``predict`` uses all rounds), otherwise all rounds.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float32

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not an integer from 1 to the number of rounds of the model. For ``gblinear``, it must be that number,
        because the model keeps only its last weights.
    """
    booster = booster_of(model)
    iteration_range = (0, rounds_of(booster) if rounds is None else checked_rounds_of(rounds, booster))
    if isinstance(model, xgb.Booster) or isinstance(X, xgb.DMatrix):
        data = X if isinstance(X, xgb.DMatrix) else xgb.DMatrix(X, enable_categorical=True)
        scores: Array = booster.predict(data, output_margin=True, iteration_range=iteration_range)
    else:
        scores = model.predict(X, output_margin=True, iteration_range=iteration_range)
    return scores


def predict_proba(
    model: Model, X: Any, loss: Loss | None = None, *, rounds: int | None = None
) -> npt.NDArray[np.float64]:
    """Return class probabilities: the posterior that the raw scores imply under the training loss.

    Parameters
    ----------
    model : Booster or XGBModel
    X, rounds
        As for :func:`raw_score`.
    loss : Loss, optional
        Required only if the model carries no loss. Default: the loss that the model carries.

    Returns
    -------
    ndarray of shape (n, K), float64
        A binary loss gives two columns.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, if the given loss differs from the model's, if ``xgboost.train`` has
        continued the model with a builtin objective, if ``X`` has base margins and the model is a :func:`servable` model
        with class weights, or if ``rounds`` is invalid (see :func:`raw_score`).
    """
    loss = loss_of(model, loss)
    if isinstance(X, xgb.DMatrix) and X.get_base_margin().size:
        refuse_margins(model)
    return probabilities(loss, raw_score(model, X, rounds=rounds))


def refuse_margins(model: Model) -> None:
    """Raise ValueError if base margins would replace a part of the model."""
    if booster_of(model).attr(SHIFTED) is not None:
        raise ValueError(
            "X must have no base margins for this served model: they replace the init score, which contains the offset of"
            " class weights; use the model that was passed to servable"
        )


def rounds_of(booster: xgb.Booster) -> int:
    """Return the number of rounds used for raw scores: up to the best round if training stopped early, otherwise all."""
    best = booster.attr("best_iteration")
    return int(booster.num_boosted_rounds()) if best is None else int(best) + 1


def checked_rounds_of(rounds: object, booster: xgb.Booster) -> int:
    """Return the number of rounds to use; raise an error unless the model has them. A linear model has only its last."""
    trained = int(booster.num_boosted_rounds())
    if is_linear(booster) and rounds != trained:
        raise ValueError(
            f"rounds must be {trained} or None for 'gblinear', which keeps only its last weights, got {rounds!r}"
        )
    return checked_rounds(rounds, trained)
