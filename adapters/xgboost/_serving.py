"""Conversion to XGBoost models whose own ``predict`` returns the posterior."""

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
    """Return a copy whose own ``predict`` (``predict_proba`` of a classifier) returns the posterior, in every language.

    The sigmoid or softmax is stored as the model's link, and the posterior offset of class weights is added to the init
    score. The copy of an early-stopped tree model contains only the rounds up to the best one, and dart's tree weights are
    multiplied into the leaves. Do not continue or refit the copy.

    Base margins replace the init score, so a served model with class weights is wrong on data with base margins. A model that
    :func:`train` trained with class weights on base margins raises an error; an ``XGBClassifier`` that was fitted with
    ``base_margin`` cannot be detected. In these cases, use :func:`predict_proba` with the original model.

    Focal models raise an error. Their own ``predict`` returns raw scores in every language, and ``loss.posterior`` converts
    these to probabilities in closed form. A binary focal ``Booster`` that onnxmltools converts also returns raw scores;
    onnxmltools raises an error for focal models with more classes.

    Parameters
    ----------
    model : Booster or XGBModel
    loss : Loss, optional
        Required only if the model carries no loss. Default: the loss that the model carries.

    Returns
    -------
    Booster or XGBModel
        The same type as ``model``.

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), if the model carries no loss and
        none is given, if the given loss differs from the model's, or if XGBoost cannot store the init score.
    """
    loss = loss_of(model, loss)
    booster = booster_of(model)
    before = init_score_of(booster)
    if loss.multiclass != (np.size(before) > 1):
        raise ValueError(f"loss must match the model, got {loss} for {np.size(before)} scores per sample")
    if loss.multiclass and is_linear(booster):
        raise ValueError(
            "the model must consist of trees for a multiclass loss, got 'gblinear', which has one init score for all classes"
        )
    stopped = {name: booster.attr(name) for name in ("best_iteration", "best_score")}
    best = None if is_linear(booster) else stopped["best_iteration"]  # a linear model keeps only its last weights
    if best is not None and int(best) + 1 < booster.num_boosted_rounds():
        booster = booster[: int(best) + 1]
    offset = servable_offset(loss, np.size(before))
    if np.any(offset) and booster.attr(ON_MARGINS) is not None:
        raise ValueError(
            f"the offset of {loss} cannot be stored for a model of base margins, because they replace the init score that"
            " would contain it; use predict_proba"
        )
    init_score = before + offset
    served = with_link(booster, np.size(before), base_score(init_score, sigmoid_link=True))
    if np.abs(init_score_of(served) - init_score).max() > 1e-4:
        raise ValueError(f"XGBoost cannot store the init score {init_score} of {loss} as a probability")
    served.set_attr(**{ATTRIBUTE: served_loss(loss)}, **stopped)
    if np.any(offset):
        served.set_attr(**{SHIFTED: "true"})
    if isinstance(model, xgb.Booster):
        return cast(ModelT, served)
    estimator = type(model)(**{**model.get_params(), "eval_metric": None})
    estimator.load_model(served.save_raw("ubj"))
    return estimator
