"""LightGBM's implementation of the common estimator interface: training an ``LGBMClassifier`` and using its models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np

from ..._types import Array
from ...losses import LogLoss, Loss, SoftmaxCrossEntropy
from .._estimators import EarlyStopping, Labelled, Library, Trainer
from .._loss import ATTRIBUTE
from ._model import Model, booster_of, loss_of
from ._objects import Metric
from ._prediction import raw_score, rounds_of
from ._settings import is_dart, is_random_forest
from ._training import train

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
_QUIET = ("verbosity", "verbose")
_STOPPING = ("early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change")


def _train(trainer: Trainer, data: Labelled, early: EarlyStopping | None, rounds: int | None) -> lgb.Booster:
    settings, own_rounds = _settings(trainer.estimator, trainer.seed)
    if early is not None and is_dart(settings):
        raise ValueError("early_stopping must be omitted for dart, for which LightGBM does not support early stopping")
    train_set = _dataset(data, settings, trainer.options)
    watched: dict[str, Any] = {}
    if early is not None:
        watched = {
            "valid_sets": [_dataset(early.held_out, settings, trainer.options, reference=train_set)],
            "feval": early.metric,
            "callbacks": [lgb.early_stopping(early.rounds, verbose=False)],
        }
    return train(settings, train_set, rounds or own_rounds, loss=trainer.loss, **watched)


def _settings(estimator: lgb.LGBMClassifier, default_seed: int | None) -> tuple[dict[str, Any], int]:
    """Return the estimator's settings as native LightGBM parameters, and its number of rounds."""
    settings = estimator.get_params()
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
    settings["seed"] = default_seed if seed is None else seed
    if not any(name in settings for name in _QUIET):
        settings["verbosity"] = -1
    return {name: value for name, value in settings.items() if value is not None}, int(rounds[-1] or 100)


def _dataset(
    data: Labelled, settings: Mapping[str, Any], options: Mapping[str, Any], reference: lgb.Dataset | None = None
) -> lgb.Dataset:
    return lgb.Dataset(
        data.X,
        data.y,
        weight=data.weight,
        reference=reference,
        feature_name=options.get("feature_name", "auto"),
        categorical_feature=options.get("categorical_feature", "auto"),
        params=dict(settings),
    )


def _raw_score(model: Model, X: Any, estimator: lgb.LGBMClassifier | None) -> Array:
    if estimator is None:
        _refuse_other_columns(booster_of(model), X)
    return raw_score(model, X)


def _refuse_other_columns(booster: lgb.Booster, X: Any) -> None:
    """Raise ValueError if the columns differ from training in number, names or order: LightGBM ignores the names."""
    known = booster.feature_name()
    if X.shape[1] != len(known):
        raise ValueError(f"X must have the {len(known)} columns that the model was trained with, got {X.shape[1]}")
    names = getattr(X, "column_names", getattr(X, "columns", None))
    if names is None or known == [f"Column_{index}" for index in range(len(known))]:
        return
    given = [str(name).replace(" ", "_") for name in names]  # as LightGBM stores names
    if given != known:
        raise ValueError(
            f"X must have the columns that the model was trained with, in the same order: {known}, got {given}"
        )


def _feature_importances(model: Model, estimator: lgb.LGBMClassifier | None) -> Array:
    """Return the feature importances of the estimator's ``importance_type``, by default the number of splits."""
    if isinstance(model, lgb.LGBMModel):
        return np.asarray(model.feature_importances_)
    return np.asarray(model.feature_importance(importance_type=getattr(estimator, "importance_type", "split")))


def _rounds(model: Model) -> int:
    return rounds_of(booster_of(model))


def _loss_of(model: Model, given: Loss | None) -> Loss:
    booster = booster_of(model)
    if is_random_forest(booster.params):
        raise ValueError(
            "the model must be a boosting model, got a random forest, whose raw scores LightGBM does not average"
        )
    if given is None and getattr(booster, ATTRIBUTE, None) is None:
        # The text is, for example, "binary sigmoid:1"; a model of a custom objective has none.
        name, *settings = str(booster.dump_model(num_iteration=1).get("objective", "")).split() or [""]
        if name == "binary" and "sigmoid:1" in settings:
            given = LogLoss()
        elif name == "multiclass":
            given = SoftmaxCrossEntropy()
    return loss_of(model, given)


LIBRARY = Library(
    kind=lgb.LGBMClassifier,
    usual_objectives=("binary", "multiclass", "softmax"),
    refused={
        **dict.fromkeys(_STOPPING, "early_stopping="),
        **dict.fromkeys(("metric", "metrics", "metric_types"), 'early_stopping={"rounds": ..., "metric": ...}'),
        **dict.fromkeys(("class_weight", "scale_pos_weight", "is_unbalance"), "class_weight="),
        **dict.fromkeys(("num_class", "num_classes"), "labels with that number of classes"),
    },
    column_options=("categorical_feature", "feature_name"),
    metric=Metric,
    train=_train,
    raw_score=_raw_score,
    rounds=_rounds,
    feature_importances=_feature_importances,
    loss_of=_loss_of,
)
