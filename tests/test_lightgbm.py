"""What only LightGBM has: linear trees, dart, data sets with their parameters, its classifier."""

import lightgbm as lgb
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters.lightgbm import Metric, _callbacks, cv, params, predict_proba, raw_score, train
from boosting_losses.metrics import log_loss

from .libraries import CANCER, LIGHTGBM, WINE, imbalanced, synthetic

PLAIN = LIGHTGBM.quick


# ---- trees ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("settings", [{}, {"feature_fraction": 0.5}], ids=str)
@pytest.mark.parametrize(("X", "y"), [CANCER, WINE], ids=["2", "3"])
def test_linear_trees_keep_the_intercept(X, y, settings, missing):
    """A leaf has another constant for rows with missing values."""
    loss = LogLoss() if y.max() == 1 else SoftmaxCrossEntropy()
    if missing:
        X = X.copy()
        X[::3, :5] = np.nan
    settings = {**settings, "linear_tree": True}
    ours = LIGHTGBM.train(LIGHTGBM.data(X, y), 10, loss=loss, settings=settings)
    init = np.tile(loss.init_score(y), (len(y), 1)).squeeze()
    data = LIGHTGBM.data(X, y, start=init)
    own = LIGHTGBM.train_builtin(data, 10, loss=loss, settings={**settings, "boost_from_average": False})
    assert_allclose(raw_score(ours, X), own.predict(X, raw_score=True) + init, atol=1e-10)


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(2.0)], ids=repr)
def test_dart_keeps_the_intercept(loss):
    """No parity here: under a custom objective LightGBM reads a variable of dart's before it is set (dart.hpp,
    is_update_score_cur_iter_), so that a run draws one of two sequences of dropped trees."""
    X, y = CANCER
    data = lgb.Dataset(X, y)
    held_out = lgb.Dataset(X[:200], y[:200], reference=data)
    settings = {"boosting": "dart", "drop_rate": 0.3}
    model, values = LIGHTGBM.watched(data, held_out, 20, loss=loss, settings=settings)
    assert_allclose(loss(y[:200], raw_score(model, X[:200])), values[-1], rtol=1e-9)
    own = LIGHTGBM.train_builtin(data, 20, loss=LogLoss(), settings=settings)
    assert abs(log_loss(y, predict_proba(model, X)[:, 1]) / log_loss(y, own.predict(X)) - 1) < 0.3


def test_training_may_start_from_0():
    X, y = CANCER
    models = [
        run(lgb.Dataset(X, y), 10, loss=LogLoss(), settings={"boost_from_average": False})
        for run in (LIGHTGBM.train, LIGHTGBM.train_builtin)
    ]
    assert_allclose(*[model.predict(X) for model in models], atol=1e-12)


def test_where_no_split_is_possible_the_intercept_remains():
    X, y = imbalanced(300, 0.1)
    for loss in (LogLoss(), FocalLoss(2.0), LogLoss(3.0)):
        model = train({**PLAIN, "min_data_in_leaf": 200}, lgb.Dataset(X, y), 5, loss=loss)
        assert_allclose(predict_proba(model, X)[:, 1], y.mean(), rtol=1e-9)


# ---- data sets ------------------------------------------------------------------------------------------------------


def test_constructed_data_come_back_unchanged():
    X, y = CANCER
    data = lgb.Dataset(X, y).construct()
    train(PLAIN, data, 3, loss=FocalLoss(2.0))
    assert data.get_init_score() is None


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
    with pytest.raises(ValueError, match="train_set must have no init scores when init_model is given"):
        train(PLAIN, lgb.Dataset(X, y, init_score=0.0 * y), 5, init_model=first, loss=LogLoss())


# ---- the classifier -------------------------------------------------------------------------------------------------


def test_the_classifier_watches_only_what_was_asked_for():
    X, y = synthetic(2, 600)
    settings = params(LogLoss(), y, sklearn=True)
    model = lgb.LGBMClassifier(n_estimators=200, **PLAIN, **settings)
    metric = Metric(LogLoss(), init_score=settings["objective"].init_score)
    watch = [lgb.early_stopping(5, verbose=False)]
    held_out = {"eval_set": [(X[400:], y[400:])]} if old_lightgbm() else {"eval_X": X[400:], "eval_y": y[400:]}
    model.fit(X[:400], y[:400], eval_metric=metric, callbacks=watch, **held_out)
    assert list(model.best_score_["valid_0"]) == ["log_loss"]
    assert 5 < model.best_iteration_ < 190
    assert metric != Metric(LogLoss())


def test_a_builtin_metric_replaces_the_loss():
    X, y = CANCER
    history, data = {}, lgb.Dataset(X, y)
    callbacks = [lgb.record_evaluation(history)]
    train({**PLAIN, "metric": "auc"}, data, 2, valid_sets=[lgb.Dataset(X, y)], callbacks=callbacks, loss=LogLoss())
    assert list(history["valid_0"]) == ["auc"]


def old_lightgbm():
    return tuple(map(int, lgb.__version__.split(".")[:2])) < (4, 7)


def test_the_classifier_takes_words_as_labels():
    X, y = CANCER
    words = np.array(["benign", "malignant"])[y]
    model = LIGHTGBM.classifier(FocalLoss(2.0), y).fit(X, words)
    assert roc_auc_score(words, predict_proba(model, X)[:, 1]) > 0.9


# ---- parameters and labels ------------------------------------------------------------------------------------------


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
    with pytest.raises(ValueError, match="train_set must have no init scores when init_model is given"):
        cv(PLAIN, lgb.Dataset(X, y, init_score=0.0 * y, free_raw_data=False), 3, loss=LogLoss(), init_model=first)


def test_switches_as_words():
    X, y = CANCER
    words = {**PLAIN, "boost_from_average": "false", "is_unbalance": "false", "sigmoid": "1.0"}
    model = train(words, lgb.Dataset(X, y), 5, loss=LogLoss())
    own = lgb.train({**words, "objective": "binary"}, lgb.Dataset(X, y), 5)
    assert_allclose(model.predict(X), own.predict(X), atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "weight", "message"),
    [
        (lambda y: None, None, "the Dataset must have labels, got none"),
        (lambda y: np.where(y == 1, np.nan, 0), None, r"y_true must lie in \[0, 1\], got nan in row"),
        (lambda y: y, -1.0, "sample_weight must be finite and >= 0"),
        (lambda y: np.array(["a", "b"], dtype=object)[y], None, "y_true must be"),
    ],
)
def test_data_that_lightgbm_lets_through_are_refused(labels, weight, message):
    X, y = CANCER
    data = lgb.Dataset(X, labels(y), weight=None if weight is None else np.full(len(y), weight))
    for run in (train, cv):
        with pytest.raises((TypeError, ValueError), match=message):
            run(PLAIN, data, 3, loss=LogLoss(), **LIGHTGBM.without_rounds)


def test_evaluation_data_are_refused():
    X, y = CANCER
    late = {"valid_sets": [lgb.Dataset(X, 3 * y)], "valid_names": ["late"], **LIGHTGBM.without_rounds}
    with pytest.raises(ValueError, match=r"valid_sets 'late': y_true must lie in \[0, 1\], got 3 in row 19"):
        train(PLAIN, lgb.Dataset(X, y), 3, loss=LogLoss(), **late)


def test_other_names_of_the_number_of_classes():
    X, y = CANCER
    with pytest.raises(ValueError, match="got none of class 2"):
        train({**PLAIN, "num_classes": 3}, lgb.Dataset(X, y), 1, loss=SoftmaxCrossEntropy())


def test_column_sampling_is_announced_when_lightgbm_changes(monkeypatch):
    monkeypatch.setattr(_callbacks.KeepColumnSampler, "FLAG", "_Booster__gone")
    with pytest.warns(
        UserWarning, match="LightGBM .* is unknown: with feature_fraction < 1 or dart, training may draw"
    ):
        train(PLAIN, lgb.Dataset(*CANCER), 2, loss=LogLoss())
