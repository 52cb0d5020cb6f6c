"""What only XGBoost has: its matrices, links, base scores and margins, continuation, its classifier."""

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Objective, cv, params, predict_proba, raw_score, servable, train
from boosting_losses.metrics import log_loss

from .libraries import CANCER, DIGITS, WINE, XGBOOST, data_of, imbalanced, plain_loss, synthetic

PLAIN = {"max_depth": 3, "nthread": 1}


# ---- parity with the builtin losses ---------------------------------------------------------------------------------


def test_multi_output_trees():
    X, y = WINE
    data = xgb.DMatrix(X, y)
    settings = {**PLAIN, "multi_strategy": "multi_output_tree"}
    ours = train(settings, data, 10, loss=SoftmaxCrossEntropy())
    builtin = xgb.train({**settings, **params(SoftmaxCrossEntropy(), y)}, data, 10)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6, rtol=0)


class Batches(xgb.DataIter):
    """Iterator over the data in four parts, as over files that do not fit in memory."""

    def __init__(self, X, y, weight, cache_prefix=None):
        self.parts = [(X[i::4], y[i::4], weight[i::4]) for i in range(4)]
        self.position = 0
        super().__init__(cache_prefix=cache_prefix)

    def next(self, input_data):
        if self.position == len(self.parts):
            return False
        X, y, weight = self.parts[self.position]
        input_data(data=X, label=y, weight=weight)
        self.position += 1
        return True

    def reset(self):
        self.position = 0


@pytest.mark.parametrize("kind", ["quantile", "iterator", "external"])
def test_kinds_of_matrices(kind, tmp_path):
    X, y = CANCER
    weight = np.random.default_rng(0).random(len(y)).astype(np.float32)
    if kind == "quantile":
        data = xgb.QuantileDMatrix(X, y, weight=weight)
    elif kind == "iterator":
        data = xgb.QuantileDMatrix(Batches(X, y, weight))
    else:
        data = xgb.ExtMemQuantileDMatrix(Batches(X, y, weight, cache_prefix=str(tmp_path / "cache")))
    ours = train(PLAIN, data, 10, loss=LogLoss(), evals=[(data, "train")], verbose_eval=False)
    builtin = xgb.train({**PLAIN, **params(LogLoss(), data.get_label(), data.get_weight())}, data, 10)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6, rtol=0)


# ---- weights --------------------------------------------------------------------------------------------------------


def test_pos_weight_is_scale_pos_weight():
    X, y = imbalanced()
    data = xgb.DMatrix(X, y)
    loss = LogLoss(pos_weight=9.0)
    ours = train(PLAIN, data, 15, loss=loss)
    start = float(loss.activation([loss.init_score(y)])[0])
    builtin = xgb.train(
        {**PLAIN, "objective": "binary:logistic", "scale_pos_weight": 9.0, "base_score": start}, data, 15
    )
    XGBOOST.assert_same_model(ours, builtin, X, loss)
    assert abs(predict_proba(ours, X)[:, 1].mean() - y.mean()) < 0.05
    assert builtin.predict(data).mean() > y.mean() + 0.15


# ---- intercepts, base margins, links --------------------------------------------------------------------------------


def test_extreme_base_rates():
    X = np.zeros((4, 1))
    for loss in (LogLoss(), FocalLoss(2.0), LogLoss(2.0)):
        data = xgb.DMatrix(X, [0.0, 1.0, 0.0, 0.0], weight=[1e9, 1.0, 1.0, 1.0])
        score = raw_score(train({}, data, 0, loss=loss), data)[0]
        exact = loss.init_score([0.0, 1.0, 0.0, 0.0], [1e9, 1.0, 1.0, 1.0])
        # XGBoost moves the probability of its sigmoid link to 1e-6.
        assert_allclose(score, max(exact, -13.8155) if loss.is_proper else exact, rtol=1e-5)
        flipped = xgb.DMatrix(X, [1.0, 0.0, 1.0, 1.0], weight=[1e9, 1.0, 1.0, 1.0])
        assert np.isfinite(raw_score(train({}, flipped, 0, loss=loss), flipped)).all()


def test_own_base_score_replaces_the_intercept():
    data = xgb.DMatrix(*CANCER)
    assert_allclose(raw_score(train({"base_score": 0.5}, data, 0, loss=LogLoss()), data), 0.0)
    assert_allclose(raw_score(train({"base_score": -1.25}, data, 0, loss=FocalLoss()), data), -1.25)


def test_base_margins_are_part_of_the_raw_score():
    X, y = CANCER
    margin = np.linspace(-2, 2, len(y)).astype(np.float32)
    data = xgb.DMatrix(X, y, base_margin=margin)
    model = train(PLAIN, data, 5, loss=LogLoss(), evals=[(data, "train")], verbose_eval=False)
    assert_allclose(raw_score(model, data) - margin, raw_score(model, X), atol=1e-5)


def test_soft_labels_of_many_classes():
    X, y = WINE
    data = xgb.DMatrix(X, 0.8 * np.eye(3)[y] + 0.2 / 3)
    model = train(PLAIN, data, 10, loss=SoftmaxCrossEntropy(), evals=[(data, "train")], verbose_eval=False)
    smooth = train(PLAIN, xgb.DMatrix(X, y), 10, loss=SoftmaxCrossEntropy(label_smoothing=0.2))
    assert_allclose(predict_proba(model, X), predict_proba(smooth, X), atol=1e-5)
    assert_array_equal(model.predict(data), raw_score(model, data))
    assert_allclose(servable(model).predict(data), predict_proba(model, data), atol=1e-6)


# ---- continuation and cross-validation ------------------------------------------------------------------------------


def test_continuation_of_many_classes_on_a_batch_that_lacks_some():
    X, y = DIGITS
    loss = SoftmaxFocalLoss(1.0)
    half = train(PLAIN, xgb.DMatrix(X, y), 3, loss=loss)
    few = y < 4
    more = train(PLAIN, xgb.DMatrix(X[few], y[few]), 3, loss=loss, xgb_model=half)
    assert more.num_boosted_rounds() == 6
    assert predict_proba(more, X).shape == (len(y), 10)


def test_continuation_forgets_where_the_first_run_stopped():
    X, y = synthetic(2, 600)
    fit, held_out = xgb.DMatrix(X[:400], y[:400]), xgb.DMatrix(X[400:], y[400:])
    settings = {**PLAIN, "eta": 0.5}
    stopped, _ = XGBOOST.watched(fit, held_out, 200, loss=LogLoss(), settings=settings, stopping=5)
    best = stopped.best_iteration
    more = train(settings, fit, 5, loss=LogLoss(), xgb_model=stopped)
    assert_array_equal(raw_score(more, held_out), more.predict(held_out, output_margin=True))
    assert stopped.best_iteration == best


def test_continuation_of_a_builtin_model():
    data = xgb.DMatrix(*CANCER)
    builtin = xgb.train({"objective": "binary:logistic"}, data, 2)
    with pytest.raises(ValueError, match="xgb_model must have the objective 'reg:squarederror' for FocalLoss"):
        train(PLAIN, data, 2, loss=FocalLoss(2.0), xgb_model=builtin)
    more = train(PLAIN, data, 2, loss=LogLoss(), xgb_model=builtin)
    again = xgb.train({**PLAIN, "objective": "binary:logistic"}, data, 2, xgb_model=builtin)
    assert_allclose(more.predict(data), again.predict(data), atol=1e-6)


def test_cv_early_stopping_preprocessing_and_builtin_metrics():
    X, y = CANCER
    data = xgb.DMatrix(X, y)
    calls = []

    def halve(train_part, test_part, settings):
        calls.append(settings)
        return train_part.slice(np.arange(100)), test_part, settings

    history = cv(
        {**PLAIN, "eta": 0.5},
        data,
        200,
        loss=FocalLoss(),
        nfold=3,
        stratified=True,
        early_stopping_rounds=5,
        fpreproc=halve,
        as_pandas=False,
    )
    assert len(calls) == 3
    assert 1 < len(history["test-focal_loss-mean"]) < 200
    history = cv({}, data, 3, loss=FocalLoss(), metrics="auc", as_pandas=False)
    assert list(history) == ["train-auc-mean", "train-auc-std", "test-auc-mean", "test-auc-std"]


# ---- focal losses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [FocalLoss(1.0), FocalLoss(2.0), FocalLoss(5.0), SoftmaxFocalLoss(2.0)], ids=repr)
def test_no_round_raises_the_training_loss(loss):
    data = xgb.DMatrix(*(synthetic(3, 500) if loss.multiclass else imbalanced(4000, 0.002)))
    settings = {"max_depth": 6, "eta": 0.1, "min_child_weight": 0.0, "lambda": 0.0}
    _, values = XGBOOST.watched(data, data, 50, loss=loss, settings=settings)
    assert (np.diff(values) <= 1e-6).all()
    assert values[-1] < 0.9 * values[0]


# ---- the classifier and bare objectives -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [xgb.XGBClassifier, xgb.XGBRFClassifier])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_classifier_reproduces_the_builtin_one(kind, weighted):
    for X, y in (CANCER, WINE):
        weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
        loss = plain_loss(y)
        settings = {"n_estimators": 5, "nthread": 1, **params(loss, y, weight, sklearn=True)}
        ours = kind(**settings).fit(X, y, sample_weight=weight)
        builtin = kind(n_estimators=5, nthread=1, base_score=settings["base_score"]).fit(X, y, sample_weight=weight)
        XGBOOST.assert_same_model(ours.get_booster(), builtin.get_booster(), X, loss)
        assert_allclose(predict_proba(ours, X), ours.predict_proba(X), atol=1e-6)


def test_the_classifier_stops_early_with_weights():
    X, y = synthetic(2, 600)
    weight = np.random.default_rng(0).random(len(y))
    fit, rest = slice(0, 400), slice(400, 600)
    settings = params(LogLoss(), y[fit], weight[fit], sklearn=True)
    parts = {"eval_set": [(X[rest], y[rest])], "sample_weight_eval_set": [weight[rest]], "verbose": False}
    shared = {"n_estimators": 200, "early_stopping_rounds": 5, "nthread": 1}
    ours = xgb.XGBClassifier(**shared, **settings).fit(X[fit], y[fit], sample_weight=weight[fit], **parts)
    assert list(ours.evals_result()["validation_0"]) == ["log_loss"]
    builtin = xgb.XGBClassifier(**shared, eval_metric="logloss", base_score=settings["base_score"])
    builtin.fit(X[fit], y[fit], sample_weight=weight[fit], **parts)
    assert ours.best_iteration == builtin.best_iteration
    assert_allclose(raw_score(ours, X), ours.predict(X, output_margin=True))
    assert_allclose(raw_score(ours.get_booster(), X), raw_score(ours, X))


def test_a_focal_classifier_needs_the_adapters_predict_proba():
    X, y = imbalanced(rate=0.05)
    model = xgb.XGBClassifier(n_estimators=20, nthread=1, **params(FocalLoss(2.0), y, sklearn=True)).fit(X, y)
    assert log_loss(y, predict_proba(model, X)[:, 1]) < 0.8 * log_loss(y, model.predict_proba(X)[:, 1])


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss()], ids=repr)
def test_a_bare_objective_leaves_the_scores_as_they_are(loss):
    X, y = data_of(loss)
    raw = np.random.default_rng(0).standard_normal((len(y), 3) if loss.multiclass else len(y)).astype(np.float32)
    kept = raw.copy()
    gradient, hessian = Objective(loss)(raw, xgb.DMatrix(X, y))
    assert_array_equal(raw, kept)
    assert not np.shares_memory(gradient, raw)
    assert not np.shares_memory(hessian, raw)


def test_an_objective_on_top_of_another_sees_the_scores():
    """The gradient of a ridge penalty needs the raw scores after the call."""
    data = xgb.DMatrix(*WINE)
    objective, loss = Objective(SoftmaxCrossEntropy()), SoftmaxCrossEntropy()

    def penalised(scores, data):
        gradient, hessian = objective(scores, data)
        return gradient + 0.05 * scores, hessian + 0.05

    def by_hand(scores, data):
        gradient, hessian = loss.gradient_hessian(data.get_label(), scores)
        return gradient + 0.05 * scores, 2 * hessian + 0.05

    settings = {**PLAIN, **params(loss, WINE[1])}
    models = [xgb.train(settings, data, 3, obj=function) for function in (penalised, by_hand)]
    assert_allclose(raw_score(models[0], data), raw_score(models[1], data), atol=1e-5)
