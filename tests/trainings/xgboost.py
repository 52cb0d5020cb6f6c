"""Random trainings with XGBoost."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost as xgb
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters import xgboost as adapter
from boosting_losses.metrics import brier_score

from . import data as drawn
from .data import Data, Rows, Training
from .invariants import Unchanged, metric_value, probabilities_fit_scores, same_scores

#: The metrics that XGBoost itself evaluates on raw scores, if the adapter permits it.
_BUILTIN = ("auc", "merror", "mlogloss", "logloss", "error")


@dataclass(frozen=True)
class Case(Training):
    """A training with XGBoost, optionally on a ``QuantileDMatrix`` or continued later without the adapter."""

    quantile: bool = False
    continued_bare: bool = False


@st.composite
def settings(draw) -> dict[str, Any]:
    """Draw parameters; those without effect are omitted, so that a case stays readable."""
    chosen: dict[str, Any] = {"max_depth": draw(st.sampled_from([1, 2, 3]))}
    options = {
        "booster": ["dart", "gblinear"],
        "tree_method": ["exact", "approx", "hist"],
        "eta": [1.0],
        "subsample": [0.6],
        "colsample_bytree": [0.6],
        "colsample_bynode": [0.6],
        "grow_policy": ["lossguide"],
        "max_bin": [4],
        "lambda": [0.0, 5.0],
        "min_child_weight": [0.0],
        "max_delta_step": [0.5],
        "num_parallel_tree": [3],
        "multi_strategy": ["multi_output_tree"],
        "monotone_constraints": ["(1,0,-1,0)"],
        "base_score": [0.3],
        "seed": [7],
    }
    for name, values in options.items():
        if draw(st.integers(0, 3)) == 0:
            chosen[name] = draw(st.sampled_from(values))
    if chosen.get("booster") == "dart":
        chosen |= {"rate_drop": 0.5, "one_drop": draw(st.sampled_from([0, 1]))}
        chosen |= {"normalize_type": draw(st.sampled_from(["tree", "forest"]))}
    chosen["nthread"] = draw(st.sampled_from([1] * 9 + [2]))
    return chosen


@st.composite
def cases(draw) -> Case:
    """Draw a case that XGBoost can train."""
    data = draw(drawn.data(soft_classes=True))
    chosen = draw(settings())
    classes = data.classes
    linear = chosen.get("booster") == "gblinear"
    vectors = "multi_strategy" in chosen
    if linear and (classes > 2 or vectors):  # gblinear has a single intercept for all classes
        del chosen["booster"]
        linear = False
    if linear:
        chosen = {
            name: chosen[name] for name in ("booster", "eta", "lambda", "base_score", "nthread") if name in chosen
        }
        chosen["updater"] = "coord_descent"  # the default updater is not reproducible
        data = Data(**{**vars(data), "categories": False, "missing": False})
    if vectors:  # vector leaves require hist, without constraints, categories and dart
        for name in ("booster", "tree_method", "monotone_constraints", "rate_drop", "one_drop", "normalize_type"):
            chosen.pop(name, None)
        data = Data(**{**vars(data), "categories": False})
    if data.categories:
        chosen.pop("monotone_constraints", None)
        if chosen.get("tree_method") == "exact":
            del chosen["tree_method"]
    if classes > 2:
        chosen.pop("base_score", None)
    if chosen.get("tree_method") == "exact":
        for name in ("colsample_bynode", "grow_policy", "max_bin"):
            chosen.pop(name, None)
    evals = draw(st.lists(st.sampled_from(["training", "near", "other"]), unique=True, max_size=3))
    first = draw(st.sampled_from([None, None, "same", "new", "bytes"]))
    return Case(
        data=data,
        loss=draw(drawn.losses(classes)),
        settings=chosen,
        rounds=draw(st.sampled_from([1, 3, 8, 20])),
        evals=tuple(evals),
        metric=draw(st.sampled_from([None, None, "brier", "accuracy", *_BUILTIN])) if evals else None,
        stopping=draw(st.sampled_from([None, None, 2])) if evals and chosen.get("booster") != "dart" else None,
        first=first,
        lacks=draw(st.booleans()),
        # XGBoost evaluates the trees of the first model with the new bins, so logged values differ from the model's.
        quantile=draw(st.booleans())
        and first != "new"
        and not linear
        and chosen.get("tree_method") not in ("exact", "approx"),
        continued_bare=draw(st.integers(0, 3)) == 0,
    )


def matrix(case: Case, rows: Rows, reference: xgb.DMatrix | None = None) -> xgb.DMatrix:
    """Return a matrix; a ``QuantileDMatrix`` uses its own bins, or those of ``reference``."""
    common = {"weight": rows.weight, "base_margin": rows.margin, "enable_categorical": True, "nthread": 1}
    if case.quantile:
        max_bin = case.settings.get("max_bin", 256)
        return xgb.QuantileDMatrix(rows.X, rows.y, ref=reference, max_bin=max_bin, **common)
    return xgb.DMatrix(rows.X, rows.y, **common)


class Last(xgb.callback.TrainingCallback):
    """Callback that stores the last raw scores of the model."""

    def __init__(self, rows: xgb.DMatrix) -> None:
        self.rows = rows

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:
        self.raw = model.predict(self.rows, output_margin=True)
        self.proba = adapter.predict_proba(model, self.rows, rounds=model.num_boosted_rounds())
        return False


def accuracy(y_true: np.ndarray, proba: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    right = (proba > 0.5) == (y_true > 0.5) if proba.ndim == 1 else proba.argmax(1) == y_true
    return float(np.average(right, weights=sample_weight))


def trained(case: Case, parts: dict[str, Rows], first: Any) -> tuple[xgb.Booster, dict[str, Any], Last]:
    own = matrix(case, parts["training"])
    sets = {name: own if name == "training" else matrix(case, parts[name], own) for name in case.evals}
    params, custom = dict(case.settings), None
    if case.metric in _BUILTIN:
        params["eval_metric"] = [case.metric]
    elif case.metric == "brier" and not case.data.soft:
        custom = adapter.Metric(case.loss, brier_score)
    elif case.metric == "accuracy" and not case.data.soft:
        custom = adapter.Metric(case.loss, accuracy, greater_is_better=True)
    history: dict[str, Any] = {}
    last = Last(xgb.DMatrix(parts["near"].X, base_margin=parts["near"].margin, enable_categorical=True, nthread=1))
    watched = Unchanged(params, *parts.values())
    before = own.get_label().copy(), own.get_weight().copy(), own.get_base_margin().copy()
    model = adapter.train(
        params,
        own,
        case.rounds,
        loss=case.loss,
        evals=[(data, name) for name, data in sets.items()],
        evals_result=history,
        early_stopping_rounds=case.stopping,
        xgb_model=first,
        callbacks=[last],
        custom_metric=custom,
        verbose_eval=False,
    )
    watched.check()
    for now, then in zip((own.get_label(), own.get_weight(), own.get_base_margin()), before, strict=True):
        assert_array_equal(now, then)
    return model, history, last


def check(case: Case) -> None:
    """Train, and compare all results that must agree."""
    parts = {
        "training": case.data.draw(2 if case.first == "new" else 0, lacks=case.lacks and case.first is not None),
        "near": case.data.draw(1, lacks=case.lacks),
        "other": case.data.draw(3),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is deprecated")
        agree(case, parts)


def agree(case: Case, parts: dict[str, Rows]) -> None:
    bare_objective_leaves_scores_alone(case, parts["training"])
    first = given = None
    if case.first is not None:
        own = {
            name: case.settings[name]
            for name in ("booster", "updater", "multi_strategy", "max_bin")
            if name in case.settings
        }
        rows = matrix(case, case.data.draw(0))
        first = given = adapter.train({**own, "nthread": 1}, rows, 3, loss=case.loss, verbose_eval=False)
        if case.first == "bytes":
            given = bytearray(first.save_raw("json"))
    try:
        model, history, last = trained(case, parts, given)
    except ValueError as error:
        if "eval_metric must be" in str(error):
            return
        raise
    data = {
        name: xgb.DMatrix(rows.X, rows.y, base_margin=rows.margin, enable_categorical=True, nthread=1)
        for name, rows in parts.items()
    }
    raw = {name: adapter.raw_score(model, rows) for name, rows in data.items()}
    best = model.attr("best_iteration")
    started = 0 if first is None else first.num_boosted_rounds()
    for name, values in history.items():
        for metric, series in values.items():
            found = metric_value(metric, case.loss, parts[name], raw[name])
            if found is not None:
                whole = best is None or case.settings.get("booster") == "gblinear"  # its rounds cannot be truncated
                position = -1 if whole else int(best) - started
                assert_allclose(series[position], found, rtol=1e-5, atol=2e-6, err_msg=f"logged {metric} of {name}")
    loaded = xgb.Booster(model_file=bytearray(model.save_raw("ubj")))
    for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model), model.copy()):
        same_scores(adapter.raw_score(other, data["near"]), raw["near"], "file, pickle, copy")
        assert_array_equal(adapter.predict_proba(other, data["near"]), adapter.predict_proba(model, data["near"]))
    everything = adapter.raw_score(model, data["near"], rounds=model.num_boosted_rounds())
    same_scores(last.raw, everything, "what a callback saw last")
    assert_array_equal(last.proba, adapter.predict_proba(model, data["near"], rounds=model.num_boosted_rounds()))
    proba = adapter.predict_proba(model, data["near"])
    probabilities_fit_scores(case.loss, raw["near"], proba)
    if case.settings.get("booster") != "gblinear":
        rounds = model.num_boosted_rounds() if best is None else int(best) + 1
        cut = model[:rounds]
        same_scores(adapter.raw_score(cut, data["near"], rounds=rounds), raw["near"], "slice", 1e-5)
        if first is not None and case.settings.get("booster") != "dart":  # dart changes the weights of earlier trees
            before = adapter.raw_score(first, data["near"])
            same_scores(adapter.raw_score(model, data["near"], rounds=started), before, "the first model")
    served(case, model, data["near"], proba)
    if case.continued_bare:
        continued_by_xgboost_alone(case, model, parts["training"], data["near"])
    if first is None or not any(name in case.settings for name in _DRAWN):
        again, _, _ = trained(case, parts, given)
        same_scores(adapter.raw_score(again, data["near"]), raw["near"], "the same training again")
    weights_count_rows(case, parts["training"])
    the_builtin_model(case, parts["training"], model)


#: The settings whose random draws XGBoost before 3.4 does not reproduce when it continues a model.
_DRAWN = ("subsample", "colsample_bytree", "colsample_bynode", "rate_drop")


def bare_objective_leaves_scores_alone(case: Case, rows: Rows) -> None:
    shape = len(rows.y) if case.data.classes == 2 else (len(rows.y), case.data.classes)
    raw = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    before = raw.copy()
    adapter.Objective(case.loss)(raw, xgb.DMatrix(np.zeros((len(rows.y), 1)), rows.y, weight=rows.weight))
    assert_array_equal(raw, before)


def served(case: Case, model: xgb.Booster, near: xgb.DMatrix, proba: np.ndarray) -> None:
    """Check the predictions of a served model; XGBoost ignores the intercept if the data have base margins."""
    if case.loss.posterior_offset(case.data.classes) is None or (case.data.margins and not case.loss.is_proper):
        return
    own = adapter.servable(model).predict(near)
    assert_allclose(own if own.ndim == 2 else np.column_stack([1 - own, own]), proba, atol=2e-6)


def continued_by_xgboost_alone(case: Case, model: xgb.Booster, rows: Rows, near: xgb.DMatrix) -> None:
    """Check that a model continued with a builtin loss has that loss, or ``predict_proba`` rejects it."""
    if case.data.soft or case.settings.get("booster") == "gblinear":
        return
    builtin = {"objective": "binary:logistic"}
    if case.data.classes > 2:
        builtin = {"objective": "multi:softprob", "num_class": case.data.classes}
    own = {name: case.settings[name] for name in ("multi_strategy",) if name in case.settings}
    data = xgb.DMatrix(rows.X, rows.y, weight=rows.weight, base_margin=rows.margin, enable_categorical=True, nthread=1)
    try:
        other = xgb.train({**builtin, **own, "base_score": 0.5, "nthread": 1}, data, 2, xgb_model=model)
    except xgb.core.XGBoostError:
        return
    expected = other.predict(near)
    try:
        found = adapter.predict_proba(other, near, rounds=other.num_boosted_rounds())
    except ValueError:
        return
    assert_allclose(found if expected.ndim == 2 else found[:, 1], expected, atol=1e-6, err_msg="continued by XGBoost")


#: Settings with which XGBoost itself does not treat an integer weight as repeated rows.
_ROWS_COUNT = ("subsample", "max_bin", "booster", "colsample_bytree", "colsample_bynode", "num_parallel_tree")


def weights_count_rows(case: Case, rows: Rows) -> None:
    """Check that an integer weight has the same effect as repeating the row, in the first round."""
    if not case.data.integer_weights or case.data.categories or any(name in case.settings for name in _ROWS_COUNT):
        return
    if case.first is not None:  # later data may lack a class
        return
    params = {**case.settings, "max_depth": 1, "max_bin": 4000}
    keep = rows.weight > 0
    rows = Rows(rows.X[keep], rows.y[keep], rows.weight[keep], None if rows.margin is None else rows.margin[keep])
    one, two = (
        adapter.train(
            params, xgb.DMatrix(part.X, part.y, weight=part.weight, base_margin=part.margin), 1, loss=case.loss
        )
        for part in (rows, drawn.repeated(rows))
    )
    near = xgb.DMatrix(rows.X, base_margin=rows.margin)
    same_scores(adapter.raw_score(one, near), adapter.raw_score(two, near), "weights as rows", 1e-4)


def the_builtin_model(case: Case, rows: Rows, model: xgb.Booster) -> None:
    """Check that XGBoost's own loss gives the same model from the same intercept."""
    if case.loss not in (LogLoss(), SoftmaxCrossEntropy()) or case.first is not None or case.stopping:
        return
    if case.settings.get("lambda") == 0.0:  # gains of children with near-zero Hessian are rounding errors
        return
    if case.data.soft and case.data.classes > 2:
        return
    own: dict[str, Any] = {"objective": "binary:logistic"}
    if case.data.classes > 2:
        own = {"objective": "multi:softprob", "num_class": case.data.classes}
    score = json.loads(json.loads(model.save_config())["learner"]["learner_model_param"]["base_score"])
    own["base_score"] = score if len(score) > 1 else score[0]
    builtin = xgb.train({**case.settings, **own}, matrix(case, rows), case.rounds)
    data = xgb.DMatrix(rows.X, base_margin=rows.margin, enable_categorical=True)
    vectors = "multi_strategy" in case.settings and case.data.classes > 2
    if vectors or not differ_by_a_tie(model, builtin):
        assert_allclose(builtin.predict(data), model.predict(data), atol=2e-5, err_msg="XGBoost's own loss")


def differ_by_a_tie(one: xgb.Booster, other: xgb.Booster) -> bool:
    """Return whether the first trees that differ in structure have equal gains, so that rounding decided the split."""
    if json.loads(one.save_config())["learner"]["gradient_booster"]["name"] == "gblinear":
        return False
    pairs = zip(one.trees_to_dataframe().groupby("Tree"), other.trees_to_dataframe().groupby("Tree"), strict=True)
    for (_, mine), (_, theirs) in pairs:
        if mine["Feature"].tolist() != theirs["Feature"].tolist() or not mine["Split"].equals(theirs["Split"]):
            gains = [frame.loc[frame["Feature"] != "Leaf", "Gain"].sum() for frame in (mine, theirs)]
            return bool(np.isclose(*gains, rtol=1e-3))
    return False
