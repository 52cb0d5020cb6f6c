"""Trees on sketched gradients: the sketch, the training, the models, and what is refused."""

import copy
import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits

from boosting_losses import CalibratedBoostingClassifier, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses._kernels import sketch as kernels
from boosting_losses.adapters.xgboost import Metric, Sketch, _sketch, cv, predict_proba, raw_score, servable, train
from boosting_losses.adapters.xgboost._sketch import sketched
from boosting_losses.metrics import brier_score, log_loss

HAS_INTERFACE = _sketch._interface is not None
needs_interface = pytest.mark.skipif(not HAS_INTERFACE, reason="xgboost before 3.2 has no interface for it")
PLAIN = {"max_depth": 4, "nthread": 1}
CROSS_ENTROPY = SoftmaxCrossEntropy()


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X.astype(np.float32), y


def matrices(digits, **options):
    X, y = digits
    return xgb.DMatrix(X[:1200], y[:1200], **options), xgb.DMatrix(X[1200:], y[1200:])


def held_out_loss(booster, digits):
    return log_loss(digits[1][1200:], predict_proba(booster, digits[0][1200:]))


# ---- what is sketched --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_kernel_takes_derivatives_along_directions(columns, order):
    draw = np.random.default_rng(0)
    gradient, hessian = (np.asarray(draw.normal(size=(40, 7)), np.float32, order) for _ in range(2))
    directions = draw.normal(size=(columns, 7)).astype(np.float32)
    slope, curvature = np.empty((40, columns), np.float32), np.empty((40, columns), np.float32)
    kernels.along(gradient, hessian, directions, slope, curvature)
    assert_allclose(slope, gradient.astype(float) @ directions.T.astype(float), rtol=1e-4, atol=1e-5)
    assert_allclose(curvature, hessian.astype(float) @ directions.T.astype(float) ** 2, rtol=1e-4, atol=1e-5)


@needs_interface
def test_trees_see_slope_and_curvature_along_the_direction(digits):
    """Compare with finite differences of the loss, and with the Hessian's diagonal times XGBoost's factor 2."""
    X, y = digits
    raw = np.random.default_rng(0).normal(size=(50, 10))
    data = xgb.DMatrix(X[:50], y[:50])
    objective = sketched(CROSS_ENTROPY, Sketch(seed=3), 0)
    gradient, hessian = objective(0, raw.astype(np.float32), data)
    slope, curvature = objective.split_grad(5, gradient, hessian)
    direction = Sketch(seed=3).directions(5, 10)[0].astype(float)
    step = 1e-4
    ahead, back = (CROSS_ENTROPY.per_sample(y[:50], raw + sign * step * direction) for sign in (1, -1))
    assert_allclose(slope[:, 0], (ahead - back) / (2 * step), rtol=2e-3, atol=2e-4)
    p = softmax(raw, axis=1)
    assert_allclose(curvature[:, 0], 2.0 * (p * (1.0 - p)) @ direction**2, rtol=1e-4)


def test_directions_are_those_of_the_seed_and_the_round():
    one = Sketch(columns=2, seed=1)
    assert_array_equal(one.directions(4, 9), Sketch(columns=2, seed=1).directions(4, 9))
    assert not np.allclose(one.directions(4, 9), one.directions(5, 9))
    assert not np.allclose(one.directions(4, 9), Sketch(columns=2, seed=2).directions(4, 9))
    many = np.concatenate([Sketch(columns=4).directions(i, 50) for i in range(200)])
    assert_allclose(4 * (many**2).mean(), 1.0, rtol=0.02)


@needs_interface
def test_the_whole_gradient_gives_the_builtin_model(digits, monkeypatch):
    """Train with vector leaves and without a sketch, which checks everything but the sketch."""
    train_part, test_part = matrices(digits)
    monkeypatch.setattr(_sketch.kernels, "along", lambda *_: pytest.fail("no sketch was asked for"))
    settings = {**PLAIN, "multi_strategy": "multi_output_tree", "tree_method": "hist"}
    ours = train(settings, train_part, 30, loss=CROSS_ENTROPY)
    base = [float(score) for score in CROSS_ENTROPY.init_score(digits[1][:1200])]
    builtin = xgb.train(
        {**settings, "objective": "multi:softprob", "num_class": 10, "base_score": base}, train_part, 30
    )
    assert_allclose(predict_proba(ours, test_part), builtin.predict(test_part), atol=1e-6)


# ---- training ----------------------------------------------------------------------------------------------------------


@needs_interface
def test_a_round_is_one_tree_with_a_vector_in_its_leaves(digits):
    booster = train(PLAIN, matrices(digits)[0], 7, loss=CROSS_ENTROPY, sketch=Sketch())
    assert len(booster.get_dump()) == 7
    assert booster.num_boosted_rounds() == 7
    assert _sketch.has_vector_leaves(booster)


@needs_interface
@pytest.mark.parametrize(
    "loss",
    [
        CROSS_ENTROPY,
        pytest.param(SoftmaxFocalLoss(1.0), marks=pytest.mark.slow),
        pytest.param(SoftmaxCrossEntropy(class_weight=tuple(np.linspace(1.0, 3.0, 10))), marks=pytest.mark.slow),
    ],
)
def test_it_learns_and_stops_early(digits, loss):
    train_part, test_part = matrices(digits)
    history = {}
    booster = train(
        PLAIN,
        train_part,
        400,
        loss=loss,
        sketch=Sketch(),
        evals=[(test_part, "held_out")],
        custom_metric=Metric(loss, brier_score),
        early_stopping_rounds=15,
        evals_result=history,
        verbose_eval=False,
    )
    assert booster.best_iteration < 399
    assert booster.best_iteration == int(np.argmin(history["held_out"]["brier_score"]))
    assert held_out_loss(booster, digits) < 0.3


@pytest.mark.slow
@needs_interface
def test_it_beats_one_tree_a_class_where_rounds_are_few(digits):
    """Train as many trees in both: 300 with a sketch, and 30 for each of ten classes without."""
    train_part, test_part = matrices(digits)
    sketch = train({**PLAIN, "learning_rate": 0.3}, train_part, 300, loss=CROSS_ENTROPY, sketch=Sketch())
    builtin = xgb.train({**PLAIN, "learning_rate": 0.3, "objective": "multi:softprob", "num_class": 10}, train_part, 30)
    assert held_out_loss(sketch, digits) < log_loss(digits[1][1200:], builtin.predict(test_part))


@needs_interface
def test_the_same_seed_gives_the_same_model_on_any_number_of_threads(digits):
    data, other = matrices(digits)
    first, again, threads, seed = (
        raw_score(train({**PLAIN, **more}, data, 15, loss=CROSS_ENTROPY, sketch=Sketch(seed=seed)), other)
        for more, seed in (({}, 0), ({}, 0), ({"nthread": 2}, 0), ({}, 1))
    )
    assert_array_equal(first, again)
    assert_array_equal(first, threads)
    assert np.abs(first - seed).max() > 0.1


@needs_interface
def test_an_integer_weight_is_that_many_rows(digits):
    """Allow what the builtin loss differs by: cut points depend on weights in another way than on rows."""
    X, y = digits[0][:600], digits[1][:600]
    weight = np.random.default_rng(0).integers(1, 4, 600)
    settings = {**PLAIN, "max_bin": 32, "tree_method": "hist"}
    weighted = xgb.QuantileDMatrix(X, y, weight=weight, max_bin=32)
    repeated = xgb.QuantileDMatrix(np.repeat(X, weight, axis=0), np.repeat(y, weight), max_bin=32)
    base = [float(score) for score in CROSS_ENTROPY.init_score(y, weight)]
    builtin = {
        "objective": "multi:softprob",
        "num_class": 10,
        "multi_strategy": "multi_output_tree",
        "base_score": base,
    }
    ours = [train(settings, data, 20, loss=CROSS_ENTROPY, sketch=Sketch()) for data in (weighted, repeated)]
    theirs = [xgb.train({**settings, **builtin}, data, 20) for data in (weighted, repeated)]
    apart, builtin_apart = (
        np.abs(np.subtract(*(model.predict(xgb.DMatrix(X)) for model in pair))).max() for pair in (ours, theirs)
    )
    assert apart <= max(2.0 * builtin_apart, 1e-5)


@needs_interface
def test_missing_values_and_sampling(digits):
    X, y = digits[0][:600].copy(), digits[1][:600]
    X[::3, 10:30] = np.nan
    settings = {**PLAIN, "subsample": 0.7, "colsample_bytree": 0.6, "seed": 5}
    booster = train(settings, xgb.DMatrix(X, y), 40, loss=CROSS_ENTROPY, sketch=Sketch())
    assert log_loss(y, predict_proba(booster, X)) < 0.8
    again = train(settings, xgb.DMatrix(X, y), 40, loss=CROSS_ENTROPY, sketch=Sketch())
    assert_array_equal(raw_score(booster, X), raw_score(again, X))


@needs_interface
def test_continued_it_is_as_trained_at_once(digits):
    data, other = matrices(digits)
    first = train(PLAIN, data, 6, loss=CROSS_ENTROPY, sketch=Sketch(seed=2))
    both = train(PLAIN, data, 4, loss=CROSS_ENTROPY, sketch=Sketch(seed=2), xgb_model=first)
    at_once = train(PLAIN, data, 10, loss=CROSS_ENTROPY, sketch=Sketch(seed=2))
    assert_array_equal(raw_score(both, other), raw_score(at_once, other))


@needs_interface
@pytest.mark.parametrize("kept", ["booster", "file"])
def test_continued_without_a_sketch_it_keeps_its_kind_of_trees(digits, tmp_path, kept):
    """A file does not say of which kind its trees are, and XGBoost would mix the two kinds."""
    data, other = matrices(digits)
    first = train(PLAIN, data, 6, loss=CROSS_ENTROPY, sketch=Sketch())
    first.save_model(tmp_path / "model.ubj")
    model = first if kept == "booster" else tmp_path / "model.ubj"
    both = train(PLAIN, data, 4, loss=CROSS_ENTROPY, xgb_model=model)
    assert len(both.get_dump()) == 10
    assert log_loss(digits[1][1200:], predict_proba(both, other)) < log_loss(
        digits[1][1200:], predict_proba(first, other)
    )


@needs_interface
def test_a_model_without_trees_can_be_continued(digits):
    data, other = matrices(digits)
    none = train(PLAIN, data, 0, loss=CROSS_ENTROPY, sketch=Sketch())
    continued = train(PLAIN, data, 5, loss=CROSS_ENTROPY, sketch=Sketch(), xgb_model=none)
    assert_array_equal(
        raw_score(continued, other), raw_score(train(PLAIN, data, 5, loss=CROSS_ENTROPY, sketch=Sketch()), other)
    )


@needs_interface
def test_settings_that_a_fold_returns_are_completed(digits):
    """Fresh settings without the strategy would make XGBoost read past the end of the sketch."""
    data, _ = matrices(digits)
    plain = cv(PLAIN, data, 4, loss=CROSS_ENTROPY, sketch=Sketch(), nfold=2, as_pandas=False)
    fresh = cv(
        {},
        data,
        4,
        loss=CROSS_ENTROPY,
        sketch=Sketch(),
        nfold=2,
        as_pandas=False,
        fpreproc=lambda a, b, _: (a, b, PLAIN),
    )
    assert fresh == plain
    for more in ({"multi_strategy": "one_output_per_tree"}, {"tree_method": "approx"}):
        with pytest.raises(ValueError, match=f"{next(iter(more))} must be '.*' or omitted with a sketch"):
            cv(
                PLAIN,
                data,
                2,
                loss=CROSS_ENTROPY,
                sketch=Sketch(),
                fpreproc=lambda a, b, p, more=more: (a, b, {**p, **more}),
            )


@needs_interface
def test_cross_validation_runs(digits):
    found = cv(PLAIN, matrices(digits)[0], 8, loss=CROSS_ENTROPY, sketch=Sketch(), nfold=3, as_pandas=False)
    name = "test-softmax_cross_entropy-mean"
    assert found[name][-1] < 0.6 * found[name][0]


@needs_interface
def test_soft_labels(digits):
    X, y = digits[0][:500], digits[1][:500]
    soft = 0.9 * np.eye(10)[y] + 0.01
    booster = train(PLAIN, xgb.DMatrix(X, soft), 40, loss=CROSS_ENTROPY, sketch=Sketch())
    assert (predict_proba(booster, X).argmax(axis=1) == y).mean() > 0.95


# ---- models ------------------------------------------------------------------------------------------------------------


@needs_interface
def test_the_saved_model_is_a_plain_one(digits, tmp_path):
    data, other = matrices(digits)
    booster = train(PLAIN, data, 20, loss=CROSS_ENTROPY, sketch=Sketch())
    booster.save_model(tmp_path / "model.ubj")
    loaded = xgb.Booster(model_file=tmp_path / "model.ubj")
    assert_allclose(loaded.predict(other), predict_proba(booster, other), atol=1e-6)
    assert_array_equal(raw_score(pickle.loads(pickle.dumps(booster)), other), raw_score(booster, other))


@needs_interface
def test_servable_takes_class_weights_out(digits):
    loss = SoftmaxCrossEntropy(class_weight=tuple(np.linspace(1.0, 4.0, 10)))
    data, other = matrices(digits)
    booster = train(PLAIN, data, 20, loss=loss, sketch=Sketch())
    assert_allclose(servable(booster).predict(other), predict_proba(booster, other), atol=1e-5)


@needs_interface
def test_inside_the_classifier(digits):
    X, y = digits
    names = np.array([f"digit {k}" for k in range(10)])[y]
    model = CalibratedBoostingClassifier(
        xgb.XGBClassifier(n_estimators=60, max_depth=4), sketch=Sketch(seed=1), cv=2, early_stopping=10
    )
    model = clone(model).fit(X[:1200], names[:1200], sample_weight=np.linspace(0.5, 2.0, 1200))
    proba = model.predict_proba(X[1200:])
    assert log_loss(y[1200:], proba) < 0.35
    assert _sketch.has_vector_leaves(model.models_[0])
    assert model.feature_importances_.sum() == pytest.approx(1.0)
    assert_array_equal(copy.deepcopy(model).predict_proba(X[1200:]), proba)


# ---- what is refused ---------------------------------------------------------------------------------------------------


@needs_interface
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tree_method": "exact"}, "tree_method must be 'hist' or omitted with a sketch, got 'exact'"),
        ({"booster": "dart"}, "booster must be 'gbtree' or omitted with a sketch, got 'dart'"),
        ({"multi_strategy": "one_output_per_tree"}, "multi_strategy must be 'multi_output_tree'"),
        ({"process_type": "update"}, "process_type must be 'default'"),
        ({"monotone_constraints": "(" + ",".join("1" * 64) + ")"}, "monotone_constraints must be omitted"),
        ({"interaction_constraints": [[0, 1], [2, 3]]}, "interaction_constraints must be omitted with a sketch"),
        ({"updater": "grow_colmaker"}, "updater must be 'grow_quantile_histmaker' or omitted with a sketch"),
    ],
)
def test_settings_that_such_trees_do_not_have(digits, settings, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        train({**PLAIN, **settings}, matrices(digits)[0], 2, loss=CROSS_ENTROPY, sketch=Sketch())


@needs_interface
@pytest.mark.parametrize("ask", [train, cv])
def test_as_many_columns_as_classes_are_refused(digits, ask):
    with pytest.raises(ValueError, match="columns of the sketch must be fewer than the 10 classes, got 10; for trees"):
        ask(PLAIN, matrices(digits)[0], 2, loss=CROSS_ENTROPY, sketch=Sketch(columns=10))
    soft = xgb.DMatrix(np.ones((4, 1)), np.full((4, 3), 1 / 3))
    with pytest.raises(ValueError, match="columns of the sketch must be fewer than the 3 classes, got 4"):
        train(PLAIN, soft, 2, loss=CROSS_ENTROPY, sketch=Sketch(columns=4))


@needs_interface
def test_categories_are_refused(digits):
    X, y = digits
    frame = pd.DataFrame({"kind": pd.Categorical(X[:, 20].astype(int)), "size": X[:, 30]})
    data = xgb.DMatrix(frame, y, enable_categorical=True)
    with pytest.raises(ValueError, match="got a categorical column 'kind'"):
        train(PLAIN, data, 2, loss=CROSS_ENTROPY, sketch=Sketch())


@needs_interface
def test_a_model_of_other_trees_is_not_continued(digits):
    data, _ = matrices(digits)
    other = train(PLAIN, data, 2, loss=CROSS_ENTROPY)
    with pytest.raises(ValueError, match="xgb_model must have been trained with a sketch or vector leaves"):
        train(PLAIN, data, 2, loss=CROSS_ENTROPY, sketch=Sketch(), xgb_model=other)


def test_a_binary_loss_is_refused():
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.raises(ValueError, match="sketch must be used with a multiclass loss, got LogLoss"):
        train({}, xgb.DMatrix(X, y), 2, loss=LogLoss(), sketch=Sketch())
    with pytest.raises(ValueError, match="sketch must be used with a multiclass loss, got LogLoss"):
        CalibratedBoostingClassifier(xgb.XGBClassifier(), sketch=Sketch()).fit(X, y)


def test_other_libraries_have_no_sketch(digits):
    from lightgbm import LGBMClassifier

    with pytest.raises(ValueError, match="sketch must be omitted for LGBMClassifier"):
        CalibratedBoostingClassifier(LGBMClassifier(), sketch=Sketch()).fit(*digits)


def test_parameters_of_a_sketch_are_set_in_an_object():
    model = CalibratedBoostingClassifier(xgb.XGBClassifier(), sketch=Sketch())
    with pytest.raises(ValueError, match=r"sketch__columns must be set through a new object, sketch=Sketch\(...\)"):
        model.set_params(sketch__columns=1)
    assert type(Sketch(np.int64(3)).columns) is int


def test_something_else_as_a_sketch_is_refused(digits):
    with pytest.raises(TypeError, match="sketch must be a Sketch or None, got 3"):
        train({}, matrices(digits)[0], 2, loss=CROSS_ENTROPY, sketch=3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"columns": 0}, ValueError, r"columns must be >= 1 and < 2\*\*32, got 0"),
        ({"columns": 1.5}, TypeError, r"columns must be a whole number, got 1\.5"),
        ({"seed": -1}, ValueError, r"seed must be >= 0 and < 2\*\*32, got -1"),
        ({"seed": 2**32}, ValueError, r"seed must be >= 0 and < 2\*\*32, got 4294967296"),
        ({"seed": True}, TypeError, "seed must be a whole number, got True"),
    ],
)
def test_parameters_without_meaning_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        Sketch(**options)


# ---- the experimental interface ----------------------------------------------------------------------------------------


def test_an_older_xgboost_is_refused_in_words(digits, monkeypatch):
    monkeypatch.setattr(_sketch, "_interface", None)
    with pytest.raises(ImportError, match=r"sketch requires xgboost 3\.2 or newer, got"):
        train({}, matrices(digits)[0], 2, loss=CROSS_ENTROPY, sketch=Sketch())


def test_a_changed_interface_is_refused_in_words(digits, monkeypatch):
    class Other:
        class TreeObjective:
            def split_grad(self, grad, hess): ...

    for changed in (Other, object):
        monkeypatch.setattr(_sketch, "_interface", changed)
        with pytest.raises(NotImplementedError, match=r"which xgboost .* no longer has"):
            train({}, matrices(digits)[0], 2, loss=CROSS_ENTROPY, sketch=Sketch())


@needs_interface
def test_training_in_several_processes_is_refused(digits, monkeypatch):
    monkeypatch.setattr(xgb.collective, "get_world_size", lambda: 3)
    with pytest.raises(NotImplementedError, match=r"sketch must be omitted in distributed training.* got 3"):
        train(PLAIN, matrices(digits)[0], 2, loss=CROSS_ENTROPY, sketch=Sketch())


@needs_interface
def test_xgboost_still_calls_the_interface(digits, monkeypatch):
    """If this fails, XGBoost has changed its experimental interface and no longer splits nodes by the sketch."""
    assert "split_grad" in inspect.getsource(xgb.Booster.boost)
    seen = []
    original = kernels.along
    monkeypatch.setattr(_sketch.kernels, "along", lambda *arrays: (seen.append(arrays[0].shape), original(*arrays)))
    train(PLAIN, matrices(digits)[0], 3, loss=CROSS_ENTROPY, sketch=Sketch())
    assert seen == [(1200, 10)] * 3
