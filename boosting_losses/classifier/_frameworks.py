"""The model behind an estimator, and the adapter of its library, which is imported only when needed."""

from __future__ import annotations

import importlib
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

_LIBRARIES = ("xgboost", "lightgbm", "catboost")
#: Arguments about columns that the ``fit`` of an estimator takes.
COLUMN_OPTIONS = (
    "feature_weights",
    "categorical_feature",
    "feature_name",
    "cat_features",
    "text_features",
    "embedding_features",
)


def behind_steps(trained: Any) -> tuple[Any, Any]:
    """Return the steps of a trained pipeline that prepare rows, or None, and the model behind them."""
    before = None
    if isinstance(trained, Pipeline):
        before, trained = trained[:-1] if len(trained) > 1 else None, trained[-1]
    return before, trained.estimator if isinstance(trained, FrozenEstimator) else trained


def trainers_of(estimator: object, *, trained: bool) -> Any:
    """Return the module with the ``Trainer`` for an unfitted estimator, or with ``Trained`` for a model."""
    for base in type(estimator).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _LIBRARIES:
            module = importlib.import_module(f"..adapters.{library}._estimator", __package__)
            if trained or isinstance(estimator, module.KIND):
                return module
    what = (
        "a model of XGBoost, LightGBM or CatBoost"
        if trained
        else "an XGBClassifier, LGBMClassifier or CatBoostClassifier"
    )
    hint = "" if trained or not isinstance(estimator, type) else f"; did you mean {estimator.__name__}()?"
    raise TypeError(f"estimator must be {what}, got {estimator!r}{hint}")
