"""Raw scores and probabilities of XGBoost's models."""

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
    """Return the raw scores of a model, init score and base margins included.

    Parameters
    ----------
    model : Booster or XGBModel
    X : DMatrix or what one is made of
    rounds : int, optional
        How many rounds to use, from the first on. Default: up to the best one of an early-stopped model (also of a
        Booster, whose own ``predict`` uses all), otherwise all.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float32

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not a number of rounds that the model has, or fewer than all of ``gblinear``, which keeps its last
        weights only.
    """
    booster = booster_of(model)
    iteration_range = (0, rounds_of(booster) if rounds is None else _checked_rounds(rounds, booster))
    if isinstance(model, xgb.Booster) or isinstance(X, xgb.DMatrix):
        data = X if isinstance(X, xgb.DMatrix) else xgb.DMatrix(X, enable_categorical=True)
        scores: Array = booster.predict(data, output_margin=True, iteration_range=iteration_range)
    else:
        scores = model.predict(X, output_margin=True, iteration_range=iteration_range)
    return scores


def predict_proba(
    model: Model, X: Any, loss: Loss | None = None, *, rounds: int | None = None
) -> npt.NDArray[np.float64]:
    """Return class probabilities: the posterior that the raw scores imply under the loss they were trained with.

    Parameters
    ----------
    model : Booster or XGBModel
    X, rounds
        As for :func:`raw_score`.
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    ndarray of shape (n, K), float64
        Two columns for a binary loss.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, or another one than is given, or bare XGBoost has continued it with
        a builtin objective; if it is a :func:`servable` model of class weights and ``X`` has base margins; if ``rounds`` is
        wrong, as for :func:`raw_score`.
    """
    loss = loss_of(model, loss)
    if isinstance(X, xgb.DMatrix) and X.get_base_margin().size and booster_of(model).attr(SHIFTED) is not None:
        raise ValueError(
            "X must have no base margins for this served model: they replace the init score, which holds the offset of class"
            " weights; use the model that servable was given"
        )
    return probabilities(loss, raw_score(model, X, rounds=rounds))


def rounds_of(booster: xgb.Booster) -> int:
    """Return the number of rounds that raw scores use: up to the best one of an early-stopped model, otherwise all."""
    best = booster.attr("best_iteration")
    return int(booster.num_boosted_rounds()) if best is None else int(best) + 1


def _checked_rounds(rounds: object, booster: xgb.Booster) -> int:
    trained = int(booster.num_boosted_rounds())
    if is_linear(booster) and rounds != trained:
        raise ValueError(
            f"rounds must be {trained} or None for 'gblinear', which keeps its last weights only, got {rounds!r}"
        )
    return checked_rounds(rounds, trained)
