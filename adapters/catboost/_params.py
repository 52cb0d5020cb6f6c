"""The settings that bare use of an objective needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from ...losses import Loss
from .._init_score import InitScore, as_init_score
from .._loss import check_loss
from ._data import encode
from ._objects import Metric, Objective


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings that bare use needs: objective with init score, metric, class names.

    CatBoost estimates no init score for a custom objective, demands an eval metric, and reads labels as numbers unless the
    classes are named.

    Parameters
    ----------
    loss : Loss
    y_true : array-like of shape (n,)
        The training labels, of any kind that CatBoost takes.
    sample_weight : array-like of shape (n,), optional
    sklearn : bool, default False
        Settings for ``catboost.train`` (False) or for the constructor of ``CatBoostClassifier`` (True). In CatBoost they
        are the same; in the adapters of the other libraries they differ.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss.
    """
    del sklearn
    check_loss(loss)
    codes, names = encode(loss, y_true, {})
    init_score = as_init_score(loss.init_score(codes, sample_weight))
    return companions(loss, init_score, names, {}) | {"allow_writing_files": False}


def companions(
    loss: Loss, init_score: InitScore, names: tuple[Any, ...] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return objective, metric and classes; a metric of the caller's is made to see the init score."""
    if loss.multiclass and names is not None and len(names) == 2:
        raise ValueError(
            f"labels must be of at least 3 classes for {loss}: CatBoost trains two with one score, as a binary loss"
        )
    metric = settings.get("eval_metric") or Metric(loss)
    if isinstance(metric, Metric):
        metric = metric.with_init_score(init_score)
    found = {"loss_function": Objective(loss, init_score), "eval_metric": metric}
    return found if names is None else {**found, "class_names": names}
