"""Raw scores and probabilities of CatBoost's models."""

from __future__ import annotations

from typing import Any

import catboost as cb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss
from .._init_score import plus_init_score
from .._prediction import check_model, checked_rounds, probabilities, refuse_ranges
from ._model import loss_of, missing_init_score


def raw_score(model: cb.CatBoost, X: Any, *, rounds: int | None = None, **options: Any) -> Array:
    """Return the raw scores of a model, init score included.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    X : Pool, array-like or DataFrame
    rounds : int, optional
        How many rounds to use, from the first on. Default: all that the model has; CatBoost itself cuts an early-stopped
        model after its best round.
    **options
        Of ``CatBoost.predict``: ``thread_count``, ``task_type`` and others.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float64

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not a number of rounds that the model has.

    Notes
    -----
    The init score of a model trained with a bare :class:`Objective` is in the objective and not in the model file: of such a
    model, loaded, the raw scores lack it.
    """
    check_model(model, cb.CatBoost)
    refuse_ranges(options, "ntree_start", "ntree_end")
    if rounds is not None:
        options["ntree_end"] = checked_rounds(rounds, model.tree_count_)
    scores = np.asarray(model.predict(X, prediction_type="RawFormulaVal", **options))
    return np.asarray(plus_init_score(scores, missing_init_score(model)))


def predict_proba(
    model: cb.CatBoost, X: Any, loss: Loss | None = None, *, rounds: int | None = None, **options: Any
) -> npt.NDArray[np.float64]:
    """Return class probabilities: the posterior that the raw scores imply under the loss they were trained with.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    X, rounds, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    ndarray of shape (n, K), float64
        Columns in the order of ``model.classes_``; two for a binary loss.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, or another one than is given; if ``rounds`` is wrong, as for
        :func:`raw_score`.
    """
    loss = loss_of(model, loss)
    return probabilities(loss, raw_score(model, X, rounds=rounds, **options))
