"""Conversion to LightGBM models whose own ``predict`` returns the posterior."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from ...losses import Loss
from .._loss import ATTRIBUTE, servable_offset, served_loss
from ._model import Model, booster_of, edited, link_line, link_params, loss_of, missing_init_score


def servable(model: Model, loss: Loss | None = None) -> lgb.Booster:
    """Return a copy whose own ``predict`` returns the posterior, in every language binding of LightGBM.

    The sigmoid or softmax is stored as the model's link, and the posterior offset of class weights is added to the leaves
    of the first trees.

    Parameters
    ----------
    model : Booster or LGBMModel
    loss : Loss, optional
        Required only if the model carries no loss. Default: the loss that the model carries.

    Returns
    -------
    Booster
        Also if ``model`` is an ``LGBMModel``, because LightGBM cannot load trees into one.

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), if the model carries no loss and
        none is given, or if the given loss differs from the model's.
    """
    loss = loss_of(model, loss)
    booster = booster_of(model)
    n_classes = booster.num_model_per_iteration()
    init_score = np.atleast_1d(servable_offset(loss, n_classes) + np.asarray(missing_init_score(model)))
    link = link_line(loss.multiclass, n_classes)
    served = lgb.Booster(model_str=edited(booster.model_to_string(num_iteration=-1), init_score.tolist(), link))
    served.params.update(link_params(link))  # LightGBM before 4.7 does not read these from the text
    served.best_iteration = booster.best_iteration
    setattr(served, ATTRIBUTE, served_loss(loss))
    return served
