"""XGBoost: parameters, labels and models that would give wrong numbers or an error not in words."""

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import cv, params, predict_proba, raw_score, servable, train

X, Y = load_breast_cancer(return_X_y=True)
WINE, KINDS = load_wine(return_X_y=True)
LINEAR = {"booster": "gblinear"}


# ---- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [train, cv])
def test_linear_models_of_many_classes_are_refused(run):
    with pytest.raises(ValueError, match=r"booster must be a tree booster for SoftmaxCross.*the intercept of class 0"):
        run(LINEAR, xgb.DMatrix(WINE, KINDS), 1, loss=SoftmaxCrossEntropy())


def test_linear_models_of_many_classes_are_not_served_nor_continued():
    data = xgb.DMatrix(WINE, KINDS)
    model = xgb.train({**LINEAR, **params(SoftmaxCrossEntropy(), KINDS)}, data, 1)
    with pytest.raises(ValueError, match="the model must be of trees for many classes, got 'gblinear'"):
        servable(model, SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match="xgb_model must be of trees for SoftmaxCrossEntropy"):
        train({}, data, 1, loss=SoftmaxCrossEntropy(), xgb_model=model)


def test_binary_linear_models_are_right():
    data = xgb.DMatrix(X, Y)
    for loss in (LogLoss(3.0), FocalLoss()):
        assert_allclose(raw_score(train(LINEAR, data, 0, loss=loss), data), loss.init_score(Y), rtol=1e-5)
    model = train(LINEAR, data, 5, loss=LogLoss(3.0), evals=[(data, "t")], early_stopping_rounds=2, verbose_eval=False)
    assert_allclose(servable(model).predict(data), predict_proba(model, data)[:, 1], atol=1e-6)


def test_none_is_a_parameter_that_was_not_given():
    data = xgb.DMatrix(X, Y)
    names = ("base_score", "num_class", "scale_pos_weight", "objective", "eval_metric", "disable_default_eval_metric")
    expected = raw_score(train({}, data, 2, loss=FocalLoss()), data)
    assert_array_equal(raw_score(train(dict.fromkeys(names), data, 2, loss=FocalLoss()), data), expected)
    assert cv(dict.fromkeys(names), data, 2, loss=FocalLoss(), as_pandas=False) == cv(
        {}, data, 2, loss=FocalLoss(), as_pandas=False, fpreproc=lambda a, b, s: (a, b, {**s, "base_score": None})
    )


@pytest.mark.parametrize("value", [0, -1, 1, 2.5, "three", np.nan])
def test_numbers_of_classes_without_meaning_are_refused(value):
    with pytest.raises(ValueError, match=r"num_class must be .*, got "):
        train({"num_class": value}, xgb.DMatrix(WINE, KINDS), 1, loss=SoftmaxCrossEntropy())


def test_numbers_as_text():
    for value in ("3", 3.0, np.int64(3)):
        train({"num_class": value}, xgb.DMatrix(WINE, KINDS), 1, loss=SoftmaxCrossEntropy())
    for settings in ({"scale_pos_weight": "1"}, {"num_class": "1"}, {"num_class": 0}):
        train(settings, xgb.DMatrix(X, Y), 1, loss=LogLoss())
    with pytest.raises(ValueError, match=r"num_class must be left out for the binary LogLoss.* got '2'"):
        train({"num_class": "2"}, xgb.DMatrix(X, Y), 1, loss=LogLoss())


def test_hard_and_soft_labels_are_not_mixed():
    hard, soft = xgb.DMatrix(WINE, KINDS), xgb.DMatrix(WINE, 0.7 * np.eye(3)[KINDS] + 0.1)
    for loss in (SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
        with pytest.raises(ValueError, match=r"evals 't': y_true must hold class codes \(n,\) as dtrain does"):
            train({}, hard, 1, loss=loss, evals=[(soft, "t")])
        with pytest.raises(ValueError, match=r"evals 't': y_true must hold soft labels \(n, K\) as dtrain does"):
            train({}, soft, 1, loss=loss, evals=[(hard, "t")])


def test_labels_that_a_classifier_cannot_train():
    for loss, labels in ((LogLoss(), 0.8 * Y + 0.1), (SoftmaxCrossEntropy(), 0.7 * np.eye(3)[KINDS] + 0.1)):
        params(loss, labels)
        with pytest.raises(ValueError, match=r"y_true must hold class codes \(n,\) for XGBClassifier"):
            params(loss, labels, sklearn=True)
    with pytest.raises(ValueError, match=r"at least 3 classes for SoftmaxCrossEntropy\(.*got 2; use a binary loss"):
        params(SoftmaxCrossEntropy(), Y, sklearn=True)


# ---- models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [LogLoss(2.0), SoftmaxCrossEntropy()], ids=repr)
def test_an_early_stopped_booster_is_served_up_to_its_best_round(loss):
    features, labels = (WINE, KINDS) if loss.multiclass else (X, Y)
    rows = np.arange(len(labels)) % 2 == 0
    valid = xgb.DMatrix(features[~rows], labels[~rows])
    options = {"evals": [(valid, "valid")], "early_stopping_rounds": 5, "verbose_eval": False}
    model = train({"eta": 0.9}, xgb.DMatrix(features[rows], labels[rows]), 200, loss=loss, **options)
    assert model.best_iteration + 1 < model.num_boosted_rounds()
    served = servable(model)
    proba = predict_proba(model, features)
    own = served.predict(xgb.DMatrix(features))
    assert_allclose(own, proba if loss.multiclass else proba[:, 1], atol=1e-6)
    assert_allclose(predict_proba(served, features), proba, atol=1e-6)


def test_probabilities_of_class_0_keep_their_digits():
    margin = np.full(len(Y), 8.0, np.float32)
    for loss in (LogLoss(), LogLoss(3.0), FocalLoss()):
        model = train({}, xgb.DMatrix(X, Y, base_margin=np.zeros(len(Y))), 0, loss=loss)
        proba = predict_proba(model, xgb.DMatrix(X, base_margin=margin))
        assert proba.dtype == np.float32
        assert_allclose(proba[0], [1 - loss.posterior([8.0])[0], loss.posterior([8.0])[0]], rtol=1e-6)


def test_a_served_classifier_has_no_metric_of_raw_scores():
    model = xgb.XGBClassifier(n_estimators=2, **params(LogLoss(2.0), Y, sklearn=True)).fit(X, Y)
    assert servable(model).eval_metric is None


def test_what_contains_a_model_is_none(tmp_path):
    model = xgb.XGBClassifier(n_estimators=2)
    for thing, hint in (
        (make_pipeline(StandardScaler(), model).fit(X, Y), "got Pipeline; pass its last step, and the X"),
        (GridSearchCV(model, {"max_depth": [2]}, cv=2).fit(X, Y), "got GridSearchCV; pass its best_estimator_"),
        (tmp_path / "model.ubj", "Path; load the file first"),
        (None, "got NoneType"),
    ):
        for call in (raw_score, predict_proba):
            with pytest.raises(TypeError, match=f"model must be a Booster or XGBModel, .*{hint}"):
                call(thing, X)
        with pytest.raises(TypeError, match="model must be a Booster or XGBModel"):
            servable(thing, LogLoss())
