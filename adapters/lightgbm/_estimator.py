"""An unfitted ``LGBMClassifier`` as something that ``train`` trains, and a trained model as what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np

from ..._types import Array
from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .. import lightgbm as adapter
from .._estimators import Labelled, Stopping, as_library_takes, checked
from .._shared import ATTRIBUTE
from ._model import Model, booster_of, loss_of

KIND = lgb.LGBMClassifier
_USUAL = ("binary", "multiclass", "softmax")
_ROUNDS = (
    "n_estimators",
    "num_iterations",
    "num_iteration",
    "n_iter",
    "num_tree",
    "num_trees",
    "num_round",
    "num_rounds",
    "num_boost_round",
    "nrounds",
    "max_iter",
)
_SEED = ("seed", "random_seed", "random_state")
_BOOSTING = ("boosting", "boosting_type", "boost")
_QUIET = ("verbosity", "verbose")
_STOPPING = ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change")
_REFUSED = {
    **dict.fromkeys(_STOPPING, "early_stopping="),
    **dict.fromkeys(("metric", "metrics", "metric_types"), 'early_stopping={"rounds": ..., "metric": ...}'),
    **dict.fromkeys(("class_weight", "scale_pos_weight", "is_unbalance"), "class_weight="),
    **dict.fromkeys(("num_class", "num_classes"), "labels of so many classes"),
}


@dataclass(frozen=True)
class Trainer:
    """See ``_estimators.Trainer``."""

    estimator: lgb.LGBMClassifier
    loss: Loss
    options: Mapping[str, Any]
    seed: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self,
            "estimator",
            checked(self.estimator, self.options, _USUAL, _REFUSED, ("categorical_feature", "feature_name")),
        )

    def train(
        self, data: Labelled, held_out: Labelled | None, stopping: Stopping | None, rounds: int | None
    ) -> lgb.Booster:
        """A booster."""
        settings, own_rounds = self._settings()
        if stopping is not None and "dart" in (settings.get(name) for name in _BOOSTING):
            raise ValueError("early_stopping must be left out for dart, which LightGBM does not stop early")
        train_set = self._dataset(data, settings)
        feval, callbacks, valid_sets = None, [], None
        if held_out is not None and stopping is not None:
            feval = adapter.Metric(self.loss, stopping.score, greater_is_better=stopping.greater_is_better)
            callbacks = [lgb.early_stopping(stopping.rounds, verbose=False)]
            valid_sets = [self._dataset(held_out, settings, reference=train_set)]
        return adapter.train(
            settings,
            train_set,
            rounds or own_rounds,
            valid_sets,
            feval=feval,
            callbacks=callbacks,
            loss=self.loss,
        )

    def raw_score(self, model: lgb.Booster, X: Any) -> Array:
        """Raw scores with the intercept."""
        return adapter.raw_score(model, as_library_takes(X))

    def rounds(self, model: lgb.Booster) -> int:
        """Up to the best round of an early-stopped model."""
        return rounds_of(model)

    def feature_importances(self, model: lgb.Booster) -> Array:
        """Of the estimator's ``importance_type``, by default how often a feature splits."""
        found: Array = model.feature_importance(importance_type=self.estimator.importance_type)
        return found

    def _settings(self) -> tuple[dict[str, Any], int]:
        """LightGBM's own parameters, and the number of rounds among the estimator's."""
        settings = self.estimator.get_params()
        for name in ("importance_type", "class_weight", "objective"):
            settings.pop(name, None)
        rounds = [settings.pop(name) for name in _ROUNDS if name in settings]
        if (jobs := settings.pop("n_jobs", None)) is not None:
            settings.setdefault("num_threads", joblib.effective_n_jobs(jobs))
        seeds = [settings.pop(name) for name in _SEED if name in settings]
        seed = next((seed for seed in seeds if seed is not None), None)
        if isinstance(seed, np.random.RandomState):
            seed = int(seed.randint(np.iinfo(np.int32).max))
        elif isinstance(seed, np.random.Generator):
            seed = int(seed.integers(np.iinfo(np.int32).max))
        settings["seed"] = self.seed if seed is None else seed
        if not any(name in settings for name in _QUIET):
            settings["verbosity"] = -1
        return {name: value for name, value in settings.items() if value is not None}, int(rounds[-1] or 100)

    def _dataset(
        self, data: Labelled, settings: Mapping[str, Any], reference: lgb.Dataset | None = None
    ) -> lgb.Dataset:
        return lgb.Dataset(
            as_library_takes(data.X),
            data.y,
            weight=data.weight,
            reference=reference,
            feature_name=self.options.get("feature_name", "auto"),
            categorical_feature=self.options.get("categorical_feature", "auto"),
            params=dict(settings),
        )


class Trained:
    """A model as it is; ``given`` is the loss where the model carries none and has no objective that tells it."""

    def __init__(self, model: Model, given: Loss | None) -> None:
        booster = booster_of(model)
        if {booster.params.get(name) for name in _BOOSTING} & {"rf", "random_forest"}:
            raise ValueError(
                "the model must be of boosting, got a random forest, whose raw scores LightGBM does not average"
            )
        if given is None and getattr(booster, ATTRIBUTE, None) is None:
            # Such as "binary sigmoid:1"; a custom objective has none.
            name, *settings = str(booster.dump_model(num_iteration=1).get("objective", "")).split() or [""]
            if name == "binary" and "sigmoid:1" in settings:
                given = LogLoss()
            elif name == "multiclass":
                given = SoftmaxCrossEntropy()
        self.loss = loss_of(model, given)

    def raw_score(self, model: Model, X: Any) -> Array:
        """Raw scores with the intercept."""
        rows = as_library_takes(X)
        _refuse_other_columns(booster_of(model), rows)
        return adapter.raw_score(model, rows)

    def rounds(self, model: Model) -> int:
        """Up to the best round of an early-stopped model."""
        return rounds_of(booster_of(model))

    def feature_importances(self, model: Model) -> Array:
        """Those of the estimator; of a booster how often a feature splits."""
        return np.asarray(model.feature_importance() if isinstance(model, lgb.Booster) else model.feature_importances_)


def _refuse_other_columns(booster: lgb.Booster, X: Any) -> None:
    """Raise ValueError unless columns with names stand where they stood in training: LightGBM looks at positions alone."""
    known = booster.feature_name()
    if X.shape[1] != len(known):
        raise ValueError(f"X must have the {len(known)} columns that the model was trained with, got {X.shape[1]}")
    names = getattr(X, "column_names", getattr(X, "columns", None))
    if names is None or known == [f"Column_{index}" for index in range(len(known))]:
        return
    given = [str(name).replace(" ", "_") for name in names]  # as LightGBM keeps them
    if given != known:
        raise ValueError(
            f"X must have the columns that the model was trained with, in that order: {known}, got {given}"
        )


def rounds_of(booster: lgb.Booster) -> int:
    """The number of rounds that its raw scores use."""
    return int(booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration())
