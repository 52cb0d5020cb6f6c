"""The settings that bare use of an objective needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..._validation import numbers
from ...losses import Loss
from .._loss import check_loss
from ._objects import Metric, Objective
from ._settings import base_score, link


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings that bare use of :class:`Objective` needs: link, init score, number of classes, metric.

    XGBoost estimates no init score for a custom objective, and applies the link of whichever objective stands in its
    parameters.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, for the init score.
    sklearn : bool, default False
        Settings for ``xgboost.train`` (False) or for the constructor of ``XGBClassifier`` (True), these with objective
        and metric. ``XGBClassifier`` always applies a sigmoid or softmax: under a focal loss or class weights its own
        ``predict_proba`` is no probability; :func:`predict_proba` gives it.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss, or ``XGBClassifier`` cannot train it on them.
    """
    check_loss(loss)
    init_score = loss.init_score(y_true, sample_weight)
    if not sklearn:
        stored = link(loss, np.size(init_score), soft=np.ndim(y_true) == 2)
        return {**stored, "base_score": base_score(init_score, sigmoid_link=loss.is_proper)}
    _check_for_classifier(loss, y_true)
    return {
        "objective": Objective(loss),
        "eval_metric": Metric(loss),
        "base_score": base_score(init_score, sigmoid_link=True),
        "disable_default_eval_metric": True,
    }


def _check_for_classifier(loss: Loss, y_true: npt.ArrayLike) -> None:
    """Refuse labels that ``XGBClassifier`` would not train with this loss."""
    labels = numbers("y_true", y_true)
    if labels.ndim != 1 or (labels % 1).any():
        came = f"the shape {labels.shape}" if labels.ndim != 1 else f"{labels[labels % 1 != 0][0]}"
        raise ValueError(f"y_true must hold class codes (n,) for XGBClassifier, which takes no soft labels, got {came}")
    if loss.multiclass and labels.max() < 2:
        raise ValueError(
            f"y_true must hold at least 3 classes for {loss} and XGBClassifier, which trains 2 classes with one score per"
            " sample, got 2; use a binary loss"
        )
