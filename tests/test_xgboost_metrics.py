"""XGBoost: which way a metric is better, and which metrics may read raw scores."""

import numpy as np
import pytest
import xgboost as xgb
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score, zero_one_loss

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Metric, cv, params, predict_proba, train
from boosting_losses.metrics import log_loss

from . import libraries

(X, Y), (WINE, KINDS) = libraries.CANCER, libraries.WINE
SOFT = 0.9 * np.eye(3)[KINDS] + 0.1 / 3
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
            message = f"^{argument} must be {not wrong} or None, to match greater_is_better of the metric"
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


# ---- metrics that would misread the scores --------------------------------------------------------------------------


def test_probabilities_out_of_range_are_refused():
    for score in (None, log_loss):
        with pytest.raises(ValueError, match=r"proba must lie in \[0, 1\], got 1.7 in row 1"):
            Metric(LOSS, score, input="proba")([0, 1], np.array([0.3, 1.7]))


def test_builtin_rank_metrics_may_have_a_cut(halves):
    for names in (["map@3-", "ndcg-"], (name for name in ("auc", "pre@5"))):
        history = {}
        options = {"evals": [(halves[0], "t")], "evals_result": history, "verbose_eval": False}
        train({"eval_metric": names}, halves[0], 1, loss=FocalLoss(), **options)
        assert len(history["t"]) == 2


def test_the_builtin_metric_cannot_be_switched_on(halves):
    for value in (0, False, "false"):
        with pytest.raises(ValueError, match="disable_default_eval_metric must be true or omitted, got false"):
            train({"disable_default_eval_metric": value}, halves[0], 1, loss=FocalLoss())
    train({"disable_default_eval_metric": 1}, halves[0], 1, loss=FocalLoss())


def test_evaluation_data_may_come_from_an_iterator(halves):
    history = {}
    evals = zip(halves, ["fit", "valid"], strict=True)
    train({}, halves[0], 2, loss=LOSS, evals=evals, evals_result=history, verbose_eval=False)
    assert list(history) == ["fit", "valid"]


@pytest.mark.parametrize("run", [train, cv])
@pytest.mark.parametrize("loss", [SoftmaxCrossEntropy(), SoftmaxFocalLoss()], ids=repr)
@pytest.mark.parametrize("name", ["merror", "mlogloss", "auc", "rmse", "error"])
def test_no_builtin_metric_reads_soft_labels_of_many_classes(run, loss, name):
    with pytest.raises(ValueError, match=rf"eval_metric must be omitted with soft labels \(n, K\), got '{name}'"):
        run({"eval_metric": name}, xgb.DMatrix(WINE, SOFT), 1, loss=loss)


def test_builtin_metrics_of_other_numbers_of_classes_are_refused():
    for name in ("mphe", "cox-nloglik", "pre", "rmse"):
        with pytest.raises(ValueError, match=f"eval_metric must be one of merror, mlogloss, auc, aucpr for .*'{name}'"):
            train({"eval_metric": name}, xgb.DMatrix(WINE, KINDS), 1, loss=SoftmaxCrossEntropy())
    for name in ("merror", "mlogloss"):
        with pytest.raises(ValueError, match=f"eval_metric must be a metric for two classes, got '{name}'"):
            train({"eval_metric": name}, xgb.DMatrix(X, 0.8 * Y + 0.1), 1, loss=LOSS)


def test_builtin_metrics_that_are_let_through_are_right():
    """Compare with scikit-learn, where a soft label is two rows with weights."""
    soft = 0.8 * Y + 0.1
    twice, weights = np.repeat([0.0, 1.0], len(Y)), np.concatenate([1 - soft, soft])
    for labels, loss, expected in (
        (Y, LOSS, {"auc": lambda p: roc_auc_score(Y, p), "logloss": lambda p: sklearn_log_loss(Y, p)}),
        (
            soft,
            LOSS,
            {
                "auc": lambda p: roc_auc_score(twice, np.tile(p, 2), sample_weight=weights),
                "logloss": lambda p: sklearn_log_loss(twice, np.tile(p, 2), sample_weight=weights),
                "error": lambda p: zero_one_loss(twice, np.tile(p, 2) > 0.5, sample_weight=weights),
            },
        ),
        (Y, FocalLoss(), {"auc": lambda p: roc_auc_score(Y, p)}),
        (
            KINDS,
            SoftmaxCrossEntropy(),
            {
                "auc": lambda p: roc_auc_score(KINDS, p, multi_class="ovr", average="weighted"),
                "mlogloss": lambda p: sklearn_log_loss(KINDS, p),
                "merror": lambda p: zero_one_loss(KINDS, p.argmax(axis=1)),
            },
        ),
        (KINDS, SoftmaxFocalLoss(), {"merror": lambda p: zero_one_loss(KINDS, p.argmax(axis=1))}),
    ):
        features = WINE if loss.multiclass else X
        history, data = {}, xgb.DMatrix(features, labels)
        settings = {"max_depth": 1, "eval_metric": list(expected)}
        model = train(settings, data, 2, loss=loss, evals=[(data, "t")], evals_result=history, verbose_eval=False)
        proba = predict_proba(model, features)
        for name, score in expected.items():
            exact = score(proba / proba.sum(axis=1, dtype=float, keepdims=True) if loss.multiclass else proba[:, 1])
            assert history["t"][name][-1] == pytest.approx(exact, abs=2e-6), (name, loss)


@pytest.mark.parametrize("run", [train, cv])
def test_a_callback_that_follows_a_metric_by_its_plain_name_is_told_the_right_one(halves, run):
    metric = Metric(LOSS, roc_auc_score, greater_is_better=True, name="skill")
    stop = xgb.callback.EarlyStopping(rounds=2, metric_name="skill")
    options = {} if run is cv else {"evals": [(halves[1], "valid")], "verbose_eval": False}
    with pytest.raises(ValueError, match="metric_name of the EarlyStopping callback must be 'auc_skill', from which"):
        run({}, halves[0], 3, loss=LOSS, custom_metric=metric, callbacks=[stop], **options)
    found = xgb.callback.EarlyStopping(rounds=2, metric_name="auc_skill")
    run({}, halves[0], 3, loss=LOSS, custom_metric=metric, callbacks=[found], **options)
