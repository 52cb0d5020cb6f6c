"""The CatBoost adapter: parity with the builtin losses, intercepts, metrics, models, and what is refused."""

import copy
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace

import catboost as cb
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses._kernels import rows
from boosting_losses.adapters.catboost import Metric, Objective, cv, params, predict_proba, raw_score, servable, train
from boosting_losses.losses.rows import MOST_CLASSES_IN_TUPLES
from boosting_losses.metrics import brier_score, log_loss

from .cases import CLASSES, MULTICLASS, compiled_variants, row_derivatives, sample
from .test_xgboost import DATA, imbalanced, plain_loss, synthetic

ROUNDS = 50
#: Settings under which CatBoost treats its own and a custom loss alike; its defaults differ.
PARITY = {
    "iterations": ROUNDS,
    "depth": 4,
    "learning_rate": 0.1,
    "leaf_estimation_method": "Newton",
    "leaf_estimation_iterations": 1,
    "leaf_estimation_backtracking": "No",
    "boosting_type": "Plain",
    "bootstrap_type": "No",
    "random_seed": 1,
    "thread_count": 1,
    "verbose": False,
}
SAMPLED = {**PARITY, "bootstrap_type": "Bernoulli", "subsample": 0.7, "rsm": 0.5}
EXACT = {**PARITY, "random_strength": 0}
CANCER = load_breast_cancer(return_X_y=True)
WINE = load_wine(return_X_y=True)
SMALL = {**DATA, "synthetic-2": lambda: synthetic(2, 1000), "synthetic-3": lambda: synthetic(3, 600)}
SMALL |= {"digits-10": lambda: tuple(part[:400] for part in load_digits(return_X_y=True))}
SMALL |= {"synthetic-10": lambda: synthetic(10, 500)}


def builtin(settings, pool, name="Logloss", **options):
    quiet = (
        {"allow_writing_files": False, "boost_from_average": False}
        if name == "Logloss"
        else {"allow_writing_files": False}
    )
    return cb.train(pool, {**settings, **quiet, "loss_function": name}, **options)


def start_of(loss, y, weight=None):
    """The intercept for each row: as a baseline it is the same explicit one on both sides."""
    return np.tile(np.atleast_1d(loss.init_score(y, weight)), (len(y), 1)).astype(np.float32)


# ---- parity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", [PARITY, SAMPLED], ids=["plain", "sampled"])
def test_plain_losses_reproduce_the_builtin_ones(name, weighted, settings):
    X, y = SMALL[name]()
    weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
    loss = plain_loss(y)
    pool = cb.Pool(X, y, weight=weight, baseline=start_of(loss, y, weight))
    ours = raw_score(train(pool, settings, loss=loss), X)
    own = builtin(settings, pool, "Logloss" if y.max() == 1 else "MultiClass").predict(X)
    assert_allclose(loss.activation(ours), loss.activation(own), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"grow_policy": "Lossguide", "max_leaves": 9},
        {"grow_policy": "Depthwise"},
        {"leaf_estimation_iterations": 5},
        {"leaf_estimation_method": "Gradient"},
        {"bootstrap_type": "MVS", "subsample": 0.8},
        {"score_function": "L2"},
    ],
    ids=str,
)
def test_parity_under_other_settings(settings):
    X, y = CANCER
    pool = cb.Pool(X, y)
    ours = train(pool, {**PARITY, **settings, "boost_from_average": False}, loss=LogLoss())
    assert_allclose(raw_score(ours, X), builtin({**PARITY, **settings}, pool).predict(X), atol=1e-11)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (2.0, 0.75), (0.5, 0.5), (1.0, 0.5)])
def test_exact_focal_loss_is_the_builtin_one(gamma, alpha):
    X, y = imbalanced(rate=0.2)
    pool = cb.Pool(X, y)
    loss = FocalLoss(gamma, alpha, hessian="exact")
    ours = train(pool, {**PARITY, "boost_from_average": False}, loss=loss)
    own = builtin(PARITY, pool, f"Focal:focal_alpha={alpha};focal_gamma={gamma}")
    assert_allclose(loss.activation(raw_score(ours, X)), loss.activation(own.predict(X)), atol=1e-12)


def test_builtin_intercept_is_ours():
    X, y = CANCER
    pool = cb.Pool(X, y)
    ours = train(pool, PARITY, loss=LogLoss())
    own = cb.train(
        pool, {**PARITY, "loss_function": "Logloss", "boost_from_average": True, "allow_writing_files": False}
    )
    assert_allclose(raw_score(ours, X), own.predict(X), atol=1e-6)  # CatBoost's own is a float32 mean
    assert_allclose(ours.get_scale_and_bias()[1], LogLoss().init_score(y))


def test_class_weights_are_the_builtin_ones():
    X, y = imbalanced(rate=0.2)
    pool = cb.Pool(X, y)
    for weights in (
        {"class_weights": (1.0, 4.0)},
        {"auto_class_weights": "Balanced"},
        {"auto_class_weights": "SqrtBalanced"},
    ):
        ours = train(pool, {**PARITY, **weights, "boost_from_average": False}, loss=LogLoss())
        assert_allclose(raw_score(ours, X), builtin({**PARITY, **weights}, pool).predict(X), atol=1e-10)
        balance = (y == 0).sum() / y.sum()
        factor = {"Balanced": balance, "SqrtBalanced": np.sqrt(balance)}.get(weights.get("auto_class_weights"), 4.0)
        model = train(pool, {**PARITY, **weights, "iterations": 1}, loss=LogLoss())
        assert_allclose(model.get_scale_and_bias()[1], LogLoss().init_score(y, np.where(y == 1, factor, 1.0)))


def mixed_frame():
    pd = pytest.importorskip("pandas")
    X, y = imbalanced(2000, 0.3)
    rng = np.random.default_rng(0)
    words = np.array(["late again", "paid on time", "no record", "late once"])[np.digitize(X[:, 1], [-1, 0, 1])]
    return pd.DataFrame(X).assign(kind=rng.choice(["a", "b", "c"], len(y)), note=words), y


def test_categorical_and_text_features():
    """Statistics of categories depend on how CatBoost treats the target; with borders alike the models are."""
    X, y = mixed_frame()
    X.columns = X.columns.astype(str)
    pool = cb.Pool(X.drop(columns="note"), y, cat_features=["kind"])
    ours = train(pool, {**PARITY, "boost_from_average": False}, loss=LogLoss())
    own = builtin(PARITY, pool)
    difference = np.abs(raw_score(ours, pool) - own.predict(pool)).max()
    print(f"categorical features: difference {difference:.2g}")
    assert difference <= 1e-12
    texts = cb.Pool(X, y, cat_features=["kind"], text_features=["note"])
    model = train(texts, {**PARITY, "iterations": 20}, loss=FocalLoss(2.0))
    assert roc_auc_score(y, predict_proba(model, texts)[:, 1]) > 0.75


@pytest.mark.parametrize(
    ("loss", "extra"),
    [
        (LogLoss(), {}),
        (LogLoss(4.0), {}),
        (LogLoss(), {"class_weights": {0: 2.0, 1: 1.0}, "eta": 0.2}),
        (LogLoss(), {"auto_class_weights": "Balanced", "leaf_estimation_method": "Gradient"}),
        (LogLoss(), {"bootstrap_type": "Bernoulli", "subsample": 0.6}),
        (LogLoss(), {"subsample": 0.5, "boost_from_average": False}),
        (LogLoss(label_smoothing=0.1), {}),
        (FocalLoss(), {}),
        (SoftmaxCrossEntropy(), {}),
        (SoftmaxCrossEntropy((1.0, 2.0, 0.5)), {}),
        (SoftmaxCrossEntropy(), {"class_weights": (1.0, 0.5, 2.0)}),
        (SoftmaxCrossEntropy(), {"leaf_estimation_method": "Gradient"}),
        (SoftmaxFocalLoss(), {}),
    ],
    ids=str,
)
def test_the_builtin_loss_gives_the_same_model(loss, extra, tmp_path):
    X, y = data_of(loss)
    pool, held_out = cb.Pool(X, y), cb.Pool(X[::2], y[::2])
    quiet = {"iterations": 30, "random_seed": 1, "thread_count": 1, "verbose": False, **extra}
    ours, own = (
        train(pool, quiet, loss=loss, eval_set=held_out, early_stopping_rounds=5, builtin=builtin)
        for builtin in ("never", "auto")
    )
    assert not np.asarray(pool.get_baseline()).size
    custom = "PythonUserDefinedPerObject"
    assert (own.get_all_params()["loss_function"] != custom) == (loss in (LogLoss(), SoftmaxCrossEntropy()))
    assert_allclose(raw_score(own, X), raw_score(ours, X), atol=2e-8, rtol=0)  # the intercept is rounded to float32
    assert_allclose(predict_proba(own, X), predict_proba(ours, X), atol=4e-9, rtol=0)
    for part in ("learn", "validation"):
        history, expected = (model.get_evals_result()[part] for model in (own, ours))
        assert_allclose(history["Metric"], expected["Metric"], rtol=1e-6)
    own.save_model(str(tmp_path / "model.cbm"))
    assert_array_equal(predict_proba(cb.CatBoost().load_model(str(tmp_path / "model.cbm")), X), predict_proba(own, X))
    assert_array_equal(predict_proba(pickle.loads(pickle.dumps(own)), X), predict_proba(own, X))
    if loss.posterior_offset(3) is not None:
        assert_allclose(servable(own).predict_proba(X), predict_proba(own, X), atol=1e-12)
    longer = [
        train(pool, {**quiet, "iterations": 3}, loss=loss, init_model=model, builtin="auto") for model in (own, ours)
    ]
    assert longer[0].tree_count_ == own.tree_count_ + 3
    assert_allclose(predict_proba(longer[0], X), predict_proba(longer[1], X), atol=1e-6)
    assert longer[0].classes_.tolist() == ours.classes_.tolist()


def test_the_builtin_loss_of_other_data():
    X, y = CANCER
    quiet = {**PARITY, "eval_metric": "AUC"}
    soft = cb.Pool(X, 0.8 * y + 0.1)
    for loss, name in [(LogLoss(), "CrossEntropy"), (LogLoss(2.0), "PythonUserDefinedPerObject")]:
        ours, own = (train(soft, PARITY, loss=loss, builtin=builtin) for builtin in ("never", "auto"))
        assert own.get_all_params()["loss_function"] == name
        assert_allclose(predict_proba(own, X), predict_proba(ours, X), atol=4e-9, rtol=0)
        assert_allclose(servable(own).predict_proba(X), predict_proba(own, X), atol=1e-12)
    words = cb.Pool(X, np.array(["no", "yes"])[y], baseline=np.linspace(-1, 1, len(y))[:, None])
    ours, own = (train(words, quiet, loss=LogLoss(), builtin=builtin) for builtin in ("never", "auto"))
    assert own.get_all_params()["loss_function"] == "Logloss"
    assert_allclose(raw_score(own, X), raw_score(ours, X), atol=1e-12)
    assert own.classes_.tolist() == ["no", "yes"]
    X, y = mixed_frame()
    X.columns = X.columns.astype(str)
    pool = cb.Pool(X.drop(columns="note"), y, cat_features=["kind"])
    ours, own = (train(pool, {**PARITY, "iterations": 20}, loss=LogLoss(), builtin=b) for b in ("never", "auto"))
    assert own.get_all_params()["loss_function"] == "Logloss"
    assert_allclose(raw_score(own, pool), raw_score(ours, pool), atol=1e-6)
    for pool, loss in [  # CatBoost's own loss would make other features of these
        (cb.Pool(X.drop(columns="note"), np.arange(len(y)) % 3, cat_features=["kind"]), SoftmaxCrossEntropy()),
        (cb.Pool(X.drop(columns="kind"), y, text_features=["note"]), LogLoss()),
        (cb.Pool(X[["0"]].assign(both=list(X[["0", "1"]].to_numpy())), y, embedding_features=["both"]), LogLoss()),
    ]:
        model = train(pool, {**PARITY, "iterations": 2}, loss=loss, builtin="auto")
        assert model.get_all_params()["loss_function"] == "PythonUserDefinedPerObject"
    with pytest.raises(ValueError, match="builtin must be 'never' or 'auto', got True"):
        train(pool, PARITY, loss=SoftmaxCrossEntropy(), builtin=True)


# ---- the full Hessian -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS.keys())
def test_rows_agree_with_the_matrix_form(loss):
    y, raw = sample(loss, 300, spread=4.0)
    gradients, hessians = loss.gradient_hessian(y, raw)
    upper = np.triu_indices(CLASSES)
    for i in range(len(y)):
        gradient, packed = row_derivatives(loss, int(y[i]), raw[i], 2.0)
        full = np.zeros((CLASSES, CLASSES))
        full[upper] = packed
        full = np.triu(full) + np.triu(full, 1).T
        assert_allclose(gradient, 2 * gradients[i], rtol=1e-13)
        assert_allclose(full.sum(axis=0), 0, atol=1e-13)
        if getattr(loss, "hessian", "exact") == "exact" or getattr(loss, "gamma", 0) == 0:
            assert_allclose(np.diag(full), 2 * hessians[i], rtol=1e-10, atol=1e-14)
        if getattr(loss, "hessian", "guarded") == "guarded":
            assert np.linalg.eigvalsh(full).min() >= -1e-14


@pytest.mark.parametrize("loss", MULTICLASS.values(), ids=MULTICLASS.keys())
def test_the_full_hessian_is_the_derivative_of_the_gradient(loss):
    """What a guarded focal loss adds to it is positive semi-definite, of rank one, and often nothing."""
    exact = replace(loss, hessian="exact") if isinstance(loss, SoftmaxFocalLoss) else loss
    y, raw = sample(loss, 60, spread=1.5)
    upper = np.triu_indices(CLASSES)
    step = 1e-6
    additions = []
    for i in range(len(y)):
        up, down = (
            [row_derivatives(loss, int(y[i]), raw[i] + d * e)[0] for e in np.eye(CLASSES)] for d in (step, -step)
        )
        packed = np.array(row_derivatives(exact, int(y[i]), raw[i])[1])
        assert_allclose(packed, ((np.array(up) - np.array(down)) / (2 * step))[upper], atol=1e-7)
        addition = np.zeros((CLASSES, CLASSES))
        addition[upper] = row_derivatives(loss, int(y[i]), raw[i])[1] - packed
        additions.append(np.linalg.eigvalsh(addition + np.triu(addition, 1).T))
    additions = np.array(additions)
    assert additions.min() > -1e-13
    assert abs(additions[:, :-1]).max() < 1e-13
    assert (additions[:, -1] < 1e-13).sum() > 5
    if getattr(loss, "hessian", "exact") == "guarded" and loss.gamma > 0:
        assert additions.max() > 0.01


@pytest.mark.parametrize("size", [50.0, 800.0, 1e300])
def test_rows_far_out_stay_finite(size):
    for loss in MULTICLASS.values():
        for label in range(CLASSES):
            for raw in np.eye(CLASSES):
                gradient, hessian = row_derivatives(loss, label, size * raw)
                assert np.isfinite(gradient).all()
                assert np.isfinite(hessian).all()


@pytest.mark.parametrize("start", [-2.5, -3.0, -4.0, -6.0])
def test_a_leaf_of_positives_steps_up(start):
    """CatBoost's own focal loss steps down from -3 on: it divides by a negative curvature."""
    X = np.zeros((5001, 1))
    X[0] = 1.0
    y = np.ones(5001)
    y[0] = 0
    pool = cb.Pool(X, y, baseline=np.full((5001, 1), start))
    settings = {**EXACT, "iterations": 1, "learning_rate": 1.0, "depth": 1}
    step = raw_score(train(pool, settings, loss=FocalLoss(2.0, 0.25)), X[1:2])[0]
    assert 1.0 < step < 5.0
    own = builtin(settings, pool, "Focal:focal_alpha=0.25;focal_gamma=2.0").predict(X[1:2])[0]
    print(f"leaf of positives at {start}: ours {step:+.2f}, builtin {own:+.2f}")
    if start <= -3.0:
        assert own < 0


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_focal_training_at_a_base_rate_of_one_in_a_thousand(gamma):
    ratios = []
    for seed in range(3):
        X, y = imbalanced(60_000, 0.0004, seed)
        fit, valid = cb.Pool(X[:30_000], y[:30_000]), cb.Pool(X[30_000:45_000], y[30_000:45_000])
        scores = []
        for loss in (FocalLoss(gamma), LogLoss()):
            settings = {
                "depth": 4,
                "learning_rate": 0.1,
                "eval_metric": Metric(loss, log_loss),
                "verbose": False,
                "random_seed": 0,
            }
            model = train(fit, settings, loss=loss, eval_set=valid, early_stopping_rounds=20, iterations=300)
            scores.append(log_loss(y[45_000:], predict_proba(model, X[45_000:])[:, 1]))
        ratios.append(scores[0] / scores[1])
    print(f"CatBoost, focal gamma={gamma} / log loss: {np.mean(ratios):.4f} {np.round(ratios, 3)}")
    assert np.mean(ratios) <= 1.05


# ---- labels, pools, metrics -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["strings", "1 and 2", "booleans", "floats"])
def test_labels_of_any_kind(kind):
    X, y = CANCER
    labels = {
        "strings": np.array(["benign", "malignant"])[y],
        "1 and 2": y + 1,
        "booleans": y.astype(bool),
        "floats": y * 1.0,
    }[kind]
    pool = cb.Pool(X, labels)
    model = train(pool, EXACT, loss=FocalLoss(2.0), eval_set=pool)
    plain = train(cb.Pool(X, y), EXACT, loss=FocalLoss(2.0))
    assert_allclose(predict_proba(model, X), predict_proba(plain, X), atol=1e-12)
    served = servable(train(pool, EXACT, loss=LogLoss(2.0)))
    assert len(served.classes_) == 2
    second = str(served.classes_[1])
    predicted = np.array([str(value) for value in np.ravel(served.predict(X))])
    assert ((predicted == second) == y).mean() > 0.95
    more = train(
        pool,
        {**EXACT, "iterations": 5},
        loss=FocalLoss(2.0),
        init_model=train(pool, {**EXACT, "iterations": 5}, loss=FocalLoss(2.0)),
    )
    assert_allclose(raw_score(more, X), raw_score(plain, X, rounds=10), atol=1e-6)


def test_many_classes_of_words():
    X, y = WINE
    words = np.array(["barolo", "grignolino", "barbera"])[y]
    model = train(cb.Pool(X, words), EXACT, loss=SoftmaxFocalLoss(1.0))
    assert list(model.classes_) == ["barbera", "barolo", "grignolino"]
    plain = train(cb.Pool(X, y), EXACT, loss=SoftmaxFocalLoss(1.0))
    assert_allclose(predict_proba(model, X), predict_proba(plain, X)[:, [2, 0, 1]], atol=1e-9)


def test_soft_labels():
    X, y = CANCER
    model = train(cb.Pool(X, 0.8 * y + 0.1), EXACT, loss=LogLoss())
    served = servable(model)
    assert served.classes_.tolist() == [0, 1]
    assert (np.ravel(served.predict(X)).astype(int) == y).mean() > 0.95
    smooth = train(cb.Pool(X, y), EXACT, loss=LogLoss(label_smoothing=0.2))
    assert_allclose(raw_score(model, X), raw_score(smooth, X), atol=1e-5)


def test_the_callers_pool_comes_back_unchanged():
    X, y = CANCER
    pool, held_out = cb.Pool(X, y), cb.Pool(X, y)
    before = builtin(EXACT, pool).predict(X)
    train(pool, EXACT, loss=FocalLoss(2.0), eval_set=held_out)
    assert np.asarray(pool.get_baseline()).size == np.asarray(held_out.get_baseline()).size == 0
    assert_array_equal(builtin(EXACT, pool).predict(X), before)


def test_own_baselines_are_composed_with():
    X, y = CANCER
    pool = cb.Pool(X, y, baseline=np.linspace(-1, 1, len(y))[:, None])
    ours = train(pool, EXACT, loss=LogLoss())
    assert ours.get_scale_and_bias() == (1.0, 0.0)
    assert_allclose(raw_score(ours, X), builtin(EXACT, pool).predict(X), atol=1e-12)
    with pytest.raises(ValueError, match="eval_set 0 must have a baseline if and only if the training pool has"):
        train(pool, EXACT, loss=LogLoss(), eval_set=cb.Pool(X, y))


def test_zero_weights_are_rows_left_out():
    X, y = CANCER
    keep = np.arange(len(y)) % 5 > 0
    weight = keep.astype(float)
    weight[:200] = 0.0
    settings = {**EXACT, "feature_border_type": "Uniform"}
    model = train(cb.Pool(X, y, weight=weight), settings, loss=LogLoss())
    assert_allclose(model.get_scale_and_bias()[1], LogLoss().init_score(y[weight > 0]))
    assert np.isfinite(raw_score(model, X)).all()


@pytest.mark.parametrize("name", ["synthetic-2", "wine-3"])
def test_early_stopping_stops_where_the_builtin_metric_does(name):
    X, y = DATA[name]()
    loss = plain_loss(y)
    order = np.random.default_rng(0).permutation(len(y))
    half = len(y) // 2
    start = start_of(loss, y)
    fit, valid = (cb.Pool(X[rows], y[rows], baseline=start[rows]) for rows in (order[:half], order[half:]))
    settings = {**PARITY, "iterations": 400, "learning_rate": 0.3}
    shared = {"eval_set": valid, "early_stopping_rounds": 10}
    ours = train(fit, settings, loss=loss, **shared)
    own = builtin(settings, fit, "Logloss" if y.max() == 1 else "MultiClass", **shared)
    assert abs(ours.get_best_iteration() - own.get_best_iteration()) <= 1  # CatBoost reports from exponentiated scores
    values = ours.get_evals_result()["validation"]["Metric"]
    expected = own.get_evals_result()["validation"]["Logloss" if y.max() == 1 else "MultiClass"]
    rounds = min(len(values), len(expected))
    assert_allclose(values[:rounds], expected[:rounds], rtol=1e-3)
    assert ours.tree_count_ == ours.get_best_iteration() + 1
    assert ours.tree_count_ < 390


def test_metrics_see_the_intercept():
    X, y = imbalanced(rate=0.02)
    pool = cb.Pool(X, y)
    loss = FocalLoss(2.0)
    for metric, score in [
        (Metric(loss), lambda raw: loss(y, raw)),
        (Metric(loss, brier_score), lambda raw: brier_score(y, loss.posterior(raw))),
        (Metric(loss, roc_auc_score, greater_is_better=True), lambda raw: roc_auc_score(y, raw)),
    ]:
        model = train(pool, {**EXACT, "iterations": 5, "eval_metric": metric}, loss=loss)
        assert_allclose(model.get_evals_result()["learn"]["Metric"][-1], score(raw_score(model, X)), rtol=1e-9)
    model = train(pool, {**EXACT, "iterations": 5, "eval_metric": "AUC"}, loss=loss, eval_set=pool)
    assert model.get_evals_result()["validation"]["AUC"]


def test_cv():
    X, y = CANCER
    results = cv(cb.Pool(X, y), {**EXACT, "iterations": 10}, loss=FocalLoss(2.0), fold_count=3, logging_level="Silent")
    assert (
        results["test-Metric-mean"].iloc[-1] < results["test-Metric-mean"].iloc[0] < FocalLoss(2.0)(y, np.zeros(len(y)))
    )
    results = cv(
        cb.Pool(*WINE), {**EXACT, "iterations": 5}, loss=SoftmaxFocalLoss(), fold_count=3, logging_level="Silent"
    )
    assert results["test-Metric-mean"].is_monotonic_decreasing
    with pytest.raises(ValueError, match=r"labels must be class codes 0..1 for catboost.cv with a custom loss"):
        cv(cb.Pool(X, y + 1), EXACT, loss=LogLoss())


def test_a_fold_without_a_class_is_named():
    X, y = WINE
    order = np.argsort(y, kind="stable")
    folds = [(np.arange(len(y)), np.arange(10)), (order[:100], order[100:])]
    with pytest.raises(ValueError, match=r"training part of fold 2: y_true must hold every class 0..2 with weight"):
        cv(cb.Pool(X, y), EXACT, loss=SoftmaxCrossEntropy(), folds=folds)


def test_two_classes_need_a_binary_loss():
    X, y = CANCER
    with pytest.raises(ValueError, match="labels must be of at least 3 classes for SoftmaxFocalLoss"):
        train(cb.Pool(X, y), EXACT, loss=SoftmaxFocalLoss())
    model = train(cb.Pool(X, y), {**EXACT, "iterations": 2}, loss=SoftmaxCrossEntropy(), builtin="auto")
    assert predict_proba(model, X).shape == (len(y), 2)


def test_a_second_fit_compiles_nothing():
    def fit_everything():
        for (X, y), losses in [(CANCER, (LogLoss(), FocalLoss())), (WINE, (SoftmaxCrossEntropy(), SoftmaxFocalLoss()))]:
            for loss in losses:
                for weight in (None, np.ones(len(y))):
                    pool = cb.Pool(X, y, weight=weight)
                    predict_proba(train(pool, {**EXACT, "iterations": 2}, loss=loss, eval_set=pool), X)

    fit_everything()
    compiled = compiled_variants()
    fit_everything()
    assert compiled_variants() == compiled


# ---- models ---------------------------------------------------------------------------------------------------------

LOSSES = [
    LogLoss(),
    LogLoss(3.0),
    FocalLoss(2.0),
    SoftmaxCrossEntropy(),
    SoftmaxCrossEntropy((1, 2, 3)),
    SoftmaxFocalLoss(1.0),
]

STRANGER = """
import sys
sys.modules["boosting_losses"] = None
import numpy as np, catboost as cb
X = np.load(sys.argv[2])
np.save(sys.argv[3], cb.CatBoost().load_model(sys.argv[1]).predict(X))
np.save(sys.argv[4], cb.CatBoostClassifier().load_model(sys.argv[1]).predict_proba(X))
"""


def data_of(loss):
    return WINE if loss.multiclass else CANCER


def predicted_without_us(model, X, folder):
    files = [str(folder / name) for name in ("model.cbm", "X.npy", "raw.npy", "own.npy")]
    model.save_model(files[0])
    np.save(files[1], X)
    subprocess.run([sys.executable, "-c", STRANGER, *files], check=True, cwd=folder)
    return np.load(files[2]), np.load(files[3])


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_model_file_needs_nothing_of_ours(loss, tmp_path):
    X, y = data_of(loss)
    model = train(cb.Pool(X, y), {**EXACT, "iterations": 10}, loss=loss)
    raw, own = predicted_without_us(model, X, tmp_path)
    assert_array_equal(raw, raw_score(model, X))
    assert_array_equal(model.predict(X), raw)
    proba = predict_proba(model, X)
    if loss.is_proper:
        assert_allclose(own, proba, atol=1e-12)
    loaded = cb.CatBoost().load_model(str(tmp_path / "model.cbm"))
    assert_array_equal(predict_proba(loaded, X), proba)
    if loss.posterior_offset(3) is None:
        with pytest.raises(ValueError, match="is not a sigmoid or softmax of its raw scores"):
            servable(model)
        return
    _, own = predicted_without_us(servable(model), X, tmp_path)
    assert_allclose(own, proba, atol=1e-12)
    assert_array_equal(raw_score(model, X), raw)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_continuation_in_two_halves_is_one_run(loss, tmp_path):
    X, y = data_of(loss)
    pool = cb.Pool(X, y)
    whole = train(pool, {**EXACT, "iterations": 20}, loss=loss)
    half = train(pool, {**EXACT, "iterations": 10}, loss=loss)
    half.save_model(str(tmp_path / "half.cbm"))
    for first in (half, str(tmp_path / "half.cbm")):
        both = train(pool, {**EXACT, "iterations": 10}, loss=loss, init_model=first)
        assert both.tree_count_ == 20
        assert_allclose(raw_score(both, X), raw_score(whole, X), atol=1e-6)
    assert_allclose(half.get_scale_and_bias()[1], np.squeeze(loss.init_score(y)))
    other = SoftmaxFocalLoss(0.5) if loss.multiclass else FocalLoss(0.5)
    with pytest.raises(ValueError, match="init_model must have been trained with loss="):
        train(pool, EXACT, loss=other, init_model=half)


def test_sliced_models_and_shap_values():
    X, y = CANCER
    pool = cb.Pool(X, y)
    for loss in (LogLoss(3.0), FocalLoss(2.0)):
        model = train(pool, {**EXACT, "iterations": 20}, loss=loss)
        assert_allclose(
            model.get_feature_importance(pool, type="ShapValues").sum(axis=1), raw_score(model, X), atol=1e-9
        )
        short = train(pool, {**EXACT, "iterations": 5}, loss=loss)
        assert_allclose(raw_score(model, X, rounds=5), raw_score(short, X), atol=1e-12)


def test_snapshots_resume(tmp_path):
    X, y = CANCER
    whole = train(cb.Pool(X, y), {**EXACT, "iterations": 20}, loss=FocalLoss(2.0))
    options = {"save_snapshot": True, "snapshot_file": str(tmp_path / "snapshot"), "train_dir": str(tmp_path)}
    train(cb.Pool(X, y), {**EXACT, "iterations": 10}, loss=FocalLoss(2.0), **options)
    resumed = train(cb.Pool(X, y), {**EXACT, "iterations": 20}, loss=FocalLoss(2.0), **options)
    assert_allclose(raw_score(resumed, X), raw_score(whole, X), atol=1e-12)


def test_nothing_is_written_unless_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(cb.Pool(*CANCER), {**EXACT, "iterations": 2}, loss=LogLoss())
    cv(cb.Pool(*CANCER), {**EXACT, "iterations": 2}, loss=LogLoss(), fold_count=2, logging_level="Silent")
    assert list(tmp_path.iterdir()) == []


def test_bare_objects_in_the_classifier():
    for (X, y), loss in [(CANCER, FocalLoss(2.0)), (WINE, SoftmaxCrossEntropy())]:
        settings = {**EXACT, "iterations": 10, **params(loss, y)}
        model = cb.CatBoostClassifier(**settings).fit(X, y)
        trained = train(cb.Pool(X, y), {**EXACT, "iterations": 10}, loss=loss)
        assert_allclose(predict_proba(model, X), predict_proba(trained, X), atol=1e-12)
        assert_allclose(predict_proba(pickle.loads(pickle.dumps(model)), X), predict_proba(model, X))
        again = clone(model).fit(X, y)
        assert_allclose(predict_proba(again, X), predict_proba(model, X))


def test_objects_survive_copies():
    for thing in (
        Objective(FocalLoss(2.0)),
        Objective(LogLoss(), 0.5),
        Metric(LogLoss()),
        Metric(LogLoss(), brier_score),
    ):
        assert copy.deepcopy(thing) is thing
        assert pickle.loads(pickle.dumps(thing)) == thing
    X, y = CANCER
    model = train(cb.Pool(X, y), {**EXACT, "iterations": 5}, loss=FocalLoss(2.0))
    assert_array_equal(predict_proba(pickle.loads(pickle.dumps(model)), X), predict_proba(model, X))


def test_cross_validation_in_two_processes():
    X, y = CANCER
    model = cb.CatBoostClassifier(**{**EXACT, "iterations": 10}, **params(LogLoss(), y))
    scores = cross_val_score(model, X, y, scoring="roc_auc", cv=3, n_jobs=2, error_score="raise")
    assert (scores > 0.9).all()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_is_a_keyboard_interrupt():
    X, y = imbalanced(20_000)

    def press(until: threading.Event) -> None:
        while not until.wait(1.5):
            os.kill(os.getpid(), signal.SIGINT)

    # Rarely CatBoost hears no signal at all in a training: such a one comes to its end, and says nothing of ours.
    interrupted = 0
    for _ in range(6):
        ended = threading.Event()
        keyboard = threading.Thread(target=press, args=(ended,))
        keyboard.start()
        try:
            train(cb.Pool(X, y), {**EXACT, "iterations": 5_000}, loss=FocalLoss(2.0))
        except KeyboardInterrupt:
            interrupted += 1
        finally:
            ended.set()
            keyboard.join()
        if interrupted == 3:
            return
    pytest.fail(f"{interrupted} of 6 trainings were interrupted")


def test_class_weights_are_matched_by_class():
    X, y = imbalanced(rate=0.2)
    for labels, names in [(y, None), (y, (1, 0)), (np.array(["no", "yes"])[y], None)]:
        first, second = np.unique(labels).tolist()
        settings = {**EXACT, "iterations": 3} | ({} if names is None else {"class_names": names})
        models = [
            train(cb.Pool(X, labels), {**settings, "class_weights": weights}, loss=LogLoss())
            for weights in ({first: 1, second: 5}, {second: 5, first: 1})
        ]
        start = LogLoss().init_score(y, np.where(y == 1, 5, 1))
        for model in models:
            assert_allclose(model.get_scale_and_bias()[1], -start if names else start)
        assert_array_equal(raw_score(models[0], X), raw_score(models[1], X))
    cv(cb.Pool(X, y), {**EXACT, "iterations": 2, "class_weights": {1: 5, 0: 1}}, loss=LogLoss(), logging_level="Silent")


def test_a_served_model_is_not_corrected_twice():
    X, y = CANCER
    for loss in (LogLoss(20.0), LogLoss()):
        model = train(cb.Pool(X, y), {**EXACT, "iterations": 5}, loss=loss)
        served = servable(model)
        assert_allclose(predict_proba(served, X), predict_proba(model, X), atol=1e-12)
        assert_allclose(servable(served).predict_proba(X), predict_proba(model, X), atol=1e-12)
    with pytest.raises(ValueError, match="init_model must have been trained with loss="):
        train(
            cb.Pool(X, y),
            EXACT,
            loss=LogLoss(20.0),
            init_model=servable(train(cb.Pool(X, y), EXACT, loss=LogLoss(20.0))),
        )


def test_continuation_keeps_the_classes():
    X, y = CANCER
    settings = {**EXACT, "iterations": 3}
    model = train(cb.Pool(X, np.array(["a", "b"])[y]), settings, loss=LogLoss())
    for labels, extra, message in [
        (
            np.array(["a", "b"])[y],
            {"class_names": ("b", "a")},
            "init_model must have the classes ['b', 'a'] in this order",
        ),
        (np.array(["b", "c"])[y], {}, "labels must be among the classes ['a', 'b'], got 'c' in row 19"),
        (np.full(len(y), "a"), {}, "labels must be of every class ['a', 'b'] of init_model, got none of 'b'"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            train(cb.Pool(X, labels), {**settings, **extra}, loss=LogLoss(), init_model=model)
    for other in (
        cb.CatBoostRegressor(**settings, allow_writing_files=False).fit(X, y),
        builtin(settings, cb.Pool(*WINE), "MultiClass"),
    ):
        with pytest.raises(ValueError, match="init_model must have been trained with loss="):
            train(cb.Pool(X, y), settings, loss=LogLoss(), init_model=other)
    own = builtin(settings, cb.Pool(X, y))
    assert train(cb.Pool(X, y), settings, loss=LogLoss(), init_model=own).tree_count_ == 6
    with pytest.raises(ValueError, match="init_model must have been trained with loss=FocalLoss"):
        train(cb.Pool(X, y), settings, loss=FocalLoss(), init_model=own)


# ---- refused --------------------------------------------------------------------------------------------------------


def refused(message, loss, pool, settings=None, error=ValueError):
    for run in (train, cv):
        with pytest.raises(error) as raised:
            run(pool, {**EXACT, **(settings or {})}, loss=loss)
        assert message in str(raised.value), raised.value


def test_labels_are_refused():
    X, y = CANCER
    refused("labels must be of 2 classes for the binary LogLoss", LogLoss(), cb.Pool(*WINE))
    refused("labels must be of 2 classes for the binary FocalLoss", FocalLoss(), cb.Pool(X, np.ones(len(y))))
    refused("y_true must hold at least 2 classes with weight", SoftmaxFocalLoss(), cb.Pool(X, np.ones(len(y), int)))
    refused(
        "labels that are no integers must lie in [0, 1], or be named by class_names", LogLoss(), cb.Pool(X, y + 0.5)
    )
    refused("the data must have labels, got none", LogLoss(), cb.Pool(X))
    refused(
        "class_weights must be left out for soft labels",
        LogLoss(),
        cb.Pool(X, 0.8 * y + 0.1),
        {"class_weights": (1, 5)},
    )
    refused(
        "class_weights must have the classes [0, 1] as keys, got [0, 2]",
        LogLoss(),
        cb.Pool(X, y),
        {"class_weights": {0: 1, 2: 5}},
    )
    refused(
        "boost_from_average must be true or false, got 'maybe'",
        LogLoss(),
        cb.Pool(X, y),
        {"boost_from_average": "maybe"},
    )
    with pytest.raises(ValueError, match="eval_set 0: the data must have labels, got none"):
        train(cb.Pool(X, y), EXACT, loss=LogLoss(), eval_set=cb.Pool(X))
    refused("got none of class 2", SoftmaxCrossEntropy(), cb.Pool(X, y), {"class_names": (0, 1, 2)})
    refused(
        "labels must be among the classes [0, 1], got 2 in row",
        SoftmaxFocalLoss(),
        cb.Pool(*WINE),
        {"class_names": (0, 1)},
    )
    refused("class_weight must hold one weight per class, got 2 for 3", SoftmaxCrossEntropy((1, 2)), cb.Pool(*WINE))
    refused("got only class 1", LogLoss(), cb.Pool(X, y, weight=(y == 1) * 1.0))
    with pytest.raises(cb.CatBoostError, match="All data in Weights is 0"):
        cb.Pool(X, y, weight=0.0 * y)
    refused(
        "class_weights must hold one weight per class, got 3 for 2",
        LogLoss(),
        cb.Pool(X, y),
        {"class_weights": (1, 2, 3)},
    )
    with pytest.raises(ValueError, match=r"eval_set 0: labels must be among the classes \[0, 1\], got 2 in row 19"):
        train(cb.Pool(X, y), EXACT, loss=LogLoss(), eval_set=cb.Pool(X, 2 * y))
    with pytest.raises(TypeError, match="eval_set 0 must be a Pool, got ndarray"):
        train(cb.Pool(X, y), EXACT, loss=LogLoss(), eval_set=(X, y))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_function": "Logloss"}, "params must not hold a loss_function beside loss=LogLoss"),
        ({"objective": "Logloss"}, "params must not hold a objective beside loss=LogLoss"),
        ({"task_type": "GPU"}, "task_type must be 'CPU': a custom loss does not run on CatBoost's GPU, got 'GPU'"),
        ({"scale_pos_weight": 9}, "scale_pos_weight is not for custom objectives, got 9"),
        ({"eval_metric": "Logloss"}, "eval_metric must be a Metric or one of AUC, PRAUC"),
        ({"custom_metric": ["AUC", "F1"]}, "got 'F1', which would see scores without their init score"),
    ],
    ids=str,
)
def test_parameters_that_would_be_ignored_or_wrong_are_refused(settings, message):
    refused(message, LogLoss(), cb.Pool(*CANCER), settings)


def test_an_indefinite_hessian_is_refused():
    refused("hessian must be 'guarded', got 'exact'", SoftmaxFocalLoss(2.0, hessian="exact"), cb.Pool(*WINE))


def test_losses_are_objects():
    for call in (lambda: Objective(LogLoss), lambda: Metric("log_loss"), lambda: train(cb.Pool(*CANCER), loss=LogLoss)):
        with pytest.raises(TypeError, match="loss must be a Loss, such as LogLoss"):
            call()
    with pytest.raises(ValueError, match="input must be 'raw', which CatBoost hands over under every objective"):
        Metric(LogLoss(), input="proba")


def test_bare_objects_refuse_what_does_not_fit():
    X, y = WINE
    settings = {**EXACT, "allow_writing_files": False, "eval_metric": Metric(SoftmaxFocalLoss())}
    with pytest.raises(cb.CatBoostError, match="needs K scores per sample: pass class_names"):
        cb.train(cb.Pool(X, y), {**settings, "loss_function": Objective(SoftmaxFocalLoss())})
    with pytest.raises(cb.CatBoostError, match="is binary, got 3 scores per sample"):
        cb.train(cb.Pool(X, y), {**settings, "loss_function": Objective(LogLoss()), "class_names": (0, 1, 2)})


# ---- rows as CatBoost asks for them ---------------------------------------------------------------------------------

#: Both forms that the derivatives of a row come in, tuples and views, and where they meet.
ROW_CLASSES = [2, 3, MOST_CLASSES_IN_TUPLES, MOST_CLASSES_IN_TUPLES + 1, 50, 300]


def many(n_classes, extra=200):
    rng = np.random.default_rng(n_classes)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, extra)])
    return rng.standard_normal((len(y), 4)) + (y % 3)[:, None], y


@pytest.mark.parametrize("n_classes", ROW_CLASSES[1:])  # of 2 classes CatBoost makes one score
@pytest.mark.parametrize("weighted", [False, True])
def test_any_number_of_classes_reproduces_the_builtin_loss(n_classes, weighted):
    X, y = many(n_classes)
    weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
    loss = SoftmaxCrossEntropy()
    settings = {**PARITY, "iterations": 10 if n_classes <= 50 else 1, "depth": 3 if n_classes <= 50 else 1}
    ours = raw_score(train(cb.Pool(X, y, weight=weight), settings, loss=loss), X)
    pool = cb.Pool(X, y, weight=weight, baseline=np.tile(loss.init_score(y, weight), (len(y), 1)))
    own = builtin(settings, pool, "MultiClass").predict(X) + loss.init_score(y, weight)
    assert_allclose(loss.activation(ours), loss.activation(own), atol=1e-6, rtol=0)  # baselines are rounded to float32
    exact = train(cb.Pool(X, y, weight=weight), {**settings, "boost_from_average": False}, loss=loss)
    own = builtin(settings, cb.Pool(X, y, weight=weight), "MultiClass").predict(X)
    assert_allclose(loss.activation(raw_score(exact, X)), loss.activation(own), atol=1e-12, rtol=0)


def row_losses(n_classes):
    weights = tuple(np.linspace(0.3, 4.0, n_classes))
    return [
        SoftmaxCrossEntropy(),
        SoftmaxCrossEntropy(weights, label_smoothing=0.1),
        SoftmaxFocalLoss(2.0, weights, hessian="exact"),
        SoftmaxFocalLoss(0.5, hessian="exact"),
    ]


@pytest.mark.parametrize("n_classes", ROW_CLASSES)
def test_rows_of_any_width_agree_with_the_matrix_form(n_classes):
    rng = np.random.default_rng(1)
    raw, init = 3.0 * rng.standard_normal((4, n_classes)), rng.standard_normal(n_classes)
    for loss in row_losses(n_classes):
        row = loss.row_function(n_classes, init, factor=-1.0)
        for scores, label in zip(raw, (0, 1, n_classes - 1, n_classes // 2), strict=True):
            gradient, (packed,) = row(scores, float(label), 2.0)
            expected, diagonal = loss.gradient_hessian([label], [scores + init])
            full = np.zeros((n_classes, n_classes))
            full[np.triu_indices(n_classes)] = packed
            assert_allclose(gradient, -2.0 * expected[0], rtol=1e-11, atol=1e-300)
            assert_allclose(np.diag(full), -2.0 * diagonal[0], rtol=1e-9, atol=1e-15)
            assert_allclose((full + np.triu(full, 1).T).sum(axis=0), 0, atol=1e-12)


def test_tuples_and_views_hold_the_same_numbers():
    raw = np.random.default_rng(2).standard_normal(6)
    for loss in row_losses(6):
        gradient, (hessian,) = loss.row_function(6)(raw, 2.0, 1.5)
        gamma, smoothing, semidefinite = loss._row_parameters()
        known = rows.parameters(1.0, gamma, smoothing, semidefinite, np.zeros(6), loss._class_weights(6))
        out = np.empty(rows.work_size(6))
        rows.fill(known, raw, 2.0, 1.5, out)
        assert_array_equal(gradient, out[18:24])
        assert_array_equal(hessian, out[24:])
        assert all(type(number) is float for number in (*gradient, *hessian))


@pytest.mark.parametrize("n_classes", [3, MOST_CLASSES_IN_TUPLES + 1])
def test_rows_that_would_be_read_out_of_bounds_are_refused(n_classes):
    row = SoftmaxFocalLoss().row_function(n_classes)
    for width, label in [(n_classes - 1, 0.0), (n_classes + 1, 0.0), (n_classes, n_classes), (n_classes, -1.0)]:
        with pytest.raises(ValueError, match="a row must have as many scores as the loss has classes"):
            row(np.zeros(width), float(label), 1.0)
    with pytest.raises(ValueError, match="init_score must hold one score per class, got 2 for"):
        SoftmaxFocalLoss().row_function(n_classes, (0.0, 1.0))


def test_other_parameters_compile_no_row_function_again():
    def ask(loss, init):
        for n_classes in (3, MOST_CLASSES_IN_TUPLES + 1):
            loss.row_function(n_classes, init)(np.zeros(n_classes), 0.0, 1.0)

    ask(SoftmaxCrossEntropy(), 0.0)
    compiled = compiled_variants() | {"tuples": len(rows.tuple_function(3).signatures)}
    for loss in (SoftmaxCrossEntropy(label_smoothing=0.3), SoftmaxFocalLoss(1.7), SoftmaxFocalLoss(0.3, None, "exact")):
        ask(loss, 1.0)
    SoftmaxCrossEntropy((1, 2, 3)).row_function(3, (1.0, 2.0, 3.0))(np.zeros(3), 0.0, 1.0)
    assert compiled_variants() | {"tuples": len(rows.tuple_function(3).signatures)} == compiled
    assert compiled["tuples"] == 1


CACHE_HITS = """
import numpy as np
from boosting_losses import SoftmaxFocalLoss
from boosting_losses._kernels import rows
for n_classes in (3, 5, 13):
    SoftmaxFocalLoss(float(n_classes)).row_function(n_classes)(np.zeros(n_classes), 0.0, 1.0)
for function in (rows.tuple_function(3), rows.tuple_function(5), rows.fill):
    print(sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values()))
print(sum(sum(f.stats.cache_misses.values()) for f in vars(rows).values() if hasattr(f, "stats")))
"""

ROW_WITHOUT_JIT = """
import numpy as np
from boosting_losses import SoftmaxFocalLoss
for n_classes in (3, 13):
    gradient, (hessian,) = SoftmaxFocalLoss(2.0).row_function(n_classes)(np.arange(n_classes) / 4, 1.0, 1.0)
    print([float(number).hex() for number in (*gradient, *hessian)])
"""


def other_process(code, **environment):
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment})
    return result.stdout.splitlines()


@pytest.mark.slow
def test_another_process_finds_row_functions_in_the_cache(tmp_path):
    other_process(CACHE_HITS, NUMBA_CACHE_DIR=str(tmp_path))
    assert other_process(CACHE_HITS, NUMBA_CACHE_DIR=str(tmp_path)) == ["1 0", "1 0", "1 0", "0"]


def test_rows_without_compilation():
    compiled, interpreted = (
        [[float.fromhex(number.strip("' ")) for number in line.strip("[]").split(",")] for line in lines]
        for lines in (other_process(ROW_WITHOUT_JIT), other_process(ROW_WITHOUT_JIT, NUMBA_DISABLE_JIT="1"))
    )
    for one, other in zip(compiled, interpreted, strict=True):
        assert_allclose(one, other, rtol=1e-13)


def test_an_objective_with_compiled_rows_is_like_any_other():
    loss = SoftmaxCrossEntropy()
    objective = Objective(loss, (0.1, 0.2, -0.3))
    assert objective == Objective(loss, (0.1, 0.2, -0.3)) != Objective(loss)
    assert hash(objective) == hash(Objective(loss, (0.1, 0.2, -0.3)))
    assert repr(objective).startswith("Objective(loss=SoftmaxCrossEntropy(")
    for twin in (pickle.loads(pickle.dumps(objective)), copy.copy(objective), replace(objective)):
        assert twin == objective
        assert twin.calc_ders_multi(np.zeros(3), 1.0, 2.0) == objective.calc_ders_multi(np.zeros(3), 1.0, 2.0)
    anywhere = Objective(loss)  # knows the number of classes from each row
    assert [len(anywhere.calc_ders_multi(np.zeros(k), 1.0, 1.0)[0]) for k in (3, 20, 3)] == [3, 20, 3]
