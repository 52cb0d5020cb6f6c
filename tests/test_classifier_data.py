"""The data of the classifier: weights of classes and rows, trained models and pipelines, columns, parts of one class."""

import importlib
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from boosting_losses import CalibratedBoostingClassifier, FocalLoss, LogLoss, SoftmaxCrossEntropy, metrics
from boosting_losses.adapters._estimators import Trainer
from boosting_losses.classifier._class_weights import with_class_weight
from boosting_losses.classifier._frameworks import COLUMN_OPTIONS

from .cases import mostly_slow

catboost = pytest.importorskip("catboost")
lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

CANCER = load_breast_cancer(return_X_y=True)
WINE = load_wine(return_X_y=True)
ESTIMATORS = {
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=10, max_depth=2, n_jobs=1),
    "lightgbm": lambda: lightgbm.LGBMClassifier(
        n_estimators=10, num_leaves=4, min_child_samples=2, n_jobs=1, verbose=-1
    ),
    "catboost": lambda: catboost.CatBoostClassifier(
        iterations=10, depth=2, thread_count=1, allow_writing_files=False, verbose=False
    ),
}
each_library = pytest.mark.parametrize("library", ESTIMATORS)


def make(library="lightgbm", **parameters):
    return CalibratedBoostingClassifier(ESTIMATORS[library](), **{"cv": 3, **parameters})


# ---- weights of classes ---------------------------------------------------------------------------------------------


@each_library
def test_balanced_class_weights_count_sample_weights(library):
    X, y = CANCER
    counts = np.where(y == 1, 3, 1)
    rows = np.repeat(np.arange(len(y)), counts)
    model = make(library, class_weight="balanced", calibration=None)
    weighted, repeated = model.fit(X, y, sample_weight=counts).loss_, model.fit(X[rows], y[rows]).loss_
    assert weighted.pos_weight == pytest.approx((y == 0).sum() / (3 * (y == 1).sum()))
    assert weighted.pos_weight == pytest.approx(repeated.pos_weight)


@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy()], ids=str)
def test_balanced_classes_have_equal_sums_of_weights(loss):
    codes = np.repeat(np.arange(2 + loss.multiclass), [30, 10, 5][: 2 + loss.multiclass])
    weight = np.random.default_rng(0).uniform(0.1, 3, len(codes))
    for size in (1, 1e-6, 1000):
        found, factor = with_class_weight(loss, "balanced", np.unique(codes), codes, size * weight)
        # Of a label y, what the loss multiplies the score's loss by at raw = 0.
        raw = np.zeros((len(codes), 3)) if loss.multiclass else np.zeros(len(codes))
        each = found.per_sample(codes, raw) / loss.per_sample(codes, raw) * factor
        sums = np.bincount(codes, weights=each * weight)
        assert_allclose(sums, np.full(len(sums), weight.sum() / len(sums)))


def test_balanced_classes_need_weight():
    X, y = WINE
    with pytest.raises(ValueError, match=r"class_weight='balanced' must have rows .* in every class, got none of 2"):
        make(class_weight="balanced").fit(X, y, sample_weight=(y < 2).astype(float))


# ---- weights of rows ------------------------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("size", [1e-300, 1e-310, 1e300])
def test_weights_that_no_library_can_hold_are_refused(library, size):
    X, y = CANCER
    with pytest.raises(ValueError, match=r"sample_weight must be within the range of float32, 1.4e-45 to 3.4e\+38"):
        make(library).fit(X, y, sample_weight=np.full(len(y), size))


@pytest.mark.parametrize("size", [1e-300, 1e-6, 1 / 285])
@pytest.mark.parametrize("calibration", ["temperature", "sigmoid", "beta", "vector", "isotonic", "auto"])
def test_the_scale_of_weights_makes_no_difference_to_calibration(calibration, size):
    X, y = CANCER
    model = FrozenEstimator(ESTIMATORS["lightgbm"]().fit(X[::2], y[::2]))
    weight = np.random.default_rng(0).uniform(0.2, 1, len(y))[1::2]
    fitted = CalibratedBoostingClassifier(model, calibration=calibration)
    expected = fitted.fit(X[1::2], y[1::2], sample_weight=weight).predict_proba(X)
    assert_allclose(fitted.fit(X[1::2], y[1::2], sample_weight=size * weight).predict_proba(X), expected, atol=1e-7)


def test_weights_of_one_over_n_in_the_classifier():
    """Trees without a least weight per leaf hardly depend on the scale, so neither may the probabilities."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1200, 4))
    y = (X[:, 0] + rng.standard_normal(1200) > 0).astype(int)
    (X, new), (y, labels) = np.split(X, 2), np.split(y, 2)
    free = lightgbm.LGBMClassifier(
        n_estimators=15, min_child_samples=5, min_child_weight=0, reg_lambda=0, n_jobs=1, verbose=-1
    )
    for calibration in ("temperature", "sigmoid", "beta", "vector", "isotonic"):
        model = CalibratedBoostingClassifier(free, calibration=calibration, cv=2)
        losses = [
            metrics.log_loss(labels, model.fit(X, y, sample_weight=np.full(600, size)).predict_proba(new)[:, 1])
            for size in (1, 1 / 600, 1e-6)
        ]
        assert_allclose(losses, losses[0], atol=0.02)


# ---- trained models -------------------------------------------------------------------------------------------------


def frame(X):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X[:, :5], columns=["mean size", "b", "c", "d", "e"])


@pytest.mark.parametrize("bare", [False, True], ids=["classifier", "booster"])
def test_lightgbms_columns_must_stand_where_they_stood(bare):
    X, y = frame(CANCER[0]), CANCER[1]
    trained = ESTIMATORS["lightgbm"]().fit(X, y)
    model = FrozenEstimator(trained.booster_ if bare else trained)
    fitted = CalibratedBoostingClassifier(model, calibration=None).fit(X, y)
    expected = trained.predict_proba(X)
    assert_allclose(fitted.predict_proba(X), expected)
    for odd in (X[X.columns[::-1]], X.rename(columns={"b": "z"})):
        with pytest.raises(
            ValueError, match="X must have the columns that the model was trained with, in the same order"
        ):
            CalibratedBoostingClassifier(model, calibration=None).fit(odd, y)
    for odd in (X.drop(columns="e"), X.assign(f=0.0), CANCER[0]):
        with pytest.raises(ValueError, match="X must have the 5 columns that the model was trained with, got"):
            CalibratedBoostingClassifier(model, calibration=None).fit(odd, y)
    unnamed = CalibratedBoostingClassifier(model, calibration=None).fit(X.to_numpy(), y)
    assert_allclose(unnamed.predict_proba(X.to_numpy()), expected)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X has feature names, but")
        assert_allclose(unnamed.predict_proba(X), expected)
        with pytest.raises(ValueError, match="X must have the columns that the model was trained with"):
            unnamed.predict_proba(X[X.columns[::-1]])


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # LightGBM 4.6
def test_lightgbm_trained_without_names_takes_any():
    X, y = frame(CANCER[0]), CANCER[1]
    trained = ESTIMATORS["lightgbm"]().fit(X.to_numpy(), y)
    fitted = CalibratedBoostingClassifier(FrozenEstimator(trained), calibration=None).fit(X, y)
    assert_allclose(fitted.predict_proba(X), trained.predict_proba(X.to_numpy()))


@pytest.mark.parametrize("library", ["xgboost", "catboost"])
def test_the_other_libraries_never_mix_up_columns(library):
    X, y = frame(CANCER[0]), CANCER[1]
    trained = ESTIMATORS[library]().fit(X, y)
    model = CalibratedBoostingClassifier(FrozenEstimator(trained), calibration=None)
    turned = X[X.columns[::-1]]
    if library == "xgboost":
        with pytest.raises(ValueError, match="feature_names mismatch"):
            model.fit(turned, y)
    else:  # which finds columns by name
        assert_allclose(model.fit(turned, y).predict_proba(turned), trained.predict_proba(X))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # LightGBM 4.6
@each_library
@pytest.mark.parametrize("data", [CANCER, WINE], ids=["binary", "multiclass"])
def test_a_trained_pipeline_is_calibrated(library, data):
    X, y = data
    # Scaled so that the model would not know the rows as they are.
    pipeline = make_pipeline(StandardScaler(), ESTIMATORS[library]()).fit(X[::2], y[::2])
    plain = CalibratedBoostingClassifier(FrozenEstimator(pipeline), calibration=None).fit(X[1::2], y[1::2])
    assert_allclose(plain.predict_proba(X), pipeline.predict_proba(X), atol=1e-6)
    fitted = CalibratedBoostingClassifier(FrozenEstimator(pipeline), calibration="sigmoid").fit(X[1::2], y[1::2])
    last = CalibratedBoostingClassifier(FrozenEstimator(pipeline[-1]), calibration="sigmoid")
    rows = pipeline[:-1].transform(X)
    last.fit(rows[1::2], y[1::2])
    assert_allclose(fitted.predict_proba(X), last.predict_proba(rows))
    assert_allclose(fitted.raw_score(X), last.raw_score(rows))
    assert_allclose(fitted.feature_importances_, pipeline[-1].feature_importances_)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))
    assert fitted.models_ == [pipeline[-1]]


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")  # LightGBM 4.6
def test_a_trained_pipeline_takes_whatever_its_steps_take():
    pd = pytest.importorskip("pandas")
    kind = np.array(["low", "middle", "high"])[np.digitize(CANCER[0][:, 1], [17, 21])]
    X, y = pd.DataFrame({"size": CANCER[0][:, 0], "kind": kind}), CANCER[1]
    encode = ColumnTransformer([("kind", OneHotEncoder(), ["kind"]), ("size", "passthrough", ["size"])])
    pipeline = make_pipeline(encode, ESTIMATORS["lightgbm"]()).fit(X, y)
    fitted = CalibratedBoostingClassifier(FrozenEstimator(pipeline), calibration=None).fit(X, y)
    assert fitted.feature_names_in_.tolist() == ["size", "kind"]
    assert_allclose(fitted.predict_proba(X), pipeline.predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict_proba(X.rename(columns={"size": "length"}))
    text = kind.astype(object)[:, None]
    pipeline = make_pipeline(OneHotEncoder(), ESTIMATORS["lightgbm"]()).fit(text, y)
    fitted = CalibratedBoostingClassifier(FrozenEstimator(pipeline), calibration="sigmoid").fit(text, y)
    assert fitted.predict_proba(text).shape == (len(y), 2)


def test_other_pipelines():
    X, y = CANCER
    trained = ESTIMATORS["xgboost"]().fit(X, y)
    for pipeline in (
        Pipeline([("model", trained)]),
        Pipeline([("none", "passthrough"), ("m", FrozenEstimator(trained))]),
    ):
        fitted = CalibratedBoostingClassifier(FrozenEstimator(pipeline), calibration=None).fit(X, y)
        assert_allclose(fitted.predict_proba(X), trained.predict_proba(X), atol=1e-6)
    other = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    with pytest.raises(TypeError, match="estimator must be a model of XGBoost, LightGBM or CatBoost, got LogisticReg"):
        CalibratedBoostingClassifier(FrozenEstimator(other)).fit(X, y)


# ---- columns --------------------------------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("trained", [False, True])
def test_two_columns_of_one_name_are_refused(library, trained):
    pd = pytest.importorskip("pandas")
    X, y = CANCER
    model = FrozenEstimator(ESTIMATORS[library]().fit(X[:, :3], y)) if trained else ESTIMATORS[library]()
    twice = pd.DataFrame(X[:, :3], columns=["a", "b", "a"])
    with pytest.raises(ValueError, match="X must have distinct column names, got 'a' 2 times"):
        CalibratedBoostingClassifier(model).fit(twice, y)


@each_library
def test_lazy_frames_are_refused(library):
    pl = pytest.importorskip("polars")
    X, y = CANCER
    lazy = pl.DataFrame({"a": X[:, 0], "b": X[:, 1]}).lazy()
    with pytest.raises(
        TypeError, match=r"X must be in memory, got a lazy LazyFrame; call its collect\(\) method first"
    ):
        make(library).fit(lazy, y)
    fitted = make(library).fit(lazy.collect(), y)
    with pytest.raises(TypeError, match="got a lazy LazyFrame"):
        fitted.predict_proba(lazy)


@each_library
def test_the_options_about_columns_are_all_that_an_estimator_takes(library):
    module = importlib.import_module(f"boosting_losses.adapters.{library}._estimator")
    options = dict.fromkeys(COLUMN_OPTIONS, ())
    with pytest.raises(TypeError, match="fit takes sample_weight, groups and, for") as error:
        Trainer(module.LIBRARY, LogLoss(), ESTIMATORS[library](), {**options, "eval_set": ()})
    taken = str(error.value).split("Classifier, ")[1].split(";")[0].split(", ")
    assert set(taken) <= set(COLUMN_OPTIONS)


# ---- parts of one class ---------------------------------------------------------------------------------------------


def pure_groups():
    rng = np.random.default_rng(0)
    y = np.tile(np.repeat([0, 1], 20), 6)
    return rng.standard_normal((240, 3)) + y[:, None], y, np.repeat(np.arange(12), 20)


@pytest.mark.parametrize("calibration", ["temperature", "sigmoid", "beta", "vector", "isotonic"])
def test_the_rows_of_all_folds_stand_in_for_parts_of_one_class(calibration):
    X, y, groups = pure_groups()
    model = make(calibration=calibration, cv=GroupKFold(12), ensemble=True)
    with pytest.warns(
        UserWarning, match="fold 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 of 12: the held-out rows must hold"
    ):
        model.fit(X, y, groups=groups)
    together = make(calibration=calibration, cv=GroupKFold(12)).fit(X, y, groups=groups)
    raw = [model._trainer.raw_score(each, X) for each in model.models_]
    expected = np.mean([together.calibrators_[0].predict_proba(each) for each in raw], axis=0)
    assert_allclose(model.predict_proba(X), expected)
    assert np.ptp(expected[:, 1]) > 0.5


def test_the_warning_names_the_folds():
    X, y, _ = pure_groups()
    weight = np.ones(len(y))
    weight[:80][y[:80] == 0] = 0.0  # so that class 0 is only seen without weight
    model = make(calibration="sigmoid", cv=KFold(3), ensemble=True)
    with pytest.warns(UserWarning, match="fold 1 of 3: the held-out rows must hold at least 2 classes"):
        model.fit(X, y, sample_weight=weight)
    alone, *others = model.calibrators_
    assert_array_equal(
        alone.fitted_[0], make(calibration="sigmoid", cv=KFold(3)).fit(X, y, weight).calibrators_[0].fitted_[0]
    )
    assert others[0].fitted_[0].tolist() != alone.fitted_[0].tolist()


def test_parts_of_one_row():
    X, y = WINE[0][::6], WINE[1][::6]
    with pytest.warns(UserWarning, match="the held-out rows must hold at least 2 classes"):
        every = make(calibration="sigmoid", cv=LeaveOneOut(), ensemble=True).fit(X, y)
    together = make(calibration="sigmoid", cv=LeaveOneOut()).fit(X, y)
    assert abs(metrics.log_loss(y, every.predict_proba(X)) - metrics.log_loss(y, together.predict_proba(X))) < 0.1


def test_parts_of_one_class_need_no_words_without_a_calibrator():
    X, y, groups = pure_groups()
    fitted = make(calibration=None, cv=GroupKFold(12), ensemble=True).fit(X, y, groups=groups)
    assert fitted.score(X, y) > 0.8


@each_library
def test_a_calibrator_needs_two_classes(library):
    X, y = CANCER
    split = [(np.arange(len(y)), np.flatnonzero(y == 1)[:50])]
    frozen = FrozenEstimator(ESTIMATORS[library]().fit(X, y))
    refused = r"calibration must have held-out rows of at least 2 classes with positive weight, got 1: \[1\]"
    for calibration in ("auto", "sigmoid"):
        for ensemble in (True, False):
            with pytest.raises(ValueError, match=refused):
                make(library, calibration=calibration, cv=split, ensemble=ensemble).fit(X, y)
        with pytest.raises(ValueError, match=refused):
            CalibratedBoostingClassifier(frozen, calibration=calibration).fit(X[y == 1], y[y == 1])
    assert CalibratedBoostingClassifier(frozen, calibration=None).fit(X[y == 1], y[y == 1]).score(X, y) > 0.9


# ---- the metric of early stopping -----------------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("data", [CANCER, WINE], ids=["binary", "multiclass"])
@pytest.mark.parametrize("weighted", mostly_slow([True, False], 0))
def test_what_a_metric_of_early_stopping_is_given(library, data, weighted):
    X, y = data
    classes, calls = len(np.unique(y)), []

    def metric(y_true, proba, sample_weight=None):
        assert y_true.dtype == np.float32
        assert y_true.ndim == 1
        assert set(y_true) <= set(range(classes))
        assert proba.shape == (len(y_true),) if classes == 2 else (len(y_true), classes)
        assert proba.dtype in (np.float32, np.float64)
        assert (sample_weight is not None) == weighted
        if weighted:
            assert sample_weight.shape == y_true.shape
            assert sample_weight.min() >= 0.5
        calls.append(len(y_true))
        return metrics.log_loss(y_true, proba, sample_weight)

    weight = np.random.default_rng(0).uniform(0.5, 2, len(y)) if weighted else None
    stopping = {"rounds": 2, "metric": metric}
    make(library, calibration=None, early_stopping=stopping).fit(X, y, sample_weight=weight)
    assert len(calls) >= 3
