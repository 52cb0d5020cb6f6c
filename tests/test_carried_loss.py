"""A model's own loss, that of its objective and the one that is named must agree, in every library."""

import catboost as cb
import lightgbm as lgb
import pytest
import xgboost as xgb
from sklearn.datasets import load_breast_cancer

from boosting_losses import FocalLoss, LogLoss
from boosting_losses.adapters import catboost, lightgbm
from boosting_losses.adapters import xgboost as xgboost_adapter

X, Y = load_breast_cancer(return_X_y=True)
LOSS, OTHER = LogLoss(3.0), LogLoss()


def booster_xgboost(loss):
    return xgboost_adapter.train({}, xgb.DMatrix(X, Y), 2, loss=loss)


def booster_lightgbm(loss):
    return lightgbm.train({"verbosity": -1}, lgb.Dataset(X, Y), 2, loss=loss)


def booster_catboost(loss):
    return catboost.train(cb.Pool(X, Y), {"iterations": 2, "verbose": False}, loss=loss)


def classifier_xgboost(loss):
    return xgb.XGBClassifier(n_estimators=2, **xgboost_adapter.params(loss, Y, sklearn=True)).fit(X, Y)


def classifier_lightgbm(loss):
    return lgb.LGBMClassifier(n_estimators=2, verbosity=-1, **lightgbm.params(loss, Y, sklearn=True)).fit(X, Y)


def classifier_catboost(loss):
    return cb.CatBoostClassifier(iterations=2, verbose=False, **catboost.params(loss, Y)).fit(X, Y)


@pytest.mark.parametrize(
    ("adapter", "make"),
    [
        (xgboost_adapter, booster_xgboost),
        (xgboost_adapter, classifier_xgboost),
        (lightgbm, booster_lightgbm),
        (lightgbm, classifier_lightgbm),
        (catboost, booster_catboost),
        (catboost, classifier_catboost),
    ],
)
def test_another_loss_than_the_models_own_is_refused(adapter, make):
    model = make(LOSS)
    message = (
        r"the one that the model was trained with, got LogLoss\(pos_weight=1.0.* as loss=, LogLoss\(pos_weight=3.0"
    )
    with pytest.raises(ValueError, match=message):
        adapter.predict_proba(model, X, OTHER)
    with pytest.raises(ValueError, match=message):
        adapter.servable(model, OTHER)
    assert (adapter.predict_proba(model, X, LOSS) == adapter.predict_proba(model, X)).all()
    with pytest.raises(ValueError, match="the one that the model was trained with"):
        adapter.predict_proba(adapter.servable(model), X, LOSS)  # would undo the weights a second time


def test_a_bare_continuation_with_another_loss_is_seen():
    first = booster_xgboost(LOSS)
    settings = xgboost_adapter.params(FocalLoss(), Y, sklearn=True)
    model = xgb.XGBClassifier(n_estimators=2, **settings).fit(X, Y, xgb_model=first)
    message = r"got LogLoss\(pos_weight=3.0, label_smoothing=0.0\) in its metadata, FocalLoss\(.*\) in its objective"
    with pytest.raises(ValueError, match=message):
        xgboost_adapter.predict_proba(model, X)
