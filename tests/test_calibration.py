"""The calibrators against scikit-learn, on weights and layouts of all kinds, and on difficult data."""

import os
import pickle

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, log_softmax
from sklearn.base import clone
from sklearn.calibration import _SigmoidCalibration

from boosting_losses import (
    FocalLoss,
    LogLoss,
    SoftmaxCrossEntropy,
    SoftmaxFocalLoss,
    _labelled_scores,
    _newton_fit,
    metrics,
)
from boosting_losses.calibration import (
    BetaCalibration,
    ConvergenceWarning,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    Uncalibrated,
    VectorScaling,
    log_odds,
)

ALL = [TemperatureScaling, PlattScaling, BetaCalibration, IsotonicCalibration, VectorScaling]
each_calibrator = pytest.mark.parametrize("calibrator", ALL)
many_rows = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="many rows take minutes uncompiled")
each_kind = pytest.mark.parametrize("classes", [2, 4])


def sample(classes, n=600, seed=0):
    """Return overconfident, biased scores with labels."""
    rng = np.random.default_rng(seed)
    if classes == 2:
        raw = 2 * rng.standard_normal(n)
        return raw, (rng.random(n) < expit(0.6 * raw - 0.5)).astype(int)
    raw = 2 * rng.standard_normal((n, classes))
    scores = 0.5 * raw + np.linspace(-0.5, 0.5, classes)
    return raw, (scores + rng.gumbel(size=raw.shape)).argmax(axis=1)


def mean_loss(scores, y, weight=None):
    scores = np.column_stack([np.zeros(len(y)), scores]) if scores.ndim == 1 else scores
    return np.average(-np.take_along_axis(log_softmax(scores, axis=1), y[:, None], axis=1)[:, 0], weights=weight)


# ---- by definition --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_platt_scaling_is_that_of_scikit_learn(weighted):
    raw, y = sample(2)
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    ours = PlattScaling().fit(raw, y, weight)
    theirs = _SigmoidCalibration().fit(raw, y, weight)
    assert_allclose(ours.predict_proba(raw)[:, 1], theirs.predict(raw), atol=1e-4)  # where its L-BFGS stops


@many_rows
def test_temperature_scaling_is_that_of_scikit_learn():
    sklearn_calibration = pytest.importorskip("sklearn.calibration")
    if not hasattr(sklearn_calibration, "_TemperatureScaling"):
        pytest.skip("scikit-learn has temperature scaling from 1.8 on")
    raw, y = sample(4, n=10_000)
    theirs = sklearn_calibration._TemperatureScaling().fit(raw, y).predict(raw)
    ours = TemperatureScaling().fit(raw, y).predict_proba(raw)
    assert abs(metrics.log_loss(y, ours) - metrics.log_loss(y, theirs)) < 1e-6


def test_beta_calibration_keeps_increasing():
    rng = np.random.default_rng(0)
    raw = rng.standard_normal(500)
    y = (np.abs(raw) > 1).astype(int)  # a valley, which an increasing curve cannot follow
    a, b, _ = BetaCalibration().fit(raw, y).fitted_[0]
    assert min(a, b) == 0.0
    proba = BetaCalibration().fit(raw, y).predict_proba(np.sort(raw))[:, 1]
    assert (np.diff(proba) >= 0).all()


@pytest.mark.parametrize("calibrator", [PlattScaling, BetaCalibration, IsotonicCalibration])
def test_many_classes_are_calibrated_one_against_the_rest(calibrator):
    raw, y = sample(4)
    each = [calibrator().fit(log_odds(raw)[:, k], y == k).predict_proba(log_odds(raw)[:, k])[:, 1] for k in range(4)]
    expected = np.column_stack(each)
    proba = calibrator().fit(raw, y).predict_proba(raw)
    assert_allclose(proba, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9)


def test_log_odds_keep_their_digits():
    raw = np.array([[0.0, 40.0, -3.0], [-800.0, 0.0, 900.0], [1.0, 1.0, 1.0], [1e300, 0.0, -1e300]])
    found = log_odds(raw)
    with mp.workdps(500):
        for i in range(3):
            for k in range(3):
                others = mp.fsum(mp.exp(mpf(raw[i, j])) for j in range(3) if j != k)
                assert_allclose(found[i, k], float(mpf(raw[i, k]) - mp.log(others)), rtol=1e-14)
    assert np.isfinite(found).all()


# ---- what calibration is for ----------------------------------------------------------------------------------------


@many_rows
def test_a_bias_of_classes_needs_a_vector():
    rng = np.random.default_rng(0)
    truth = 1.5 * rng.standard_normal((40_000, 10))
    raw = truth * 1.7 + rng.standard_normal(10)
    y = (truth + rng.gumbel(size=truth.shape)).argmax(axis=1)
    fit, test = slice(0, 20_000), slice(20_000, None)
    oracle = mean_loss(truth[test], y[test])
    losses = {
        calibrator: metrics.log_loss(y[test], calibrator().fit(raw[fit], y[fit]).predict_proba(raw[test]))
        for calibrator in (VectorScaling, TemperatureScaling)
    }
    assert losses[VectorScaling] < oracle + 0.005
    assert losses[TemperatureScaling] > oracle + 0.05


@many_rows
def test_scores_that_are_right_stay_almost_as_they_are():
    rng = np.random.default_rng(0)
    raw = 2 * rng.standard_normal(20_000)
    y = rng.random(20_000) < expit(raw)
    assert abs(TemperatureScaling().fit(raw, y).temperature_ - 1) < 0.03
    for calibrator in ALL:
        proba = calibrator().fit(raw, y).predict_proba(raw)[:, 1]
        assert np.abs(proba - expit(raw)).mean() < 0.02
    assert_allclose(Uncalibrated().predict_proba(raw)[:, 1], expit(raw), rtol=1e-14)


# ---- weights and sizes ----------------------------------------------------------------------------------------------


@each_calibrator
@each_kind
def test_weights_are_repeated_rows(calibrator, classes):
    raw, y = sample(classes)
    counts = np.random.default_rng(2).integers(0, 4, len(y))
    weighted = calibrator().fit(raw, y, counts.astype(float)).predict_proba(raw)
    repeated = calibrator().fit(np.repeat(raw, counts, axis=0), np.repeat(y, counts)).predict_proba(raw)
    assert_allclose(weighted, repeated, atol=1e-6)


@many_rows
@each_calibrator
@each_kind
def test_a_sample_to_start_from_changes_nothing(calibrator, classes, monkeypatch):
    raw, y = sample(classes, n=20_000)
    weight = np.random.default_rng(2).exponential(size=len(y))
    whole = calibrator().fit(raw, y, weight).predict_proba(raw[:100])
    monkeypatch.setattr(_labelled_scores, "SAMPLE", 500)
    assert_allclose(calibrator().fit(raw, y, weight).predict_proba(raw[:100]), whole, atol=1e-6)


@each_calibrator
@each_kind
def test_layouts_and_dtypes_make_no_difference(calibrator, classes):
    raw, y = sample(classes)
    raw = raw.astype(np.float32).astype(np.float64)
    expected = calibrator().fit(raw, y).predict_proba(raw)
    wide = np.repeat(raw, 2, axis=0)[::2]
    for same in (raw.astype(np.float32), np.asfortranarray(raw), wide, raw.tolist()):
        assert_allclose(calibrator().fit(same, y.astype(np.float32)).predict_proba(same), expected, atol=1e-6)


# ---- difficult data -------------------------------------------------------------------------------------------------


@each_calibrator
@each_kind
def test_constant_scores(calibrator, classes):
    _, y = sample(classes)
    raw = np.full((len(y), classes) if classes > 2 else len(y), 0.3)
    proba = calibrator().fit(raw, y).predict_proba(raw)
    shares = np.bincount(y) / len(y)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    if calibrator is not TemperatureScaling:
        assert_allclose(proba[0], shares, atol=0.01)


@each_calibrator
@each_kind
@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_weights_of_any_size(calibrator, classes, size):
    raw, y = sample(classes)
    weight = size * np.random.default_rng(0).exponential(size=len(y))
    assert np.isfinite(calibrator().fit(raw, y, weight).predict_proba(raw)).all()


@each_calibrator
@each_kind
@pytest.mark.parametrize("size", [1e-8, 1e5, 1e30])
def test_scores_of_any_size(calibrator, classes, size):
    raw, y = sample(classes)
    fitted = calibrator().fit(raw * size, y)
    assert metrics.log_loss(y, fitted.predict_proba(raw * size)) < 1.01 * np.log(classes)


def test_failure_to_converge_is_said(monkeypatch):
    raw, y = sample(2)
    monkeypatch.setattr(_newton_fit, "_MOST_STEPS", 1)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        PlattScaling().fit(raw, y)


# ---- the contract ---------------------------------------------------------------------------------------------------


@each_calibrator
@each_kind
def test_labels_of_any_kind(calibrator, classes):
    raw, y = sample(classes)
    names = np.array(["d", "c", "b", "a"])[-classes:]
    plain, named = calibrator().fit(raw, y), calibrator().fit(raw, names[y])
    assert_array_equal(plain.classes_, np.arange(classes))
    assert named.classes_.tolist() == sorted(names)
    # The scores belong to the sorted names, so that "a" has code 0.
    expected = calibrator().fit(raw, classes - 1 - y).predict_proba(raw)
    assert_allclose(named.predict_proba(raw), expected, rtol=1e-9)
    if classes == 2:
        assert_array_equal(calibrator().fit(raw, y == 1).predict_proba(raw), plain.predict_proba(raw))


@each_calibrator
@each_kind
def test_pickle_and_clone(calibrator, classes):
    raw, y = sample(classes)
    fitted = calibrator().fit(raw, y)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(raw), fitted.predict_proba(raw))
    assert not hasattr(clone(fitted), "classes_")


def test_a_column_is_one_score():
    raw, y = sample(2)
    fitted = PlattScaling().fit(raw[:, None], y)
    assert_array_equal(fitted.predict_proba(raw), PlattScaling().fit(raw, y).predict_proba(raw[:, None]))


@pytest.mark.parametrize(
    ("raw", "y", "weight", "message"),
    [
        ([0.0, np.nan], [0, 1], None, "raw must be finite, got nan in row 1"),
        ([0.0, np.inf], [0, 1], None, "raw must be finite, got inf in row 1"),
        ([0.0, 1.0], [0, 1, 1], None, "y_true must have one label per row of raw, got 3 labels for 2 rows"),
        ([0.0, 1.0, 2.0], [0, 1, 2], None, r"y must hold 2 classes for these scores, got 3: \[0, 1, 2\]"),
        ([0.0, 1.0], ["a", "a"], None, "y must hold 2 classes for these scores, got 1"),
        ([0.0, 1.0], [0.0, np.nan], None, "y must not contain NaN, got nan in row 1"),
        ([0.0, 1.0], [0.1, 0.9], None, "y must hold class labels, got 0.1 in row 0"),
        ([0.0, 1.0], [[0], [1]], None, r"y must have shape \(n,\), n >= 1, got \(2, 1\)"),
        ([0.0, 1.0], [0, 1], [1.0, -1.0], "sample_weight must be finite and >= 0, got -1.0 in row 1"),
        ([0.0, 1.0], [0, 1], [0.0, 0.0], "sample_weight must have a sum > 0"),
        ([0.0, 1.0], [0, 1], [1.0], r"sample_weight must have shape \(2,\)"),
        ([], [], None, r"raw must have shape \(n,\) or \(n, K\), n >= 1, got \(0,\)"),
        ([[[0.0]]], [0], None, r"raw must have shape \(n,\) or \(n, K\), n >= 1, got \(1, 1, 1\)"),
    ],
)
@each_calibrator
def test_what_has_no_meaning_is_refused(calibrator, raw, y, weight, message):
    with pytest.raises(ValueError, match=message):
        calibrator().fit(raw, y, weight)


def test_other_scores_than_fitted_are_refused():
    raw, y = sample(4)
    fitted = VectorScaling().fit(raw, y)
    with pytest.raises(ValueError, match="raw must have 4 scores per row, as in fit, got 1"):
        fitted.predict_proba(raw[:, 0])
    with pytest.raises(ValueError, match="raw must be finite, got nan in row 0"):
        fitted.predict_proba(np.full((1, 4), np.nan))
    with pytest.raises(ValueError, match="This VectorScaling instance is not fitted yet"):
        VectorScaling().predict_proba(raw)


# ---- refinement, and logits of posteriors ---------------------------------------------------------------------------


@each_kind
def test_refinement_loss_is_the_least_log_loss_over_temperatures(classes):
    raw, y = sample(classes)
    least = min(mean_loss(t * raw, y) for t in np.linspace(0.2, 1.5, 2001))
    assert_allclose(metrics.refinement_loss(y, raw=raw), least, atol=1e-5)
    assert_allclose(metrics.refinement_loss(y, raw=7 * raw), least, atol=1e-3)  # the prior, like one row, pulls at it
    proba = LogLoss().activation(raw) if classes == 2 else SoftmaxCrossEntropy().activation(raw)
    assert_allclose(metrics.refinement_loss(y, proba), metrics.refinement_loss(y, raw=raw), rtol=1e-9)
    weight = np.random.default_rng(1).integers(0, 3, len(y)).astype(float)
    repeated = np.repeat(raw, weight.astype(int), axis=0), np.repeat(y, weight.astype(int))
    assert_allclose(
        metrics.refinement_loss(y, None, weight, raw=raw), metrics.refinement_loss(repeated[1], raw=repeated[0])
    )


def test_refinement_loss_refuses_soft_labels_of_many_classes():
    with pytest.raises(ValueError, match="y_true must hold class codes"):
        metrics.refinement_loss([[0.5, 0.5]], [[0.5, 0.5]])


@pytest.mark.parametrize(
    "loss",
    [FocalLoss(2.0), FocalLoss(2.0, 0.25), FocalLoss(0.0, 0.25), LogLoss(3.0), SoftmaxFocalLoss(2.0, (1.0, 2.0, 3.0))],
)
def test_logits_of_posteriors(loss):
    raw = np.linspace(-30, 30, 60) if not loss.multiclass else 10 * np.random.default_rng(0).standard_normal((50, 3))
    plain = SoftmaxCrossEntropy() if loss.multiclass else LogLoss()
    assert_allclose(plain.activation(loss.posterior_logits(raw)), loss.posterior(raw), rtol=1e-12)
    far = np.array([[500.0, 0.0, -500.0]]) if loss.multiclass else np.array([1000.0, -1000.0])
    assert np.isfinite(loss.posterior_logits(far)).all()
    assert np.abs(loss.posterior_logits(far)).max() > 400  # where a probability would be 0 or 1


def test_logits_of_a_proper_loss_are_its_scores():
    raw = np.array([1.0, 2.0], np.float32)
    assert LogLoss().posterior_logits(raw) is raw
    with pytest.raises(ValueError, match="raw must be finite, got nan in row 1"):
        FocalLoss().posterior_logits([0.0, np.nan])
