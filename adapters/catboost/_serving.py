"""Conversion to CatBoost models whose own ``predict_proba`` returns the posterior."""

from __future__ import annotations

import catboost as cb
import numpy as np

from ...losses import Loss
from .._init_score import as_init_score
from .._loss import ATTRIBUTE, servable_offset, served_loss
from ._model import exchange_class_names, loss_of, missing_init_score, name_loss_function, reloaded, set_init_score


def servable(model: cb.CatBoost, loss: Loss | None = None) -> cb.CatBoostClassifier:
    """Return a copy whose own ``predict_proba`` returns the posterior, in every language binding of CatBoost.

    CatBoost applies a sigmoid or softmax to the raw scores of every classifier. The posterior offset of class weights is
    added to the init score. The copy stores the name of CatBoost's own loss, and the first tree of a binary model contains
    the init score. CatBoost's ONNX export, which supports symmetric trees only, and its explanations of probabilities
    therefore use the posterior, too.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    loss : Loss, optional
        Required only if the model carries no loss. Default: the loss that the model carries.

    Returns
    -------
    CatBoostClassifier

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), if the model carries no loss and
        none is given, or if the given loss differs from the model's.
    """
    loss = loss_of(model, loss)
    scale, bias = model.get_scale_and_bias()
    offset = servable_offset(loss, len(model.classes_) or 2)
    copy = model.copy()
    if not len(model.classes_) and not loss.multiclass:  # trained on soft labels
        exchange_class_names(copy, [0, 1])
    name_loss_function(copy, "MultiClass" if loss.multiclass else "Logloss")
    served = reloaded(copy, cb.CatBoostClassifier)
    if scale != 1:
        served.set_leaf_values(scale * np.asarray(served.get_leaf_values()))
    set_init_score(served, as_init_score(np.asarray(bias) + offset + np.asarray(missing_init_score(model))))
    served.get_metadata()[ATTRIBUTE] = served_loss(loss)
    return served
