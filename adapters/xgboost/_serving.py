"""XGBoost's models whose own ``predict`` gives the posterior."""

from __future__ import annotations

from typing import TypeVar, cast

import numpy as np
import xgboost as xgb

from ...losses import Loss
from .._loss import ATTRIBUTE, servable_offset, served_loss
from ._model import ON_MARGINS, SHIFTED, booster_of, init_score_of, is_linear, loss_of, with_link
from ._settings import base_score

ModelT = TypeVar("ModelT", bound="xgb.Booster | xgb.XGBModel")


def servable(model: ModelT, loss: Loss | None = None) -> ModelT:
    """Return a copy whose own ``predict`` (``predict_proba`` of a classifier) gives the posterior, in any language.

    The sigmoid or softmax is stored as the model's link, and the posterior offset of class weights is added to the init
    score. Of an early-stopped model of trees it has the rounds up to the best, and the weights of dart's trees are in
    their leaves. Do not continue training from it, nor refit it.

    Base margins replace the init score, so that a served model of class weights is wrong on data that have any. A model
    of :func:`train` on base margins is refused; that an ``XGBClassifier`` was fitted with ``base_margin`` cannot be seen.
    Use :func:`predict_proba` of the model itself there.

    Focal models are refused. Their own ``predict``, in any language, gives raw scores, of which ``loss.posterior`` makes
    probabilities in closed form. Through onnxmltools a ``Booster`` of two classes gives raw scores too; it refuses more.

    Parameters
    ----------
    model : Booster or XGBModel
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    Booster or XGBModel
        Of the type of ``model``.

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), the model carries no loss and
        none is given, or another one than is given, or XGBoost cannot store the init score.
    """
    loss = loss_of(model, loss)
    booster = booster_of(model)
    before = init_score_of(booster)
    if loss.multiclass != (np.size(before) > 1):
        raise ValueError(f"loss must fit the model, got {loss} for {np.size(before)} scores per sample")
    if loss.multiclass and is_linear(booster):
        raise ValueError(
            "the model must be of trees for many classes, got 'gblinear', which has one init score for all"
        )
    stopped = {name: booster.attr(name) for name in ("best_iteration", "best_score")}
    best = None if is_linear(booster) else stopped["best_iteration"]  # a linear model has its last weights only
    if best is not None and int(best) + 1 < booster.num_boosted_rounds():
        booster = booster[: int(best) + 1]
    offset = servable_offset(loss, np.size(before))
    if np.any(offset) and booster.attr(ON_MARGINS) is not None:
        raise ValueError(
            f"the offset of {loss} cannot be stored for a model of base margins, which replace the init score where it would"
            " be; use predict_proba"
        )
    init_score = before + offset
    served = with_link(booster, np.size(before), base_score(init_score, sigmoid_link=True))
    if np.abs(init_score_of(served) - init_score).max() > 1e-4:
        raise ValueError(f"XGBoost cannot store the init score {init_score} of {loss} under a sigmoid")
    served.set_attr(**{ATTRIBUTE: served_loss(loss)}, **stopped)
    if np.any(offset):
        served.set_attr(**{SHIFTED: "true"})
    if isinstance(model, xgb.Booster):
        return cast(ModelT, served)
    estimator = type(model)(**{**model.get_params(), "eval_metric": None})
    estimator.load_model(served.save_raw("ubj"))
    return estimator
