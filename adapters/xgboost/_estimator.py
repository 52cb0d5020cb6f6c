"""An unfitted ``XGBClassifier`` as something that ``train`` trains, and a trained model as what came of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb

from ..._types import Array
from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .. import xgboost as adapter
from .._estimators import Labelled, Stopping, as_library_takes, checked
from .._shared import ATTRIBUTE
from ._model import Model, booster_of, loss_of, objective_of

KIND = xgb.XGBClassifier
_USUAL = ("binary:logistic", "multi:softprob", "multi:softmax")
_REFUSED = {
    "early_stopping_rounds": "early_stopping=",
    "eval_metric": 'early_stopping={"rounds": ..., "metric": ...}',
    "scale_pos_weight": "class_weight= or LogLoss(pos_weight=...)",
    "num_class": "labels of so many classes",
}


@dataclass(frozen=True)
class Trainer:
    """See ``_estimators.Trainer``."""

    estimator: xgb.XGBClassifier
    loss: Loss
    options: Mapping[str, Any]
    seed: int | None = None
    sketch: adapter.Sketch | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "estimator", checked(self.estimator, self.options, _USUAL, _REFUSED, ("feature_weights",))
        )

    def train(
        self, data: Labelled, held_out: Labelled | None, stopping: Stopping | None, rounds: int | None
    ) -> xgb.Booster:
        """A booster."""
        settings = self.estimator.get_xgb_params()
        if stopping is not None and settings.get("booster") == "dart":
            raise ValueError("early_stopping must be left out for dart, whose rounds change the trees before them")
        settings.pop("objective", None)
        if settings.get("random_state") is None and self.seed is not None:
            settings["random_state"] = self.seed
        metric = None
        if stopping is not None:
            metric = adapter.Metric(self.loss, stopping.score, greater_is_better=stopping.greater_is_better)
        return adapter.train(
            settings,
            self._matrix(data.X, data, feature_weights=self._feature_weights()),
            rounds or self.estimator.get_num_boosting_rounds(),
            loss=self.loss,
            sketch=self.sketch,
            evals=[] if held_out is None else [(self._matrix(held_out.X, held_out), "held_out")],
            early_stopping_rounds=None if stopping is None else stopping.rounds,
            custom_metric=metric,
            callbacks=copy.deepcopy(self.estimator.callbacks),
            verbose_eval=False,
        )

    def raw_score(self, model: xgb.Booster, X: Any) -> Array:
        """Raw scores with the intercept; an array has no names of features to compare."""
        data = self._matrix(X)
        if not hasattr(X, "columns"):
            data.feature_names = model.feature_names
        return adapter.raw_score(model, data)

    def rounds(self, model: xgb.Booster) -> int:
        """Up to the best round of an early-stopped model."""
        return rounds_of(model)

    def feature_importances(self, model: xgb.Booster) -> Array:
        """Shares of the estimator's ``importance_type``, by default the gain."""
        default = "weight" if self.estimator.booster == "gblinear" else "gain"
        return shares(model, self.estimator.importance_type or default)

    def _feature_weights(self) -> Any:
        return self.options.get("feature_weights", getattr(self.estimator, "feature_weights", None))

    def _matrix(self, X: Any, data: Labelled | None = None, **more: Any) -> xgb.DMatrix:
        estimator = self.estimator
        return xgb.DMatrix(
            as_library_takes(X),
            None if data is None else data.y,
            weight=None if data is None else data.weight,
            missing=np.nan if estimator.missing is None else estimator.missing,
            enable_categorical=True if estimator.enable_categorical is None else estimator.enable_categorical,
            feature_types=estimator.feature_types,
            nthread=estimator.n_jobs,
            **more,
        )


class Trained:
    """A model as it is; ``given`` is the loss where the model carries none and has no objective that tells it."""

    def __init__(self, model: Model, given: Loss | None) -> None:
        booster = booster_of(model)
        objective = objective_of(booster)
        if given is None and booster.attr(ATTRIBUTE) is None and getattr(model, "objective", objective) in _USUAL:
            given = SoftmaxCrossEntropy() if objective.startswith("multi:") else LogLoss()
        self.loss = loss_of(model, given)

    def raw_score(self, model: Model, X: Any) -> Array:
        """Raw scores with the intercept."""
        return adapter.raw_score(model, as_library_takes(X))

    def rounds(self, model: Model) -> int:
        """Up to the best round of an early-stopped model."""
        return rounds_of(booster_of(model))

    def feature_importances(self, model: Model) -> Array:
        """Those of the estimator; of a booster the shares of its gain."""
        if isinstance(model, xgb.XGBModel):
            return np.asarray(model.feature_importances_)
        return shares(model, "gain")


def rounds_of(booster: xgb.Booster) -> int:
    """The number of rounds that its raw scores use."""
    best = booster.attr("best_iteration")
    return int(booster.num_boosted_rounds()) if best is None else int(best) + 1


def shares(booster: xgb.Booster, importance_type: str) -> Array:
    """Importances of all features, which sum to 1 unless all are 0."""
    scores = booster.get_score(importance_type=importance_type)
    names = booster.feature_names or [f"f{index}" for index in range(booster.num_features())]
    found = np.array([scores.get(name, 0.0) for name in names], dtype=np.float32)
    return found / found.sum() if found.any() else found
