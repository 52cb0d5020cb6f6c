"""What the CatBoost adapter makes of parameters, callbacks, groups and containers."""

import inspect
import itertools

import catboost as cb
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import CalibratedBoostingClassifier, FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.adapters.catboost import Metric, cv, predict_proba, raw_score, train
from boosting_losses.adapters.catboost._builtin import ALIKE_PARAMETERS

SETTINGS = {"iterations": 12, "learning_rate": 0.2, "thread_count": 1, "random_seed": 3, "logging_level": "Silent"}
CUSTOM = "PythonUserDefinedPerObject"


def data(n_classes, rows=240):
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(rows, 5)).astype(np.float32)
    y = (X[:, :n_classes] + rng.gumbel(size=(rows, n_classes))).argmax(axis=1)
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, y


# ---- CatBoost's own loss --------------------------------------------------------------------------------------------

#: A value of each parameter under which both losses are said to give the same model; each is not CatBoost's default.
VALUES = {
    "iterations": 9,
    "n_estimators": 9,
    "num_trees": 9,
    "num_boost_round": 9,
    "learning_rate": 0.4,
    "eta": 0.4,
    "depth": 3,
    "max_depth": 3,
    "max_leaves": 9,
    "num_leaves": 9,
    "min_data_in_leaf": 20,
    "min_child_samples": 20,
    "grow_policy": "Depthwise",
    "l2_leaf_reg": 10.0,
    "reg_lambda": 10.0,
    "score_function": "L2",
    "random_strength": 3.0,
    "random_seed": 7,
    "random_state": 7,
    "has_time": True,
    "boosting_type": "Ordered",
    "bootstrap_type": "Bernoulli",
    "subsample": 0.6,
    "bagging_temperature": 2.0,
    "mvs_reg": 1.0,
    "sampling_frequency": "PerTree",
    "rsm": 0.5,
    "colsample_bylevel": 0.5,
    "leaf_estimation_method": "Gradient",
    "leaf_estimation_iterations": 4,
    "leaf_estimation_backtracking": "AnyImprovement",
    "boost_from_average": False,
    "fold_permutation_block": 4,
    "fold_len_multiplier": 3.0,
    "approx_on_full_history": True,
    "border_count": 16,
    "max_bin": 16,
    "feature_border_type": "Uniform",
    "per_float_feature_quantization": ["0:border_count=4"],
    "nan_mode": "Max",
    "ignored_features": [0],
    "feature_weights": [1, 1, 0.1, 1, 1],
    "penalties_coefficient": 2.0,
    "first_feature_use_penalties": [0, 5, 0, 0, 0],
    "per_object_feature_penalties": [0, 0.1, 0, 0, 0],
    "class_names": ...,
    "class_weights": ...,
    "auto_class_weights": "SqrtBalanced",
    "allow_const_label": True,
    "one_hot_max_size": 3,
    "max_ctr_complexity": 1,
    "counter_calc_method": "Full",
    "ctr_leaf_count_limit": 5,
    "model_size_reg": 3.0,
    "eval_metric": "AUC",
    "custom_metric": "AUC",
    "custom_loss": "AUC",
    "use_best_model": False,
    "best_model_min_trees": 5,
    "early_stopping_rounds": 2,
    "od_type": "Iter",
    "od_wait": 2,
    "od_pval": 0.01,
    "metric_period": 3,
    "metadata": {"purpose": "test"},
    "name": "run",
    "task_type": "CPU",
    "used_ram_limit": "1gb",
}
#: What a parameter needs beside it.
BESIDE = {
    "max_leaves": {"grow_policy": "Lossguide"},
    "num_leaves": {"grow_policy": "Lossguide"},
    "min_data_in_leaf": {"grow_policy": "Depthwise"},
    "min_child_samples": {"grow_policy": "Depthwise"},
    "bagging_temperature": {"bootstrap_type": "Bayesian"},
    "od_pval": {"od_type": "IncToDec"},
    "leaf_estimation_backtracking": {"leaf_estimation_iterations": 4},
    "approx_on_full_history": {"boosting_type": "Ordered"},
}
#: Other names, of which only one may be given.
SAME = [
    {"iterations", "n_estimators", "num_trees", "num_boost_round"},
    {"learning_rate", "eta"},
    {"random_seed", "random_state"},
]
#: How loud a training is and what it writes.
OUTPUT = {"verbose", "verbose_eval", "silent", "logging_level", "allow_writing_files", "train_dir"}
OUTPUT |= {"save_snapshot", "snapshot_file", "snapshot_interval", "callbacks", "thread_count"}


def test_every_parameter_that_is_said_to_do_the_same_is_tried():
    assert VALUES.keys() | OUTPUT == ALIKE_PARAMETERS
    known = inspect.signature(cb.CatBoostClassifier.__init__).parameters.keys()
    assert ALIKE_PARAMETERS - known <= {"callbacks", "num_boost_round", "verbose_eval"}


#: Those that are tried each time, with so many classes.
OFTEN = {("depth", 2), ("boosting_type", 3), ("class_names", 3), ("class_weights", 2), ("random_strength", 2)}


@pytest.mark.parametrize(
    ("name", "n_classes"),
    [
        case if case in OFTEN else pytest.param(*case, marks=pytest.mark.slow)
        for case in itertools.product(VALUES, (2, 3))
    ],
)
def test_parameters_do_the_same_to_the_builtin_loss(name, n_classes):
    X, y = data(n_classes)
    loss = LogLoss() if n_classes == 2 else SoftmaxCrossEntropy()
    value = {"class_names": tuple(range(n_classes))[::-1], "class_weights": range(1, n_classes + 1)}.get(
        name, VALUES[name]
    )
    others = next((same for same in SAME if name in same), set())
    settings = {key: value for key, value in SETTINGS.items() if key not in others} | BESIDE.get(name, {})
    settings[name] = list(value) if isinstance(value, range) else value
    never, auto = (
        train(cb.Pool(X[:180], y[:180]), settings, loss=loss, eval_set=cb.Pool(X[180:], y[180:]), builtin=builtin)
        for builtin in ("never", "auto")
    )
    assert auto.get_all_params()["loss_function"] != CUSTOM
    assert never.tree_count_ == auto.tree_count_
    assert_allclose(raw_score(auto, X), raw_score(never, X), atol=2e-7)


@pytest.mark.parametrize(
    "name", ["one_hot_max_size", "max_ctr_complexity", "counter_calc_method", "ctr_leaf_count_limit"]
)
def test_parameters_of_categories_do_the_same_to_the_builtin_loss(name):
    pd = pytest.importorskip("pandas")
    X, y = data(2)
    frame = pd.DataFrame({"x": X[:, 0], "a": (5 * X[:, 1]).round().astype(str), "b": (2 * X[:, 2]).round().astype(str)})
    pool = cb.Pool(frame, y, cat_features=["a", "b"])
    never, auto = (
        train(pool, {**SETTINGS, name: VALUES[name]}, loss=LogLoss(), builtin=builtin) for builtin in ("never", "auto")
    )
    assert auto.get_all_params()["loss_function"] == "Logloss"
    assert_allclose(raw_score(auto, pool), raw_score(never, pool), atol=2e-7)


@pytest.mark.parametrize("n_classes", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "extra",
    [
        {"model_shrink_rate": 0.1},
        {"model_shrink_rate": 0.1, "model_shrink_mode": "Decreasing"},
        {"langevin": True},
        {"posterior_sampling": True},
        {"monotone_constraints": [1, 0, 0, 0, 0]},
    ],
    ids=str,
)
def test_parameters_that_differ_keep_the_custom_loss(extra, n_classes):
    X, y = data(n_classes)
    loss = LogLoss() if n_classes == 2 else SoftmaxCrossEntropy()
    never, auto = (
        train(cb.Pool(X, y), {**SETTINGS, **extra}, loss=loss, builtin=builtin) for builtin in ("never", "auto")
    )
    assert_array_equal(raw_score(auto, X), raw_score(never, X))


@pytest.mark.parametrize(
    "extra", [{"model_shrink_rate": 0.1}, pytest.param({"posterior_sampling": True}, marks=pytest.mark.slow)], ids=str
)
def test_the_classifier_keeps_the_custom_loss_too(extra):
    X, y = data(2)
    estimator = cb.CatBoostClassifier(**{**SETTINGS, **extra}, allow_writing_files=False)
    model = CalibratedBoostingClassifier(estimator, loss=LogLoss(), cv=2).fit(X, y)
    assert model.models_[0].get_all_params()["loss_function"] == CUSTOM
    assert LogLoss()(y, np.log(model.predict_proba(X)[:, 1] / model.predict_proba(X)[:, 0])) < LogLoss()(y, 0.0 * y)


# ---- groups ---------------------------------------------------------------------------------------------------------


def grouped(n_classes, **more):
    X, y = data(n_classes)
    group = np.arange(len(y)) // 8
    weight = np.repeat(1.0 + 4 * (y.reshape(-1, 8).mean(axis=1) > np.median(y.reshape(-1, 8).mean(axis=1))), 8)
    return X, y, group, weight


@pytest.mark.parametrize("builtin", [pytest.param("never", marks=pytest.mark.slow), "auto"])
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_group_weights_are_weights(loss, builtin):
    X, y, group, weight = grouped(3 if loss.multiclass else 2)
    by_group, by_row = cb.Pool(X, y, group_id=group, group_weight=weight), cb.Pool(X, y, group_id=group, weight=weight)
    settings = {**SETTINGS, "use_best_model": False}
    models = [train(pool, settings, loss=loss, eval_set=pool, builtin=builtin) for pool in (by_group, by_row)]
    assert_array_equal(raw_score(models[0], X), raw_score(models[1], X))
    logged = models[0].get_evals_result()["validation"]["Metric"][-1]
    assert_allclose(logged, loss(y, raw_score(models[0], X), weight), rtol=1e-6)
    longer = [train(pool, settings, loss=loss, init_model=models[0]) for pool in (by_group, by_row)]
    assert_array_equal(raw_score(longer[0], X), raw_score(longer[1], X))
    assert not np.asarray(by_group.get_baseline()).size


@pytest.mark.parametrize("more", [{}, {"auto_class_weights": "Balanced"}, {"class_weights": [1.0, 3.0]}], ids=str)
def test_the_intercept_of_groups_is_that_of_catboost(more):
    X, y, group, weight = grouped(2)
    for labels, classes in [(y, more), (np.array(["no", "yes"])[y], more), (0.8 * y + 0.1, {})]:
        pool = cb.Pool(X, labels, group_id=group, group_weight=weight)
        ours = train(pool, {**SETTINGS, "iterations": 1, **classes}, loss=LogLoss())
        name = "CrossEntropy" if labels.dtype == float else "Logloss"
        own = {**SETTINGS, **classes, "loss_function": name, "boost_from_average": True, "allow_writing_files": False}
        expected = cb.train(pool, {**own, "iterations": 1}).get_scale_and_bias()[1]
        assert_allclose(ours.get_scale_and_bias()[1], expected, atol=1e-6)


def test_groups_without_weights_change_nothing():
    X, y, group, _ = grouped(2)
    plain = train(cb.Pool(X, y), {**SETTINGS, "iterations": 1}, loss=LogLoss())
    for more in ({}, {"group_weight": np.full(len(y), 2.0)}):
        model = train(cb.Pool(X, y, group_id=group, **more), {**SETTINGS, "iterations": 1}, loss=LogLoss())
        assert_allclose(model.get_scale_and_bias()[1], plain.get_scale_and_bias()[1], atol=1e-12)


def test_cv_of_groups_starts_from_their_weights():
    X, y, group, weight = grouped(2)
    results = [
        cv(cb.Pool(X, y, group_id=group, **{name: weight}), SETTINGS, loss=FocalLoss(), fold_count=3)
        for name in ("group_weight", "weight")
    ]
    assert_array_equal(results[0]["test-Metric-mean"], results[1]["test-Metric-mean"])


# ---- cv -------------------------------------------------------------------------------------------------------------


def test_folds_are_stratified_as_with_a_builtin_loss():
    X = np.random.default_rng(0).normal(size=(300, 3))
    y = (np.arange(300) < 12).astype(int)
    settings = {
        **SETTINGS,
        "iterations": 1,
        "eval_metric": Metric(LogLoss(), lambda y, proba, sample_weight=None: y.mean()),
    }
    for given, expected in [({}, 0.0), ({"stratified": None}, 0.0), ({"stratified": True}, 0.0)]:
        spread = cv(cb.Pool(X, y), settings, loss=LogLoss(), fold_count=4, **given)["test-Metric-std"].iloc[-1]
        assert_allclose(spread, expected, atol=1e-9)
    assert cv(cb.Pool(X, y), settings, loss=LogLoss(), fold_count=4, stratified=False)["test-Metric-std"].iloc[-1] > 0
    assert cv(cb.Pool(X, 0.8 * y + 0.1), settings, loss=LogLoss(), fold_count=4)["test-Metric-std"].iloc[-1] > 0


# ---- callbacks, containers, labels ----------------------------------------------------------------------------------


class Recorder:
    def __init__(self, last=100):
        self.rounds = []
        self.last = last

    def after_iteration(self, info):
        self.rounds.append(info.iteration)
        return info.iteration < self.last


@pytest.mark.parametrize("builtin", ["never", "auto"])
def test_callbacks_are_those_of_the_caller(builtin):
    pool = cb.Pool(*data(2))
    first, second = Recorder(), Recorder(last=4)
    model = train(pool, SETTINGS, loss=LogLoss(), callbacks=[first, second], builtin=builtin)
    assert first.rounds == second.rounds == [1, 2, 3, 4]
    assert model.tree_count_ == 4
    alone = Recorder()
    train(pool, {**SETTINGS, "callbacks": alone}, loss=LogLoss(), builtin=builtin)
    assert alone.rounds == list(range(1, 13))
    for wrong in (3, [Recorder(), 3], [Recorder]):
        with pytest.raises(TypeError, match=r"callbacks must have a method after_iteration\(info\), got"):
            train(pool, SETTINGS, loss=LogLoss(), callbacks=wrong)
    with pytest.raises(ValueError, match=r"callbacks must be omitted for cv: catboost\.cv does not call them"):
        cv(pool, {**SETTINGS, "callbacks": [alone]}, loss=LogLoss())


def test_callbacks_of_optuna():
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    trial = optuna.create_study().ask()
    pruning = integration.CatBoostPruningCallback(trial, "Metric")
    pool = cb.Pool(*data(2))
    train(pool, SETTINGS, loss=LogLoss(), eval_set=pool, callbacks=[pruning])


def test_evaluation_sets_that_are_no_pools_are_refused():
    X, y = data(2)
    pool = cb.Pool(X, y)
    for given, kind in [((X, y), "ndarray"), ([(X, y)], "tuple")]:
        with pytest.raises(TypeError, match=f"eval_set 0 must be a Pool, got {kind}"):
            train(pool, SETTINGS, loss=LogLoss(), eval_set=given)
    for name, instead in [("evals", "eval_set"), ("dtrain", "pool")]:
        with pytest.raises(TypeError, match=f"{name} must be given as {instead}"):
            train(pool, SETTINGS, loss=LogLoss(), **{name: pool})


def test_labels_that_single_precision_cannot_tell_apart_are_refused():
    X, y = data(3)
    for labels in (2**24 + y, 2**40 + y, np.where(y == 0, -(2**24), y)):
        for run in (train, cv):
            with pytest.raises(ValueError, match="labels that are numbers must be below 16777216, got"):
                run(cb.Pool(X, labels), SETTINGS, loss=SoftmaxCrossEntropy())
    labels = 2**24 - 3 + y
    model = train(cb.Pool(X, labels), SETTINGS, loss=SoftmaxCrossEntropy())
    assert model.classes_.tolist() == np.unique(labels).tolist()
    model = train(cb.Pool(X, (2**40 + y).astype(str)), SETTINGS, loss=SoftmaxCrossEntropy())
    assert predict_proba(model, X).shape == (len(y), 3)


@pytest.mark.parametrize("rows", [99, 100])
@pytest.mark.parametrize("classes", [2, 3])
def test_few_rows_are_sampled_as_under_a_custom_loss(rows, classes):
    """CatBoost takes all rows of fewer than 100, unless ``subsample`` is given."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 4))
    y = (X[:, [0]] * np.arange(classes) + rng.gumbel(size=(rows, classes))).argmax(1)
    loss = LogLoss() if classes == 2 else SoftmaxCrossEntropy()
    settings = {"iterations": 5, "depth": 2, "learning_rate": 0.3, "logging_level": "Silent"}
    pool = cb.Pool(X, y)
    never, auto = (raw_score(train(pool, settings, loss=loss, builtin=own), pool) for own in ("never", "auto"))
    assert_allclose(auto, never, atol=1e-6)


@pytest.mark.parametrize("kind", ["Balanced", "SqrtBalanced"])
@pytest.mark.parametrize("scale", [1.0, 0.3, 1e-3])
def test_automatic_class_weights_are_those_of_catboost(kind, scale):
    """CatBoost counts whole weights, and leaves a class alone whose weights sum to less than 1."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 2)), (np.arange(60) % 6 == 0).astype(int)
    pool = cb.Pool(X, y, weight=scale * (1 + rng.random(60)))
    settings = {"iterations": 1, "auto_class_weights": kind, "logging_level": "Silent", "allow_writing_files": False}
    own = cb.train(pool, {**settings, "loss_function": "Logloss", "boost_from_average": True})
    assert_allclose(
        train(pool, settings, loss=LogLoss()).get_scale_and_bias()[1], own.get_scale_and_bias()[1], atol=1e-6
    )


@pytest.mark.parametrize("loss", [LogLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_rows_without_weight_are_refused_under_ordered_boosting(loss):
    """CatBoost's own MultiClass stops there with "System of linear equations is not positive definite"."""
    X, y = data(3 if loss.multiclass else 2)
    pool = cb.Pool(X, y, weight=np.arange(len(y)) % 3)
    settings = {**SETTINGS, "boosting_type": "Ordered"}
    for run in (train, cv):
        with pytest.raises(
            ValueError, match=r"rows of weight 0 must be omitted with boosting_type='Ordered'.* got 80 such rows"
        ):
            run(pool, settings, loss=loss)
    rows = np.flatnonzero(np.arange(len(y)) % 3)
    assert train(pool.slice(rows), settings, loss=loss).tree_count_ == 12
