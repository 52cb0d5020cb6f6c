"""CatBoost's models whose own ``predict_proba`` gives the posterior."""

from __future__ import annotations

import catboost as cb
import numpy as np

from ...losses import Loss
from .._init_score import as_init_score
from .._loss import ATTRIBUTE, servable_offset, served_loss
from ._model import exchange_class_names, loss_of, missing_init_score, name_loss_function, reloaded, set_init_score


def servable(model: cb.CatBoost, loss: Loss | None = None) -> cb.CatBoostClassifier:
    """Return a copy whose own ``predict_proba`` gives the posterior, in any language.

    CatBoost applies a sigmoid or softmax to every classifier; the posterior offset of class weights is added to the init
    score. The file names CatBoost's own loss, and of a binary model the init score is in the first tree, so that CatBoost's
    ONNX export, where it has one (it has none for trees that are not symmetric), gives the posterior too, as do explanations
    of probabilities.

    Parameters
    ----------
    model : CatBoost or CatBoostClassifier
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    CatBoostClassifier

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), or the model carries no loss and
        none is given.
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
