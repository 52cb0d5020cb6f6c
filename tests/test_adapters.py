"""What LightGBM and CatBoost are told alike; each library's own tests hold the rest."""

import catboost as cb
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.pipeline import make_pipeline

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters import catboost, lightgbm, xgboost
from boosting_losses.losses import loss_to_json

X, Y = load_breast_cancer(return_X_y=True)
QUIET = {"verbosity": -1}


def test_none_is_a_parameter_that_was_not_given():
    names = ("boost_from_average", "scale_pos_weight", "num_class", "metric", "is_unbalance", "objective")
    models = [
        lightgbm.train({**QUIET, **own}, lgb.Dataset(X, Y), 2, loss=LogLoss()) for own in (dict.fromkeys(names), {})
    ]
    assert np.array_equal(*[lightgbm.raw_score(model, X) for model in models])
    names = ("boost_from_average", "scale_pos_weight", "class_weights", "eval_metric", "task_type", "loss_function")
    few = {"iterations": 2, "verbose": False}
    models = [catboost.train(cb.Pool(X, Y), {**few, **own}, loss=LogLoss()) for own in (dict.fromkeys(names), {})]
    assert np.array_equal(*[catboost.raw_score(model, X) for model in models])


def test_metrics_that_would_misread_raw_scores_are_refused():
    other = "the metric 'focal_loss' must be of the loss that is trained, LogLoss"
    for run in (lightgbm.train, lightgbm.cv):
        with pytest.raises(ValueError, match="the metric 'log_loss' must have input='raw'"):
            run(QUIET, lgb.Dataset(X, Y), 1, loss=LogLoss(), feval=lightgbm.Metric(LogLoss(), input="proba"))
        with pytest.raises(ValueError, match=other):
            run(QUIET, lgb.Dataset(X, Y), 1, loss=LogLoss(), feval=[lightgbm.Metric(FocalLoss())])
    for run in (catboost.train, catboost.cv):
        with pytest.raises(ValueError, match=other):
            run(cb.Pool(X, Y), {"iterations": 1, "eval_metric": catboost.Metric(FocalLoss())}, loss=LogLoss())


def test_numbers_of_classes():
    wine, kinds = load_wine(return_X_y=True)
    for value in ("3", 3.0):
        lightgbm.train({**QUIET, "num_class": value}, lgb.Dataset(wine, kinds), 1, loss=SoftmaxCrossEntropy())
    for value in (0, -1, "three"):
        with pytest.raises(ValueError, match=r"num_class must be .*, got "):
            lightgbm.train({**QUIET, "num_classes": value}, lgb.Dataset(wine, kinds), 1, loss=SoftmaxCrossEntropy())
    catboost.train(cb.Pool(X, Y), {"iterations": 1, "verbose": 0, "scale_pos_weight": "1"}, loss=LogLoss())


def test_what_contains_a_model_is_none():
    for adapter, model, kinds in (
        (lightgbm, lgb.LGBMClassifier(n_estimators=1, verbosity=-1), "Booster or LGBMModel"),
        (catboost, cb.CatBoostClassifier(iterations=1, verbose=0, allow_writing_files=False), "CatBoost"),
    ):
        pipeline = make_pipeline(model).fit(X, Y)
        for call in (adapter.raw_score, adapter.predict_proba, adapter.servable):
            with pytest.raises(TypeError, match=f"model must be a {kinds}, got Pipeline; pass its last step"):
                call(pipeline, X) if call is not adapter.servable else call(pipeline)


class Mine(LogLoss):
    """A loss that a model file could name but nobody could read back."""


def test_subclasses_of_our_losses_are_no_losses_of_a_model():
    with pytest.raises(TypeError, match="loss must be one of LogLoss, FocalLoss"):
        loss_to_json(Mine())
    for run in (
        lambda: lightgbm.train(QUIET, lgb.Dataset(X, Y), 1, loss=Mine()),
        lambda: catboost.train(cb.Pool(X, Y), {"iterations": 1}, loss=Mine()),
        lambda: xgboost.train({}, xgb.DMatrix(X, Y), 1, loss=Mine()),
    ):
        with pytest.raises(TypeError, match="loss must be one of LogLoss, FocalLoss"):
            run()
    lightgbm.Objective(Mine())


def test_names_of_scores():
    def score(y_true, proba, sample_weight=None):
        return 0.0

    for adapter in (xgboost, lightgbm, catboost):
        score.__name__ = "log loss"
        with pytest.raises(ValueError, match=r"score must have a __name__ without blanks and colons.* got 'log loss'"):
            adapter.Metric(LogLoss(), score)
        assert adapter.Metric(LogLoss(), score, name="mine").label == "mine"
        score.__name__ = "<lambda>"
        assert adapter.Metric(LogLoss(), score).label == "<lambda>"
