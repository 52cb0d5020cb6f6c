"""Small training runs with every loss and small reports, which compile the kernels that production needs."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from ..losses import Loss
from ..report import ProbabilityReport

LIBRARIES = ("xgboost", "lightgbm", "catboost")
LOSSES: tuple[Loss, ...] = (LogLoss(), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss())

Step = tuple[str, Callable[[], object]]


def installed() -> tuple[str, ...]:
    """Return the libraries that can be imported."""
    return tuple(name for name in LIBRARIES if importlib.util.find_spec(name) is not None)


def steps(libraries: Sequence[str], *, with_report: bool) -> Iterator[Step]:
    """Return the steps to run, each with a name."""
    for library in libraries:
        for loss in LOSSES:
            yield f"{library}, {type(loss).__name__}: train", partial(_train, library, loss)
            yield f"{library}, {type(loss).__name__}: calibrated classifier", partial(_calibrate, library, loss)
    if with_report:
        yield "report of two classes", partial(_report, 2)
        yield "report of K classes", partial(_report, 3)


def _train(library: str, loss: Loss) -> None:
    """Train with and without weights, through the adapter and the scikit-learn estimator of the library."""
    labels = _labels(60, loss)
    features = np.random.default_rng(0).standard_normal((60, 2))
    for weight in (None, np.ones(60)):
        _TRAININGS[library](loss, features, labels, weight)


def _labels(n: int, loss: Loss) -> Any:
    """Return labels with unequal class frequencies.

    With equal frequencies, training would start from a raw score of 0 and compile other kernels.
    """
    return np.minimum(np.arange(n) % 4, 2 if loss.multiclass else 1)


def _calibrate(library: str, loss: Loss) -> None:
    from .. import CalibratedBoostingClassifier  # noqa: PLC0415  (scikit-learn takes seconds to import)

    features = np.random.default_rng(0).standard_normal((120, 2))
    labels = _labels(120, loss)
    name, settings = _ESTIMATORS[library]
    estimator = getattr(importlib.import_module(library), name)(**settings)
    model = CalibratedBoostingClassifier(estimator, loss=loss, cv=2, early_stopping=1)
    for weight in (None, np.ones(120)):
        model.fit(features, labels, sample_weight=weight).predict_proba(features)


def _xgboost(loss: Loss, features: Any, labels: Any, weight: Any) -> None:
    import xgboost as xgb  # noqa: PLC0415

    from ..adapters import xgboost as adapter  # noqa: PLC0415

    data = xgb.DMatrix(features, labels, weight=weight)
    model = adapter.train({}, data, 1, loss=loss, evals=[(data, "train")], verbose_eval=False)
    adapter.predict_proba(model, data)
    settings = adapter.params(loss, labels, weight, sklearn=True)
    xgb.XGBClassifier(n_estimators=1, **settings).fit(features, labels, sample_weight=weight)


def _lightgbm(loss: Loss, features: Any, labels: Any, weight: Any) -> None:
    import lightgbm as lgb  # noqa: PLC0415

    from ..adapters import lightgbm as adapter  # noqa: PLC0415

    data = lgb.Dataset(features, labels, weight=weight)
    adapter.predict_proba(adapter.train({"verbosity": -1}, data, 1, loss=loss, valid_sets=[data]), features)


def _catboost(loss: Loss, features: Any, labels: Any, weight: Any) -> None:
    import catboost as cb  # noqa: PLC0415

    from ..adapters import catboost as adapter  # noqa: PLC0415

    data = cb.Pool(features, labels, weight=weight)
    settings = {"iterations": 1, "allow_writing_files": False, "logging_level": "Silent"}
    adapter.predict_proba(adapter.train(data, settings, loss=loss, eval_set=data), features)


_TRAININGS: dict[str, Callable[[Loss, Any, Any, Any], None]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "catboost": _catboost,
}
#: The scikit-learn estimators of the libraries, with settings.
_ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "xgboost": ("XGBClassifier", {"n_estimators": 2}),
    "lightgbm": ("LGBMClassifier", {"n_estimators": 2, "verbosity": -1}),
    "catboost": ("CatBoostClassifier", {"iterations": 2, "allow_writing_files": False, "logging_level": "Silent"}),
}


def _report(classes: int) -> None:
    random = np.random.default_rng(0)
    proba = random.dirichlet(np.ones(classes), 200)
    labels = np.array([random.choice(classes, p=row) for row in proba])
    columns = proba[:, 1] if classes == 2 else proba
    for precision in (np.float32, np.float64):
        for weight in (None, np.ones(200)):
            forecast = columns.astype(precision)
            ProbabilityReport.from_predictions(labels, forecast, weight, n_resamples=2)
