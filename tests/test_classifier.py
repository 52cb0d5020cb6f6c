"""The calibrated classifier in all three libraries: what it computes, what it refuses, and what it works inside of."""

import importlib
import pickle
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit
from sklearn.calibration import CalibrationDisplay
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from boosting_losses import (
    CalibratedBoostingClassifier,
    FocalLoss,
    LogLoss,
    SoftmaxCrossEntropy,
    SoftmaxFocalLoss,
    metrics,
)
from boosting_losses.calibration import PlattScaling, VectorScaling

from .cases import mostly_slow

catboost = pytest.importorskip("catboost")
lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

CANCER = load_breast_cancer(return_X_y=True)
WINE = load_wine(return_X_y=True)
ESTIMATORS = {
    "xgboost": lambda **more: xgboost.XGBClassifier(**{"n_estimators": 15, "max_depth": 3, "n_jobs": 1, **more}),
    "lightgbm": lambda **more: lightgbm.LGBMClassifier(
        **{"n_estimators": 15, "num_leaves": 7, "min_child_samples": 5, "n_jobs": 1, **more}
    ),
    "catboost": lambda **more: catboost.CatBoostClassifier(
        **{"iterations": 15, "depth": 3, "thread_count": 1, "allow_writing_files": False, **more}
    ),
}
each_library = pytest.mark.parametrize("library", ESTIMATORS)
#: Where no library does anything of its own.
some_library = pytest.mark.parametrize("library", mostly_slow(ESTIMATORS, 1))
#: Enough rounds for training to stop early, at a rate at which it soon does.
MANY = {
    "xgboost": {"n_estimators": 300},
    "lightgbm": {"n_estimators": 300},
    "catboost": {"iterations": 200, "learning_rate": 0.3},
}


def make(library, estimator_parameters=None, **parameters):
    parameters = {"cv": 3, **parameters}
    return CalibratedBoostingClassifier(ESTIMATORS[library](**(estimator_parameters or {})), **parameters)


def adapter(library):
    return importlib.import_module(f"boosting_losses.adapters.{library}")


def trained(library, X, y, loss, weight=None, rounds=15):
    """Train a model by the adapter with the same settings."""
    if library == "xgboost":
        data = xgboost.DMatrix(X, y, weight=weight)
        return adapter(library).train({"max_depth": 3, "nthread": 1}, data, rounds, loss=loss)
    if library == "lightgbm":
        settings = {"num_leaves": 7, "min_child_samples": 5, "num_threads": 1, "verbosity": -1}
        return adapter(library).train(settings, lightgbm.Dataset(X, y, weight=weight), rounds, loss=loss)
    kind = "MultiClass" if loss.multiclass else "Logloss"
    builtin = catboost.CatBoostClassifier(iterations=rounds, depth=3, loss_function=kind, verbose=False)
    builtin.set_params(allow_writing_files=False, thread_count=1)
    chosen = builtin.fit(X, y, sample_weight=weight).get_all_params()
    names = ["learning_rate", "bootstrap_type", "subsample", "bagging_temperature"]
    if loss in (LogLoss(), SoftmaxCrossEntropy()):
        names += ["leaf_estimation_method", "leaf_estimation_iterations", "leaf_estimation_backtracking"]
    settings = {name: chosen[name] for name in names if name in chosen}
    settings |= {"iterations": rounds, "depth": 3, "thread_count": 1, "verbose": False}
    return adapter(library).train(catboost.Pool(X, y, weight=weight), settings, loss=loss, builtin="auto")


# ---- what it computes -----------------------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize(
    "loss",
    mostly_slow(
        [FocalLoss(2.0, alpha=0.3), SoftmaxCrossEntropy(), LogLoss(), LogLoss(pos_weight=3.0), SoftmaxFocalLoss(1.0)],
        0,
        1,
    ),
    ids=str,
)
def test_without_calibration_it_is_the_posterior_of_the_adapters_model(library, loss):
    X, y = WINE if loss.multiclass else CANCER
    fitted = make(library, loss=loss, calibration=None).fit(X, y)
    model = trained(library, X, y, loss)
    assert_allclose(fitted.raw_score(X), adapter(library).raw_score(model, X), atol=1e-6)
    assert_allclose(fitted.predict_proba(X), adapter(library).predict_proba(model, X), atol=1e-6)
    assert fitted.loss_ == loss
    assert len(fitted.models_) == 1
    assert fitted.calibration_report_ == {"method": "none"}


@each_library
def test_scores_are_calibrated_out_of_fold(library):
    X, y = CANCER
    weight = np.random.default_rng(0).exponential(size=len(y))
    splits = list(StratifiedKFold(3).split(X, y))
    raw = np.empty(len(y))
    for train, test in splits:
        model = trained(library, X[train], y[train], FocalLoss(), weight[train])
        raw[test] = adapter(library).raw_score(model, X[test])
    calibrator = PlattScaling().fit(FocalLoss().posterior_logits(raw), y, weight)
    model = trained(library, X, y, FocalLoss(), weight)
    expected = calibrator.predict_proba(FocalLoss().posterior_logits(adapter(library).raw_score(model, X)))
    for cv in (3, splits) if library == "lightgbm" else (splits,):
        fitted = make(library, loss="focal", calibration="sigmoid", cv=cv).fit(X, y, sample_weight=weight)
        assert_allclose(fitted.predict_proba(X), expected, atol=1e-6)


@each_library
def test_an_ensemble_averages_calibrated_models(library):
    X, y = WINE
    fitted = make(library, calibration="vector", ensemble=True).fit(X, y)
    parts = []
    for train, test in StratifiedKFold(3).split(X, y):
        model = trained(library, X[train], y[train], SoftmaxCrossEntropy())
        calibrator = VectorScaling().fit(adapter(library).raw_score(model, X[test]), y[test])
        parts.append(calibrator.predict_proba(adapter(library).raw_score(model, X)))
    assert_allclose(fitted.predict_proba(X), np.mean(parts, axis=0), atol=1e-6)
    assert len(fitted.models_) == len(fitted.calibrators_) == 3
    assert fitted.raw_score(X).shape == (len(y), 3)


@each_library
def test_early_stopping_finds_the_rounds(library):
    X, y = CANCER
    fitted = make(library, MANY[library], early_stopping=5, calibration=None).fit(X, y)
    assert all(1 <= rounds < 200 for rounds in fitted.rounds_)
    assert len(fitted.rounds_) == 3
    assert fitted._trainer.rounds(fitted.models_[0]) == round(np.mean(fitted.rounds_))
    if library == "catboost":  # whose automatic learning rate depends on the number of rounds
        return
    train, test = next(StratifiedKFold(3).split(X, y))
    losses = []
    for rounds in (fitted.rounds_[0], fitted.rounds_[0] + 5):
        model = trained(library, X[train], y[train], LogLoss(), None, rounds)
        losses.append(LogLoss()(y[test], adapter(library).raw_score(model, X[test])))
    assert losses[0] <= losses[1]


@each_library
def test_the_metric_of_early_stopping(library):
    X, y = CANCER
    many, seen = MANY[library], []

    def accuracy(y_true, proba, sample_weight=None):
        seen.append((proba.min(), proba.max(), sample_weight is None))
        return np.average((proba > 0.5) == y_true, weights=sample_weight)

    stopping = {"rounds": 3, "metric": accuracy, "greater_is_better": True}
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(y))
    by_accuracy = make(library, many, early_stopping=stopping, calibration=None).fit(X, y, sample_weight=weight)
    assert all(low >= 0 and high <= 1 and not unweighted for low, high, unweighted in seen)
    by_loss = make(library, many, early_stopping=3, calibration=None).fit(X, y)
    assert sum(by_accuracy.rounds_) < sum(by_loss.rounds_)


def test_the_refinement_metric_of_early_stopping():
    one, other = (
        make(
            "lightgbm", {"n_estimators": 30}, cv=2, early_stopping={"rounds": 2, "metric": metric}, calibration=None
        ).fit(*WINE)
        for metric in ("refinement", metrics.refinement_loss)
    )
    assert one.rounds_ == other.rounds_


def test_refinement_is_a_metric_of_every_adapter():
    X, y = CANCER
    raw = 3 * np.random.default_rng(0).standard_normal(len(y))
    loss = FocalLoss(2.0)
    expected = metrics.refinement_loss(y, raw=loss.posterior_logits(raw))
    data = xgboost.DMatrix(X, y)
    name, value = adapter("xgboost").Metric(loss, metrics.refinement_loss)(raw, data)
    assert (name, value) == ("refinement_loss", pytest.approx(expected))
    data = lightgbm.Dataset(X, y).construct()
    metric = adapter("lightgbm").Metric(loss, metrics.refinement_loss, init_score=0.5)
    assert metric(raw - 0.5, data) == ("refinement_loss", pytest.approx(expected), False)
    total, weight = (
        adapter("catboost").Metric(loss, metrics.refinement_loss).evaluate([raw], y.astype(np.float32), None)
    )
    assert total / weight == pytest.approx(expected)


# ---- the choice of a calibration ------------------------------------------------------------------------------------


def fold_scores(raw, y):
    from boosting_losses.classifier._select_calibrator import HeldOut, choose

    return choose(HeldOut(raw, y, None, np.arange(len(y)) % 5, np.arange(len(y))))


def test_the_choice_is_the_simplest_that_is_good_enough():
    rng = np.random.default_rng(0)
    raw = 2 * rng.standard_normal(20_000)
    right = fold_scores(raw, (rng.random(len(raw)) < expit(raw)).astype(int))
    assert right["method"] == "none"
    assert set(right["scores"]) == {"none", "temperature", "sigmoid", "beta", "isotonic"}
    assert right["scores"]["none"]["above_best"] <= right["scores"]["none"]["standard_error"]
    assert fold_scores(raw, (rng.random(len(raw)) < expit(raw / 2)).astype(int))["method"] == "temperature"
    assert fold_scores(raw, (rng.random(len(raw)) < expit(raw / 2 + 1)).astype(int))["method"] == "sigmoid"
    steps = np.where(raw > 0.5, 0.7, np.where(raw > -1, 0.3, 0.25))
    assert fold_scores(raw, (rng.random(len(raw)) < steps).astype(int))["method"] == "isotonic"


def test_isotonic_calibration_is_no_choice_for_few_rows():
    rng = np.random.default_rng(0)
    raw = rng.standard_normal(999)
    y = (rng.random(999) < np.where(raw > 0.5, 0.9, 0.1)).astype(int)
    assert "isotonic" not in fold_scores(raw, y)["scores"]
    assert "isotonic" in fold_scores(np.r_[raw, 0.0], np.r_[y, 0])["scores"]


def test_the_choice_for_many_classes():
    rng = np.random.default_rng(0)
    truth = 2 * rng.standard_normal((10_000, 4))
    y = (truth + rng.gumbel(size=truth.shape)).argmax(axis=1)
    assert fold_scores(truth, y)["method"] == "none"
    assert fold_scores(2 * truth, y)["method"] == "temperature"
    assert fold_scores(2 * truth + [0, 1, -1, 0.5], y)["method"] == "vector"


@each_library
def test_the_report_holds_all_scores(library):
    X, y = WINE
    fitted = make(library).fit(X, y)
    report = fitted.calibration_report_
    assert report["method"] in report["scores"]
    assert report["rows"] == len(y)
    assert min(report["scores"].values(), key=lambda score: score["log_loss"])["above_best"] == 0
    assert fitted.predict_proba(X).shape == (len(y), 3)


@pytest.mark.parametrize("calibration", ["temperature", "sigmoid", "beta", "vector", "isotonic", PlattScaling()])
def test_a_named_calibration(calibration):
    for X, y in (CANCER, WINE):
        fitted = make("lightgbm", {"learning_rate": 0.3}, cv=2, calibration=calibration).fit(X, y)
        proba = fitted.predict_proba(X)
        assert_allclose(proba.sum(axis=1), 1)
        assert metrics.log_loss(y, proba if proba.shape[1] > 2 else proba[:, 1]) < 0.2
        assert_array_equal(fitted.predict(X), proba.argmax(axis=1))


# ---- weights --------------------------------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("loss", mostly_slow(["auto", "focal"], 1))
@pytest.mark.parametrize("data", [CANCER, WINE], ids=["binary", "multiclass"])
def test_class_weights_train_as_sample_weights_and_are_undone(library, loss, data):
    X, y = data
    class_weight = dict(enumerate([0.5, 2.0, 1.5][: y.max() + 1]))
    fitted = make(library, {"random_state": 0}, loss=loss, class_weight=class_weight, calibration=None).fit(X, y)
    weight = np.array([class_weight[label] for label in y])
    weighted = make(library, {"random_state": 0}, loss=loss, calibration=None).fit(X, y, sample_weight=weight)
    if library == "xgboost":  # whose quantile sketch also looks at sample weights: compare what has one split value
        X = (np.median(X, axis=0) < X).astype(float)
        fitted.fit(X, y)
        weighted.fit(X, y, sample_weight=weight)
    if library != "catboost":  # in whose choice of splits sample weights count, and its probe saw none
        assert_allclose(fitted.raw_score(X), weighted.raw_score(X), atol=2e-3)
    odds = fitted.predict_proba(X) * list(class_weight.values())
    assert_allclose(odds / odds.sum(axis=1, keepdims=True), _plain_posterior(fitted, X), atol=1e-6)


def _plain_posterior(fitted, X):
    """Return the posterior without the focal term and with the class weights."""
    gamma = getattr(fitted.loss_, "gamma", 0.0)
    plain = SoftmaxFocalLoss(gamma) if fitted.loss_.multiclass else FocalLoss(gamma)
    proba = plain.posterior(fitted.raw_score(X).astype(float))
    return proba if proba.ndim == 2 else np.column_stack([1 - proba, proba])


@each_library
def test_balanced_class_weights_leave_probabilities_right(library):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 3))
    y = (rng.random(3000) < expit(X[:, 0] - 3)).astype(int)
    fitted = make(library, class_weight="balanced", calibration="sigmoid").fit(X, y)
    assert abs(fitted.predict_proba(X)[:, 1].mean() - y.mean()) < 0.01
    assert fitted.loss_.pos_weight == pytest.approx((1 - y.mean()) / y.mean())


@each_library
def test_weights_are_repeated_rows_where_folds_are_aligned(library):
    X, y = CANCER
    X = (np.median(X, axis=0) < X).astype(float)  # one split value each: no sketch of quantiles in between
    counts = np.random.default_rng(0).integers(1, 3, len(y))
    rows = np.repeat(np.arange(len(y)), counts)
    fold = np.random.default_rng(1).integers(0, 3, len(y))
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    repeated = [(np.flatnonzero(fold[rows] != k), np.flatnonzero(fold[rows] == k)) for k in range(3)]
    # Nothing that counts rows: they differ in number.
    plain = {
        "xgboost": {},
        "lightgbm": {"min_child_samples": 1, "min_child_weight": 1e-3},
        "catboost": {"learning_rate": 0.1, "bootstrap_type": "No", "random_strength": 0, "l2_leaf_reg": 0},
    }[library]
    weighted = make(library, plain, calibration="sigmoid", cv=splits).fit(X, y, sample_weight=counts)
    copies = make(library, plain, calibration="sigmoid", cv=repeated).fit(X[rows], y[rows])
    assert_allclose(weighted.predict_proba(X), copies.predict_proba(X), atol=2e-3)


# ---- kinds of data --------------------------------------------------------------------------------------------------


@each_library
def test_labels_of_any_kind(library):
    X, y = WINE
    expected = make(library, cv=2, calibration="temperature").fit(X, y)
    for names in (np.array(["a", "b", "c"]), np.array(["a", "b", "c"], object), np.array([-1, 5, 10])):
        fitted = make(library, cv=2, calibration="temperature").fit(X, names[y])
        assert_allclose(fitted.predict_proba(X), expected.predict_proba(X))
        assert_array_equal(fitted.predict(X), names[expected.predict(X)])
        assert_array_equal(fitted.classes_, names)


@each_library
def test_missing_values_and_sparse_matrices(library):
    X, y = CANCER
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    assert np.isfinite(make(library, cv=2, calibration="temperature").fit(holes, y).predict_proba(holes)).all()
    for kind in (scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_matrix):
        matrix = kind(np.where(np.median(X, axis=0) < X, X, 0))
        fitted = make(library, cv=2, calibration="temperature").fit(matrix, y)
        assert fitted.score(matrix, y) > 0.9


def frame():
    pd = pytest.importorskip("pandas")
    X, y = CANCER
    columns = {"size": X[:, 0], "kind": np.array(["low", "middle", "high"])[np.digitize(X[:, 1], [17, 21])]}
    return pd.DataFrame(columns).astype({"kind": "category"}), y


@each_library
def test_pandas_frames_with_categories(library):
    X, y = frame()
    own = {"catboost": {"cat_features": ["kind"]}, "xgboost": {"enable_categorical": True}}.get(library, {})
    fitted = make(library, own, cv=2, calibration="temperature").fit(X, y)
    assert fitted.feature_names_in_.tolist() == ["size", "kind"]
    assert fitted.n_features_in_ == 2
    assert fitted.score(X, y) > 0.85
    part = X.iloc[:5].copy()
    part["kind"] = part["kind"].cat.remove_unused_categories()
    assert_allclose(fitted.predict_proba(part), fitted.predict_proba(X)[:5], atol=1e-6)
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(X.rename(columns={"size": "length"}))


@each_library
def test_polars_frames_with_categories(library):
    pl = pytest.importorskip("polars")
    X, y = frame()
    own = {"catboost": {"cat_features": ["kind"]}, "xgboost": {"enable_categorical": True}}.get(library, {})
    expected = make(library, own, cv=2, calibration="temperature").fit(X, y).predict_proba(X)
    text = pl.DataFrame({"size": X["size"].to_numpy(), "kind": X["kind"].astype(str).to_list()})
    for dtype in (pl.Categorical, pl.Enum(["high", "low", "middle"])):
        same = text.with_columns(pl.col("kind").cast(dtype))
        fitted = make(library, own, cv=2, calibration="temperature").fit(same, pl.Series(y))
        assert_allclose(fitted.predict_proba(same), expected, atol=1e-6)
        assert_allclose(fitted.predict_proba(same[:5]), expected[:5], atol=1e-6)


def test_arguments_about_columns():
    X, y = CANCER
    codes = np.column_stack([np.digitize(X[:, 1], [17, 21]), X[:, 0]])
    fitted = make("lightgbm", calibration=None).fit(codes, y, categorical_feature=[0])
    assert "categorical_feature: 0" in fitted.models_[0].model_to_string()
    weights = np.r_[np.zeros(29), 1.0]
    fitted = make("xgboost", {"colsample_bynode": 0.01}, calibration=None).fit(X, y, feature_weights=weights)
    assert np.flatnonzero(fitted.feature_importances_).tolist() == [29]
    fitted = make("catboost", calibration=None).fit(codes.astype(int), y, cat_features=[0])
    assert fitted.models_[0].get_cat_feature_indices() == [0]
    with pytest.raises(TypeError, match="fit takes sample_weight, groups and, for XGBClassifier, feature_weights; got"):
        make("xgboost").fit(X, y, eval_set=[])


# ---- splits ---------------------------------------------------------------------------------------------------------


def test_splitters_of_every_kind():
    X, y = CANCER
    groups = np.arange(len(y)) // 7
    fitted = make("xgboost", cv=GroupKFold(4)).fit(X, y, groups=groups)
    assert fitted.calibration_report_["rows"] == len(y)
    fitted = make("xgboost", cv=ShuffleSplit(4, test_size=0.4, random_state=0)).fit(X, y)
    assert 228 < fitted.calibration_report_["rows"] < len(y)  # a row that comes twice counts once
    fitted = make("xgboost", cv=ShuffleSplit(1, test_size=0.4, random_state=0)).fit(X, y)
    assert fitted.calibration_report_["rows"] == 228
    assert len(make("xgboost", cv=None).fit(X, y).rounds_) == 5
    masks = [(np.arange(len(y)) % 2 == k, np.arange(len(y)) % 2 != k) for k in (0, 1)]
    assert make("xgboost", cv=masks).fit(X, y).calibration_report_["rows"] == len(y)


@each_library
def test_folds_without_a_class_or_rows_are_refused(library):
    X, y = WINE
    rows = np.arange(len(y))
    for missing in (0, 2):
        split = (np.flatnonzero(y != missing), np.flatnonzero(y == missing))
        with pytest.raises(ValueError, match=f"fold 1 of 1: the training part must hold every class .* code {missing}"):
            make(library, cv=[split]).fit(X, y)
    with pytest.raises(ValueError, match="fold 1 of 1: the held-out part must hold at least one row"):
        make(library, cv=[(rows, [])]).fit(X, y)
    splits = ((rows[rows % 2 == k], rows[rows % 2 != k]) for k in (0, 1))
    model = make(library, cv=splits, calibration="temperature").fit(X, y)
    with pytest.raises(ValueError, match="cv must yield at least one split, got none; a generator is exhausted"):
        model.fit(X, y)


def test_the_final_catboost_model_has_the_learning_rate_of_the_folds():
    X, y = CANCER
    fitted = make("catboost", {"iterations": 100}, cv=2, early_stopping=2, calibration=None).fit(X, y)
    rate = fitted.models_[0].get_all_params()["learning_rate"]
    whole = make("catboost", {"iterations": 100}, calibration=None).fit(X, y).models_[0]
    assert fitted.models_[0].tree_count_ < 100
    assert rate == pytest.approx(whole.get_all_params()["learning_rate"])


def test_settings_under_other_names():
    X, y = CANCER
    sampled = {"subsample": 0.5, "subsample_freq": 1}
    one, other = (
        make("lightgbm", {**sampled, "seed": seed}, calibration=None).fit(X, y).raw_score(X) for seed in (1, 2)
    )
    assert np.abs(one - other).max() > 0.01
    with pytest.raises(ValueError, match="must not set early_stopping_rounds, got 1"):
        make("xgboost", {"early_stopping_rounds": 1}).fit(X, y)
    with pytest.raises(ValueError, match="early_stopping must be omitted for dart"):
        make("lightgbm", {"boosting_type": "dart"}, early_stopping=3).fit(X, y)
    forest = lightgbm.LGBMClassifier(boosting_type="rf", n_estimators=3, **sampled, verbosity=-1).fit(X, y)
    with pytest.raises(ValueError, match="the model must be a boosting model, got a random forest"):
        CalibratedBoostingClassifier(FrozenEstimator(forest)).fit(X, y)


@each_library
def test_an_array_after_a_frame(library):
    pd = pytest.importorskip("pandas")
    X, y = CANCER
    fitted = make(library, cv=2, calibration="temperature").fit(pd.DataFrame(X).add_prefix("f"), y)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        proba = fitted.predict_proba(X)
    assert_allclose(proba, fitted.predict_proba(pd.DataFrame(X).add_prefix("f")))


def test_a_frozen_model_with_classes_in_its_own_order():
    X, y = CANCER
    names = np.array(["no", "yes"])[y]
    model = ESTIMATORS["catboost"](class_names=["yes", "no"], verbose=False).fit(X[::2], names[::2])
    fitted = CalibratedBoostingClassifier(FrozenEstimator(model), calibration="sigmoid").fit(X[1::2], names[1::2])
    assert fitted.score(X, names) > 0.9
    assert fitted.classes_.tolist() == ["yes", "no"]


def test_a_random_state_shuffles_folds_and_seeds_the_estimator():
    X, y = CANCER
    sampled = {"subsample": 0.5}
    first, again, other = (
        make("xgboost", sampled, calibration="sigmoid", random_state=seed).fit(X, y).predict_proba(X)
        for seed in (1, 1, 2)
    )
    assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    make("xgboost", calibration=None, random_state=np.random.RandomState(0)).fit(X, y)


# ---- models that are trained already --------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("data", [CANCER, WINE], ids=["binary", "multiclass"])
def test_a_frozen_estimator_is_calibrated_only(library, data):
    X, y = data
    model = ESTIMATORS[library]()
    model.fit(X[::2], y[::2], **({"verbose": False} if library == "catboost" else {}))
    fitted = CalibratedBoostingClassifier(FrozenEstimator(model), calibration="temperature").fit(X[1::2], y[1::2])
    assert fitted.models_[0] is model
    assert_allclose(fitted.raw_score(X), adapter(library).raw_score(model, X))
    assert_allclose(fitted.feature_importances_, model.feature_importances_)
    plain = CalibratedBoostingClassifier(FrozenEstimator(model), calibration=None).fit(X[1::2], y[1::2])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")  # of LightGBM 4.6
        expected = model.predict_proba(X)
    assert_allclose(plain.predict_proba(X), expected, atol=1e-6)
    chosen = CalibratedBoostingClassifier(FrozenEstimator(model)).fit(X[1::2], y[1::2])
    assert chosen.calibration_report_["rows"] == len(y) // 2


@each_library
def test_a_frozen_model_of_a_loss_keeps_its_loss(library):
    X, y = CANCER
    model = trained(library, X[::2], y[::2], FocalLoss(2.0))
    fitted = CalibratedBoostingClassifier(FrozenEstimator(model), calibration="sigmoid").fit(X[1::2], y[1::2])
    assert fitted.loss_ == FocalLoss(2.0)
    assert metrics.log_loss(y, fitted.predict_proba(X)[:, 1]) < 0.2
    with pytest.raises(ValueError, match="loss must be the one that the model was trained with"):
        CalibratedBoostingClassifier(FrozenEstimator(model), loss=LogLoss()).fit(X, y)


def test_what_a_frozen_estimator_does_not_take():
    X, y = WINE
    model = FrozenEstimator(xgboost.XGBClassifier(n_estimators=2).fit(X, y))
    for parameters, message in [
        ({"early_stopping": 5}, "early_stopping must be None for a trained model, got 5"),
        ({"ensemble": True}, "ensemble must be False for a trained model, got True"),
        ({"class_weight": "balanced"}, "class_weight must be None for a trained model, got 'balanced'"),
    ]:
        with pytest.raises(ValueError, match=message):
            CalibratedBoostingClassifier(model, **parameters).fit(X, y)
    with pytest.raises(ValueError, match=r"y must hold the classes of the model, \[0, 1, 2\], got 3"):
        CalibratedBoostingClassifier(model).fit(X, y + 1)
    with pytest.raises(TypeError, match="estimator must be a model of XGBoost, LightGBM or CatBoost"):
        CalibratedBoostingClassifier(FrozenEstimator(LogisticRegression())).fit(X, y)


# ---- inside scikit-learn --------------------------------------------------------------------------------------------


@some_library
def test_decision_function_agrees_with_predict(library):
    for X, y in (CANCER, WINE):
        for calibration in ("isotonic", "sigmoid", None):
            fitted = make(library, calibration=calibration).fit(X, y)
            decision = fitted.decision_function(X)
            assert np.isfinite(decision).all()
            codes = (decision > 0).astype(int) if decision.ndim == 1 else decision.argmax(axis=1)
            assert_array_equal(fitted.predict(X), codes)


@some_library
def test_in_pipelines_and_searches(library):
    X, y = CANCER
    pipeline = make_pipeline(
        ColumnTransformer([("scale", StandardScaler(), slice(0, 5))]), make(library, loss=FocalLoss())
    )
    depth = {"catboost": "depth"}.get(library, "max_depth")
    name = "calibratedboostingclassifier"
    grid = {f"{name}__estimator__{depth}": [1, 2], f"{name}__loss__gamma": [0.0, 2.0]}
    search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > -0.3
    chosen = search.best_estimator_[-1]
    assert chosen.loss_ == FocalLoss(search.best_params_[f"{name}__loss__gamma"])
    assert chosen.loss == chosen.loss_


def test_in_a_calibration_display_and_an_inspection():
    pytest.importorskip("matplotlib").use("agg")
    X, y = CANCER
    fitted = make("xgboost").fit(X, y)
    assert CalibrationDisplay.from_estimator(fitted, X, y).prob_true.size > 1
    assert permutation_importance(fitted, X, y, n_repeats=1, scoring="neg_log_loss").importances_mean.shape == (30,)


@each_library
def test_pickle(library):
    X, y = WINE
    fitted = make(library, calibration="temperature").fit(X, y)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


@pytest.mark.slow
@each_library
def test_processes(library):
    X, y = WINE
    fitted = make(library, n_jobs=2).fit(X, y)
    expected = fitted.predict_proba(X)
    assert_allclose(expected, make(library).fit(X, y).predict_proba(X), atol=1e-7)
    elsewhere = joblib.Parallel(n_jobs=2)(joblib.delayed(fitted.predict_proba)(part) for part in (X[:90], X[90:]))
    assert_allclose(np.concatenate(elsewhere), expected, atol=1e-7)


@each_library
def test_shap_explains_the_inner_model(library):
    shap = pytest.importorskip("shap", minversion="0.50")  # older ones do not read XGBoost's intercept
    X, y = CANCER
    fitted = make(library, loss="focal", calibration=None).fit(X, y)
    explained = shap.TreeExplainer(fitted.models_[0])(X[:20])
    assert_allclose(explained.values.sum(axis=1) + np.ravel(explained.base_values), fitted.raw_score(X[:20]), atol=1e-5)


@each_library
def test_feature_importances_are_those_of_the_library(library):
    X, y = CANCER
    importances = make(library, calibration=None).fit(X, y).feature_importances_
    builtin = (
        ESTIMATORS[library]().fit(X, y, **({"verbose": False} if library == "catboost" else {})).feature_importances_
    )
    assert importances.sum() == pytest.approx(builtin.sum(), rel=0.05)
    assert np.corrcoef(importances, builtin)[0, 1] > 0.6
    if library != "catboost":  # which starts elsewhere than its builtin loss
        assert_allclose(importances, builtin, rtol=0.3, atol=0.05 * builtin.max())
    assert make(library, calibration="sigmoid", cv=2, ensemble=True).fit(X, y).feature_importances_.shape == (30,)


def test_progress_and_repr(capsys):
    X, y = CANCER
    fitted = make("xgboost", calibration="sigmoid", verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert "15 rounds, loss of the held-out rows 0." in lines[0]
    assert "CalibratedBoostingClassifier" in repr(fitted)
    assert "XGBClassifier" in fitted._repr_html_()


@each_library
def test_the_callers_estimator_and_data_stay_as_they_are(library):
    X, y = CANCER
    estimator, before = ESTIMATORS[library](), X.copy()
    parameters = estimator.get_params()
    CalibratedBoostingClassifier(estimator, calibration="sigmoid", cv=2).fit(X, y)
    assert estimator.get_params() == parameters
    assert not getattr(estimator, "is_fitted", lambda: False)()
    assert_array_equal(X, before)


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"loss": "log"}, TypeError, "loss must be 'auto', 'focal' or a loss such as FocalLoss"),
        ({"loss": FocalLoss}, TypeError, r"did you mean FocalLoss\(\)\?"),
        (
            {"calibration": "platt"},
            ValueError,
            "calibration must be None, a Calibrator or one of 'auto', 'temperature'",
        ),
        ({"calibration": 3}, ValueError, "calibration must be None, a Calibrator or one of"),
        ({"early_stopping": 0}, ValueError, "early_stopping must be an integer number of rounds >= 1"),
        ({"early_stopping": True}, ValueError, "early_stopping must be an integer number of rounds >= 1"),
        ({"early_stopping": {"patience": 3}}, ValueError, "keys of early_stopping must be rounds, metric or greater"),
        (
            {"early_stopping": {"rounds": 3, "metric": "auc"}},
            ValueError,
            "'loss', 'refinement' or a callable, got 'auc'",
        ),
        (
            {"early_stopping": {"rounds": 3, "metric": 5}},
            TypeError,
            "must be 'loss', 'refinement' or a callable, got 5",
        ),
        ({"class_weight": "heavy"}, ValueError, "class_weight must be a dict, 'balanced' or None, got 'heavy'"),
        ({"class_weight": {2: 1.0}}, ValueError, r"the keys of class_weight must be classes, \[0, 1\], got 2"),
        ({"class_weight": {0: 0.0}}, ValueError, "class_weight must be finite and > 0"),
        ({"class_weight": {0: 2.0}, "loss": LogLoss(2.0)}, ValueError, "class_weight must be None if the loss"),
        (
            {"class_weight": {0: 2.0}, "loss": FocalLoss(2, 0.3)},
            ValueError,
            "class_weight must be None if the loss",
        ),
        ({"cv": 300}, ValueError, "cv=300 needs at least 300 rows of every class, got 212 of "),
    ],
)
def test_parameters_without_meaning_are_refused(parameters, error, message):
    with pytest.raises(error, match=message):
        make("xgboost", **parameters).fit(*CANCER)


@pytest.mark.parametrize(
    ("library", "parameters", "message"),
    [
        ("xgboost", {"objective": "reg:squarederror"}, "XGBClassifier must not set an objective"),
        ("xgboost", {"early_stopping_rounds": 5}, "must not set early_stopping_rounds, got 5; use early_stopping="),
        ("xgboost", {"eval_metric": "auc"}, "XGBClassifier must not set eval_metric, got 'auc'"),
        ("xgboost", {"scale_pos_weight": 3}, "XGBClassifier must not set scale_pos_weight, got 3; use class_weight="),
        ("lightgbm", {"objective": "cross_entropy"}, "LGBMClassifier must not set an objective"),
        ("lightgbm", {"class_weight": "balanced"}, "LGBMClassifier must not set class_weight, got 'balanced'"),
        ("lightgbm", {"early_stopping_round": 5}, "LGBMClassifier must not set early_stopping_round, got 5"),
        (
            "catboost",
            {"loss_function": "Focal:focal_alpha=0.5;focal_gamma=1"},
            "CatBoostClassifier must not set an objective",
        ),
        ("catboost", {"auto_class_weights": "Balanced"}, "CatBoostClassifier must not set auto_class_weights"),
        ("catboost", {"early_stopping_rounds": 5}, "CatBoostClassifier must not set early_stopping_rounds, got 5"),
        ("catboost", {"eval_metric": "AUC"}, "CatBoostClassifier must not set eval_metric, got 'AUC'"),
    ],
)
def test_parameters_of_the_estimator_that_would_be_ignored_are_refused(library, parameters, message):
    with pytest.raises(ValueError, match=message):
        make(library, parameters).fit(*CANCER)


def test_data_without_meaning_are_refused():
    X, y = CANCER
    model = make("xgboost")
    for weight, message in [
        (-np.ones(len(y)), "sample_weight must be finite and >= 0, got -1.0 in row 0"),
        (np.full(len(y), np.nan), "NaN"),
        (np.zeros(len(y)), "non-zero number|a sum > 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match=r"y must hold at least 2 classes, got 1 class: \[0\]"):
        model.fit(X, 0 * y)
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match=r"loss must be multiclass for 3 classes, got LogLoss"):
        make("xgboost", loss=LogLoss()).fit(*WINE)
    splits = [(np.arange(100, 500), np.arange(100)), (np.flatnonzero(y), np.flatnonzero(y == 0))]
    with pytest.raises(
        ValueError, match="fold 2 of 2: the training part must hold every class with positive weight, got none of"
    ):
        make("xgboost", cv=splits).fit(X, y)


def test_estimators_of_other_kinds_are_refused():
    X, y = CANCER
    for estimator, hint in [
        (LogisticRegression(), "got LogisticRegression"),
        (xgboost.XGBRegressor(), "got XGBRegressor"),
        (None, "got None"),
    ]:
        with pytest.raises(TypeError, match=f"estimator must be an XGBClassifier, LGBMClassifier or Cat.*{hint}"):
            CalibratedBoostingClassifier(estimator).fit(X, y)


def test_parameters_of_a_loss():
    model = make("xgboost", loss=FocalLoss(1.0))
    assert model.get_params()["loss__gamma"] == 1.0
    assert model.set_params(loss__gamma=3.0).loss == FocalLoss(3.0)
    assert model.set_params(loss=SoftmaxFocalLoss(), loss__gamma=0.5).loss == SoftmaxFocalLoss(0.5)
    with pytest.raises(ValueError, match="loss__delta must be a parameter of SoftmaxFocalLoss"):
        model.set_params(loss__delta=1)
    with pytest.raises(ValueError, match=r"loss must be an object such as FocalLoss\(\) to set loss__gamma"):
        make("xgboost", loss="focal").set_params(loss__gamma=1.0)


#: Checks of scikit-learn that fail, and why; a test for each shows the reason.
UNDONE = {
    "check_class_weight_classifiers": "the posterior undoes class weights: `predict` stays at a probability of 0.5"
}
UNWEIGHTED = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "the library's own classifier fails it: rows of weight 0 change its trees",
)
EXPECTED_FAILURES = {"xgboost": UNDONE, "lightgbm": UNDONE | UNWEIGHTED, "catboost": UNDONE | UNWEIGHTED}
FEW = {
    "xgboost": {"n_estimators": 5},
    "lightgbm": {"n_estimators": 5, "min_child_samples": 2},
    "catboost": {"iterations": 5, "verbose": False},
}


@pytest.mark.slow
@each_library
def test_scikit_learns_own_checks(library):
    model = make(library, FEW[library])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of checks that warn on purpose
        results = check_estimator(model, expected_failed_checks=EXPECTED_FAILURES[library], on_fail=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not failed
    assert {result["check_name"] for result in results if result["status"] == "xfail"} >= UNDONE.keys()
    assert sum(result["status"] == "passed" for result in results) > 50


@each_library
def test_the_expected_failure_is_that_of_undone_weights(library):
    """scikit-learn's check expects `predict` to give a heavily weighted class for noise, as a bare model does."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 2)), rng.integers(0, 2, 300)
    heavy = {0: 1.0, 1: 1000.0}
    weighted = make(library, class_weight=heavy, calibration=None).fit(X, y)
    raw = weighted.raw_score(X)
    assert (raw > 0).mean() > 0.9  # what a bare classifier would take for class 1
    assert weighted.predict(X).mean() < 0.9
    assert abs(weighted.predict_proba(X)[:, 1].mean() - y.mean()) < 0.25


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # LightGBM 4.6 makes up names in fit
@pytest.mark.parametrize("library", ["lightgbm", "catboost"])
def test_the_librarys_own_trees_are_why_the_check_of_weights_fails(library):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        estimator_checks.check_sample_weight_equivalence_on_dense_data("bare", ESTIMATORS[library](**FEW[library]))
