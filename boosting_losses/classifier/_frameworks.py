"""Look-up of the model in an estimator and of its library's adapter, which is imported only when needed."""

from __future__ import annotations

import importlib
from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..adapters._estimators import Library

_LIBRARIES = ("xgboost", "lightgbm", "catboost")
#: Arguments of the ``fit`` method of an estimator that refer to columns.
COLUMN_OPTIONS = (
    "feature_weights",
    "categorical_feature",
    "feature_name",
    "cat_features",
    "text_features",
    "embedding_features",
)


def behind_steps(trained: Any) -> tuple[Any, Any]:
    """Return the preceding steps of a trained pipeline, or None if there are none, and the final model."""
    before = None
    if isinstance(trained, Pipeline):
        before, trained = trained[:-1] if len(trained) > 1 else None, trained[-1]
    return before, trained.estimator if isinstance(trained, FrozenEstimator) else trained


def library_of(estimator: object, *, trained: bool) -> Library:
    """Return the library of an unfitted estimator or of a trained model."""
    for base in type(estimator).__mro__:
        name = base.__module__.partition(".")[0]
        if not trained and f"{base.__module__}.".startswith((f"{name}.dask.", f"{name}.spark.")):
            raise TypeError(
                f"estimator must train on one machine, got {type(estimator).__name__}: train with"
                f" boosting_losses.adapters.{name}.dask.train, and calibrate with boosting_losses.dask.fit"
            )
        if name in _LIBRARIES:
            library: Library = importlib.import_module(f"..adapters.{name}._estimator", __package__).LIBRARY
            if trained or isinstance(estimator, library.kind):
                return library
    what = (
        "a model of XGBoost, LightGBM or CatBoost"
        if trained
        else "an XGBClassifier, LGBMClassifier or CatBoostClassifier"
    )
    hint = "" if trained or not isinstance(estimator, type) else f"; did you mean {estimator.__name__}()?"
    raise TypeError(f"estimator must be {what}, got {estimator!r}{hint}")
