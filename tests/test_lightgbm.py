"""The LightGBM adapter: parity with the builtin losses, intercepts, metrics, models, and what is refused."""

import copy
import pickle
import subprocess
import sys

import lightgbm as lgb
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.lightgbm import (
    Metric,
    Objective,
    _callbacks,
    cv,
    params,
    predict_proba,
    raw_score,
    servable,
    train,
)
from boosting_losses.metrics import brier_score, log_loss

from .cases import compiled_variants
from .test_xgboost import DATA, imbalanced, plain_loss

ROUNDS = 50
PLAIN = {"verbosity": -1, "num_leaves": 7, "num_threads": 1, "deterministic": True}
SAMPLED = {**PLAIN, "feature_fraction": 0.5, "feature_fraction_bynode": 0.8, "bagging_fraction": 0.7, "bagging_freq": 1}
CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)


def builtin_settings(y):
    return {"objective": "binary"} if y.max() == 1 else {"objective": "multiclass", "num_class": int(y.max()) + 1}


def init_scores(loss, y, weight=None):
    init = np.atleast_1d(loss.init_score(y, weight))
    return np.tile(init, (len(y), 1)).squeeze(), init


def builtin(settings, X, y, loss, weight=None, rounds=ROUNDS, **data):
    """LightGBM's own loss from the same explicit intercept; its raw scores and probabilities."""
    start, init = init_scores(loss, y, weight)
    settings = {**settings, **builtin_settings(y), "boost_from_average": False}
    model = lgb.train(settings, lgb.Dataset(X, y, weight=weight, init_score=start, **data), rounds)
    raw = model.predict(X, raw_score=True) + (init if len(init) > 1 else init[0])
    return raw, loss.activation(raw)


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", [PLAIN, SAMPLED], ids=["plain", "sampled"])
def test_plain_losses_reproduce_the_builtin_ones(name, weighted, settings):
    X, y = DATA[name]()
    weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
    loss = plain_loss(y)
    model = train(settings, lgb.Dataset(X, y, weight=weight), ROUNDS, loss=loss)
    _, expected = builtin(settings, X, y, loss, weight)
    assert_allclose(model.predict(X), expected, atol=1e-12, rtol=0)
    own = predict_proba(model, X)
    assert_allclose(own if loss.multiclass else own[:, 1], model.predict(X), atol=1e-15)


@pytest.mark.parametrize(
    "settings",
    [
        {"data_sample_strategy": "goss", "learning_rate": 0.5},
        {"linear_tree": True},
        {"linear_tree": True, "feature_fraction": 0.5},
        {"extra_trees": True},
        {"monotone_constraints": [1, 0, -1] + 27 * [0]},
        {"use_quantized_grad": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("classes", [2, 3])
def test_parity_under_other_settings(settings, classes):
    X, y = CANCER if classes == 2 else load_wine(return_X_y=True)
    if classes == 3 and "monotone_constraints" in settings:
        pytest.skip("one set of constraints is enough")
    loss = plain_loss(y)
    model = train({**PLAIN, **settings}, lgb.Dataset(X, y), 30, loss=loss)
    raw, expected = builtin({**PLAIN, **settings}, X, y, loss, rounds=30)
    assert_allclose(model.predict(X), expected, atol=1e-12, rtol=0)
    assert_allclose(raw_score(model, X), raw, atol=1e-10)


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(2.0)], ids=repr)
def test_dart_keeps_the_intercept(loss):
    """No parity here: under a custom objective LightGBM reads a variable of dart's before it is set (dart.hpp,
    is_update_score_cur_iter_), so that a run draws one of two sequences of dropped trees."""
    X, y = CANCER
    history = {}
    data = lgb.Dataset(X, y)
    held_out = lgb.Dataset(X[:200], y[:200], reference=data)
    settings = {**PLAIN, "boosting": "dart", "drop_rate": 0.3}
    model = train(settings, data, 30, valid_sets=[held_out], callbacks=[lgb.record_evaluation(history)], loss=loss)
    ((_, values),) = history["valid_0"].items()
    assert_allclose(loss(y[:200], raw_score(model, X[:200])), values[-1], rtol=1e-9)
    _, expected = builtin(settings, X, y, LogLoss(), rounds=30)
    assert abs(log_loss(y, predict_proba(model, X)[:, 1]) / log_loss(y, expected) - 1) < 0.3


def test_linear_trees_keep_the_intercept_for_rows_with_missing_values():
    X, y = CANCER
    X = X.copy()
    X[::3, :5] = np.nan
    settings = {**PLAIN, "linear_tree": True}
    model = train(settings, lgb.Dataset(X, y), 20, loss=LogLoss())
    raw, _ = builtin(settings, X, y, LogLoss(), rounds=20)
    assert_allclose(raw_score(model, X), raw, atol=1e-10)


def test_categorical_features():
    pd = pytest.importorskip("pandas")
    X, y = imbalanced()
    frame = pd.DataFrame(X).assign(kind=pd.Categorical(np.digitize(X[:, 0], [-1, 0, 0.5, 1])))
    model = train(PLAIN, lgb.Dataset(frame, y), ROUNDS, loss=LogLoss())
    _, expected = builtin(PLAIN, frame, y, LogLoss())
    assert_allclose(model.predict(frame), expected, atol=1e-12, rtol=0)
    assert_array_equal(predict_proba(pickle.loads(pickle.dumps(model)), frame), predict_proba(model, frame))


def test_builtin_intercept_is_ours():
    X, y = CANCER
    model = train(PLAIN, lgb.Dataset(X, y), ROUNDS, loss=LogLoss())
    own = lgb.train({**PLAIN, "objective": "binary"}, lgb.Dataset(X, y), ROUNDS)
    assert_allclose(model.predict(X), own.predict(X), atol=1e-12)
    start_at_0 = train({**PLAIN, "boost_from_average": False}, lgb.Dataset(X, y), ROUNDS, loss=LogLoss())
    own = lgb.train({**PLAIN, "objective": "binary", "boost_from_average": False}, lgb.Dataset(X, y), ROUNDS)
    assert_allclose(start_at_0.predict(X), own.predict(X), atol=1e-12)


def test_where_no_split_is_possible_the_intercept_remains():
    X, y = imbalanced(300, 0.1)
    for loss in (LogLoss(), FocalLoss(2.0), LogLoss(3.0)):
        model = train({**PLAIN, "min_data_in_leaf": 200}, lgb.Dataset(X, y), 5, loss=loss)
        assert_allclose(predict_proba(model, X)[:, 1], y.mean(), rtol=1e-9)


@pytest.mark.parametrize("constructed", [False, True])
def test_the_callers_data_come_back_unchanged(constructed):
    X, y = CANCER
    data, held_out = lgb.Dataset(X, y), lgb.Dataset(X, y)
    if constructed:
        data.construct()
    train(PLAIN, data, 5, valid_sets=[held_out], loss=FocalLoss(2.0))
    cv(PLAIN, data, 3, loss=LogLoss(), nfold=3)
    assert data.get_init_score() is None
    assert held_out.get_init_score() is None
    after = lgb.train({**PLAIN, "objective": "binary"}, data, 20).predict(X)
    assert_array_equal(after, lgb.train({**PLAIN, "objective": "binary"}, lgb.Dataset(X, y), 20).predict(X))


@pytest.mark.parametrize("free_raw_data", [False, True])
def test_continuation_leaves_nothing_in_the_callers_data(free_raw_data):
    """LightGBM's own train does: the first model's predictions stay in the data sets as their init score."""
    X, y = CANCER
    first = train(PLAIN, lgb.Dataset(X, y), 5, loss=LogLoss())
    data = lgb.Dataset(X, y, free_raw_data=free_raw_data)
    held_out = lgb.Dataset(X, y, reference=data, free_raw_data=free_raw_data)
    train(PLAIN, data, 5, valid_sets=[held_out], init_model=first, loss=LogLoss())
    assert data.get_init_score() is None
    assert held_out.get_init_score() is None
    again = train(PLAIN, data, 5, valid_sets=[held_out], loss=LogLoss())
    assert_allclose(raw_score(again, X), raw_score(first, X), atol=1e-12)
    own = lgb.train({**PLAIN, "objective": "binary"}, data, 5)
    assert_allclose(own.predict(X), again.predict(X), atol=1e-12)
    with pytest.raises(ValueError, match="train_set must have no init scores beside init_model"):
        train(PLAIN, lgb.Dataset(X, y, init_score=0.0 * y), 5, init_model=first, loss=LogLoss())


def test_own_init_scores_are_composed_with():
    X, y = CANCER
    start = np.linspace(-1, 1, len(y))
    model = train(PLAIN, lgb.Dataset(X, y, init_score=start), 20, loss=LogLoss())
    settings = {**PLAIN, "objective": "binary", "boost_from_average": False}
    own = lgb.train(settings, lgb.Dataset(X, y, init_score=start), 20)
    assert_allclose(raw_score(model, X), own.predict(X, raw_score=True), atol=1e-12)
    with pytest.raises(ValueError, match="valid_sets 'valid_0' must have init scores if and only if train_set has"):
        train(PLAIN, lgb.Dataset(X, y, init_score=start), 5, valid_sets=[lgb.Dataset(X, y)], loss=LogLoss())


def test_integer_weights_are_repeated_rows():
    X, y = DATA["synthetic-3"]()
    X = np.round(2 * X)
    weight = np.random.default_rng(1).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    settings = {**PLAIN, "min_data_in_leaf": 1, "min_data_in_bin": 1}
    for loss in (SoftmaxCrossEntropy(), SoftmaxFocalLoss(1.0)):
        models = [
            train(settings, data, 20, loss=loss)
            for data in (lgb.Dataset(X, y, weight=weight), lgb.Dataset(X[rows], y[rows]))
        ]
        gap = np.abs(np.subtract(*[predict_proba(model, X) for model in models])).max()
        own = builtin(settings, X, y, SoftmaxCrossEntropy(), weight, 20)[0]
        repeated = builtin(settings, X[rows], y[rows], SoftmaxCrossEntropy(), None, 20)[0][
            np.searchsorted(rows, np.arange(len(y)))
        ]
        assert gap <= max(np.abs(own - repeated).max(), 1e-6)


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_focal_training_at_a_base_rate_of_one_in_a_thousand(gamma):
    ratios = []
    for seed in range(5):
        X, y = imbalanced(60_000, 0.0004, seed)
        fit = lgb.Dataset(X[:30_000], y[:30_000])
        valid = lgb.Dataset(X[30_000:45_000], y[30_000:45_000], reference=fit)
        scores = []
        for loss in (FocalLoss(gamma), LogLoss()):
            settings = {**PLAIN, "min_sum_hessian_in_leaf": 0.1, "min_data_in_leaf": 5}
            stop = lgb.early_stopping(20, verbose=False)
            model = train(
                settings, fit, 400, valid_sets=[valid], feval=Metric(loss, log_loss), callbacks=[stop], loss=loss
            )
            scores.append(log_loss(y[45_000:], predict_proba(model, X[45_000:])[:, 1]))
        ratios.append(scores[0] / scores[1])
    print(f"LightGBM, focal gamma={gamma} / log loss: {np.mean(ratios):.4f} {np.round(ratios, 3)}")
    assert np.mean(ratios) <= 1.05


# ---- metrics and early stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["synthetic-2", "synthetic-3"])
def test_early_stopping_stops_where_the_builtin_metric_does(name):
    X, y = DATA[name]()
    loss = plain_loss(y)
    fit = lgb.Dataset(X[:2000], y[:2000])
    valid = lgb.Dataset(X[2000:], y[2000:], reference=fit)
    history, own_history = {}, {}
    watch = [lgb.early_stopping(10, verbose=False), lgb.record_evaluation(history)]
    model = train(PLAIN, fit, 500, valid_sets=[valid], callbacks=watch, loss=loss)
    watch = [lgb.early_stopping(10, verbose=False), lgb.record_evaluation(own_history)]
    own = lgb.train({**PLAIN, **builtin_settings(y)}, fit, 500, [valid], callbacks=watch)
    ((metric, values),) = history["valid_0"].items()
    assert metric == ("log_loss" if y.max() == 1 else "softmax_cross_entropy")
    ((_, expected),) = own_history["valid_0"].items()
    assert_allclose(values, expected, rtol=1e-12)
    assert model.best_iteration == own.best_iteration < 490
    assert_allclose(model.best_score["valid_0"][metric], min(values))
    assert_allclose(
        predict_proba(model, X[2000:]).reshape(len(y) - 2000, -1)[:, -1], last(own.predict(X[2000:])), atol=1e-12
    )


def last(proba):
    return proba if proba.ndim == 1 else proba[:, -1]


def test_metrics_see_the_intercept():
    X, y = imbalanced(rate=0.02)
    data = lgb.Dataset(X, y)
    seen = {}

    def own_metric(raw, dataset):
        return "mine", float(np.mean(raw)), False

    loss = FocalLoss(2.0)
    metrics = [
        own_metric,
        Metric(loss, brier_score),
        Metric(loss, roc_auc_score, greater_is_better=True, name="ranking"),
    ]
    model = train(
        PLAIN,
        data,
        3,
        valid_sets=[data],
        valid_names=["t"],
        feval=metrics,
        callbacks=[lgb.record_evaluation(seen)],
        loss=loss,
    )
    assert_allclose(seen["t"]["mine"][-1], raw_score(model, X).mean(), rtol=1e-9)
    assert_allclose(seen["t"]["brier_score"][-1], brier_score(y, predict_proba(model, X)[:, 1]), rtol=1e-9)
    assert_allclose(seen["t"]["ranking"][-1], roc_auc_score(y, raw_score(model, X)), rtol=1e-9)


def test_early_stopping_watches_only_what_was_asked_for():
    X, y = DATA["synthetic-2"]()
    settings = params(LogLoss(), y, sklearn=True)
    model = lgb.LGBMClassifier(n_estimators=300, **PLAIN, **settings)
    metric = Metric(LogLoss(), init_score=settings["objective"].init_score)
    watch = [lgb.early_stopping(10, verbose=False)]
    held_out = {"eval_set": [(X[2000:], y[2000:])]} if old_lightgbm() else {"eval_X": X[2000:], "eval_y": y[2000:]}
    model.fit(X[:2000], y[:2000], eval_metric=metric, callbacks=watch, **held_out)
    assert list(model.best_score_["valid_0"]) == ["log_loss"]
    assert 10 < model.best_iteration_ < 290
    history = {}
    train(
        {**PLAIN, "metric": "auc"},
        lgb.Dataset(X, y),
        2,
        valid_sets=[lgb.Dataset(X, y)],
        callbacks=[lgb.record_evaluation(history)],
        loss=LogLoss(),
    )
    assert list(history["valid_0"]) == ["auc"]


def old_lightgbm():
    return tuple(map(int, lgb.__version__.split(".")[:2])) < (4, 7)


def test_probabilities_of_a_builtin_objective():
    for (X, y), loss, name in [(CANCER, LogLoss(), "binary_logloss"), (DIGITS, SoftmaxCrossEntropy(), "multi_logloss")]:
        history = {}
        data = lgb.Dataset(X, y)
        metric = Metric(loss, input="proba", name="ours")
        lgb.train(
            {**PLAIN, **builtin_settings(y), "metric": name},
            data,
            5,
            [data],
            ["t"],
            feval=metric,
            callbacks=[lgb.record_evaluation(history)],
        )
        assert_allclose(history["t"]["ours"], history["t"][name], rtol=1e-9)


@pytest.mark.parametrize("name", ["synthetic-2", "synthetic-3"])
def test_cv_starts_each_fold_from_its_own_intercept(name):
    X, y = DATA[name]()
    loss = plain_loss(y)
    weight = np.random.default_rng(0).random(len(y))
    order = np.arange(len(y))
    folds = [(order[:2000], order[2000:]), (order[1000:], order[:1000])]
    results = cv(
        PLAIN, lgb.Dataset(X, y, weight=weight, free_raw_data=False), 8, loss=loss, folds=folds, return_cvbooster=True
    )
    losses = []
    for booster, (_, test_rows) in zip(results["cvbooster"].boosters, folds, strict=True):
        raw = raw_score(booster, X[test_rows])
        losses.append(loss(y[test_rows], raw, weight[test_rows]))
        assert_allclose(last(predict_proba(booster, X)), last(booster.predict(X)))
    label = "log_loss" if y.max() == 1 else "softmax_cross_entropy"
    assert_allclose(results[f"valid {label}-mean"][-1], np.mean(losses), rtol=1e-6)


def test_a_second_fit_compiles_nothing():
    def fit_everything():
        for (X, y), losses in [
            (CANCER, (LogLoss(), FocalLoss())),
            (DIGITS, (SoftmaxCrossEntropy(), SoftmaxFocalLoss())),
        ]:
            for loss in losses:
                for weight in (None, np.ones(len(y))):
                    data = lgb.Dataset(X, y, weight=weight)
                    predict_proba(train(PLAIN, data, 2, valid_sets=[data], loss=loss), X)

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
import numpy as np, lightgbm as lgb
model = lgb.Booster(model_file=sys.argv[1])
X = np.load(sys.argv[2])
np.save(sys.argv[3], model.predict(X, raw_score=True))
np.save(sys.argv[4], model.predict(X))
"""


def data_of(loss):
    return load_wine(return_X_y=True) if loss.multiclass else CANCER


def predicted_without_us(model, X, folder):
    files = [str(folder / name) for name in ("model.txt", "X.npy", "raw.npy", "own.npy")]
    model.save_model(files[0])
    np.save(files[1], X)
    subprocess.run([sys.executable, "-c", STRANGER, *files], check=True, cwd=folder)
    return np.load(files[2]), np.load(files[3])


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_model_file_needs_nothing_of_ours(loss, tmp_path):
    X, y = data_of(loss)
    model = train(PLAIN, lgb.Dataset(X, y), 10, loss=loss)
    raw, own = predicted_without_us(model, X, tmp_path)
    assert_array_equal(raw, raw_score(model, X))
    proba = predict_proba(model, X) if loss.multiclass else predict_proba(model, X)[:, 1]
    assert_allclose(own, proba if loss.is_proper else raw, atol=1e-15)
    loaded = lgb.Booster(model_file=tmp_path / "model.txt")
    with pytest.raises(ValueError, match="the model carries no loss; pass the one it was trained with as loss="):
        predict_proba(loaded, X)
    assert_array_equal(predict_proba(loaded, X, loss), predict_proba(model, X))
    if loss.posterior_offset(3) is None:
        with pytest.raises(ValueError, match="is not a sigmoid or softmax of its raw scores"):
            servable(model)
        return
    _, own = predicted_without_us(servable(model), X, tmp_path)
    assert_allclose(own, proba, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_continuation_in_two_halves_is_one_run(loss, tmp_path):
    X, y = data_of(loss)
    whole = train(PLAIN, lgb.Dataset(X, y), 20, loss=loss)
    half = train(PLAIN, lgb.Dataset(X, y), 10, loss=loss)
    half.save_model(tmp_path / "half.txt")
    for first in (half, str(tmp_path / "half.txt")):
        both = train(PLAIN, lgb.Dataset(X, y), 10, init_model=first, loss=loss)
        assert both.num_trees() == whole.num_trees()
        assert_allclose(raw_score(both, X), raw_score(whole, X), atol=1e-9)
        assert_allclose(last(both.predict(X)), last(whole.predict(X)), atol=1e-9)
    other = SoftmaxFocalLoss(0.5) if loss.multiclass else FocalLoss(0.5)
    with pytest.raises(ValueError, match="init_model must have been trained with loss="):
        train(PLAIN, lgb.Dataset(X, y), 10, init_model=half, loss=other)


def test_sliced_and_early_stopped_models():
    X, y = DATA["synthetic-2"]()
    fit = lgb.Dataset(X[:2000], y[:2000])
    valid = lgb.Dataset(X[2000:], y[2000:], reference=fit)
    model = train(
        {**PLAIN, "learning_rate": 0.5},
        fit,
        300,
        valid_sets=[valid],
        callbacks=[lgb.early_stopping(5, verbose=False)],
        loss=FocalLoss(2.0),
    )
    assert_array_equal(raw_score(model, X), raw_score(model, X, rounds=model.best_iteration))
    assert not np.array_equal(raw_score(model, X, rounds=3), raw_score(model, X))
    short = train({**PLAIN, "learning_rate": 0.5}, lgb.Dataset(X[:2000], y[:2000]), 3, loss=FocalLoss(2.0))
    assert_allclose(raw_score(model, X, rounds=3), raw_score(short, X), atol=1e-12)


def test_shap_values_sum_to_the_raw_score():
    X, y = CANCER
    for loss in (LogLoss(), LogLoss(3.0), FocalLoss(2.0)):
        model = train(PLAIN, lgb.Dataset(X, y), 20, loss=loss)
        assert_allclose(model.predict(X, pred_contrib=True).sum(axis=1), raw_score(model, X), atol=1e-9)


def test_objects_survive_copies():
    X, y = CANCER
    for loss in (LogLoss(2.0), FocalLoss(2.0, 0.25)):
        for thing in (Objective(loss), Objective(loss, 0.5), Metric(loss), Metric(loss, brier_score, init_score=1.5)):
            assert copy.deepcopy(thing) is thing
            assert pickle.loads(pickle.dumps(thing)) == thing
        assert Metric(loss) != Metric(loss, init_score=0.5)
        model = clone(lgb.LGBMClassifier(n_estimators=5, **PLAIN, **params(loss, y, sklearn=True))).fit(X, y)
        assert_array_equal(predict_proba(pickle.loads(pickle.dumps(model)), X), predict_proba(model, X))
        booster = train(PLAIN, lgb.Dataset(X, y), 5, loss=loss)
        assert_array_equal(predict_proba(pickle.loads(pickle.dumps(booster)), X), predict_proba(booster, X))


@pytest.mark.parametrize("weighted", [False, True])
def test_classifier_with_our_objective(weighted):
    for (X, y), loss in [(CANCER, LogLoss()), (load_wine(return_X_y=True), SoftmaxCrossEntropy())]:
        weight = np.random.default_rng(0).integers(1, 4, len(y)) if weighted else None
        model = lgb.LGBMClassifier(n_estimators=10, **PLAIN, **params(loss, y, weight, sklearn=True)).fit(X, y, weight)
        booster = train(PLAIN, lgb.Dataset(X, y, weight=weight), 10, loss=loss)
        assert_allclose(predict_proba(model, X), predict_proba(booster, X), atol=1e-12)
        assert_allclose(last(servable(model).predict(X)), predict_proba(model, X)[:, -1], atol=1e-12)


def test_string_labels_in_the_classifier():
    X, y = CANCER
    words = np.array(["benign", "malignant"])[y]
    model = lgb.LGBMClassifier(n_estimators=5, **PLAIN, **params(FocalLoss(2.0), y, sklearn=True)).fit(X, words)
    assert roc_auc_score(words, predict_proba(model, X)[:, 1]) > 0.9


def ranking(model, X, y):
    return roc_auc_score(y, predict_proba(model, X)[:, 1])


def test_cross_validation_in_two_processes():
    X, y = CANCER
    model = lgb.LGBMClassifier(n_estimators=10, **PLAIN, **params(LogLoss(), y, sklearn=True))
    scores = cross_val_score(model, X, y, scoring=ranking, cv=3, n_jobs=2, error_score="raise")
    assert (scores > 0.9).all()


def test_a_served_model_is_not_corrected_twice():
    X, y = CANCER
    model = train(PLAIN, lgb.Dataset(X, y), 5, loss=LogLoss(20.0))
    assert_allclose(predict_proba(servable(model), X), predict_proba(model, X), atol=1e-12)
    assert_allclose(servable(servable(model)).predict(X), predict_proba(model, X)[:, 1], atol=1e-12)


def test_data_from_files_and_subsets_take_the_parameters(tmp_path):
    X, y = CANCER
    path = tmp_path / "data.csv"
    np.savetxt(path, np.column_stack([y, X]), delimiter=",", fmt="%.17g")
    settings = {**PLAIN, "max_bin": 15}
    data = lgb.Dataset(str(path), params={"verbosity": -1})
    model = train(settings, data, 5, loss=LogLoss())
    whole = lgb.Dataset(X, y)
    assert_allclose(raw_score(model, X), raw_score(train(settings, whole, 5, loss=LogLoss()), X), atol=1e-9)
    train(settings, whole, 5, valid_sets=[whole.subset(range(100))], loss=LogLoss())
    cv(settings, lgb.Dataset(str(path), params={"verbosity": -1}), 3, loss=LogLoss(), nfold=2)


def test_cv_of_soft_labels_and_of_a_continued_model():
    X, y = CANCER
    assert len(cv(PLAIN, lgb.Dataset(X, 0.8 * y + 0.1), 3, loss=LogLoss())["valid log_loss-mean"]) == 3
    first = train(PLAIN, lgb.Dataset(X, y), 5, loss=LogLoss())
    data = lgb.Dataset(X, y, free_raw_data=False)
    results = cv(PLAIN, data, 3, loss=LogLoss(), init_model=first)
    assert results["valid log_loss-mean"][0] < LogLoss()(y, np.full(len(y), LogLoss().init_score(y))) * 0.8
    assert data.get_init_score() is None
    with pytest.raises(ValueError, match="init_model must have been trained with loss=FocalLoss"):
        cv(PLAIN, data, 3, loss=FocalLoss(), init_model=first)
    with pytest.raises(ValueError, match="train_set must have no init scores beside init_model"):
        cv(PLAIN, lgb.Dataset(X, y, init_score=0.0 * y, free_raw_data=False), 3, loss=LogLoss(), init_model=first)


def test_switches_as_words():
    X, y = CANCER
    words = {**PLAIN, "boost_from_average": "false", "is_unbalance": "false", "sigmoid": "1.0"}
    model = train(words, lgb.Dataset(X, y), 5, loss=LogLoss())
    own = lgb.train({**words, "objective": "binary"}, lgb.Dataset(X, y), 5)
    assert_allclose(model.predict(X), own.predict(X), atol=1e-12)


# ---- refused --------------------------------------------------------------------------------------------------------


def never(env):
    raise AssertionError("a round was begun")


never.before_iteration = True


def refused(message, loss, data, settings=None, error=ValueError):
    for run in (train, cv):
        with pytest.raises(error) as raised:
            run({**PLAIN, **(settings or {})}, data, 3, loss=loss, callbacks=[never])
        assert message in str(raised.value), raised.value


def test_labels_are_refused():
    X, y = CANCER
    refused("y_true must lie in [0, 1], got 2.0 in row 0", LogLoss(), lgb.Dataset(X, y + 2))
    refused("the Dataset must have labels, got none", LogLoss(), lgb.Dataset(X))
    refused("got only class 1", FocalLoss(), lgb.Dataset(X, np.ones(len(y))))
    refused("y_true must lie in [0, 1], got nan in row", LogLoss(), lgb.Dataset(X, np.where(y == 1, np.nan, 0)))
    refused("must hold every class 0..2 with weight, got none of class 1", SoftmaxCrossEntropy(), lgb.Dataset(X, 2 * y))
    refused("got none of class 2", SoftmaxCrossEntropy(), lgb.Dataset(X, y), {"num_classes": 3})
    refused("class codes 0..1, got 2.0", SoftmaxFocalLoss(), lgb.Dataset(X, 2 * y), {"num_class": 2})
    refused("sample_weight must be finite and >= 0", LogLoss(), lgb.Dataset(X, y, weight=-np.ones(len(y))))
    refused("sample_weight must have a sum > 0", LogLoss(), lgb.Dataset(X, y, weight=np.zeros(len(y))))
    refused(
        "class_weight must hold one weight per class, got 2 for 10", SoftmaxFocalLoss(1.0, (1, 2)), lgb.Dataset(*DIGITS)
    )
    words = np.array(["a", "b"], dtype=object)[y]
    refused("y_true must be", LogLoss(), lgb.Dataset(X, words), error=(TypeError, ValueError))
    with pytest.raises(ValueError, match=r"valid_sets 'late': y_true must lie in \[0, 1\], got 3 in row 19"):
        train(
            PLAIN,
            lgb.Dataset(X, y),
            3,
            valid_sets=[lgb.Dataset(X, 3 * y)],
            valid_names=["late"],
            callbacks=[never],
            loss=LogLoss(),
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "binary"}, "params must not hold an objective beside loss=LogLoss"),
        ({"application": "binary"}, "params must not hold an objective beside loss=LogLoss"),
        ({"scale_pos_weight": 9}, "scale_pos_weight has no effect under a custom objective, got 9"),
        ({"is_unbalance": True}, "is_unbalance has no effect under a custom objective, got True"),
        ({"sigmoid": 2}, "sigmoid has no effect under a custom objective, got 2"),
        ({"pos_bagging_fraction": 0.5}, "pos_bagging_fraction has no effect under a custom objective"),
        ({"num_class": 3}, "num_class must be left out for the binary LogLoss"),
        ({"boosting": "rf"}, "boosting must not be 'rf': LightGBM's random forest takes no custom objective"),
        (
            {"metric": "binary_logloss"},
            "metric must be one of auc, average_precision or 'None' under a custom objective",
        ),
        ({"metrics": ["auc", "binary_error"]}, "got 'binary_error', which would read raw scores as probabilities"),
    ],
    ids=str,
)
def test_parameters_that_would_be_ignored_or_wrong_are_refused(settings, message):
    refused(message, LogLoss(), lgb.Dataset(*CANCER), settings)


def test_a_fold_without_a_class_is_named():
    X, y = DIGITS
    order = np.argsort(y, kind="stable")
    folds = [(np.arange(len(y)), np.arange(10)), (order[:900], order[900:])]
    with pytest.raises(ValueError, match="training part of fold 2: y_true must hold every class"):
        cv(PLAIN, lgb.Dataset(X, y), 3, loss=SoftmaxCrossEntropy(), folds=folds)


def test_losses_are_objects():
    for call in (
        lambda: Objective(LogLoss),
        lambda: Metric("log_loss"),
        lambda: train({}, lgb.Dataset(*CANCER), loss=LogLoss),
    ):
        with pytest.raises(TypeError, match="loss must be a Loss, such as LogLoss"):
            call()


def test_column_sampling_is_announced_when_lightgbm_changes(monkeypatch):
    monkeypatch.setattr(_callbacks.KeepColumnSampler, "FLAG", "_Booster__gone")
    with pytest.warns(
        UserWarning, match="LightGBM .* is unknown: with feature_fraction < 1 or dart, training may draw"
    ):
        train(PLAIN, lgb.Dataset(*CANCER), 2, loss=LogLoss())
