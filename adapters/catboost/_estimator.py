"""CatBoost's implementation of the common estimator interface: training a ``CatBoostClassifier`` and using its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np

from ..._types import Array
from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .._estimators import EarlyStopping, Labelled, Library, Trainer
from .._loss import ATTRIBUTE
from ._builtin import has_builtin
from ._model import OWN_BINARY, loss_of
from ._objects import Metric
from ._prediction import raw_score
from ._training import train

_ROUNDS = ("iterations", "n_estimators", "num_trees", "num_boost_round")
_QUIET = ("verbose", "verbose_eval", "silent", "logging_level")
_COLUMNS = ("cat_features", "text_features", "embedding_features")
#: Parameters that CatBoost chooses automatically for its own losses, but not, or differently, for custom ones.
_CHOSEN = ("learning_rate", "bootstrap_type", "subsample", "bagging_temperature")
#: More of these parameters; with a custom loss, which CatBoost calls through Python, they make training several times slower.
_CHOSEN_BUILTIN = ("leaf_estimation_method", "leaf_estimation_iterations", "leaf_estimation_backtracking")


def _train(trainer: Trainer, data: Labelled, early: EarlyStopping | None, rounds: int | None) -> cb.CatBoost:
    """Train with the defaults of ``CatBoostClassifier`` instead of the defaults for a custom objective."""
    settings = _settings(trainer.estimator, trainer.seed)
    settings.setdefault("iterations", 1000)
    pool = _pool(trainer, data)
    # The learning rate that CatBoost chooses depends on the requested number of rounds, so choose it before changing that.
    settings = {**_chosen(trainer.loss, pool, settings), **settings}
    settings["iterations"] = rounds or settings["iterations"]
    if early is None:
        settings.setdefault("metric_period", settings["iterations"])
        return train(pool, settings, loss=trainer.loss, builtin="auto")
    settings["early_stopping_rounds"] = early.rounds
    settings["eval_metric"] = early.metric
    return train(pool, settings, loss=trainer.loss, eval_set=_pool(trainer, early.held_out), builtin="auto")


def _settings(estimator: cb.CatBoostClassifier, seed: int | None) -> dict[str, Any]:
    settings = {
        name: value
        for name, value in estimator.get_params().items()
        if value is not None and name not in (*_COLUMNS, "loss_function", "objective")
    }
    rounds = [settings.pop(name) for name in _ROUNDS if name in settings]
    if rounds:
        settings["iterations"] = rounds[-1]
    if not any(name in settings for name in _QUIET):
        settings["logging_level"] = "Silent"
    if "random_state" not in settings and "random_seed" not in settings and seed is not None:
        settings["random_seed"] = seed
    return settings


def _chosen(loss: Loss, pool: cb.Pool, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that CatBoost chooses for its own loss, which it reports after training one round."""
    probe = {
        **settings,
        "loss_function": "MultiClass" if loss.multiclass else "Logloss",
        "metric_period": settings["iterations"],
        "allow_writing_files": False,
    }
    probe.pop("callbacks", None)
    everything = cb.CatBoost(probe).fit(pool, callbacks=[_StopAfterOneRound()]).get_all_params()
    names = (*_CHOSEN, *_CHOSEN_BUILTIN) if has_builtin(loss, pool, settings) else _CHOSEN
    given = {"eta": "learning_rate"}
    taken = {given.get(name, name) for name in settings}
    return {name: everything[name] for name in names if name in everything and name not in taken}


class _StopAfterOneRound:
    """A callback that stops training after the first round."""

    def after_iteration(self, info: Any) -> bool:
        """Return False to stop training."""
        return False


def _pool(trainer: Trainer, data: Labelled) -> cb.Pool:
    given = {**trainer.estimator.get_params(), **trainer.options}
    columns = {name: list(given[name]) for name in _COLUMNS if given.get(name) is not None}
    return cb.Pool(data.X, data.y, weight=data.weight, **columns)


def _raw_score(model: cb.CatBoost, X: Any, estimator: cb.CatBoostClassifier | None) -> Array:
    del estimator
    return raw_score(model, X)


def _rounds(model: cb.CatBoost) -> int:
    return int(model.tree_count_)  # CatBoost truncates an early-stopped model after its best round


def _feature_importances(model: cb.CatBoost, estimator: cb.CatBoostClassifier | None) -> Array:
    """Return CatBoost's default feature importances: the changes of the prediction, in percent."""
    del estimator
    return np.asarray(model.get_feature_importance(), dtype=np.float64)


def _loss_of(model: cb.CatBoost, given: Loss | None) -> Loss:
    if given is None and model.get_metadata().get(ATTRIBUTE) is None:
        name = str(model.get_all_params().get("loss_function", "")).split(":")[0]
        if name in OWN_BINARY:
            given = LogLoss()
        elif name == "MultiClass":
            given = SoftmaxCrossEntropy()
    return loss_of(model, given)


LIBRARY = Library(
    kind=cb.CatBoostClassifier,
    usual_objectives=("Logloss", "CrossEntropy", "MultiClass"),
    refused={
        **dict.fromkeys(
            ("early_stopping_rounds", "od_type", "od_wait", "od_pval", "use_best_model"), "early_stopping="
        ),
        **dict.fromkeys(("eval_metric", "custom_metric"), 'early_stopping={"rounds": ..., "metric": ...}'),
        **dict.fromkeys(("class_weights", "auto_class_weights", "scale_pos_weight"), "class_weight="),
        **dict.fromkeys(("class_names", "classes_count"), "labels with these classes"),
    },
    column_options=_COLUMNS,
    metric=Metric,
    train=_train,
    raw_score=_raw_score,
    rounds=_rounds,
    feature_importances=_feature_importances,
    loss_of=_loss_of,
)
