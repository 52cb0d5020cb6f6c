"""XGBoost's implementation of the common estimator interface: training an ``XGBClassifier`` and using its models."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import xgboost as xgb

from ..._types import Array
from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .._estimators import EarlyStopping, Labelled, Library, Trainer
from .._loss import ATTRIBUTE
from ._model import Model, booster_of, loss_of, objective_of
from ._objects import Metric
from ._prediction import raw_score, rounds_of
from ._training import train

_USUAL = ("binary:logistic", "multi:softprob", "multi:softmax")


def _train(trainer: Trainer, data: Labelled, early: EarlyStopping | None, rounds: int | None) -> xgb.Booster:
    estimator = trainer.estimator
    settings = estimator.get_xgb_params()
    if early is not None and settings.get("booster") == "dart":
        raise ValueError(
            "early_stopping must be omitted for dart, because its rounds change the weights of earlier trees"
        )
    settings.pop("objective", None)
    if settings.get("random_state") is None and trainer.seed is not None:
        settings["random_state"] = trainer.seed
    weights = trainer.options.get("feature_weights", getattr(estimator, "feature_weights", None))
    return train(
        settings,
        _matrix(estimator, data.X, data, feature_weights=weights),
        rounds or estimator.get_num_boosting_rounds(),
        loss=trainer.loss,
        sketch=trainer.sketch,
        evals=[] if early is None else [(_matrix(estimator, early.held_out.X, early.held_out), "held_out")],
        early_stopping_rounds=None if early is None else early.rounds,
        custom_metric=None if early is None else early.metric,
        callbacks=copy.deepcopy(estimator.callbacks),
        verbose_eval=False,
    )


def _matrix(estimator: xgb.XGBClassifier, X: Any, data: Labelled | None = None, **more: Any) -> xgb.DMatrix:
    """Return the matrix that the estimator itself would construct."""
    return xgb.DMatrix(
        X,
        None if data is None else data.y,
        weight=None if data is None else data.weight,
        missing=np.nan if estimator.missing is None else estimator.missing,
        enable_categorical=True if estimator.enable_categorical is None else estimator.enable_categorical,
        feature_types=estimator.feature_types,
        nthread=estimator.n_jobs,
        **more,
    )


def _raw_score(model: Model, X: Any, estimator: xgb.XGBClassifier | None) -> Array:
    if estimator is None:
        return raw_score(model, X)
    data = _matrix(estimator, X)
    if not hasattr(X, "columns"):  # an array has no feature names to compare
        data.feature_names = booster_of(model).feature_names
    return raw_score(model, data)


def _feature_importances(model: Model, estimator: xgb.XGBClassifier | None) -> Array:
    """Return the feature importances of the estimator's ``importance_type`` (by default the gain), scaled to sum to 1.

    For a trained estimator, return its own ``feature_importances_``.
    """
    if isinstance(model, xgb.XGBModel):
        return np.asarray(model.feature_importances_)
    default = "weight" if estimator is not None and estimator.booster == "gblinear" else "gain"
    scores = model.get_score(importance_type=getattr(estimator, "importance_type", None) or default)
    names = model.feature_names or [f"f{index}" for index in range(model.num_features())]
    found = np.array([scores.get(name, 0.0) for name in names], dtype=np.float32)
    return found / found.sum() if found.any() else found


def _rounds(model: Model) -> int:
    return rounds_of(booster_of(model))


def _loss_of(model: Model, given: Loss | None) -> Loss:
    booster = booster_of(model)
    objective = objective_of(booster)
    if given is None and booster.attr(ATTRIBUTE) is None and getattr(model, "objective", objective) in _USUAL:
        given = SoftmaxCrossEntropy() if objective.startswith("multi:") else LogLoss()
    return loss_of(model, given)


LIBRARY = Library(
    kind=xgb.XGBClassifier,
    usual_objectives=_USUAL,
    refused={
        "early_stopping_rounds": "early_stopping=",
        "eval_metric": 'early_stopping={"rounds": ..., "metric": ...}',
        "scale_pos_weight": "class_weight= or LogLoss(pos_weight=...)",
        "num_class": "labels with that number of classes",
    },
    column_options=("feature_weights",),
    metric=Metric,
    train=_train,
    raw_score=_raw_score,
    rounds=_rounds,
    feature_importances=_feature_importances,
    loss_of=_loss_of,
    has_sketches=True,
)
