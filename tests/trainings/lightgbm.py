"""Random trainings with LightGBM."""

from __future__ import annotations

import copy
import pickle
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from boosting_losses import LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters import lightgbm as adapter
from boosting_losses.adapters.lightgbm._model import booster_of
from boosting_losses.metrics import brier_score

from . import data as drawn
from .data import Rows, Training
from .invariants import Unchanged, metric_value, probabilities_fit_scores, same_scores


@dataclass(frozen=True)
class Case(Training):
    """A training with LightGBM."""

    @property
    def dart(self) -> bool:
        return self.settings.get("boosting") == "dart"


@st.composite
def settings(draw) -> dict[str, Any]:
    """Draw parameters; those without effect are omitted, so that a case stays readable.

    ``use_quantized_grad`` is excluded: on few rows, it stops with "Check failed" for LightGBM's own losses too.
    """
    chosen: dict[str, Any] = {"verbosity": -1, "num_leaves": draw(st.sampled_from([2, 4, 8])), "min_data_in_leaf": 3}
    chosen["min_data_in_bin"] = 1
    options = {
        "boosting": ["dart"],
        "drop_rate": [0.5],
        "skip_drop": [0.0],
        "data_sample_strategy": ["goss"],
        "learning_rate": [0.5, 1.0],
        "feature_fraction": [0.5],
        "feature_fraction_bynode": [0.6],
        "linear_tree": [True],
        "extra_trees": [True],
        "max_bin": [4],
        "lambda_l2": [1.0],
        "path_smooth": [1.0],
        "monotone_constraints": [[1, 0, -1, 0]],
        "boost_from_average": [False],
        "max_delta_step": [0.5],
    }
    for name, values in options.items():
        if draw(st.integers(0, 3)) == 0:
            chosen[name] = draw(st.sampled_from(values))
    chosen["num_threads"] = draw(st.sampled_from([1] * 9 + [2]))
    if draw(st.integers(0, 3)) == 0:
        chosen |= {"bagging_fraction": 0.6, "bagging_freq": draw(st.sampled_from([1, 2]))}
    return chosen


@st.composite
def cases(draw) -> Case:
    """Draw a case that LightGBM can train."""
    data = draw(drawn.data())
    chosen = draw(settings())
    if chosen.get("data_sample_strategy") == "goss":
        for name in ("bagging_fraction", "bagging_freq"):
            chosen.pop(name, None)
    if chosen.get("linear_tree"):  # LightGBM does not support these combinations
        for name in ("monotone_constraints", "path_smooth"):
            chosen.pop(name, None)
    if data.categories and "monotone_constraints" in chosen:
        chosen["monotone_constraints"] = [1, 0, -1, 0, 0]
    evals = draw(st.lists(st.sampled_from(["training", "near", "other"]), unique=True, max_size=3))
    stopping = draw(st.sampled_from([None, None, 2])) if {"near", "other"} & set(evals) else None
    return Case(
        data=data,
        loss=draw(drawn.losses(data.classes)),
        settings=chosen,
        rounds=draw(st.sampled_from([1, 3, 8, 20])),
        evals=tuple(evals),
        metric=draw(st.sampled_from([None, None, "brier", "auc"])) if evals else None,
        stopping=None if chosen.get("boosting") == "dart" else stopping,
        first=None if data.margins else draw(st.sampled_from([None, None, "same", "new", "file", "classifier"])),
        lacks=draw(st.booleans()),
    )


def dataset(rows: Rows, reference: lgb.Dataset | None = None) -> lgb.Dataset:
    return lgb.Dataset(rows.X, rows.y, weight=rows.weight, init_score=rows.margin, reference=reference)


_FIRST = {"verbosity": -1, "num_threads": 1, "num_leaves": 4, "min_data_in_leaf": 3, "min_data_in_bin": 1}


def first_model(case: Case, rows: Rows) -> Any:
    """Return the model from which training continues."""
    if case.first == "classifier":
        bare = adapter.params(case.loss, rows.y, rows.weight, sklearn=True)
        model = lgb.LGBMClassifier(n_estimators=3, **_FIRST, **bare)
        return model.fit(rows.X, rows.y.astype(int), sample_weight=rows.weight)
    return adapter.train(_FIRST, dataset(rows), 3, loss=case.loss)


class Last:
    """Callback that stores the last raw scores of the model."""

    def __init__(self, X: Any, threads: int) -> None:
        self.X, self.threads = X, threads

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        # With linear trees, predicting with a different number of threads crashes LightGBM in the next round.
        self.raw = adapter.raw_score(env.model, self.X, num_threads=self.threads)


def trained(case: Case, parts: dict[str, Rows], first: Any) -> tuple[lgb.Booster, dict[str, Any], Last]:
    own = dataset(parts["training"])
    sets = [own if name == "training" else dataset(parts[name], own) for name in case.evals]
    feval: Any = None
    if case.metric == "brier":
        feval = [adapter.Metric(case.loss), adapter.Metric(case.loss, brier_score)]
    params = {**case.settings, "metric": "auc"} if case.metric == "auc" and case.data.classes == 2 else case.settings
    history: dict[str, Any] = {}
    last = Last(parts["near"].X, case.settings["num_threads"])
    callbacks: list[Any] = [last]
    if case.evals:
        callbacks.append(lgb.record_evaluation(history))
    if case.stopping is not None:
        callbacks.append(lgb.early_stopping(case.stopping, verbose=False))
    watched = Unchanged(params, *parts.values())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "training stopped at round .*: it found no leaf to split")
        model = adapter.train(
            params,
            own,
            case.rounds,
            loss=case.loss,
            valid_sets=sets or None,
            valid_names=list(case.evals) or None,
            feval=feval,
            init_model=first,
            callbacks=callbacks,
        )
    watched.check()
    return model, history, last


def check(case: Case) -> None:
    """Train, and compare all results that must agree."""
    loss = case.loss
    parts = {
        "training": case.data.draw(2 if case.first == "new" else 0, lacks=case.lacks and case.first is not None),
        "near": case.data.draw(1, lacks=case.lacks),
        "other": case.data.draw(3),
    }
    first = None if case.first is None else first_model(case, case.data.draw(0))
    with tempfile.TemporaryDirectory() as folder:
        given = first
        if case.first == "file":
            first.save_model(given := Path(folder) / "first.txt")
        model, history, last = trained(case, parts, given)
        model.save_model(path := Path(folder) / "model.txt")
        loaded = lgb.Booster(model_file=path)
    raw = {name: adapter.raw_score(model, rows.X) for name, rows in parts.items()}
    scores = {name: raw[name] if rows.margin is None else raw[name] + rows.margin for name, rows in parts.items()}
    started = 0 if first is None else booster_of(first).current_iteration()
    best = model.best_iteration - 1 - started if case.stopping else -1
    logged_values_are_those_of_the_model(case, parts, scores, history, best)
    copies = (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model))
    for other in copies:
        same_scores(adapter.raw_score(other, parts["near"].X), raw["near"], "file, pickle, copy")
    probabilities_fit_scores(loss, raw["near"], adapter.predict_proba(model, parts["near"].X))
    served(case, model, parts["near"].X)
    if case.stopping is None:
        same_scores(last.raw, raw["near"], "what a callback saw last")
    if first is not None:
        before = adapter.raw_score(first, parts["near"].X)
        same_scores(adapter.raw_score(model, parts["near"].X, rounds=started), before, "the first model", 1e-9)
    if not case.dart:  # LightGBM does not reproduce dart with a custom objective
        again, _, _ = trained(case, parts, first)
        same_scores(adapter.raw_score(again, parts["near"].X), raw["near"], "the same training again")
        weights_count_rows(case, parts)
        the_builtin_model(case, parts, model)


def logged_values_are_those_of_the_model(
    case: Case, parts: dict[str, Rows], scores: dict[str, np.ndarray], history: dict[str, Any], best: int
) -> None:
    """Compare the value of each metric and set at the model's last round."""
    for name, values in history.items():
        rows = parts[name]
        for metric, series in values.items():
            found = metric_value(metric, case.loss, rows, scores[name])
            if found is not None:
                assert_allclose(series[best], found, rtol=1e-6, atol=1e-9, err_msg=f"logged {metric} of {name}")


def served(case: Case, model: lgb.Booster, X: Any) -> None:
    """Check that the predictions of a served model are the posterior."""
    expected = adapter.predict_proba(model, X)
    if case.loss.posterior_offset(case.data.classes) is None:
        return
    own = adapter.servable(model).predict(X)
    assert_allclose(own if own.ndim == 2 else np.column_stack([1 - own, own]), expected, atol=1e-9)


#: Settings with which LightGBM itself does not treat an integer weight as repeated rows.
_ROWS_COUNT = (
    "bagging_fraction",
    "feature_fraction_bynode",
    "data_sample_strategy",
    "extra_trees",
    "path_smooth",
    "linear_tree",
)


def weights_count_rows(case: Case, parts: dict[str, Rows]) -> None:
    """Check that an integer weight has the same effect as repeating the row, in the first round."""
    rows = parts["training"]
    if not case.data.integer_weights or case.data.categories or any(name in case.settings for name in _ROWS_COUNT):
        return
    if case.first is not None:  # later data may lack a class
        return
    # Bins and the minimum number of rows in a leaf ignore weights; with many leaves, some splits are nearly equally good.
    params = {**case.settings, "num_leaves": 2, "min_data_in_leaf": 0, "max_bin": 4000, "min_data_in_bin": 1}
    keep = rows.weight > 0
    rows = Rows(rows.X[keep], rows.y[keep], rows.weight[keep], None if rows.margin is None else rows.margin[keep])
    one, two = (adapter.train(params, dataset(part), 1, loss=case.loss) for part in (rows, drawn.repeated(rows)))
    gains = [model.feature_importance("gain").sum() for model in (one, two)]
    if not np.isclose(*gains, rtol=1e-3):  # rounding may decide between equally good splits
        same_scores(adapter.raw_score(one, rows.X), adapter.raw_score(two, rows.X), "weights as rows", 1e-5)


def the_builtin_model(case: Case, parts: dict[str, Rows], model: lgb.Booster) -> None:
    """Check that LightGBM's own loss gives the same model from the same intercept."""
    if case.loss not in (LogLoss(), SoftmaxCrossEntropy()) or case.first is not None or case.data.soft or case.stopping:
        return
    if case.settings.get("linear_tree") and case.settings.get("learning_rate") == 1.0:  # rounding errors accumulate
        return
    rows, classes = parts["training"], case.data.classes
    own = {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}
    params = {**case.settings, **own, "boost_from_average": False}
    start = np.zeros(1 if classes == 2 else classes)
    if case.settings.get("boost_from_average", True) and rows.margin is None:
        start = np.atleast_1d(case.loss.init_score(rows.y, rows.weight))
    margin = np.tile(start, (len(rows.y), 1)).squeeze() if rows.margin is None else rows.margin
    builtin = lgb.train(
        params, dataset(rows._replace(margin=margin if classes > 2 or margin.ndim == 1 else margin[:, 0])), case.rounds
    )
    expected = builtin.predict(rows.X, raw_score=True) + (start if classes > 2 else start[0])
    same_scores(adapter.raw_score(model, rows.X), expected, "LightGBM's own loss", 1e-5)
