"""CatBoost's own losses as replacements for equal custom losses, and the settings with which both give the same model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np

from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .._init_score import InitScore
from ._objects import Metric

#: CatBoost's defaults for a custom objective, which differ from those for its own losses.
_ALIKE = {"leaf_estimation_method": "Newton", "leaf_estimation_iterations": 1, "leaf_estimation_backtracking": "No"}

#: Parameters that have the same effect with CatBoost's own losses and with custom ones. Other parameters do not:
#: ``model_shrink_rate`` and ``posterior_sampling`` do not support a baseline; ``monotone_constraints``, ``langevin`` and
#: ``eval_fraction`` give a different model.
# fmt: off
ALIKE_PARAMETERS = frozenset([
    "iterations", "n_estimators", "num_trees", "num_boost_round", "learning_rate", "eta", "boosting_type",
    "depth", "max_depth", "max_leaves", "num_leaves", "min_data_in_leaf", "min_child_samples", "grow_policy",
    "l2_leaf_reg", "reg_lambda", "score_function", "random_strength", "random_seed", "random_state", "has_time",
    "bootstrap_type", "subsample", "bagging_temperature", "mvs_reg", "sampling_frequency", "rsm", "colsample_bylevel",
    "leaf_estimation_method", "leaf_estimation_iterations", "leaf_estimation_backtracking", "boost_from_average",
    "fold_permutation_block", "fold_len_multiplier", "approx_on_full_history",
    "border_count", "max_bin", "feature_border_type", "per_float_feature_quantization", "nan_mode",
    "ignored_features", "feature_weights", "penalties_coefficient",
    "first_feature_use_penalties", "per_object_feature_penalties",
    "class_names", "class_weights", "auto_class_weights", "allow_const_label",
    "one_hot_max_size", "max_ctr_complexity", "counter_calc_method", "ctr_leaf_count_limit", "model_size_reg",
    "eval_metric", "custom_metric", "custom_loss", "use_best_model", "best_model_min_trees",
    "early_stopping_rounds", "od_type", "od_wait", "od_pval", "callbacks",
    "metric_period", "verbose", "verbose_eval", "silent", "logging_level", "allow_writing_files", "train_dir",
    "save_snapshot", "snapshot_file", "snapshot_interval", "metadata", "name", "task_type", "thread_count", "used_ram_limit",
])
# fmt: on


def has_builtin(loss: Loss, pool: cb.Pool, settings: Mapping[str, Any]) -> bool:
    """Return whether CatBoost has a builtin loss that gives the same model."""
    if not settings.keys() <= ALIKE_PARAMETERS:
        return False
    if pool.get_text_feature_indices() or pool.get_embedding_feature_indices():
        return False  # CatBoost computes these features differently with a custom objective: the target is a number
    if loss.multiclass:  # CatBoost also computes the statistics of categorical features differently
        return loss == SoftmaxCrossEntropy() and not pool.get_cat_feature_indices()
    return loss == LogLoss()


def builtin_settings(
    loss: Loss, pool: cb.Pool, names: tuple[Any, ...] | None, settings: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the settings with CatBoost's own loss, or None if CatBoost has no equal loss.

    A loss with class weights has no equal: CatBoost treats class weights as sample weights, which also affect the choice of
    splits. The caller must pass a nonzero init score as the baseline of the data.
    """
    if not has_builtin(loss, pool, settings):
        return None
    name = "MultiClass" if loss.multiclass else "CrossEntropy" if names is None else "Logloss"
    own = {**_ALIKE, **settings, "loss_function": name, "boost_from_average": False}
    own["eval_metric"] = settings.get("eval_metric") or Metric(loss)
    if "eta" not in settings:
        own.setdefault("learning_rate", 0.03)
    if "bootstrap_type" not in settings:
        usual = 0.8 if pool.num_row() >= 100 else 1.0
        own |= {"bootstrap_type": "MVS", "subsample": settings.get("subsample", usual)}
    return own if names is None else {**own, "class_names": names}


def with_baseline(pool: cb.Pool, init_score: InitScore) -> cb.Pool:
    """Return a copy of a pool whose baseline is the init score; return the pool itself if the init score is 0."""
    if not np.any(init_score):
        return pool
    copy = pool.slice(np.arange(pool.num_row()))
    copy.set_baseline(np.tile(np.atleast_1d(init_score), (pool.num_row(), 1)))
    return copy
