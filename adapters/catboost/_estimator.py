"""An unfitted ``CatBoostClassifier`` as something that ``train`` trains, and a trained model as what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import catboost as cb
import numpy as np

from ..._types import Array
from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .. import catboost as adapter
from .._estimators import Labelled, Stopping, as_library_takes, checked
from .._shared import ATTRIBUTE
from ._builtin import has_builtin
from ._model import loss_of

KIND = cb.CatBoostClassifier
_USUAL = ("Logloss", "CrossEntropy", "MultiClass")
_ROUNDS = ("iterations", "n_estimators", "num_trees", "num_boost_round")
_QUIET = ("verbose", "verbose_eval", "silent", "logging_level")
_COLUMNS = ("cat_features", "text_features", "embedding_features")
_REFUSED = {
    **dict.fromkeys(("early_stopping_rounds", "od_type", "od_wait", "od_pval", "use_best_model"), "early_stopping="),
    **dict.fromkeys(("eval_metric", "custom_metric"), 'early_stopping={"rounds": ..., "metric": ...}'),
    **dict.fromkeys(("class_weights", "auto_class_weights", "scale_pos_weight"), "class_weight="),
    **dict.fromkeys(("class_names", "classes_count"), "labels that are those classes"),
}
#: What CatBoost chooses by itself for its own loss, and not or otherwise for a custom one.
_CHOSEN = ("learning_rate", "bootstrap_type", "subsample", "bagging_temperature")
#: The same, where it would make a loss of ours, which CatBoost asks through Python, several times slower.
_CHOSEN_BUILTIN = ("leaf_estimation_method", "leaf_estimation_iterations", "leaf_estimation_backtracking")


@dataclass(frozen=True)
class Trainer:
    """See ``_estimators.Trainer``."""

    estimator: cb.CatBoostClassifier
    loss: Loss
    options: Mapping[str, Any]
    seed: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimator", checked(self.estimator, self.options, _USUAL, _REFUSED, _COLUMNS))

    def train(
        self, data: Labelled, held_out: Labelled | None, stopping: Stopping | None, rounds: int | None
    ) -> cb.CatBoost:
        """A model; its defaults are those of a ``CatBoostClassifier``, not those of a custom objective."""
        settings = self._settings()
        settings.setdefault("iterations", 1000)
        pool = self._pool(data)
        # The learning rate that CatBoost chooses depends on the rounds that were asked for, however many it takes.
        settings = {**self._chosen(pool, settings), **settings}
        settings["iterations"] = rounds or settings["iterations"]
        if stopping is not None and held_out is not None:
            settings["early_stopping_rounds"] = stopping.rounds
            settings["eval_metric"] = adapter.Metric(
                self.loss, stopping.score, greater_is_better=stopping.greater_is_better
            )
            return adapter.train(pool, settings, loss=self.loss, eval_set=self._pool(held_out), builtin="auto")
        settings.setdefault("metric_period", settings["iterations"])
        return adapter.train(pool, settings, loss=self.loss, builtin="auto")

    def raw_score(self, model: cb.CatBoost, X: Any) -> Array:
        """Raw scores with the intercept."""
        return adapter.raw_score(model, as_library_takes(X))

    def rounds(self, model: cb.CatBoost) -> int:
        """CatBoost cuts an early-stopped model after its best round."""
        return rounds_of(model)

    def feature_importances(self, model: cb.CatBoost) -> Array:
        """Changes of the prediction, in per cent."""
        return importances_of(model)

    def _settings(self) -> dict[str, Any]:
        settings = {
            name: value
            for name, value in self.estimator.get_params().items()
            if value is not None and name not in (*_COLUMNS, "loss_function", "objective")
        }
        rounds = [settings.pop(name) for name in _ROUNDS if name in settings]
        if rounds:
            settings["iterations"] = rounds[-1]
        if not any(name in settings for name in _QUIET):
            settings["logging_level"] = "Silent"
        if "random_state" not in settings and "random_seed" not in settings and self.seed is not None:
            settings["random_seed"] = self.seed
        return settings

    def _chosen(self, pool: cb.Pool, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What CatBoost would choose for its own loss; it says so once it has grown a tree."""
        own = "MultiClass" if self.loss.multiclass else "Logloss"
        probe = {
            **settings,
            "loss_function": own,
            "metric_period": settings["iterations"],
            "allow_writing_files": False,
        }
        probe.pop("callbacks", None)
        model = cb.CatBoost(probe).fit(pool, callbacks=[_StopAfterOneRound()])
        everything = model.get_all_params()
        names = (*_CHOSEN, *_CHOSEN_BUILTIN) if has_builtin(self.loss, pool, settings) else _CHOSEN
        given = {"eta": "learning_rate"}
        taken = {given.get(name, name) for name in settings}
        return {name: everything[name] for name in names if name in everything and name not in taken}

    def _pool(self, data: Labelled) -> cb.Pool:
        given = {**self.estimator.get_params(), **self.options}
        columns = {name: list(given[name]) for name in _COLUMNS if given.get(name) is not None}
        return cb.Pool(as_library_takes(data.X), data.y, weight=data.weight, **columns)


class _StopAfterOneRound:
    """Callback."""

    def after_iteration(self, info: Any) -> bool:
        """Say that training must not go on."""
        return False


class Trained:
    """A model as it is; ``given`` is the loss where the model carries none and has no loss function that tells it."""

    def __init__(self, model: cb.CatBoost, given: Loss | None) -> None:
        if given is None and model.get_metadata().get(ATTRIBUTE) is None:
            name = str(model.get_all_params().get("loss_function", "")).split(":")[0]
            if name in ("Logloss", "CrossEntropy"):
                given = LogLoss()
            elif name == "MultiClass":
                given = SoftmaxCrossEntropy()
        self.loss = loss_of(model, given)

    def raw_score(self, model: cb.CatBoost, X: Any) -> Array:
        """Raw scores with the intercept."""
        return adapter.raw_score(model, as_library_takes(X))

    def rounds(self, model: cb.CatBoost) -> int:
        """CatBoost cuts an early-stopped model after its best round."""
        return rounds_of(model)

    def feature_importances(self, model: cb.CatBoost) -> Array:
        """Changes of the prediction, in per cent."""
        return importances_of(model)


def rounds_of(model: cb.CatBoost) -> int:
    """The number of rounds that its raw scores use."""
    return int(model.tree_count_)


def importances_of(model: cb.CatBoost) -> Array:
    """Changes of the prediction, in per cent."""
    return np.asarray(model.get_feature_importance(), dtype=np.float64)
