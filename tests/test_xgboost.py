"""The XGBoost adapter: parity with the builtin losses, weights, intercepts, early stopping, continuation."""

import copy
import pickle

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Metric, Objective, cv, params, predict_proba, raw_score, servable, train
from boosting_losses.metrics import brier_score, log_loss

from .cases import compiled_variants

ROUNDS = 50
PLAIN = {"max_depth": 4}
SAMPLED = {**PLAIN, "subsample": 0.7, "colsample_bytree": 0.6, "colsample_bynode": 0.8, "seed": 7}


def synthetic(classes, n=3000):
    X, y = make_classification(
        n, 15, n_informative=8, n_classes=classes, n_clusters_per_class=1, flip_y=0.1, random_state=classes
    )
    return X.astype(np.float32), y


DATA = {
    "breast-cancer": lambda: load_breast_cancer(return_X_y=True),
    "synthetic-2": lambda: synthetic(2),
    "wine-3": lambda: load_wine(return_X_y=True),
    "synthetic-3": lambda: synthetic(3),
    "digits-10": lambda: load_digits(return_X_y=True),
    "synthetic-10": lambda: synthetic(10),
}


def plain_loss(y):
    return LogLoss() if y.max() == 1 else SoftmaxCrossEntropy()


def imbalanced(n=4000, rate=0.1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6))
    logit = X[:, 0] + 0.7 * X[:, 1] * X[:, 2] + np.log(rate / (1 - rate))
    return X, (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


# ---- parity with the builtin losses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("settings", [PLAIN, SAMPLED], ids=["plain", "sampled"])
def test_plain_losses_reproduce_the_builtin_ones(name, weighted, settings):
    X, y = DATA[name]()
    weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
    data = xgb.DMatrix(X, y, weight=weight)
    loss = plain_loss(y)
    ours = train(settings, data, ROUNDS, loss=loss)
    builtin = xgb.train({**settings, **params(loss, y, weight)}, data, ROUNDS)
    assert_same_up_to_ties(ours, builtin, data)
    own = predict_proba(ours, data)
    assert_allclose(own[:, 1] if loss == LogLoss() else own, ours.predict(data), atol=1e-6)


def assert_same_up_to_ties(ours, builtin, data):
    """Equal predictions, or a first different split whose two candidates have the same gain.

    Equally good splits are told apart by rounding, and the last bit of a gradient is more often right in ours. To make
    no split at all is a candidate too, of gain 0.
    """
    difference = np.abs(ours.predict(data) - builtin.predict(data, output_margin=is_raw(ours))).max()
    if difference <= (2e-5 if is_raw(ours) else 1e-6):
        return
    one, other = (splits(model) for model in (ours, builtin))
    rows = min(len(one), len(other))
    keys = one.Key[:rows].to_numpy(), other.Key[:rows].to_numpy()
    first = int(np.argmax(keys[0] != keys[1]))
    assert keys[0][first] != keys[1][first], "the predictions differ although the trees are alike"
    gains = one.Gain[first], other.Gain[first]
    largest = one.Gain[one.Tree == one.Tree[first]].max()
    print(f"difference {difference:.2g} after split {first}: {keys[0][first]} or {keys[1][first]}, gains {gains}")
    assert_allclose(*gains, rtol=1e-5, atol=1e-6 * largest, err_msg=f"split {first} differs and is no tie")


def is_raw(booster):
    return "squarederror" in booster.save_config()


def splits(booster):
    """The nodes in the order in which they were made; a leaf is a split of gain 0."""
    frame = booster.trees_to_dataframe()
    leaf = frame.Feature == "Leaf"
    keys = [f"{feature} {split}" for feature, split in zip(frame.Feature, frame.Split, strict=True)]
    return frame.assign(Gain=frame.Gain.where(~leaf, 0.0), Key=keys)


@pytest.mark.parametrize(
    "settings",
    [
        {"tree_method": "exact"},
        {"tree_method": "approx"},
        {"booster": "dart", "rate_drop": 0.3},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"grow_policy": "lossguide", "max_leaves": 9},
        {"max_delta_step": 0.5, "monotone_constraints": "(1,0,-1)"},
    ],
    ids=str,
)
def test_parity_under_other_settings(cancer, settings):
    X, y = cancer[0][:, :3], cancer[1]
    data = xgb.DMatrix(X, y)
    ours = train(settings, data, 20, loss=LogLoss())
    builtin = xgb.train({**settings, **params(LogLoss(), y)}, data, 20)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6, rtol=0)


def test_multi_output_trees(digits):
    X, y = digits
    data = xgb.DMatrix(X, y)
    settings = {"multi_strategy": "multi_output_tree", "max_depth": 4}
    ours = train(settings, data, 10, loss=SoftmaxCrossEntropy())
    builtin = xgb.train({**settings, **params(SoftmaxCrossEntropy(), y)}, data, 10)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6, rtol=0)


class Batches(xgb.DataIter):
    """The data in four parts, as from files that do not fit in memory."""

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
def test_kinds_of_matrices(cancer, kind, tmp_path):
    X, y = cancer
    weight = np.random.default_rng(0).random(len(y)).astype(np.float32)
    if kind == "quantile":
        data = xgb.QuantileDMatrix(X, y, weight=weight)
    elif kind == "iterator":
        data = xgb.QuantileDMatrix(Batches(X, y, weight))
    else:
        data = xgb.ExtMemQuantileDMatrix(Batches(X, y, weight, cache_prefix=str(tmp_path / "cache")))
    ours = train(PLAIN, data, 20, loss=LogLoss(), evals=[(data, "train")], verbose_eval=False)
    builtin = xgb.train({**PLAIN, **params(LogLoss(), data.get_label(), weight_of(data))}, data, 20)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6, rtol=0)


def weight_of(data):
    return data.get_weight()


# ---- weights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("synthetic-2", LogLoss()),
        ("synthetic-2", FocalLoss(2.0)),
        ("synthetic-3", SoftmaxCrossEntropy()),
        ("synthetic-3", SoftmaxFocalLoss(1.0)),
    ],
    ids=repr,
)
def test_integer_weights_are_repeated_rows(name, loss):
    """No further apart than the builtin loss is on the same data; integer features keep the sketch out of it."""
    X, y = DATA[name]()
    X = np.round(3 * X)
    weight = np.random.default_rng(1).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    weighted, repeated = xgb.DMatrix(X, y, weight=weight), xgb.DMatrix(X[rows], y[rows])
    own = [train(PLAIN, data, 20, loss=loss) for data in (weighted, repeated)]
    gap = np.abs(np.subtract(*[predict_proba(model, X) for model in own])).max()
    builtin_settings = {**PLAIN, **params(plain_loss(y), y, weight)}
    builtin = [xgb.train(builtin_settings, data, 20).predict(xgb.DMatrix(X)) for data in (weighted, repeated)]
    assert gap <= max(np.abs(np.subtract(*builtin)).max(), 1e-6)
    unweighted = train(PLAIN, xgb.DMatrix(X, y), 20, loss=loss)
    assert np.abs(predict_proba(unweighted, X) - predict_proba(own[0], X)).max() > 1e-2


def test_pos_weight_is_scale_pos_weight():
    X, y = imbalanced()
    data = xgb.DMatrix(X, y)
    loss = LogLoss(pos_weight=9.0)
    ours = train(PLAIN, data, 15, loss=loss)
    start = float(loss.activation([loss.init_score(y)])[0])
    builtin = xgb.train(
        {**PLAIN, "objective": "binary:logistic", "scale_pos_weight": 9.0, "base_score": start}, data, 15
    )
    assert_same_up_to_ties(ours, builtin, data)
    assert abs(predict_proba(ours, X)[:, 1].mean() - y.mean()) < 0.05
    assert builtin.predict(data).mean() > y.mean() + 0.15


# ---- intercepts, base margins, links --------------------------------------------------------------------------------


def test_the_intercept_is_the_best_constant():
    X, y = imbalanced(rate=0.01)
    data = xgb.DMatrix(X, y)
    for loss in (LogLoss(), LogLoss(5.0), FocalLoss(2.0), FocalLoss(1.0, 0.25)):
        empty = train({}, data, 0, loss=loss)
        assert_allclose(raw_score(empty, data), loss.init_score(y), rtol=1e-5)
        assert_allclose(predict_proba(empty, data)[:, 1], y.mean(), rtol=1e-4)
    _, labels = DATA["synthetic-3"]()
    data = xgb.DMatrix(np.zeros((len(labels), 1)), labels)
    for loss in (SoftmaxCrossEntropy(), SoftmaxCrossEntropy((1, 2, 3)), SoftmaxFocalLoss(2.0, (1, 2, 3))):
        empty = train({}, data, 0, loss=loss)
        assert_allclose(predict_proba(empty, data)[0], np.bincount(labels) / len(labels), rtol=1e-5)


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


def test_own_base_score_replaces_the_intercept(cancer):
    data = xgb.DMatrix(*cancer)
    assert_allclose(raw_score(train({"base_score": 0.5}, data, 0, loss=LogLoss()), data), 0.0)
    assert_allclose(raw_score(train({"base_score": -1.25}, data, 0, loss=FocalLoss()), data), -1.25)


def test_base_margins_are_composed_with(cancer):
    X, y = cancer
    margin = np.linspace(-2, 2, len(y)).astype(np.float32)
    data = xgb.DMatrix(X, y, base_margin=margin)
    ours = train(PLAIN, data, 20, loss=LogLoss(), evals=[(data, "train")], verbose_eval=False)
    builtin = xgb.train({**PLAIN, "objective": "binary:logistic"}, data, 20)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6)
    assert_allclose(raw_score(ours, data) - margin, raw_score(ours, X), atol=1e-5)
    assert_array_equal(data.get_base_margin(), margin)
    with pytest.raises(ValueError, match="evals 'valid' must have base margins if and only if dtrain has"):
        train(PLAIN, data, 20, loss=LogLoss(), evals=[(xgb.DMatrix(X, y), "valid")])


def test_base_margins_of_many_classes(digits):
    X, y = digits
    margin = np.random.default_rng(0).standard_normal((len(y), 10)).astype(np.float32)
    data = xgb.DMatrix(X, y, base_margin=margin)
    ours = train(PLAIN, data, 5, loss=SoftmaxCrossEntropy())
    builtin = xgb.train({**PLAIN, "objective": "multi:softprob", "num_class": 10}, data, 5)
    assert_allclose(ours.predict(data), builtin.predict(data), atol=1e-6)


def test_own_predict_never_passes_a_wrong_probability_off_as_right(cancer, digits):
    data = xgb.DMatrix(*cancer)
    for loss in (LogLoss(), LogLoss(label_smoothing=0.1), FocalLoss(0.0)):
        model = train(PLAIN, data, 5, loss=loss)
        assert_allclose(model.predict(data), predict_proba(model, data)[:, 1], atol=1e-6)
    for loss in (LogLoss(3.0), FocalLoss(2.0)):
        model = train(PLAIN, data, 5, loss=loss)
        assert_array_equal(model.predict(data), raw_score(model, data))
    data = xgb.DMatrix(*digits)
    for loss in (SoftmaxFocalLoss(2.0), SoftmaxCrossEntropy(range(1, 11))):
        model = train(PLAIN, data, 3, loss=loss)
        assert_array_equal(model.predict(data), raw_score(model, data))


def test_soft_labels():
    X, y = DATA["synthetic-3"]()
    soft = 0.8 * np.eye(3)[y] + 0.2 / 3
    data = xgb.DMatrix(X, soft)
    model = train(PLAIN, data, 20, loss=SoftmaxCrossEntropy(), evals=[(data, "train")], verbose_eval=False)
    smooth = train(PLAIN, xgb.DMatrix(X, y), 20, loss=SoftmaxCrossEntropy(label_smoothing=0.2))
    assert_allclose(predict_proba(model, X), predict_proba(smooth, X), atol=1e-5)
    assert_array_equal(model.predict(data), raw_score(model, data))
    assert_allclose(servable(model).predict(data), predict_proba(model, data), atol=1e-6)
    binary = train(PLAIN, xgb.DMatrix(X, soft[:, 1]), 20, loss=LogLoss())
    assert ((predict_proba(binary, X)[:, 1] > 0) & (predict_proba(binary, X)[:, 1] < 1)).all()


# ---- metrics, early stopping, continuation --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["synthetic-2", "synthetic-3"])
def test_early_stopping_stops_where_the_builtin_metric_does(name):
    X, y = DATA[name]()
    loss = plain_loss(y)
    parts = xgb.DMatrix(X[:2000], y[:2000]), xgb.DMatrix(X[2000:], y[2000:])
    ours_history, builtin_history = {}, {}
    settings = {**PLAIN, "eta": 0.3}
    shared = {"evals": [(parts[1], "valid")], "early_stopping_rounds": 10, "verbose_eval": False}
    ours = train(settings, parts[0], 300, loss=loss, evals_result=ours_history, **shared)
    builtin_settings = {**settings, **params(loss, y[:2000])}
    builtin_settings["eval_metric"] = "logloss" if y.max() == 1 else "mlogloss"
    builtin = xgb.train(builtin_settings, parts[0], 300, evals_result=builtin_history, **shared)
    ((name, values),) = ours_history["valid"].items()
    assert name == ("log_loss" if y.max() == 1 else "softmax_cross_entropy")
    ((_, expected),) = builtin_history["valid"].items()
    assert_allclose(values, expected, atol=1.5e-6)
    assert ours.best_iteration == builtin.best_iteration < 290


def test_raw_scores_stop_at_the_best_round():
    X, y = DATA["synthetic-2"]()
    parts = xgb.DMatrix(X[:2000], y[:2000]), xgb.DMatrix(X[2000:], y[2000:])
    shared = {"evals": [(parts[1], "valid")], "early_stopping_rounds": 10, "verbose_eval": False}
    model = train({"eta": 0.5}, parts[0], 300, loss=FocalLoss(), **shared)
    best = model[: model.best_iteration + 1]
    assert model.num_boosted_rounds() > best.num_boosted_rounds()
    assert_array_equal(raw_score(model, parts[1]), best.predict(parts[1], output_margin=True))
    assert_array_equal(raw_score(best, parts[1]), raw_score(model, parts[1]))
    assert_array_equal(predict_proba(best, parts[1]), predict_proba(model, parts[1]))
    everything = raw_score(model, parts[1], rounds=model.num_boosted_rounds())
    assert_array_equal(everything, model.predict(parts[1], output_margin=True))
    assert not np.array_equal(everything, raw_score(model, parts[1]))


def test_a_score_as_metric(cancer):
    X, y = cancer
    weight = np.random.default_rng(0).random(len(y))
    data = xgb.DMatrix(X, y, weight=weight)
    for score in (log_loss, brier_score, roc_auc_score):
        loss = FocalLoss(2.0)
        history = {}
        metric = Metric(loss, score, greater_is_better=score is roc_auc_score)
        model = train(
            PLAIN,
            data,
            5,
            loss=loss,
            evals=[(data, "t")],
            custom_metric=metric,
            evals_result=history,
            verbose_eval=False,
        )
        expected = score(y, predict_proba(model, X)[:, 1], sample_weight=data.get_weight())
        assert_allclose(history["t"][metric.label][-1], expected, atol=1e-6)


def test_direction_of_a_score(cancer):
    X, y = cancer
    data = xgb.DMatrix(X, y)
    metric = Metric(LogLoss(), roc_auc_score, greater_is_better=True, name="ranking")
    shared = {"evals": [(data, "t")], "early_stopping_rounds": 3, "verbose_eval": False}
    model = train({"max_depth": 2}, data, 60, loss=LogLoss(), custom_metric=metric, **shared)
    assert model.best_iteration > 5
    assert model.best_score > 0.99


def test_probabilities_of_a_builtin_objective(cancer, digits):
    for (X, y), loss, builtin in [
        (cancer, LogLoss(), {"objective": "binary:logistic", "eval_metric": "logloss"}),
        (digits, SoftmaxCrossEntropy(), {"objective": "multi:softprob", "num_class": 10, "eval_metric": "mlogloss"}),
    ]:
        data = xgb.DMatrix(X, y)
        for metric in (Metric(loss, input="proba", name="ours"), Metric(loss, log_loss, input="proba", name="ours")):
            history = {}
            xgb.train(
                builtin, data, 5, evals=[(data, "t")], custom_metric=metric, evals_result=history, verbose_eval=False
            )
            assert_allclose(history["t"]["ours"], history["t"][builtin["eval_metric"]], atol=2e-6)


@pytest.mark.parametrize("loss", [LogLoss(), LogLoss(3.0), FocalLoss(2.0)], ids=repr)
@pytest.mark.parametrize("form", ["booster", "file", "bytes"])
def test_continuation_in_two_halves_is_one_run(cancer, loss, form, tmp_path):
    data = xgb.DMatrix(*cancer)
    whole = train(PLAIN, data, 20, loss=loss)
    half = train(PLAIN, data, 10, loss=loss)
    if form == "file":
        half.save_model(tmp_path / "half.ubj")
        half = tmp_path / "half.ubj"
    elif form == "bytes":
        half = half.save_raw()
    both = train(PLAIN, data, 10, loss=loss, xgb_model=half)
    assert_array_equal(raw_score(both, data), raw_score(whole, data))


def test_continuation_of_many_classes_on_a_batch_that_lacks_some(digits):
    X, y = digits
    loss = SoftmaxFocalLoss(1.0)
    half = train(PLAIN, xgb.DMatrix(X, y), 3, loss=loss)
    few = y < 4
    more = train(PLAIN, xgb.DMatrix(X[few], y[few]), 3, loss=loss, xgb_model=half)
    assert more.num_boosted_rounds() == 6
    assert predict_proba(more, X).shape == (len(y), 10)


def test_continuation_forgets_where_the_first_run_stopped():
    X, y = DATA["synthetic-2"]()
    parts = xgb.DMatrix(X[:2000], y[:2000]), xgb.DMatrix(X[2000:], y[2000:])
    shared = {"evals": [(parts[1], "valid")], "early_stopping_rounds": 5, "verbose_eval": False}
    stopped = train({"eta": 0.5}, parts[0], 300, loss=LogLoss(), **shared)
    best = stopped.best_iteration
    more = train({"eta": 0.5}, parts[0], 10, loss=LogLoss(), xgb_model=stopped)
    assert_array_equal(raw_score(more, parts[1]), more.predict(parts[1], output_margin=True))
    assert stopped.best_iteration == best


def test_continuation_with_another_loss_is_refused(cancer):
    data = xgb.DMatrix(*cancer)
    model = train(PLAIN, data, 2, loss=FocalLoss(2.0))
    with pytest.raises(ValueError, match=r"xgb_model must have been trained with loss=FocalLoss\(gamma=1.0"):
        train(PLAIN, data, 2, loss=FocalLoss(1.0), xgb_model=model)
    builtin = xgb.train({"objective": "binary:logistic"}, data, 2)
    with pytest.raises(ValueError, match="xgb_model must have the objective 'reg:squarederror' for FocalLoss"):
        train(PLAIN, data, 2, loss=FocalLoss(2.0), xgb_model=builtin)
    more = train(PLAIN, data, 2, loss=LogLoss(), xgb_model=builtin)
    again = xgb.train({**PLAIN, "objective": "binary:logistic"}, data, 2, xgb_model=builtin)
    assert_allclose(more.predict(data), again.predict(data), atol=1e-6)


@pytest.mark.parametrize("name", ["synthetic-2", "synthetic-3"])
def test_cv_starts_each_fold_from_its_own_intercept(name):
    X, y = DATA[name]()
    loss = plain_loss(y)
    data = xgb.DMatrix(X, y, weight=np.random.default_rng(0).random(len(y)))
    order = np.arange(len(y))
    folds = [(order[:2000], order[2000:]), (order[1000:], order[:1000])]
    history = cv(PLAIN, data, 8, loss=loss, folds=folds)
    losses = []
    for train_rows, test_rows in folds:
        model = train(PLAIN, data.slice(train_rows), 8, loss=loss)
        test_part = data.slice(test_rows)
        losses.append(loss(y[test_rows], raw_score(model, test_part), test_part.get_weight()))
    column = f"test-{'log_loss' if y.max() == 1 else 'softmax_cross_entropy'}-mean"
    assert_allclose(history[column].iloc[-1], np.mean(losses), atol=2e-6)


def test_cv_early_stopping_preprocessing_and_builtin_metrics(cancer):
    X, y = cancer
    data = xgb.DMatrix(X, y)
    calls = []

    def halve(train_part, test_part, settings):
        calls.append(settings)
        return train_part.slice(np.arange(100)), test_part, settings

    history = cv(
        {"eta": 0.5},
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


# ---- imbalance ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_focal_training_at_a_base_rate_of_one_in_a_thousand(gamma):
    """Held-out log loss of the posterior against plain training, early-stopped, several seeds."""
    ratios = []
    for seed in range(5):
        X, y = imbalanced(60_000, 0.0004, seed)
        halves = xgb.DMatrix(X[:30_000], y[:30_000]), xgb.DMatrix(X[30_000:45_000], y[30_000:45_000])
        scores = []
        for loss in (FocalLoss(gamma), LogLoss()):
            metric = Metric(loss, log_loss)
            settings = {"max_depth": 3, "eta": 0.1, "min_child_weight": 0.1}
            shared = {"evals": [(halves[1], "valid")], "early_stopping_rounds": 20, "verbose_eval": False}
            model = train(settings, halves[0], 400, loss=loss, custom_metric=metric, **shared)
            scores.append(log_loss(y[45_000:], predict_proba(model, X[45_000:])[:, 1]))
        ratios.append(scores[0] / scores[1])
    print(f"focal gamma={gamma} / log loss: {np.mean(ratios):.4f} {np.round(ratios, 3)}")
    assert np.mean(ratios) <= 1.05


@pytest.mark.parametrize("loss", [FocalLoss(1.0), FocalLoss(2.0), FocalLoss(5.0), SoftmaxFocalLoss(2.0)], ids=repr)
def test_no_round_raises_the_training_loss(loss):
    X, y = imbalanced(20_000, 0.0008) if not loss.multiclass else DATA["synthetic-3"]()
    data = xgb.DMatrix(X, y)
    history = {}
    settings = {"max_depth": 6, "eta": 0.1, "min_child_weight": 0.0, "lambda": 0.0}
    train(settings, data, 100, loss=loss, evals=[(data, "t")], evals_result=history, verbose_eval=False)
    ((_, values),) = history["t"].items()
    assert (np.diff(values) <= 1e-6).all()
    assert values[-1] < 0.9 * values[0]


# ---- scikit-learn interface, copies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [xgb.XGBClassifier, xgb.XGBRFClassifier])
@pytest.mark.parametrize("weighted", [False, True])
def test_classifier_reproduces_the_builtin_one(cancer, digits, kind, weighted):
    for X, y in (cancer, digits):
        weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
        loss = plain_loss(y)
        settings = params(loss, y, weight, sklearn=True)
        ours = kind(n_estimators=10, **settings).fit(X, y, sample_weight=weight)
        builtin = kind(n_estimators=10, base_score=settings["base_score"]).fit(X, y, sample_weight=weight)
        assert_same_up_to_ties(ours.get_booster(), builtin.get_booster(), xgb.DMatrix(X))
        assert_allclose(predict_proba(ours, X), ours.predict_proba(X), atol=1e-6)


def test_classifier_early_stopping_and_eval_weights():
    X, y = DATA["synthetic-2"]()
    weight = np.random.default_rng(0).random(len(y))
    settings = params(LogLoss(), y[:2000], weight[:2000], sklearn=True)
    parts = {"eval_set": [(X[2000:], y[2000:])], "sample_weight_eval_set": [weight[2000:]], "verbose": False}
    ours = xgb.XGBClassifier(n_estimators=200, early_stopping_rounds=10, **settings)
    ours.fit(X[:2000], y[:2000], sample_weight=weight[:2000], **parts)
    assert list(ours.evals_result()["validation_0"]) == ["log_loss"]
    builtin = xgb.XGBClassifier(
        n_estimators=200, early_stopping_rounds=10, eval_metric="logloss", base_score=settings["base_score"]
    )
    builtin.fit(X[:2000], y[:2000], sample_weight=weight[:2000], **parts)
    assert ours.best_iteration == builtin.best_iteration
    assert_allclose(raw_score(ours, X), ours.predict(X, output_margin=True))
    assert_allclose(raw_score(ours.get_booster(), X), raw_score(ours, X))


def test_focal_classifier_needs_our_predict_proba():
    X, y = imbalanced(rate=0.05)
    model = xgb.XGBClassifier(n_estimators=30, **params(FocalLoss(2.0), y, sklearn=True)).fit(X, y)
    assert log_loss(y, predict_proba(model, X)[:, 1]) < 0.8 * log_loss(y, model.predict_proba(X)[:, 1])


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss()], ids=repr)
def test_a_bare_objective_leaves_the_scores_as_they_are(cancer, digits, loss):
    X, y = digits if loss.multiclass else cancer
    raw = np.random.default_rng(0).standard_normal((len(y), 10) if loss.multiclass else len(y)).astype(np.float32)
    kept = raw.copy()
    gradient, hessian = Objective(loss)(raw, xgb.DMatrix(X, y))
    assert_array_equal(raw, kept)
    assert not np.shares_memory(gradient, raw)
    assert not np.shares_memory(hessian, raw)


def test_an_objective_on_top_of_another_sees_the_scores(digits):
    """A ridge penalty on the raw scores, whose gradient needs them after the call."""
    data = xgb.DMatrix(*digits)
    objective, loss = Objective(SoftmaxCrossEntropy()), SoftmaxCrossEntropy()

    def penalised(scores, data):
        gradient, hessian = objective(scores, data)
        return gradient + 0.05 * scores, hessian + 0.05

    def by_hand(scores, data):
        gradient, hessian = loss.gradient_hessian(data.get_label(), scores)
        return gradient + 0.05 * scores, 2 * hessian + 0.05

    settings = {"max_depth": 2, **params(loss, digits[1])}
    models = [xgb.train(settings, data, 3, obj=function) for function in (penalised, by_hand)]
    assert_allclose(raw_score(models[0], data), raw_score(models[1], data), atol=1e-5)


def test_objects_survive_copies(cancer):
    X, y = cancer
    for loss in (LogLoss(2.0), FocalLoss(2.0, 0.25)):
        for thing in (Objective(loss), Metric(loss), Metric(loss, brier_score, name="brier", greater_is_better=False)):
            assert copy.deepcopy(thing) is thing
            assert pickle.loads(pickle.dumps(thing)) == thing
            assert hash(thing) == hash(copy.copy(thing))
        model = clone(xgb.XGBClassifier(n_estimators=5, **params(loss, y, sklearn=True)))
        model.fit(X, y)
        revived = pickle.loads(pickle.dumps(model))
        assert_array_equal(predict_proba(revived, X), predict_proba(model, X))
        assert_array_equal(copy.deepcopy(model).predict_proba(X), model.predict_proba(X))
        assert clone(revived).get_params()["objective"] == Objective(loss)
        booster = train({}, xgb.DMatrix(X, y), 3, loss=loss)
        assert_array_equal(predict_proba(pickle.loads(pickle.dumps(booster)), X), predict_proba(booster, X))


def test_cross_validation_in_two_processes(cancer):
    X, y = cancer
    model = xgb.XGBClassifier(n_estimators=10, nthread=1, **params(LogLoss(), y, sklearn=True))
    scores = cross_val_score(model, X, y, scoring="neg_log_loss", cv=3, n_jobs=2, error_score="raise")
    assert (scores > -0.3).all()


def test_a_second_fit_compiles_nothing(cancer, digits):
    def fit_everything():
        for (X, y), losses in [
            (cancer, (LogLoss(), FocalLoss())),
            (digits, (SoftmaxCrossEntropy(), SoftmaxFocalLoss())),
        ]:
            for loss in losses:
                for weight in (None, np.ones(len(y))):
                    data = xgb.DMatrix(X, y, weight=weight)
                    predict_proba(train({}, data, 2, loss=loss, evals=[(data, "t")], verbose_eval=False), data)
                    settings = params(loss, y, weight, sklearn=True)
                    xgb.XGBClassifier(n_estimators=2, **settings).fit(X, y, sample_weight=weight)

    fit_everything()
    compiled = compiled_variants()
    fit_everything()
    assert compiled_variants() == compiled


def test_categorical_frames(cancer):
    pd = pytest.importorskip("pandas")
    X, y = cancer
    frame = pd.DataFrame({"size": X[:, 0], "kind": pd.Categorical(np.digitize(X[:, 1], [15, 18, 21]))})
    data = xgb.DMatrix(frame, y, enable_categorical=True)
    model = train(PLAIN, data, 10, loss=LogLoss())
    assert_array_equal(predict_proba(model, frame), predict_proba(model, data))
    builtin = xgb.train({**PLAIN, **params(LogLoss(), y)}, data, 10)
    assert_allclose(model.predict(data), builtin.predict(data), atol=1e-6)
