"""XGBoost: parameters, labels and models that would give wrong numbers or an unclear error."""

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Metric, Objective, cv, params, predict_proba, raw_score, servable, train

from . import libraries

(X, Y), (WINE, KINDS) = libraries.CANCER, libraries.WINE
LINEAR = {"booster": "gblinear"}


# ---- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [train, cv])
def test_linear_models_of_many_classes_are_refused(run):
    with pytest.raises(ValueError, match="booster must be a tree booster for SoftmaxCrossEntropy"):
        run(LINEAR, xgb.DMatrix(WINE, KINDS), 1, loss=SoftmaxCrossEntropy())


def test_linear_models_of_many_classes_are_not_served_nor_continued():
    data = xgb.DMatrix(WINE, KINDS)
    model = xgb.train({**LINEAR, **params(SoftmaxCrossEntropy(), KINDS)}, data, 1)
    with pytest.raises(ValueError, match="the model must consist of trees for a multiclass loss, got 'gblinear'"):
        servable(model, SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match="xgb_model must consist of trees for SoftmaxCrossEntropy"):
        train({}, data, 1, loss=SoftmaxCrossEntropy(), xgb_model=model)


def test_binary_linear_models_are_right():
    data = xgb.DMatrix(X, Y)
    for loss in (LogLoss(3.0), FocalLoss()):
        assert_allclose(raw_score(train(LINEAR, data, 0, loss=loss), data), loss.init_score(Y), rtol=1e-5)
    model = train(LINEAR, data, 5, loss=LogLoss(3.0), evals=[(data, "t")], early_stopping_rounds=2, verbose_eval=False)
    assert_allclose(servable(model).predict(data), predict_proba(model, data)[:, 1], atol=1e-6)


def test_an_early_stopped_linear_model_is_served_as_it_predicts():
    """A linear model has the weights of its last round only."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 5))
    labels = (features[:, 0] + rng.standard_normal(600) > 0).astype(float)
    data, held_out = xgb.DMatrix(features[:400], labels[:400]), xgb.DMatrix(features[400:], labels[400:])
    options = {"evals": [(held_out, "t")], "early_stopping_rounds": 3, "verbose_eval": False}
    for loss in (LogLoss(), LogLoss(3.0)):
        model = train({**LINEAR, "eta": 1.0}, data, 100, loss=loss, **options)
        assert int(model.attr("best_iteration")) + 1 < model.num_boosted_rounds()
        assert_array_equal(raw_score(model, features), model.predict(xgb.DMatrix(features), output_margin=True))
        assert_allclose(servable(model).predict(xgb.DMatrix(features)), predict_proba(model, features)[:, 1], atol=1e-6)


def test_none_from_a_fold_is_a_parameter_that_was_not_given():
    data, shared = xgb.DMatrix(X, Y), {"loss": FocalLoss(), "as_pandas": False}
    plain = cv({}, data, 2, **shared)
    assert plain == cv({}, data, 2, fpreproc=lambda a, b, s: (a, b, {**s, "base_score": None}), **shared)


def test_hard_and_soft_labels_are_not_mixed():
    hard, soft = xgb.DMatrix(WINE, KINDS), xgb.DMatrix(WINE, 0.7 * np.eye(3)[KINDS] + 0.1)
    for loss in (SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
        with pytest.raises(ValueError, match=r"evals 't': y_true must hold class codes \(n,\), as dtrain does"):
            train({}, hard, 1, loss=loss, evals=[(soft, "t")])
        with pytest.raises(ValueError, match=r"evals 't': y_true must hold soft labels \(n, K\), as dtrain does"):
            train({}, soft, 1, loss=loss, evals=[(hard, "t")])


def test_labels_that_a_classifier_cannot_train():
    for loss, labels in ((LogLoss(), 0.8 * Y + 0.1), (SoftmaxCrossEntropy(), 0.7 * np.eye(3)[KINDS] + 0.1)):
        params(loss, labels)
        with pytest.raises(ValueError, match=r"y_true must hold class codes \(n,\) for XGBClassifier"):
            params(loss, labels, sklearn=True)
    with pytest.raises(ValueError, match=r"at least 3 classes for SoftmaxCrossEntropy\(.*got 2; use a binary loss"):
        params(SoftmaxCrossEntropy(), Y, sklearn=True)


# ---- containers -----------------------------------------------------------------------------------------------------


def test_parameters_may_be_pairs():
    data = xgb.DMatrix(X, Y)
    pairs = [("eval_metric", "auc"), ("max_depth", 2), ("eval_metric", "error"), ("eta", None)]
    history = {}
    options = {"evals": [(data, "t")], "evals_result": history, "verbose_eval": False}
    model = train(pairs, data, 2, loss=LogLoss(), **options)
    assert list(history["t"]) == ["auc", "error"]
    assert_array_equal(raw_score(model, X), raw_score(train({"max_depth": 2}, data, 2, loss=LogLoss()), X))
    by_name = {"eval_metric": ["auc", "error"], "max_depth": 2}
    shared = {"loss": LogLoss(), "nfold": 2, "as_pandas": False}
    assert cv(tuple(pairs), data, 2, **shared) == cv(by_name, data, 2, **shared)


@pytest.mark.parametrize("run", [train, cv])
@pytest.mark.parametrize("wrong", ["max_depth", ["max_depth"], [("max_depth", 2, 3)], [(1, 2)], 3])
def test_parameters_that_are_none(run, wrong):
    with pytest.raises(TypeError, match=r"params must be a mapping or pairs \(name, value\), got "):
        run(wrong, xgb.DMatrix(X, Y), 1, loss=LogLoss())


def test_evaluation_data_in_the_wrong_container():
    data = xgb.DMatrix(X, Y)
    for wrong in (data, [data], (data, "t"), {"t": data}, [("t", data)], [(data, "t", 1)]):
        with pytest.raises(TypeError, match=r"evals must hold pairs \(DMatrix, name\), got "):
            train({}, data, 1, loss=LogLoss(), evals=wrong)
    with pytest.raises(TypeError, match="evals 't': the data must be a DMatrix, got ndarray"):
        train({}, data, 1, loss=LogLoss(), evals=[(X, "t")])


def test_every_kind_of_model_can_be_continued():
    data = xgb.DMatrix(X, Y)
    booster = train({}, data, 2, loss=LogLoss())
    expected = raw_score(train({}, data, 2, loss=LogLoss(), xgb_model=booster), X)
    classifier = xgb.XGBClassifier()
    classifier.load_model(booster.save_raw())
    for model in (booster.save_raw(), bytes(booster.save_raw()), classifier):
        assert_array_equal(raw_score(train({}, data, 2, loss=LogLoss(), xgb_model=model), X), expected)
    bare = xgb.XGBClassifier(n_estimators=2, **params(LogLoss(), Y, sklearn=True)).fit(X, Y)
    assert train({}, data, 2, loss=LogLoss(), xgb_model=bare).num_boosted_rounds() == 4
    other = xgb.XGBClassifier(n_estimators=2, **params(LogLoss(3.0), Y, sklearn=True)).fit(X, Y)
    with pytest.raises(ValueError, match=r"xgb_model must have been trained with loss=LogLoss.*got a model of LogLoss"):
        train({}, data, 2, loss=LogLoss(), xgb_model=other)
    for wrong in ({}, 3, [booster]):
        with pytest.raises(
            TypeError, match="xgb_model must be a Booster, an XGBModel, a path, bytes or a bytearray, got"
        ):
            train({}, data, 2, loss=LogLoss(), xgb_model=wrong)


# ---- models ---------------------------------------------------------------------------------------------------------


def test_probabilities_of_class_0_keep_their_digits():
    margin = np.full(len(Y), 8.0, np.float32)
    for loss in (LogLoss(), LogLoss(3.0), FocalLoss()):
        model = train({}, xgb.DMatrix(X, Y, base_margin=np.zeros(len(Y))), 0, loss=loss)
        proba = predict_proba(model, xgb.DMatrix(X, base_margin=margin))
        assert_allclose(proba[0], [1 - loss.posterior([8.0])[0], loss.posterior([8.0])[0]], rtol=1e-6)


def test_a_served_classifier_has_no_metric_of_raw_scores():
    model = xgb.XGBClassifier(n_estimators=2, **params(LogLoss(2.0), Y, sklearn=True)).fit(X, Y)
    assert servable(model).eval_metric is None


def test_a_metric_among_the_parameters_is_refused():
    with pytest.raises(TypeError, match="eval_metric in params must be a name; pass a function or a Metric as custom"):
        train({"eval_metric": Metric(LogLoss())}, xgb.DMatrix(X, Y), 1, loss=LogLoss())
    with pytest.raises(TypeError, match="obj"):
        train({}, xgb.DMatrix(X, Y), 1, loss=LogLoss(), obj=Objective(LogLoss()))
