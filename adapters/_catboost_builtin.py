"""Where CatBoost has a loss of ours itself: its name, and the settings under which both give the same model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np

from ..losses import LogLoss, Loss, SoftmaxCrossEntropy
from ._catboost_objects import Metric

#: What CatBoost does under a custom objective and, unless told, not under its own.
_ALIKE = {"leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1, "leaf_estimation_backtracking": "No"}


def has_builtin(loss: Loss, pool: cb.Pool) -> bool:
    """Has CatBoost a loss of its own with which it comes to the same model?"""
    if pool.get_text_feature_indices() or pool.get_embedding_feature_indices():
        return False  # what CatBoost makes of them differs: under a custom objective the target counts as a number
    if loss.multiclass:  # the same holds for the statistics of categorical features
        return loss == SoftmaxCrossEntropy() and not pool.get_cat_feature_indices()
    return loss == LogLoss()


def builtin_settings(
    loss: Loss, pool: cb.Pool, names: tuple[Any, ...] | None, settings: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The settings, with CatBoost's own loss; None if it has no equal one.

    A loss with class weights has none: to CatBoost they are weights of rows, which count when it chooses splits, too. The
    data must start from a baseline where there is an intercept.
    """
    if not has_builtin(loss, pool):
        return None
    name = "MultiClass" if loss.multiclass else "CrossEntropy" if names is None else "Logloss"
    own = {**_ALIKE, **settings, "loss_function": name, "boost_from_average": False}
    own["eval_metric"] = settings.get("eval_metric") or Metric(loss)
    if "eta" not in settings:
        own.setdefault("learning_rate", 0.03)
    if "bootstrap_type" not in settings:
        own |= {"bootstrap_type": "MVS", "subsample": settings.get("subsample", 0.8)}
    return own if names is None else {**own, "class_names": names}


def starting_from(pool: cb.Pool, offset: float | tuple[float, ...]) -> cb.Pool:
    """A copy of a pool with a constant baseline; the pool itself where that is 0."""
    if not np.any(offset):
        return pool
    copy = pool.slice(np.arange(pool.num_row()))
    copy.set_baseline(np.tile(np.atleast_1d(offset), (pool.num_row(), 1)))
    return copy
