"""The calibration line and its companions against general optimisers and statsmodels."""

import itertools
import warnings

import mpmath
import numpy as np
import pytest
import scipy.optimize
from numpy.testing import assert_allclose
from scipy.special import expit, log_expit

from boosting_losses.metrics import (
    calibration_intercept,
    calibration_line,
    calibration_slope,
    observed_over_expected,
    spiegelhalter_z,
)

SCORES = [calibration_slope, calibration_intercept, observed_over_expected, spiegelhalter_z]


def drawn(n=400, mean=-1.0, slope=0.7, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(mean, 2.0, n)
    return (rng.random(n) < expit(slope * z + 0.3)).astype(int), expit(z), rng.random(n)


def log_odds(p):
    return np.log(p) - np.log1p(-p)


@pytest.mark.parametrize(("n", "mean", "slope"), [(60, 0, 1), (3000, -6, 0.7), (3000, 4, 2.0), (3000, 0, -0.4)])
@pytest.mark.parametrize("weighted", [False, True])
def test_against_statsmodels(n, mean, slope, weighted):
    models = pytest.importorskip("statsmodels.api")
    y, p, w = drawn(n, mean, slope)
    weight = w if weighted else np.ones(n)

    def fit(x, **options):
        model = models.GLM(y, x, family=models.families.Binomial(), freq_weights=weight, **options)
        return model.fit(maxiter=300, tol=1e-15).params

    z, ones = log_odds(p), np.ones((n, 1))
    for proba in (p, np.stack([1 - p, p], axis=1)):
        data = (y, proba, w if weighted else None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = fit(np.column_stack([ones, z]))
            assert_allclose(calibration_line(*data), expected, rtol=1e-9, atol=1e-11)
            assert calibration_slope(*data) == calibration_line(*data).slope
            assert_allclose(calibration_intercept(*data), fit(ones, offset=z)[0], rtol=1e-9, atol=1e-11)


def test_against_general_optimisers():
    """Soft labels, too."""
    y, p, w = drawn()
    y = np.clip(y, 0.1, 0.8)
    z = log_odds(p)

    def derivative(parameters):
        excess = w * (expit(parameters[0] + parameters[1] * z) - y)
        return [excess.sum(), excess @ z]

    expected = scipy.optimize.root(derivative, [0.0, 0.5], tol=1e-14).x
    assert_allclose(calibration_line(y, p, w), expected, rtol=1e-9)
    expected = scipy.optimize.brentq(lambda a: w @ (expit(z + a) - y), -9, 9, xtol=1e-14)
    assert_allclose(calibration_intercept(y, p, w), expected, rtol=1e-9)


def test_two_cells_have_a_line_in_closed_form():
    p, y = np.repeat([0.2, 0.7], 10), np.concatenate([np.arange(10) < 1, np.arange(10) < 6])
    slope = (log_odds(0.6) - log_odds(0.1)) / (log_odds(0.7) - log_odds(0.2))
    assert_allclose(calibration_line(y, p), [log_odds(0.1) - slope * log_odds(0.2), slope], rtol=1e-12)


def test_a_constant_prediction():
    y = [0, 0, 1, 1, 1]
    for p in (np.full(5, 0.3), 0.3 * (1 + 1e-15 * np.arange(5)), np.zeros(5), np.ones(5)):
        assert np.isnan(calibration_line(y, p)).all()
        inner = np.clip(p[0], 2.0**-52, 1 - 2.0**-52)
        assert_allclose(calibration_intercept(y, p), log_odds(0.6) - log_odds(inner), rtol=1e-9)
    assert_allclose(calibration_intercept(y, raw=np.full(5, 800.0)), log_odds(0.6) - 800, rtol=1e-12)


def test_labels_that_a_threshold_parts():
    assert calibration_slope([0, 0, 1], [0.1, 0.2, 0.3]) == np.inf
    assert calibration_slope([1, 0, 0], [0.1, 0.2, 0.3]) == -np.inf
    assert calibration_slope([0, 0, 1, 1], [0.1, 0.2, 0.2, 0.3]) == np.inf  # only on the border there are both
    assert calibration_slope([0, 1, 1], [0.2, 0.2, 0.3]) == np.inf
    assert np.isnan(calibration_line([0, 0, 1], [0.1, 0.2, 0.3]).intercept)
    assert calibration_slope([0, 0, 1, 0], [0.1, 0.2, 0.3, 0.4], [1, 1, 1, 0]) == np.inf
    assert np.isfinite(calibration_slope([0, 0, 1, 0.5], [0.1, 0.2, 0.3, 0.1]))
    assert calibration_slope([0, 1, 0, 1], [0.3, 0.3, 0.6, 0.6]) == 0.0


def test_far_out():
    """One row contradicts the rest, at scores of any size."""
    y = np.array([0, 0, 1, 0, 1, 1])
    for size in (1e-6, 1.0, 1e3, 1e6):
        raw = size * np.array([-3.0, -1.0, -0.5, 0.5, 1.0, 3.0])
        line = calibration_line(y, raw=raw)
        assert_allclose(line.slope * size, calibration_slope(y, raw=raw / size), rtol=1e-9)
        assert_allclose(line.intercept, 0.0, atol=1e-9)
    for dtype in (np.float32, np.float64):
        p, labels = np.array([0.0, 1e-12, 0.3, 1.0, 1.0, 1e-30], dtype), np.array([0, 1, 0, 0, 1, 0])
        eps = float(np.finfo(dtype).eps)
        z = log_odds(np.clip(p.astype(float), eps, 1 - eps))
        assert_allclose(calibration_line(labels, p), calibration_line(labels, raw=z), rtol=1e-12)

        def loss(parameters, z=z, labels=labels):
            u = parameters[0] + parameters[1] * z
            return -np.sum(np.where(labels, log_expit(u), log_expit(-u)))

        best = loss(calibration_line(labels, p))
        for step in itertools.product([-1e-3, 0, 1e-3], repeat=2):
            assert loss(calibration_line(labels, p) + np.array(step)) >= best - 1e-12


def test_the_intercept_in_the_tails():
    for y, p in (([0, 1, 1], [1.0, 0.0, 0.0]), ([0, 0, 1], [1e-12, 1e-9, 1e-12]), ([1, 1, 0], [0.5, 1, 1])):
        a = calibration_intercept(y, p)
        z = log_odds(np.clip(p, 2.0**-52, 1 - 2.0**-52))
        with mpmath.workdps(40):
            total = mpmath.fsum(1 / (1 + mpmath.exp(-mpmath.mpf(a) - mpmath.mpf(x))) for x in z)
        assert_allclose(float(total), np.sum(y), rtol=1e-12)
    for tiny in (1e-12, 1e-30, 1e-200):  # a class that weighs next to nothing
        assert_allclose(calibration_intercept([1, 0], [0.4, 0.4], [1, tiny]), -np.log(tiny) - log_odds(0.4), rtol=1e-9)
    for tiny in (1e-6, 1e-9, 1e-12):
        line = calibration_line([1, 0, 1, 0], [0.2, 0.2, 0.7, 0.7], [1, tiny, 1, 3 * tiny])  # the odds of both cells
        slope = -np.log(3) / (log_odds(0.7) - log_odds(0.2))
        assert_allclose(line, [-np.log(tiny) - slope * log_odds(0.2), slope], rtol=max(1e-9, 1e-14 / tiny))
    y = np.arange(100_000) < 1  # a rare event, and predictions that are right
    p = np.full(100_000, 1e-5)
    assert_allclose(calibration_intercept(y, p), 0.0, atol=1e-10)


def test_observed_over_expected():
    y, p, w = drawn()
    assert_allclose(observed_over_expected(y, p, w), (w @ y) / (w @ p), rtol=1e-12)
    assert observed_over_expected([0, 0], [0.1, 0.2]) == 0.0
    assert observed_over_expected([0, 1], [0.0, 0.0]) == np.inf
    assert np.isnan(observed_over_expected([0, 0], [0.0, 0.0]))


def test_spiegelhalter():
    y, p, w = drawn()
    brier, expected = np.mean((y - p) ** 2), np.mean(p * (1 - p))
    deviation = np.sqrt(np.sum((1 - 2 * p) ** 2 * p * (1 - p))) / len(y)
    assert_allclose(spiegelhalter_z(y, p), (brier - expected) / deviation, rtol=1e-9)
    above = np.sum(w * (y - p) * (1 - 2 * p))
    assert_allclose(spiegelhalter_z(y, p, w), above / np.sqrt(np.sum((w * (1 - 2 * p)) ** 2 * p * (1 - p))), rtol=1e-12)
    assert spiegelhalter_z([0, 1, 0], [0.0, 0.0, 0.5]) == np.inf
    assert np.isnan(spiegelhalter_z([0, 1, 0], [0.5, 0.5, 0.0]))
    with pytest.raises(ValueError, match=r"y_true must hold labels 0 and 1, got 0\.5"):
        spiegelhalter_z([0.5, 1.0], [0.2, 0.3])


def test_spiegelhalter_is_standard_normal_if_the_probabilities_are_right():
    rng = np.random.default_rng(0)
    p, w = rng.beta(1, 3, 300), rng.exponential(size=300)
    values = [spiegelhalter_z(rng.random(300) < p, p, w) for _ in range(2000)]
    assert_allclose(np.mean(values), 0.0, atol=0.08)
    assert_allclose(np.std(values), 1.0, atol=0.06)


@pytest.mark.parametrize("score", [calibration_slope, calibration_intercept])
def test_one_class_only(score):
    with pytest.raises(ValueError, match="y_true must hold both classes, got class 1 only"):
        score([1, 1], [0.2, 0.3])
    with pytest.raises(ValueError, match="y_true must hold both classes, got class 0 only"):
        score([0, 1], [0.2, 0.3], [1, 0])
