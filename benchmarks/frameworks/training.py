"""Training with each library: raw scores of the inner and the test rows, and costs.

A loss of this package is trained by ``train`` of the adapter, and the builtin loss by the library itself, with the same tree
settings. CatBoost takes one Newton step per leaf with both: this is its default for custom losses and for more than two
classes, while its default for two classes is ten steps. Both use its default bootstrap.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from boosting_losses import Loss
from boosting_losses._types import Array

from ..resident import measured
from ..study.data_sets import DataSet
from ..study.splits import Parts
from .plan import Budget


class Trained(NamedTuple):
    """Raw scores, the number of rounds, seconds, and peak memory in bytes, which is None if the system does not report it."""

    inner: Array
    test: Array
    rounds: int
    fit_seconds: float
    predict_seconds: float
    peak_bytes: int | None


class _Model(NamedTuple):
    rounds: int
    raw_score: Callable[[DataSet], Array]


def train(library: str, loss: Loss | None, parts: Parts, n_classes: int, budget: Budget, seed: int) -> Trained:
    """Train with early stopping on the inner part; the time includes the conversion to the library's data format."""
    run = {"xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}[library]

    def timed() -> tuple[_Model, float]:
        start = time.perf_counter()
        model = run(loss, parts, n_classes, budget, seed)
        return model, time.perf_counter() - start

    (model, fit_seconds), peak = measured(timed)
    start = time.perf_counter()
    test = model.raw_score(parts.test)
    predict_seconds = time.perf_counter() - start
    return Trained(model.raw_score(parts.inner), test, model.rounds, fit_seconds, predict_seconds, peak)


def _xgboost(loss: Loss | None, parts: Parts, n_classes: int, budget: Budget, seed: int) -> _Model:
    import xgboost as xgb  # noqa: PLC0415  (a worker imports only its own library)

    from boosting_losses.adapters import xgboost as adapter  # noqa: PLC0415

    def matrix(data: DataSet) -> xgb.DMatrix:
        return xgb.DMatrix(data.X, data.y, weight=data.weight, enable_categorical=True, nthread=budget.threads)

    settings: dict[str, Any] = {
        "learning_rate": budget.learning_rate,
        "max_depth": budget.depth,
        "tree_method": "hist",
        "nthread": budget.threads,
        "seed": seed,
    }
    if loss is None:
        many = {"objective": "multi:softprob", "num_class": n_classes}
        settings |= {"objective": "binary:logistic"} if n_classes == 2 else many
    go = xgb.train if loss is None else partial(adapter.train, loss=loss)
    booster = go(
        settings,
        matrix(parts.train),
        budget.rounds,
        evals=[(matrix(parts.inner), "inner")],
        early_stopping_rounds=budget.patience,
        verbose_eval=False,
    )
    return _Model(booster.best_iteration + 1, lambda data: adapter.raw_score(booster, matrix(data)))


def _lightgbm(loss: Loss | None, parts: Parts, n_classes: int, budget: Budget, seed: int) -> _Model:
    import lightgbm as lgb  # noqa: PLC0415

    from boosting_losses.adapters import lightgbm as adapter  # noqa: PLC0415

    settings: dict[str, Any] = {
        "learning_rate": budget.learning_rate,
        "max_depth": budget.depth,
        "num_leaves": 2**budget.depth,
        "num_threads": budget.threads,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    if loss is None:
        many = {"objective": "multiclass", "num_class": n_classes}
        settings |= {"objective": "binary"} if n_classes == 2 else many
    data = lgb.Dataset(parts.train.X, parts.train.y, weight=parts.train.weight, params=settings)
    inner = lgb.Dataset(parts.inner.X, parts.inner.y, weight=parts.inner.weight, reference=data, params=settings)
    go = lgb.train if loss is None else partial(adapter.train, loss=loss)
    stop = lgb.early_stopping(budget.patience, verbose=False)
    booster = go(settings, data, budget.rounds, valid_sets=[inner], callbacks=[stop])
    return _Model(booster.best_iteration, lambda data: adapter.raw_score(booster, data.X))


def _catboost(loss: Loss | None, parts: Parts, n_classes: int, budget: Budget, seed: int) -> _Model:
    import catboost as cb  # noqa: PLC0415

    from boosting_losses.adapters import catboost as adapter  # noqa: PLC0415

    def pool(data: DataSet) -> cb.Pool:
        categories = [name for name in getattr(data.X, "columns", []) if data.X[name].dtype == "category"]
        return cb.Pool(data.X, data.y, weight=data.weight, cat_features=categories, thread_count=budget.threads)

    settings: dict[str, Any] = {
        "iterations": budget.rounds,
        "learning_rate": budget.learning_rate,
        "depth": budget.depth,
        "thread_count": budget.threads,
        "random_seed": seed,
        "boosting_type": "Plain",
        "bootstrap_type": "Bayesian",
        "leaf_estimation_method": "Newton",
        "leaf_estimation_iterations": 1,
        "leaf_estimation_backtracking": "No",
        "early_stopping_rounds": budget.patience,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    if loss is None:
        own = {"loss_function": "Logloss", "boost_from_average": True}
        settings |= own if n_classes == 2 else {"loss_function": "MultiClass"}
        model = cb.train(pool(parts.train), settings, eval_set=pool(parts.inner))
    else:
        model = adapter.train(pool(parts.train), settings, loss=loss, eval_set=pool(parts.inner))
    return _Model(model.tree_count_, lambda data: adapter.raw_score(model, pool(data)))
