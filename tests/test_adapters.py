"""What holds of all three adapters; what only one of them has is in its own files."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.losses import loss_to_json
from boosting_losses.metrics import brier_score, log_loss

from .cases import compiled_variants
from .libraries import (
    CANCER,
    CATBOOST,
    LIBRARIES,
    LIGHTGBM,
    WINE,
    XGBOOST,
    columns,
    data_of,
    imbalanced,
    plain_loss,
    synthetic,
)

LOSSES = [
    LogLoss(),
    LogLoss(3.0),
    FocalLoss(2.0),
    SoftmaxCrossEntropy(),
    SoftmaxCrossEntropy((1, 2, 3)),
    SoftmaxFocalLoss(1.0),
]
each_library = pytest.mark.parametrize("library", LIBRARIES, ids=repr)
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def halves(library, X, y, loss):
    """Return every other row to train with and the rest, from one intercept."""
    order = np.random.default_rng(0).permutation(len(y))
    fit, held_out = order[::2], order[1::2]
    init = loss.init_score(y[fit])
    return [library.comparable(X[rows], y[rows], loss, init=init) for rows in (fit, held_out)]


# ---- parity with the builtin losses ---------------------------------------------------------------------------------

PARITY_DATA = {
    "breast-cancer": lambda: CANCER,
    "wine": lambda: WINE,
    "breast-cancer-30": lambda: load_breast_cancer(return_X_y=True),
    "synthetic-2": lambda: synthetic(2),
    "synthetic-3": lambda: synthetic(3, 600),
    "synthetic-10": lambda: synthetic(10, 1000),
    "digits": lambda: load_digits(return_X_y=True),
}


@each_library
@pytest.mark.parametrize(
    ("name", "weighted", "sampled", "rounds"),
    [
        ("breast-cancer", True, False, 15),
        ("wine", False, True, 15),
        *(
            pytest.param(name, weighted, sampled, 50, marks=pytest.mark.slow)
            for name, weighted, sampled in itertools.product(PARITY_DATA, (False, True), (False, True))
        ),
    ],
)
def test_plain_losses_reproduce_the_builtin_ones(library, name, weighted, sampled, rounds):
    X, y = PARITY_DATA[name]()
    weight = np.random.default_rng(0).integers(1, 5, len(y)) if weighted else None
    loss, settings = plain_loss(y), library.sampled if sampled else None
    data = library.comparable(X, y, loss, weight)
    ours = library.train(data, rounds, loss=loss, settings=settings)
    library.assert_same_model(ours, library.train_builtin(data, rounds, loss=loss, settings=settings), X, loss)


@pytest.mark.parametrize(
    ("library", "settings"),
    [
        (XGBOOST, {"tree_method": "exact"}),
        (XGBOOST, {"tree_method": "approx"}),
        (XGBOOST, {"booster": "dart", "rate_drop": 0.3}),
        (XGBOOST, {"num_parallel_tree": 3, "subsample": 0.5}),
        (XGBOOST, {"grow_policy": "lossguide", "max_leaves": 9}),
        (XGBOOST, {"max_delta_step": 0.5, "monotone_constraints": "(1,0,-1)"}),
        (LIGHTGBM, {"data_sample_strategy": "goss", "learning_rate": 0.5}),
        (LIGHTGBM, {"linear_tree": True}),
        (LIGHTGBM, {"linear_tree": True, "feature_fraction": 0.5}),
        (LIGHTGBM, {"extra_trees": True}),
        (LIGHTGBM, {"monotone_constraints": [1, 0, -1, 0, 0, 0, 0, 0]}),
        (LIGHTGBM, {"use_quantized_grad": True}),
        (CATBOOST, {"grow_policy": "Lossguide", "max_leaves": 9}),
        (CATBOOST, {"grow_policy": "Depthwise"}),
        (CATBOOST, {"leaf_estimation_iterations": 5}),
        (CATBOOST, {"leaf_estimation_method": "Gradient"}),
        (CATBOOST, {"bootstrap_type": "MVS", "subsample": 0.8}),
        (CATBOOST, {"score_function": "L2"}),
        (CATBOOST, {"random_strength": 1.0}),
    ],
    ids=str,
)
def test_parity_under_other_settings(library, settings):
    X, y = CANCER
    data = library.comparable(X, y, LogLoss())
    ours = library.train(data, 10, loss=LogLoss(), settings=settings)
    own = library.train_builtin(data, 10, loss=LogLoss(), settings=settings)
    library.assert_same_model(ours, own, X, LogLoss())


@each_library
def test_categories_reproduce_the_builtin_loss(library):
    pd = pytest.importorskip("pandas")
    X, y = CANCER
    frame = pd.DataFrame({"size": X[:, 0], "kind": pd.Categorical(np.digitize(X[:, 1], [15, 18, 21]))})
    data = library.comparable(frame, y, LogLoss())
    model = library.train(data, 10, loss=LogLoss())
    library.assert_same_model(model, library.train_builtin(data, 10, loss=LogLoss()), frame, LogLoss())


@pytest.mark.parametrize("library", [XGBOOST, LIGHTGBM], ids=repr)
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(2.0), SoftmaxCrossEntropy(), SoftmaxFocalLoss(1.0)], ids=repr)
def test_integer_weights_are_repeated_rows(library, loss):
    """No further apart than under the builtin loss; few values of the features keep quantiles out of it."""
    X, y = synthetic(3 if loss.multiclass else 2, 500)
    X = np.round(2 * X)
    weight = np.random.default_rng(1).integers(1, 4, len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    settings = {"min_data_in_leaf": 1, "min_data_in_bin": 1} if library is LIGHTGBM else None
    plain = plain_loss(y)
    data = [library.comparable(X, y, plain, weight), library.comparable(X[rows], y[rows], plain)]
    ours = [library.adapter.predict_proba(library.train(d, 10, loss=loss, settings=settings), X) for d in data]
    builtin = [
        plain.activation(library.builtin_scores(library.train_builtin(d, 10, loss=plain, settings=settings), X))
        for d in data
    ]
    assert np.abs(np.subtract(*ours)).max() <= max(np.abs(np.subtract(*builtin)).max(), 1e-6)
    unweighted = library.train(library.comparable(X, y, plain), 10, loss=loss, settings=settings)
    assert np.abs(library.adapter.predict_proba(unweighted, X) - ours[0]).max() > 1e-2


@pytest.mark.slow
@each_library
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_focal_training_at_a_base_rate_of_one_in_a_thousand(library, gamma):
    """Held-out log loss of the posterior against plain training, early-stopped, several seeds."""
    settings = {
        XGBOOST: {"max_depth": 3, "eta": 0.1, "min_child_weight": 0.1},
        LIGHTGBM: {"min_sum_hessian_in_leaf": 0.1, "min_data_in_leaf": 5},
        CATBOOST: {"depth": 4},
    }[library]
    ratios = []
    for seed in range(3):
        X, y = imbalanced(60_000, 0.0004, seed)
        scores = []
        for loss in (FocalLoss(gamma), LogLoss()):
            fit, held_out = library.data(X[:30_000], y[:30_000]), library.data(X[30_000:45_000], y[30_000:45_000])
            metric = library.adapter.Metric(loss, log_loss)
            model, _ = library.watched(fit, held_out, 300, loss=loss, settings=settings, metric=metric, stopping=20)
            scores.append(log_loss(y[45_000:], library.adapter.predict_proba(model, X[45_000:])[:, 1]))
        ratios.append(scores[0] / scores[1])
    print(f"{library}, focal gamma={gamma} / log loss: {np.mean(ratios):.4f} {np.round(ratios, 3)}")
    assert np.mean(ratios) <= 1.05


# ---- intercepts, labels, the caller's data --------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("loss", [*LOSSES, FocalLoss(1.0, 0.25), SoftmaxFocalLoss(2.0, (1, 2, 3))], ids=repr)
def test_the_intercept_is_the_best_constant(library, loss):
    """What one round adds at this rate cannot be seen."""
    X, y = data_of(loss)
    model = library.train(library.data(X, y), 1, loss=loss, settings={"learning_rate": 1e-6})
    shares = np.bincount(y) / len(y)
    assert_allclose(library.adapter.predict_proba(model, X), np.tile(shares, (len(y), 1)), rtol=1e-5)
    raw = library.adapter.raw_score(model, X)
    assert_allclose(raw, np.broadcast_to(loss.init_score(y), raw.shape), atol=1e-5)


@each_library
@pytest.mark.parametrize("loss", [LogLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_start_scores_of_the_data_replace_the_intercept(library, loss):
    X, y = data_of(loss)
    start = np.random.default_rng(0).standard_normal((len(y), 3) if loss.multiclass else len(y)).astype(np.float32)
    data = library.data(X, y, start=start)
    ours = library.train(data, 10, loss=loss)
    settings = {"boost_from_average": False} if library is LIGHTGBM else None
    own = library.train_builtin(data, 10, loss=loss, settings=settings)
    expected = library.builtin_scores(own, X) - library.builtin_scores(own, X[:1])
    found = library.adapter.raw_score(ours, X)
    assert_allclose(found - found[:1], expected, atol=1e-5)
    assert_array_equal(np.ravel(library.start_of(data)), np.ravel(start))
    with pytest.raises(ValueError, match=r"must have (base margins|init scores|a baseline) if and only if"):
        library.watched(data, library.data(X, y), 5, loss=loss)


@each_library
def test_the_callers_data_come_back_unchanged(library):
    X, y = CANCER
    data, held_out = library.data(X, y), library.data(X, y)
    before = library.builtin_scores(library.train_builtin(library.data(X, y), 5, loss=LogLoss()), X)
    first, _ = library.watched(data, held_out, 3, loss=FocalLoss(2.0))
    library.train(data, 3, loss=FocalLoss(2.0), first=first)
    library.cv(data, 3, loss=LogLoss())
    assert library.start_of(data) is None
    assert library.start_of(held_out) is None
    assert_array_equal(library.builtin_scores(library.train_builtin(data, 5, loss=LogLoss()), X), before)


@each_library
def test_soft_labels_are_smoothed_ones(library):
    X, y = CANCER
    soft = library.train(library.data(X, 0.8 * y + 0.1), 10, loss=LogLoss())
    smooth = library.train(library.data(X, y), 10, loss=LogLoss(label_smoothing=0.2))
    assert_allclose(library.adapter.raw_score(soft, X), library.adapter.raw_score(smooth, X), atol=1e-5)
    own = columns(library.own_predictions(library.adapter.servable(soft), X))
    assert_allclose(own, library.adapter.predict_proba(soft, X), atol=1e-6)


# ---- metrics and early stopping -------------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("classes", [2, 3])
def test_early_stopping_stops_where_the_builtin_metric_does(library, classes):
    X, y = synthetic(classes, 600)
    loss = plain_loss(y)
    fit, held_out = halves(library, X, y, loss)
    shared = {"loss": loss, "stopping": 5, "settings": {"learning_rate": 0.3}}
    ours, values = library.watched(fit, held_out, 200, **shared)
    own, expected = library.watched(fit, held_out, 200, builtin=True, **shared)
    rounds = min(len(values), len(expected))
    assert_allclose(values[:rounds], expected[:rounds], rtol=library.metric_rtol)
    assert abs(library.best_round(ours) - library.best_round(own)) <= library.round_slack
    assert 2 < library.best_round(ours) < 190
    assert library.best_round(ours) == np.argmin(values)


@each_library
def test_predictions_of_a_stopped_model_are_those_of_its_best_round(library):
    X, y = synthetic(2, 600)
    loss = FocalLoss()
    fit, held_out = library.data(X[::2], y[::2]), library.data(X[1::2], y[1::2])
    model, values = library.watched(fit, held_out, 200, loss=loss, stopping=5, settings={"learning_rate": 0.5})
    raw = library.adapter.raw_score(model, X)
    assert_allclose(loss(y[1::2], raw[1::2]), min(values), rtol=2e-5)
    assert_array_equal(raw, library.adapter.raw_score(model, X, rounds=library.best_round(model) + 1))
    short = library.train(library.data(X[::2], y[::2]), 3, loss=loss, settings={"learning_rate": 0.5})
    assert_allclose(library.adapter.raw_score(model, X, rounds=3), library.adapter.raw_score(short, X), atol=1e-6)


@each_library
@pytest.mark.parametrize("score", [None, brier_score, log_loss, roc_auc_score])
def test_metrics_see_intercept_and_weights(library, score):
    X, y = imbalanced(rate=0.02)
    weight = np.random.default_rng(0).random(len(y)).astype(np.float32)
    loss = FocalLoss(2.0)
    metric = library.adapter.Metric(loss, score, greater_is_better=score is roc_auc_score)
    data = library.data(X, y, weight)
    model, values = library.watched(data, data, 3, loss=loss, metric=metric)
    if score is None:
        expected = loss(y, library.adapter.raw_score(model, X), weight)
    else:
        expected = score(y, library.adapter.predict_proba(model, X)[:, 1], sample_weight=weight)
    assert_allclose(values[-1], expected, rtol=2e-5)


@each_library
def test_early_stopping_maximises_a_score_that_is_better_when_greater(library):
    X, y = CANCER
    metric = library.adapter.Metric(LogLoss(), roc_auc_score, greater_is_better=True)
    fit, held_out = library.data(X[:300], y[:300]), library.data(X[300:], y[300:])
    model, values = library.watched(fit, held_out, 60, loss=LogLoss(), metric=metric, stopping=5)
    assert library.best_round(model) == np.argmax(values) > 0


@pytest.mark.parametrize("library", [XGBOOST, LIGHTGBM], ids=repr)
@pytest.mark.parametrize("loss", [LogLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_probabilities_of_a_builtin_objective_can_be_scored(library, loss):
    data = library.data(*data_of(loss))
    metric = library.adapter.Metric(loss, input="proba", name="mine")
    _, expected = library.watched(data, data, 5, loss=loss, builtin=True)
    _, values = library.watched(data, data, 5, loss=loss, builtin=True, metric=metric)
    assert_allclose(values, expected, rtol=1e-5)


@each_library
def test_metrics_that_would_misread_raw_scores_are_refused(library):
    data = library.data(*CANCER)
    for run in (lambda **options: library.watched(data, data, 1, **options), lambda **o: library.cv(data, 1, **o)):
        other = r"the metric 'focal_loss' must use the training loss LogLoss\(.*got Foc"
        with pytest.raises(ValueError, match=other):
            run(loss=LogLoss(), metric=library.adapter.Metric(FocalLoss()))
        if library is not CATBOOST:
            with pytest.raises(ValueError, match="the metric 'log_loss' must have input='raw'"):
                run(loss=LogLoss(), metric=library.adapter.Metric(LogLoss(), input="proba"))
    if library is CATBOOST:
        with pytest.raises(
            ValueError, match="input must be 'raw', because CatBoost passes raw scores with every objective"
        ):
            library.adapter.Metric(LogLoss(), input="proba")


@each_library
def test_names_of_scores(library):
    def score(y_true, proba, sample_weight=None):
        return 0.0

    score.__name__ = "log loss"
    with pytest.raises(ValueError, match=r"score must have a __name__ without spaces or colons.* got 'log loss'"):
        library.adapter.Metric(LogLoss(), score)
    assert library.adapter.Metric(LogLoss(), score, name="mine").label == "mine"
    score.__name__ = "<lambda>"
    assert library.adapter.Metric(LogLoss(), score).label == "<lambda>"


# ---- cross-validation -----------------------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy()], ids=repr)
def test_cv_starts_each_fold_from_its_own_intercept(library, loss):
    """CatBoost has one intercept for all folds. What one round adds at this rate cannot be seen."""
    X, y = data_of(loss)
    weight = np.random.default_rng(0).random(len(y)).astype(np.float32)
    order = np.random.default_rng(1).permutation(len(y))
    folds = [(order[:90], order[90:]), (order[60:], order[:60])]
    data = library.data(X, y, weight)
    values = library.cv(data, 1, loss=loss, folds=folds, settings={"learning_rate": 1e-6})
    expected = []
    for fit, held_out in folds:
        rows = slice(None) if library is CATBOOST else fit
        init = np.atleast_1d(loss.init_score(y[rows], weight[rows]))
        raw = np.tile(init, (len(held_out), 1)) if loss.multiclass else np.full(len(held_out), init[0])
        expected.append(loss(y[held_out], raw, weight[held_out]))
    assert_allclose(values[-1], np.mean(expected), rtol=2e-5)
    values = library.cv(data, 5, loss=loss, folds=folds)
    assert values[-1] < values[0] < np.mean(expected)


@each_library
def test_a_fold_without_a_class_is_named(library):
    X, y = WINE
    order = np.argsort(y, kind="stable")
    folds = [(np.arange(len(y)), np.arange(10)), (order[:100], order[100:])]
    with pytest.raises(
        ValueError, match=r"training part of fold 2: y_true must hold every class 0..2 with positive weight"
    ):
        library.cv(library.data(X, y), 3, loss=SoftmaxCrossEntropy(), folds=folds)


# ---- models ---------------------------------------------------------------------------------------------------------


@each_library
@each_loss
def test_own_predictions_are_no_wrong_probabilities(library, loss, tmp_path):
    """In memory, and from a file."""
    X, y = data_of(loss)
    model = library.train(library.data(X, y), loss=loss)
    raw, proba = library.adapter.raw_score(model, X), library.adapter.predict_proba(model, X)
    assert proba.shape == (len(y), 3 if loss.multiclass else 2)
    assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    model.save_model(str(tmp_path / f"model.{library.suffix}"))
    loaded = library.load(tmp_path / f"model.{library.suffix}")
    for one in (model, loaded):
        own = library.own_predictions(one, X)
        if loss.is_proper and not library.predicts_raw:
            assert_allclose(columns(own), proba, atol=1e-6)
        else:
            assert_allclose(own, raw, atol=1e-6)
    if not library.file_keeps_loss:
        with pytest.raises(ValueError, match="the model carries no loss; pass the one it was trained with as loss="):
            library.adapter.predict_proba(loaded, X)
    given = (None, loss) if library.file_keeps_loss else (loss,)
    for one in given:
        assert_array_equal(library.adapter.predict_proba(loaded, X, one), proba)


@each_library
@each_loss
def test_a_servable_model_predicts_the_posterior(library, loss):
    X, y = data_of(loss)
    model = library.train(library.data(X, y), loss=loss)
    raw = library.adapter.raw_score(model, X)
    if loss.posterior_offset(3) is None:
        with pytest.raises(ValueError, match="is not a sigmoid or softmax of its raw scores"):
            library.adapter.servable(model)
        return
    proba = library.adapter.predict_proba(model, X)
    served = library.adapter.servable(model)
    for one in (served, library.adapter.servable(served)):  # class weights are not taken out twice
        assert_allclose(columns(library.own_predictions(one, X)), proba, atol=1e-6)
        assert_allclose(library.adapter.predict_proba(one, X), proba, atol=1e-6)
    assert_array_equal(library.adapter.raw_score(model, X), raw)


@each_library
@each_loss
def test_continuation_in_two_halves_is_one_run(library, loss, tmp_path):
    X, y = data_of(loss)
    whole = library.adapter.raw_score(library.train(library.data(X, y), 8, loss=loss), X)
    half = library.train(library.data(X, y), 4, loss=loss)
    half.save_model(str(tmp_path / f"half.{library.suffix}"))
    for first in (half, str(tmp_path / f"half.{library.suffix}")):
        both = library.train(library.data(X, y), 4, loss=loss, first=first)
        assert_allclose(library.adapter.raw_score(both, X), whole, atol=1e-6)
    other = SoftmaxFocalLoss(0.5) if loss.multiclass else FocalLoss(0.5)
    with pytest.raises(ValueError, match=f"{library.continues} must have been trained with loss="):
        library.train(library.data(X, y), 4, loss=other, first=half)


@each_library
@pytest.mark.parametrize("loss", [LogLoss(3.0), FocalLoss(2.0)], ids=repr)
def test_shap_values_sum_to_the_raw_score(library, loss):
    X, y = CANCER
    model = library.train(library.data(X, y), loss=loss)
    assert_allclose(library.shap(model, X, y).sum(axis=1), library.adapter.raw_score(model, X), atol=1e-5)


@each_library
@pytest.mark.parametrize("loss", [LogLoss(2.0), FocalLoss(2.0, 0.25)], ids=repr)
def test_objects_and_models_survive_copies(library, loss):
    X, y = CANCER
    Metric, Objective = library.adapter.Metric, library.adapter.Objective
    for thing in (Objective(loss), Metric(loss), Metric(loss, brier_score, name="brier", greater_is_better=False)):
        assert copy.deepcopy(thing) is thing
        assert pickle.loads(pickle.dumps(thing)) == thing
        assert hash(thing) == hash(copy.copy(thing))
    booster = library.train(library.data(X, y), 3, loss=loss)
    classifier = clone(library.classifier(loss, y, rounds=3)).fit(X, y)
    for model in (booster, classifier):
        revived = pickle.loads(pickle.dumps(model))
        assert_array_equal(library.adapter.predict_proba(revived, X), library.adapter.predict_proba(model, X))


@each_library
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(2.0), SoftmaxCrossEntropy()], ids=repr)
def test_a_classifier_with_a_bare_objective_is_the_trained_model(library, loss):
    X, y = data_of(loss)
    weight = np.random.default_rng(0).integers(1, 4, len(y))
    model = library.classifier(loss, y, weight).fit(X, y, sample_weight=weight)
    proba = library.adapter.predict_proba(model, X)
    booster = library.train(library.data(X, y, weight), loss=loss)
    assert_allclose(proba, library.adapter.predict_proba(booster, X), atol=1e-6)
    if loss.is_proper:
        served = library.adapter.servable(model)
        own = served.predict_proba(X) if hasattr(served, "predict_proba") else columns(served.predict(X))
        assert_allclose(own, proba, atol=1e-6)


def auc_of_posterior(library, model, X, y):
    return roc_auc_score(y, library.adapter.predict_proba(model, X)[:, 1])


@pytest.mark.slow
@each_library
def test_cross_validation_in_two_processes(library):
    from functools import partial

    X, y = CANCER
    options = {"scoring": partial(auc_of_posterior, library), "cv": 3, "n_jobs": 2, "error_score": "raise"}
    assert (cross_val_score(library.classifier(LogLoss(), y, rounds=10), X, y, **options) > 0.9).all()


@each_library
def test_a_second_fit_compiles_nothing(library):
    def fit_everything():
        for loss in (LogLoss(), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss()):
            X, y = data_of(loss)
            for weight in (None, np.ones(len(y))):
                data = library.data(X, y, weight)
                library.adapter.predict_proba(library.watched(data, data, 1, loss=loss)[0], X)
                library.classifier(loss, y, weight, rounds=1).fit(X, y, sample_weight=weight)

    fit_everything()
    compiled = compiled_variants()
    fit_everything()
    assert compiled_variants() == compiled


# ---- the loss of a model --------------------------------------------------------------------------------------------

LOSS, OTHER = LogLoss(3.0), LogLoss()


@each_library
@pytest.mark.parametrize("kind", ["booster", "classifier"])
def test_another_loss_than_the_models_own_is_refused(library, kind):
    X, y = CANCER
    if kind == "booster":
        model = library.train(library.data(X, y), 2, loss=LOSS)
    else:
        model = library.classifier(LOSS, y, rounds=2).fit(X, y)
    message = (
        r"the one that the model was trained with, got LogLoss\(pos_weight=1.0.* as loss=, LogLoss\(pos_weight=3.0"
    )
    for call in (
        lambda: library.adapter.predict_proba(model, X, OTHER),
        lambda: library.adapter.servable(model, OTHER),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    proba = library.adapter.predict_proba(model, X)
    assert_array_equal(library.adapter.predict_proba(model, X, LOSS), proba)
    with pytest.raises(ValueError, match="the one that the model was trained with"):
        library.adapter.predict_proba(library.adapter.servable(model), X, LOSS)  # would undo the weights a second time


@each_library
def test_a_model_without_a_loss_needs_one(library):
    X, y = CANCER
    model = library.train_builtin(library.data(X, y), 3, loss=LogLoss())
    with pytest.raises(ValueError, match="the model carries no loss; pass the one it was trained with as loss="):
        library.adapter.predict_proba(model, X)
    expected = LogLoss().activation(library.builtin_scores(model, X))
    assert_allclose(library.adapter.predict_proba(model, X, LogLoss())[:, 1], expected, atol=1e-6)
    with pytest.raises(TypeError, match=r"loss must be a Loss, such as LogLoss"):
        library.adapter.predict_proba(model, X, "log_loss")


class Mine(LogLoss):
    """A loss that a model file could name but nobody could read back."""


@each_library
def test_subclasses_of_the_losses_are_no_losses_of_a_model(library):
    message = "loss must be one of LogLoss, FocalLoss"
    with pytest.raises(TypeError, match=message):
        loss_to_json(Mine())
    with pytest.raises(TypeError, match=message):
        library.train(library.data(*CANCER), 1, loss=Mine())
    library.adapter.Objective(Mine())


# ---- refused --------------------------------------------------------------------------------------------------------


@each_library
def test_losses_are_objects(library):
    data, (_, y) = library.data(*CANCER), CANCER
    message = r"loss must be a Loss, such as LogLoss\(\), got .*did you mean LogLoss\(\)"
    for call in (
        lambda: library.adapter.Objective(LogLoss),
        lambda: library.adapter.Metric(LogLoss),
        lambda: library.adapter.params(LogLoss, y),
        lambda: library.train(data, loss=LogLoss),
        lambda: library.cv(data, 1, loss=LogLoss),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    with pytest.raises(TypeError, match="loss must be a Loss"):
        library.adapter.Objective("log_loss")


@each_library
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "log loss"}, ValueError, "name must be a letter followed by letters, digits or underscores"),
        ({"name": "log:loss"}, ValueError, "name must be a letter followed by"),
        ({"input": "logits"}, ValueError, "input must be 'raw'"),
        ({"score": "auc"}, TypeError, "score must be a function"),
    ],
)
def test_options_of_metrics_without_meaning_are_refused(library, options, error, message):
    with pytest.raises(error, match=message):
        library.adapter.Metric(LogLoss(), **options)


def refused(library, error, message, data, loss, settings=None):
    """Check that neither a training nor a cross-validation begins."""
    for run in (library.train, library.cv):
        with pytest.raises(error) as raised:
            run(data, 3, loss=loss, settings=settings, **library.without_rounds)
        assert message in str(raised.value), raised.value


@pytest.mark.parametrize("library", [XGBOOST, LIGHTGBM], ids=repr)
@pytest.mark.parametrize(
    ("loss", "labels", "weight", "message"),
    [
        (LogLoss(), lambda y: y + 2, None, "y_true must lie in [0, 1], got 2.0 in row 0"),
        (FocalLoss(), lambda y: 2 * y - 1, None, "y_true must lie in [0, 1], got -1.0 in row"),
        (LogLoss(), np.ones_like, None, "got only class 1"),
        (LogLoss(), lambda y: y, np.zeros_like, "sample_weight must have a sum > 0, got 569 weights that are all 0"),
        (
            SoftmaxCrossEntropy(),
            lambda y: 2 * y,
            None,
            "hold every class 0..2 with positive weight, got none of class 1",
        ),
        (SoftmaxFocalLoss(), lambda y: y / 2, None, "y_true must hold class codes 0, 1, 2, ..., got 0.5"),
        (SoftmaxCrossEntropy((1.0, 2.0, 3.0)), lambda y: y, None, "must hold one weight per class, got 3 for 2"),
    ],
)
def test_labels_and_weights_without_meaning_are_refused(library, loss, labels, weight, message):
    X, y = CANCER
    data = library.data(X, labels(y), None if weight is None else weight(y))
    refused(library, ValueError, message, data, loss)


@pytest.mark.parametrize("library", [XGBOOST, LIGHTGBM], ids=repr)
@pytest.mark.parametrize(
    ("labels", "settings", "message"),
    [
        (lambda y: 2 * y, {"num_class": 2}, "class codes 0..1, got 2.0"),
        (lambda y: y, {"num_class": 3}, "got none of class 2"),
        *(((lambda y: y), {"num_class": n}, "num_class must be ") for n in (0, -1, 1, 2.5, "three", np.nan)),
    ],
)
def test_numbers_of_classes_without_meaning_are_refused(library, labels, settings, message):
    X, y = CANCER
    refused(library, ValueError, message, library.data(X, labels(y)), SoftmaxFocalLoss(), settings)


@pytest.mark.parametrize("library", [XGBOOST, LIGHTGBM], ids=repr)
def test_numbers_may_be_text(library):
    for value in ("3", 3.0, np.int64(3)):
        library.train(library.data(*WINE), 1, loss=SoftmaxCrossEntropy(), settings={"num_class": value})
    for settings in ({"scale_pos_weight": "1"}, {"num_class": "1"}):
        library.train(library.data(*CANCER), 1, loss=LogLoss(), settings=settings)
    with pytest.raises(ValueError, match=r"num_class must be omitted for the binary LogLoss.* got '2'"):
        library.train(library.data(*CANCER), 1, loss=LogLoss(), settings={"num_class": "2"})


@pytest.mark.parametrize(
    ("library", "loss", "settings", "message"),
    [
        (
            XGBOOST,
            LogLoss(),
            {"objective": "binary:logistic"},
            "params must not contain 'objective' when a loss is given",
        ),
        (XGBOOST, LogLoss(), {"scale_pos_weight": 9}, "scale_pos_weight has no effect with a custom objective, got 9"),
        (XGBOOST, FocalLoss(), {"eval_metric": "logloss"}, "eval_metric must be one of auc, aucpr,"),
        (XGBOOST, FocalLoss(), {"eval_metric": ["auc", "error@0.3"]}, "eval_metric must be one of auc, aucpr,"),
        (XGBOOST, FocalLoss(), {"eval_metric": "mape"}, "eval_metric must be one of auc, "),
        (XGBOOST, FocalLoss(), {"eval_metric": "mapk"}, "got 'mapk'"),
        (XGBOOST, FocalLoss(), {"eval_metric": "prec"}, "got 'prec'"),
        (XGBOOST, FocalLoss(), {"eval_metric": "aucx@3"}, "got 'aucx@3'"),
        (XGBOOST, SoftmaxFocalLoss(), {"eval_metric": "mlogloss"}, "eval_metric must be one of merror where"),
        (LIGHTGBM, LogLoss(), {"objective": "binary"}, "params must not contain 'objective' when a loss is given"),
        (LIGHTGBM, LogLoss(), {"application": "binary"}, "params must not contain 'application' when a loss is given"),
        (
            LIGHTGBM,
            LogLoss(),
            {"scale_pos_weight": 9},
            "scale_pos_weight has no effect with a custom objective, got 9",
        ),
        (LIGHTGBM, LogLoss(), {"is_unbalance": True}, "is_unbalance has no effect with a custom objective, got True"),
        (LIGHTGBM, LogLoss(), {"sigmoid": 2}, "sigmoid has no effect with a custom objective, got 2"),
        (LIGHTGBM, LogLoss(), {"pos_bagging_fraction": 0.5}, "pos_bagging_fraction has no effect with a custom"),
        (
            LIGHTGBM,
            LogLoss(),
            {"boosting": "rf"},
            "boosting must not be 'rf': LightGBM's random forest does not support a custom",
        ),
        (LIGHTGBM, LogLoss(), {"metric": "binary_logloss"}, "metric must be one of auc, average_precision or 'None'"),
        (LIGHTGBM, LogLoss(), {"metrics": ["auc", "binary_error"]}, "got 'binary_error', which would read raw scores"),
        (
            CATBOOST,
            LogLoss(),
            {"loss_function": "Logloss"},
            "params must not contain 'loss_function' when a loss is given",
        ),
        (CATBOOST, LogLoss(), {"objective": "Logloss"}, "params must not contain 'objective' when a loss is given"),
        (CATBOOST, LogLoss(), {"task_type": "GPU"}, "task_type must be 'CPU'"),
        (CATBOOST, LogLoss(), {"scale_pos_weight": 9}, "scale_pos_weight is not supported with a custom objective"),
        (CATBOOST, LogLoss(), {"eval_metric": "Logloss"}, "eval_metric must be a Metric or one of AUC, PRAUC"),
        (CATBOOST, LogLoss(), {"custom_metric": ["AUC", "F1"]}, "got 'F1', which would receive scores without the"),
        (CATBOOST, LogLoss(), {"boost_from_average": "maybe"}, "boost_from_average must be true or false, got 'maybe'"),
    ],
    ids=str,
)
def test_parameters_that_would_be_ignored_or_wrong_are_refused(library, loss, settings, message):
    refused(library, ValueError, message, library.data(*data_of(loss)), loss, settings)


@pytest.mark.parametrize(
    ("library", "names"),
    [
        (XGBOOST, ("base_score", "num_class", "scale_pos_weight", "eval_metric", "disable_default_eval_metric")),
        (LIGHTGBM, ("boost_from_average", "scale_pos_weight", "num_class", "metric", "is_unbalance", "objective")),
        (CATBOOST, ("boost_from_average", "scale_pos_weight", "class_weights", "eval_metric", "task_type")),
    ],
    ids=str,
)
def test_none_is_a_parameter_that_was_not_given(library, names):
    data, loss = library.data(*CANCER), FocalLoss()
    empty = dict.fromkeys((*names, "loss_function" if library is CATBOOST else "objective"))
    models = [library.train(data, 2, loss=loss, settings=settings) for settings in (empty, None)]
    assert_array_equal(*[library.adapter.raw_score(model, CANCER[0]) for model in models])
    assert_array_equal(library.cv(data, 2, loss=loss, settings=empty), library.cv(data, 2, loss=loss))


@pytest.mark.parametrize(
    ("library", "data", "params"),
    [
        (
            XGBOOST,
            "the data must be a DMatrix, got ndarray",
            r"params must be a mapping or pairs \(name, value\), got ",
        ),
        (LIGHTGBM, "train_set must be a lightgbm.Dataset, got ndarray", "params must be a mapping, got list"),
        (
            CATBOOST,
            "pool must be a Pool, got ndarray; make one with catboost.Pool",
            "params must be a mapping, got list",
        ),
    ],
    ids=str,
)
def test_data_and_parameters_in_other_containers_are_refused(library, data, params):
    adapter = library.adapter
    for run in (adapter.train, adapter.cv):
        given = ({}, CANCER[0]) if library is not CATBOOST else (CANCER[0], {})
        with pytest.raises(TypeError, match=data):
            run(*given, loss=LogLoss())
        wrong, pool = [("max_depth", 3, 4)], library.data(*CANCER)
        with pytest.raises(TypeError, match=params):
            run(*((wrong, pool) if library is not CATBOOST else (pool, wrong)), loss=LogLoss())


@each_library
def test_what_contains_a_model_is_none(library, tmp_path):
    X, y = CANCER
    classifier = library.classifier(LogLoss(), y, rounds=1)
    for thing, hint in (
        (make_pipeline(classifier), "got Pipeline; pass its last step, and the X"),
        (
            GridSearchCV(classifier, {}, cv=2, scoring=lambda *_: 0.0).fit(X, y),
            "got GridSearchCV; pass its best_estimator_",
        ),
        (tmp_path / "model", "Path; load the file first"),
        (None, "got NoneType"),
    ):
        for call in (
            library.adapter.raw_score,
            library.adapter.predict_proba,
            lambda m, _: library.adapter.servable(m),
        ):
            with pytest.raises(TypeError, match=f"model must be a {library.kinds}, .*{hint}"):
                call(thing, X)
