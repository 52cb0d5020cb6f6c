"""Functions that return raw scores and probabilities of CatBoost's models."""

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
    """Return the raw scores of a model, including the init score.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    X : Pool, array-like or DataFrame
    rounds : int, optional
        Number of rounds to use, starting with the first. Default: all rounds of the model. CatBoost truncates an
        early-stopped model after its best round.
    **options
        Other options of ``CatBoost.predict``, such as ``thread_count`` and ``task_type``.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float64

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not an integer from 1 to the number of rounds of the model.

    Notes
    -----
    If a model was trained by passing an :class:`Objective` to CatBoost, the init score is in the objective and not in the
    model file. After such a model is loaded from a file, its raw scores lack the init score.
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
    """Return class probabilities: the posterior that the raw scores imply under the training loss.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    X, rounds, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Required only if the model carries no loss. Default: the loss that the model carries.

    Returns
    -------
    ndarray of shape (n, K), float64
        The columns are in the order of ``model.classes_``. A binary loss gives two columns.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, if the given loss differs from the model's, or if ``rounds`` is
        invalid (see :func:`raw_score`).
    """
    loss = loss_of(model, loss)
    return probabilities(loss, raw_score(model, X, rounds=rounds, **options))
