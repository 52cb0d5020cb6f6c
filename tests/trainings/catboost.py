"""Random trainings with CatBoost."""

from __future__ import annotations

import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost as cb
import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import Loss
from boosting_losses.adapters import catboost as adapter
from boosting_losses.metrics import brier_score

from . import data as drawn
from .data import Data, Rows
from .invariants import Unchanged, metric_value, probabilities_fit_scores, same_scores


@dataclass(frozen=True)
class Case:
    """A training: data, loss, settings, and the steps before and after it."""

    data: Data
    loss: Loss
    settings: dict[str, Any]
    evals: tuple[str, ...] = ()
    metric: str | None = None
    first: str | None = None
    labels: str = "codes"
    groups: bool = False
    builtin: str = "never"


@st.composite
def settings(draw) -> dict[str, Any]:
    """Draw parameters; those without effect are omitted, so that a case stays readable."""
    chosen: dict[str, Any] = {
        "iterations": draw(st.sampled_from([1, 3, 8, 15])),
        "depth": draw(st.sampled_from([1, 2, 4])),
        "thread_count": draw(st.sampled_from([1] * 9 + [2])),
    }
    options = {
        "learning_rate": [0.3, 1.0],
        "grow_policy": ["Lossguide", "Depthwise"],
        "bootstrap_type": ["No", "Bayesian", "Bernoulli", "MVS"],
        "boosting_type": ["Ordered"],
        "leaf_estimation_iterations": [3],
        "leaf_estimation_method": ["Gradient"],
        "langevin": [True],
        "model_shrink_rate": [0.1],
        "posterior_sampling": [True],
        "monotone_constraints": [[1, 0, -1, 0]],
        "rsm": [0.5],
        "random_strength": [0.0, 3.0],
        "l2_leaf_reg": [0.5],
        "border_count": [5],
        "random_seed": [7],
        "one_hot_max_size": [10],
        "auto_class_weights": ["Balanced", "SqrtBalanced"],
        "boost_from_average": [False],
        "has_time": [True],
        "score_function": ["L2"],
        "nan_mode": ["Max"],
        "feature_weights": [[1.0, 0.5, 2.0, 1.0]],
        "early_stopping_rounds": [2],
        "use_best_model": [False],
    }
    for name, values in options.items():
        if draw(st.integers(0, 4)) == 0:
            chosen[name] = draw(st.sampled_from(values))
    return chosen


@st.composite
def cases(draw) -> Case:
    """Draw a case that CatBoost can train."""
    data = draw(drawn.data())
    chosen = draw(settings())
    evals = draw(st.lists(st.sampled_from(["training", "near", "other"]), unique=True, max_size=2))
    first = None if data.margins else draw(st.sampled_from([None, None, "same", "new", "file", "bare"]))
    many = data.classes > 2
    ordered = chosen.get("boosting_type") == "Ordered"
    limits = (  # combinations that CatBoost does not support
        ("grow_policy" in chosen, {"boosting_type", "monotone_constraints", "score_function"}),
        (ordered, {"has_time", "langevin", "posterior_sampling", "model_shrink_rate"}),
        (data.weights == "zeros", {"boosting_type"}),
        (many, {"monotone_constraints"}),
        (data.soft, {"auto_class_weights"}),
        (not evals, {"early_stopping_rounds", "use_best_model"}),
        (data.margins or first is not None, {"model_shrink_rate", "posterior_sampling"}),
        (first is not None, {"nan_mode"}),
    )
    without = set().union(*(names for holds, names in limits if holds))
    if data.categories:
        for name in ("monotone_constraints", "feature_weights"):
            if name in chosen:
                chosen[name] = [*chosen[name], 0 if name == "monotone_constraints" else 1.0]
    losses = drawn.losses(data.classes)
    if many:  # CatBoost requires a positive semi-definite Hessian
        losses = losses.filter(lambda loss: getattr(loss, "hessian", "") != "exact")
    return Case(
        data=data,
        loss=draw(losses),
        settings={name: value for name, value in chosen.items() if name not in without},
        evals=tuple(evals),
        metric=draw(st.sampled_from([None, None, "brier"])) if evals else None,
        first=first,
        labels=draw(st.sampled_from(["codes", "codes", "strings", "integers"])),
        groups=draw(st.integers(0, 4)) == 0,
        builtin=draw(st.sampled_from(["never", "auto"])),
    )


def named(case: Case, y: np.ndarray) -> np.ndarray:
    """Return labels in a form that a user may have."""
    if case.data.soft or case.labels == "codes":
        return y
    return np.array(["cat", "dog", "eel", "fox"])[y.astype(int)] if case.labels == "strings" else 10 * y.astype(int) + 5


def pool(case: Case, rows: Rows) -> cb.Pool:
    options: dict[str, Any] = {"cat_features": ["kind"]} if case.data.categories else {}
    if case.groups:
        options["group_id"] = np.arange(len(rows.y)) // 5
    X = rows.X.astype({"kind": str}) if case.data.categories else rows.X
    return cb.Pool(X, named(case, rows.y), weight=rows.weight, baseline=rows.margin, **options)


class Last:
    """Callback that stores the last logged values."""

    def after_iteration(self, info: Any) -> bool:
        self.metrics = info.metrics
        return True


_QUIET = {"logging_level": "Silent", "allow_writing_files": False}


def first_model(case: Case) -> Any:
    """Return the model from which training continues."""
    rows = case.data.draw(0)
    small = {"iterations": 3, "depth": 2, "thread_count": 1, **_QUIET}
    if "grow_policy" in case.settings:
        small["grow_policy"] = case.settings["grow_policy"]
    own = pool(case, rows)
    if case.first == "bare" and not case.groups:
        return cb.CatBoostClassifier(**{**small, **adapter.params(case.loss, named(case, rows.y), rows.weight)}).fit(
            own
        )
    return adapter.train(own, small, loss=case.loss)


def trained(case: Case, parts: dict[str, Rows], first: Any, builtin: str) -> tuple[cb.CatBoost, Last]:
    own = pool(case, parts["training"])
    sets = [own if name == "training" else pool(case, parts[name]) for name in case.evals]
    params = dict(case.settings)
    if case.metric == "brier":
        params["eval_metric"] = adapter.Metric(case.loss, brier_score)
    last = Last()
    watched = Unchanged(params, *parts.values())
    before = [np.array(get()) for get in (own.get_label, own.get_weight, own.get_baseline)]
    options = {"callbacks": [last]} if sets else {}
    model = adapter.train(
        own,
        params,
        loss=case.loss,
        eval_set=sets or None,
        init_model=first,
        builtin=builtin,
        **_QUIET,
        **options,
    )
    watched.check()
    for now, then in zip((own.get_label, own.get_weight, own.get_baseline), before, strict=True):
        assert_array_equal(np.array(now()), then)
    return model, last


def check(case: Case) -> None:
    """Train, and compare all results that must agree."""
    with tempfile.TemporaryDirectory() as folder:
        agree(case, Path(folder))


def agree(case: Case, folder: Path) -> None:
    if case.first == "bare" and case.data.soft:  # soft labels do not name classes
        return
    parts = {
        "training": case.data.draw(2 if case.first == "new" else 0),
        "near": case.data.draw(1),
        "other": case.data.draw(3),
    }
    first = given = None if case.first is None else first_model(case)
    if case.first == "file":
        first.save_model(given := str(folder / "first.cbm"))
    try:
        model, last = trained(case, parts, given, case.builtin)
    except ValueError as error:  # an unsupported combination in CatBoost
        if "with trees that are not symmetric" in str(error):
            return
        raise
    model.save_model(path := str(folder / "model.cbm"))
    loaded = cb.CatBoost().load_model(path)
    pools = {name: pool(case, rows._replace(margin=None)) for name, rows in parts.items()}
    raw = {name: adapter.raw_score(model, data) for name, data in pools.items()}
    scores = {name: raw[name] if rows.margin is None else raw[name] + rows.margin for name, rows in parts.items()}
    if case.evals:
        logged_values_are_those_of_the_model(case, parts, scores, last, model)
    for other in (loaded, pickle.loads(pickle.dumps(model)), model.copy()):
        same_scores(adapter.raw_score(other, pools["near"]), raw["near"], "file, pickle, copy")
        assert_array_equal(adapter.predict_proba(other, pools["near"]), adapter.predict_proba(model, pools["near"]))
    proba = adapter.predict_proba(model, pools["near"])
    probabilities_fit_scores(case.loss, raw["near"], proba)
    if case.loss.posterior_offset(case.data.classes) is not None:
        assert_allclose(adapter.servable(model).predict_proba(pools["near"]), proba, atol=1e-9)
    again, _ = trained(case, parts, given, case.builtin)
    same_scores(adapter.raw_score(again, pools["near"]), raw["near"], "the same training again")
    if first is not None:
        first_and_second(case, parts, first, model, pools["near"])
    elif case.settings.get("boosting_type") != "Ordered" and case.settings.get("random_strength") != 0.0:
        # With ordered boosting or without random strength, rounding decides near ties.
        model, _ = trained(case, parts, given, {"never": "auto", "auto": "never"}[case.builtin])
        other = adapter.raw_score(model, pools["training"])
        rows = parts["training"]
        losses = [
            case.loss(rows.y, found if rows.margin is None else found + rows.margin, rows.weight)
            for found in (raw["training"], other)
        ]
        if not np.isclose(*losses, rtol=0.01):  # rounding may decide between equally good splits
            same_scores(other, raw["training"], "CatBoost's own loss", 1e-4)


def logged_values_are_those_of_the_model(
    case: Case, parts: dict[str, Rows], scores: dict[str, np.ndarray], last: Last, model: cb.CatBoost
) -> None:
    """Compare the values at the model's last round; CatBoost truncates the model after the best round of the last set."""
    names = ["validation"] if len(case.evals) == 1 else [f"validation_{index}" for index in range(len(case.evals))]
    cut = case.settings.get("use_best_model", True)
    for name, part in zip(names, case.evals, strict=True):
        series = last.metrics[name]["Metric"]
        found = metric_value(
            "brier_score" if case.metric else "_loss", case.loss, weighted(case, parts[part]), scores[part]
        )
        best = int(np.argmin(last.metrics[names[-1]]["Metric"])) if cut else -1
        assert_allclose(series[best], found, rtol=1e-6, atol=1e-9, err_msg=f"logged metric of {part}")


def weighted(case: Case, rows: Rows) -> Rows:
    """Return the rows with weights multiplied by CatBoost's class weights."""
    automatic = case.settings.get("auto_class_weights")
    if automatic is None:
        return rows
    train = case.data.draw(2 if case.first == "new" else 0)
    weight = np.ones(len(train.y)) if train.weight is None else train.weight
    # CatBoost rounds the total weight of a class down.
    sums = np.floor(np.bincount(train.y.astype(int), weight, case.data.classes))
    factor = np.where(sums > 0, sums.max() / np.maximum(sums, 1), 1.0)
    own = np.ones(len(rows.y)) if rows.weight is None else rows.weight
    factor = np.sqrt(factor) if automatic == "SqrtBalanced" else factor
    return rows._replace(weight=own * factor[rows.y.astype(int)])


def first_and_second(case: Case, parts: dict[str, Rows], first: cb.CatBoost, model: cb.CatBoost, near: cb.Pool) -> None:
    """Check that a continued model equals the first model plus one trained from the scores of the first."""
    sets = [parts[name] for name in case.evals]
    on_top = [rows._replace(margin=adapter.raw_score(first, pool(case, rows))) for rows in (parts["training"], *sets)]
    params = {**case.settings, **_QUIET}
    if case.metric == "brier":
        params["eval_metric"] = adapter.Metric(case.loss, brier_score)
    own, *evals = (pool(case, rows) for rows in on_top)
    second = adapter.train(own, params, loss=case.loss, eval_set=evals or None)
    expected = adapter.raw_score(first, near) + adapter.raw_score(second, near)
    same_scores(adapter.raw_score(model, near), expected, "first plus second", 1e-6)
