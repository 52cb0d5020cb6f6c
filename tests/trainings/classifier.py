"""Random fits of ``CalibratedBoostingClassifier``."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from typing import Any

import catboost as cb
import lightgbm as lgb
import numpy as np
import xgboost as xgb
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from boosting_losses import CalibratedBoostingClassifier
from boosting_losses.adapters import catboost, lightgbm, xgboost
from boosting_losses.metrics import brier_score

from . import data as drawn
from .data import Data, Rows
from .invariants import Unchanged

_SMALL = {
    "xgboost": (xgb.XGBClassifier, {"n_estimators": 8, "n_jobs": 1, "max_depth": 2}, xgboost),
    "lightgbm": (
        lgb.LGBMClassifier,
        {"n_estimators": 8, "n_jobs": 1, "num_leaves": 4, "min_child_samples": 3, "verbosity": -1},
        lightgbm,
    ),
    "catboost": (
        cb.CatBoostClassifier,
        {"iterations": 8, "thread_count": 1, "depth": 2, "verbose": False, "allow_writing_files": False},
        catboost,
    ),
}
_SAMPLED = {
    "xgboost": {"subsample": 0.7, "colsample_bytree": 0.7, "booster": "dart"},
    "lightgbm": {"subsample": 0.7, "subsample_freq": 1, "colsample_bytree": 0.7, "boosting_type": "dart"},
    "catboost": {"rsm": 0.7, "langevin": True, "model_shrink_rate": 0.1, "learning_rate": 0.3},
}


@dataclass(frozen=True)
class Case:
    """A classifier and its training data."""

    data: Data
    library: str
    loss: Any = "auto"
    sampled: tuple[str, ...] = ()
    calibration: str | None = "auto"
    cv: int = 3
    ensemble: bool = False
    early_stopping: Any = None
    class_weight: Any = None
    random_state: int | None = None
    labels: str = "codes"


@st.composite
def cases(draw) -> Case:
    """Draw a case that can be fitted."""
    data = draw(drawn.data().filter(lambda data: not (data.soft or data.margins)))
    library = draw(st.sampled_from(list(_SMALL)))
    sampled = tuple(name for name in _SAMPLED[library] if draw(st.integers(0, 3)) == 0)
    dart = {"booster", "boosting_type"} & set(sampled)
    weighted = draw(st.sampled_from([None, None, "balanced"]))
    loss = draw(st.one_of(st.sampled_from(["auto", "focal"]), drawn.losses(data.classes)))
    if weighted and not isinstance(loss, str):
        loss = "focal"
    if library == "catboost" and getattr(loss, "hessian", "") == "exact" and data.classes > 2:
        loss = "auto"
    metric = draw(st.sampled_from(["loss", "refinement", brier_score]))
    stopping = draw(st.sampled_from([None, None, 2, {"rounds": 2, "metric": metric}]))
    return Case(
        data=data,
        library=library,
        loss=loss,
        sampled=sampled,
        calibration=draw(st.sampled_from(["auto", None, "temperature", "sigmoid", "beta", "vector", "isotonic"])),
        cv=draw(st.sampled_from([2, 3])),
        ensemble=draw(st.booleans()),
        early_stopping=None if dart else stopping,
        class_weight=weighted,
        random_state=draw(st.sampled_from([None, 3])),
        labels=draw(st.sampled_from(["codes", "strings", "integers"])),
    )


def classifier(case: Case) -> CalibratedBoostingClassifier:
    kind, small, _ = _SMALL[case.library]
    options = {**small, **{name: _SAMPLED[case.library][name] for name in case.sampled}}
    if case.library == "xgboost" and case.data.categories:
        options["enable_categorical"] = True
    if case.library == "catboost" and case.data.categories:
        options["cat_features"] = ("kind",)
    return CalibratedBoostingClassifier(
        kind(**options),
        loss=case.loss,
        calibration=case.calibration,
        cv=case.cv,
        ensemble=case.ensemble,
        early_stopping=case.early_stopping,
        class_weight=case.class_weight,
        random_state=case.random_state,
    )


def rows_of(case: Case, part: int) -> tuple[Rows, np.ndarray]:
    """Return rows, and labels in a form that a user may have."""
    rows = case.data.draw(part)
    if case.library == "catboost" and case.data.categories:
        rows = rows._replace(X=rows.X.astype({"kind": str}))
    codes = rows.y.astype(int)
    names = {
        "codes": np.arange(4),
        "strings": np.array(["eel", "cat", "fox", "dog"]),
        "integers": np.array([7, 3, 9, 5]),
    }
    return rows, names[case.labels][codes]


def check(case: Case) -> None:
    """Fit, and compare all results that must agree."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is deprecated")
        warnings.filterwarnings("ignore", "training stopped at round .*: it found no leaf to split")
        warnings.filterwarnings("ignore", ".*only one class")  # in the held-out rows of a fold
        agree(case)


def agree(case: Case) -> None:
    rows, labels = rows_of(case, 0)
    if np.unique(labels, return_counts=True)[1].min() < 2 * case.cv:
        return
    near, _ = rows_of(case, 1)
    unfitted = classifier(case)
    watched = Unchanged(unfitted.estimator.get_params(), rows, near)
    model = clone(unfitted).fit(rows.X, labels, sample_weight=rows.weight)
    watched.check()
    proba = model.predict_proba(near.X)
    assert proba.shape == (len(near.y), case.data.classes)
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    assert_allclose(proba.sum(1), 1.0, atol=1e-6)
    assert_array_equal(model.classes_, np.unique(labels))
    assert_array_equal(model.predict(near.X), model.classes_[proba.argmax(1)])
    assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(near.X), proba)
    posteriors_of_models(case, model, near, proba)
    if case.random_state is not None and not (case.library == "lightgbm" and "boosting_type" in case.sampled):
        again = clone(unfitted).fit(rows.X, labels, sample_weight=rows.weight)
        assert_array_equal(again.predict_proba(near.X), proba, err_msg="the same fit again")
    if case.data.weights is None and case.random_state is not None and "boosting_type" not in case.sampled:
        ones = clone(unfitted).fit(rows.X, labels, sample_weight=np.ones(len(labels)))
        assert_allclose(ones.predict_proba(near.X), proba, atol=1e-6, err_msg="weights of 1")


def posteriors_of_models(case: Case, model: CalibratedBoostingClassifier, near: Rows, proba: np.ndarray) -> None:
    """Check that uncalibrated probabilities are the mean of the posteriors of the models."""
    if case.calibration is not None:
        return
    adapter = _SMALL[case.library][2]
    X = near.X
    if case.library == "catboost":
        X = cb.Pool(near.X, cat_features=["kind"] if case.data.categories else None)
    own = np.mean([adapter.predict_proba(one, X) for one in model.models_], axis=0)
    assert_allclose(own, proba, atol=1e-6, err_msg="posteriors of the models")
