"""From an estimator to the adapter of its library, which is imported only then."""

from __future__ import annotations

import importlib
from typing import Any

_LIBRARIES = ("xgboost", "lightgbm", "catboost")


def trainers_of(estimator: object, *, trained: bool) -> Any:
    """The module with the ``Trainer`` for an unfitted estimator, or with ``Trained`` for a model."""
    for base in type(estimator).__mro__:
        library = base.__module__.partition(".")[0]
        if library in _LIBRARIES:
            module = importlib.import_module(f"..adapters._{library}_estimator", __package__)
            if trained or isinstance(estimator, module.KIND):
                return module
    what = (
        "a model of XGBoost, LightGBM or CatBoost"
        if trained
        else "an XGBClassifier, LGBMClassifier or CatBoostClassifier"
    )
    hint = "" if trained or not isinstance(estimator, type) else f"; did you mean {estimator.__name__}()?"
    raise TypeError(f"estimator must be {what}, got {estimator!r}{hint}")
