"""XGBoost: which way a metric is better, and which metrics may read raw scores."""

import numpy as np
import pytest
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from boosting_losses import LogLoss
from boosting_losses.adapters.xgboost import Metric, cv, params, train

X, Y = load_breast_cancer(return_X_y=True)
LOSS = LogLoss()
AUC = Metric(LOSS, roc_auc_score, greater_is_better=True)


@pytest.fixture
def halves():
    return xgb.DMatrix(X[:300], Y[:300]), xgb.DMatrix(X[300:], Y[300:])


# ---- direction ------------------------------------------------------------------------------------------------------


def test_a_callback_maximises_a_score(halves):
    history = {}
    model = train(
        {"max_depth": 2},
        halves[0],
        40,
        loss=LOSS,
        evals=[(halves[1], "valid")],
        custom_metric=AUC,
        evals_result=history,
        callbacks=[xgb.callback.EarlyStopping(rounds=5, save_best=True)],
        verbose_eval=False,
    )
    values = history["valid"]["auc_roc_auc_score"]
    assert values[0] < max(values)
    assert model.best_iteration == np.argmax(values)
    assert model.num_boosted_rounds() == model.best_iteration + 1


def test_a_callback_of_cv_maximises_a_score():
    stop = xgb.callback.EarlyStopping(rounds=5)
    shared = {"loss": LOSS, "custom_metric": AUC, "nfold": 3, "as_pandas": False}
    data = xgb.DMatrix(X, Y)
    history = cv({"max_depth": 2}, data, 40, callbacks=[stop], **shared)
    assert len(history["test-auc_roc_auc_score-mean"]) > 6
    assert history == cv({"max_depth": 2}, data, 40, early_stopping_rounds=5, **shared)


def test_a_classifier_maximises_a_score():
    settings = {**params(LOSS, Y[:300], sklearn=True), "eval_metric": AUC}
    model = xgb.XGBClassifier(max_depth=2, n_estimators=40, early_stopping_rounds=5, **settings)
    model.fit(X[:300], Y[:300], eval_set=[(X[300:], Y[300:])], verbose=False)
    assert model.best_score == max(model.evals_result()["validation_0"]["auc_roc_auc_score"])


def test_names_tell_the_direction():
    assert AUC.__name__ == "auc_roc_auc_score"
    assert Metric(LOSS, roc_auc_score, greater_is_better=True, name="skill").__name__ == "auc_skill"
    assert Metric(LOSS, roc_auc_score, greater_is_better=True, name="mape").__name__ == "auc_mape"
    assert Metric(LOSS, name="mape").__name__ == "mape"
    for name in ("auc", "aucpr_2", "map_x", "pre1"):
        assert Metric(LOSS, roc_auc_score, greater_is_better=True, name=name).__name__ == name


def test_a_direction_against_the_metric_is_refused(halves):
    evals = [(halves[1], "valid")]
    for metric, wrong in ((AUC, False), (None, True), (Metric(LOSS), True)):
        for options, argument in (
            ({"maximize": wrong}, "maximize"),
            (
                {"callbacks": [xgb.callback.EarlyStopping(rounds=2, maximize=wrong)]},
                "maximize of the EarlyStopping callback",
            ),
        ):
            message = f"^{argument} must be {not wrong} or None, as greater_is_better of the metric"
            with pytest.raises(ValueError, match=message):
                train({}, halves[0], 3, loss=LOSS, evals=evals, custom_metric=metric, **options)
            with pytest.raises(ValueError, match=message):
                cv({}, halves[0], 3, loss=LOSS, custom_metric=metric, **options)


def test_a_callback_may_follow_a_builtin_metric_the_other_way(halves):
    stop = xgb.callback.EarlyStopping(rounds=3, metric_name="auc", maximize=True)
    settings = {"max_depth": 2, "eval_metric": "auc"}
    shared = {"evals": [(halves[1], "valid")], "verbose_eval": False}
    model = train(settings, halves[0], 40, loss=LOSS, custom_metric=Metric(LOSS), callbacks=[stop], **shared)
    assert model.best_iteration > 0
