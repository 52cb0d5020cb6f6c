"""Every calibrator reaches the minimum of its documented loss: by hand, and against SciPy on difficult sets."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp
from sklearn.isotonic import IsotonicRegression

from boosting_losses import _labelled_scores, metrics
from boosting_losses.calibration import (
    BetaCalibration,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
    log_odds,
)

from .cases import mostly_slow

ALL = [TemperatureScaling, PlattScaling, BetaCalibration, IsotonicCalibration, VectorScaling]
each_calibrator = pytest.mark.parametrize("calibrator", ALL)

# ---- by hand --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", [0.0, 0.3, 20.0, -30.0, 1000.0, 1e6, 0.1 + 0.2])
def test_platt_gives_constant_scores_the_mean_target(score):
    y = np.repeat([0, 1], [35, 15])
    fitted = PlattScaling().fit(np.full(50, score), y)
    mean = (35 * 1 / 37 + 15 * 16 / 17) / 50
    assert_allclose(fitted.predict_proba([score])[0], [1 - mean, mean], rtol=1e-9)


def test_platt_gives_scores_that_differ_by_rounding_the_mean_target():
    proba = PlattScaling().fit(np.tile([0.3, 0.1 + 0.2], 10), np.tile([0, 1], 10)).predict_proba([0.3])
    assert_allclose(proba, [[0.5, 0.5]], rtol=1e-9)


@pytest.mark.parametrize("low", [-0.01, -19.0, -150.0, -1e6])
@pytest.mark.parametrize("high", [0.02, 20.0, 140.0, 1e6])
@pytest.mark.parametrize("count", [1, 5, 1000])
def test_platt_gives_two_scores_their_targets(low, high, count):
    """Two parameters meet two targets, whatever lies between the scores."""
    raw, y = np.repeat([low, high], count), np.repeat([0, 1], count)
    for labels in (y, 1 - y):
        proba = PlattScaling().fit(raw, labels).predict_proba([low, high])[:, 1]
        target = (count + 1) / (count + 2)
        assert_allclose(proba, [1 - target, target] if labels is y else [target, 1 - target], rtol=1e-4)


@pytest.mark.parametrize("calibrator", [BetaCalibration, VectorScaling])
def test_a_score_far_off_does_not_hide_the_others(calibrator):
    rng = np.random.default_rng(0)
    raw = rng.normal(size=400)
    y = (rng.random(400) < expit(2 * raw)).astype(int)
    for far in (1e2, 1e4, 1e6):
        proba = calibrator().fit(np.append(raw, far), np.append(y, 1)).predict_proba(raw)
        assert_allclose(proba, calibrator().fit(raw, y).predict_proba(raw), atol=0.02)


# ---- against SciPy --------------------------------------------------------------------------------------------------


def odd_set(seed):
    """Return a random set: its kind, scores, labels and weights."""
    rng = np.random.default_rng(seed)
    classes, n = int(rng.choice([2, 2, 2, 3, 5, 10])), int(rng.choice([3, 4, 8, 20, 50]))
    kind = ("ordinary", "separable", "constant", "outlier", "offset", "wrong", "one class")[seed % 7]
    scale = 10.0 ** rng.uniform(-2, 6)
    y = np.ones(n, dtype=int) if kind == "one class" else rng.integers(0, classes, n)
    noise = rng.normal(size=(n, classes) if classes > 2 else n)
    own = np.eye(classes)[y] if classes > 2 else 2.0 * y - 1.0
    raw = {
        "ordinary": 2 * noise + own,
        "separable": (0.1 * noise + 3 * own) * scale,
        "constant": np.full_like(noise, scale),
        "outlier": noise + own,
        "offset": noise + own + scale,
        "wrong": (noise - own) * scale,
        "one class": noise * scale,
    }[kind]
    if kind == "outlier":
        raw.reshape(-1)[rng.integers(raw.size)] = scale * rng.choice([-1, 1])
    weight = [None, 10.0 ** rng.uniform(-12, 0, n), 10.0 ** rng.uniform(-6, 6, n), np.full(n, 1 / n)][rng.integers(4)]
    return kind, np.clip(raw, -1e6, 1e6), y, weight


def rows_worth(weight, n):
    return n if weight is None else max(weight.sum(), weight.sum() ** 2 / (weight**2).sum())


class PenalisedLoss:
    """The mean log loss of the scores ``features @ parameters`` plus a prior around ``identity``."""

    def __init__(self, features, target, weight, strength, identity, bounds=None):
        self.features, self.target, self.weight = features, target, weight / weight.sum()
        self.strength, self.identity = strength, np.asarray(identity, float)
        self.bounds = bounds or [(None, None)] * len(self.identity)

    def __call__(self, parameters):
        """Return value and gradient."""
        scores = self.features @ parameters
        if scores.ndim == 1:
            loss = -self.target * log_expit(scores) - (1 - self.target) * log_expit(-scores)
            gradient = np.einsum("n,n,np->p", self.weight, expit(scores) - self.target, self.features)
        else:
            total = logsumexp(scores, axis=1, keepdims=True)
            loss = (self.target * (total - scores)).sum(axis=1)
            gradient = np.einsum("n,nk,nkp->p", self.weight, np.exp(scores - total) - self.target, self.features)
        away = parameters - self.identity
        return self.weight @ loss + 0.5 * self.strength * away @ away, gradient + self.strength * away

    def probabilities(self, parameters):
        """Return the sigmoid or the softmax of the scores."""
        scores = self.features @ parameters
        return expit(scores) if scores.ndim == 1 else np.exp(scores - logsumexp(scores, axis=1, keepdims=True))

    def least(self, found):
        """Return the least value that SciPy finds from several starts, the parameters ``found`` among them."""
        size = np.maximum(np.abs(self.features).reshape(-1, len(self.identity)).max(axis=0), 1e-6)
        bounds = [(None if low is None else low * by, None) for (low, _), by in zip(self.bounds, size, strict=True)]

        def scaled(parameters):
            value, gradient = self(parameters / size)
            return value, gradient / size

        values = []
        for start in (self.identity, np.array([low or 0.0 for low, _ in self.bounds]), found):
            options = {"maxiter": 5000, "maxfun": 20000, "ftol": 1e-16, "gtol": 1e-14, "maxcor": 30}
            result = minimize(scaled, start * size, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
            values.append(result.fun)
        return min(values)


def documented(fitted, raw, y, weight):
    """Yield the losses in the docstring of a calibrator, each with the parameters found."""
    n, classes = len(y), 2 if raw.ndim == 1 else raw.shape[1]
    rows, each = rows_worth(weight, n), np.ones(n) if weight is None else weight
    hot = (y == 1).astype(float) if classes == 2 else np.eye(classes)[y]
    if isinstance(fitted, TemperatureScaling):
        hottest = 1e4 * max(1.0, np.abs(raw).max())
        loss = PenalisedLoss(raw[..., None], hot, each, 1 / rows, [1], [(1 / hottest, None)])
        yield loss, np.array([1 / fitted.temperature_])
        return
    if isinstance(fitted, VectorScaling):
        features = np.column_stack([raw, np.ones(n)])
        if classes > 2:
            features = np.concatenate([raw[:, :, None] * np.eye(classes), np.tile(np.eye(classes), (n, 1, 1))], axis=2)
        identity = np.repeat([1, 0], features.shape[-1] // 2)
        yield PenalisedLoss(features, hot, each, 1 / rows, identity), np.append(fitted.slope_, fitted.intercept_)
        return
    odds = raw[:, None] if classes == 2 else log_odds(raw)
    for k, parameters in enumerate(fitted.fitted_):
        z, label = odds[:, k], (y == (1 if classes == 2 else k)).astype(float)
        if isinstance(fitted, PlattScaling):
            ones = rows * (each @ label) / each.sum()
            target = np.where(label == 1, (ones + 1) / (ones + 2), 1 / (rows - ones + 2))
            yield PenalisedLoss(np.column_stack([z, np.ones(n)]), target, each, 0.0, [0, 0]), parameters
        else:
            features = np.column_stack([log_expit(z), -log_expit(-z), np.ones(n)])
            bounds = [(0, None), (0, None), (None, None)]
            yield PenalisedLoss(features, label, each, 1 / rows, [1, 1, 0], bounds), parameters


@pytest.mark.parametrize("seed", mostly_slow(range(28), *range(7)))
def test_every_calibrator_reaches_the_minimum(seed):
    kind, raw, y, weight = odd_set(seed)
    for calibrator in ALL:
        fitted = calibrator().fit(raw, y, weight)  # a warning is an error
        proba = fitted.predict_proba(raw)
        assert np.isfinite(proba).all()
        assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
        if raw.ndim == 1 and calibrator in (TemperatureScaling, BetaCalibration, IsotonicCalibration):
            assert (np.diff(proba[np.argsort(raw, kind="stable"), 1]) >= -1e-12).all()
        if calibrator is not IsotonicCalibration:
            estimates = []
            for loss, parameters in documented(fitted, raw, y, weight):
                estimates.append(loss.probabilities(parameters))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # SciPy's own
                    gap = loss(parameters)[0] - loss.least(parameters)
                assert gap <= 1e-6, (kind, calibrator)
            expected = np.squeeze(np.stack(estimates, axis=1))
            if raw.ndim == 1:
                assert_allclose(proba[:, 1], expected, rtol=1e-9, atol=1e-12)
            elif len(estimates) == 1 or (expected.sum(axis=1) > 1e-3).all():
                assert_allclose(proba, expected / expected.sum(axis=1, keepdims=True), rtol=1e-9, atol=1e-12)


# ---- what rows are worth --------------------------------------------------------------------------------------------


def few_rows(classes, n=60):
    rng = np.random.default_rng(0)
    raw = 2 * rng.standard_normal((n, classes) if classes > 2 else n)
    scores = 0.5 * raw if classes > 2 else np.column_stack([np.zeros(n), 0.5 * raw])
    return raw, (scores + rng.gumbel(size=scores.shape)).argmax(axis=1), rng.integers(1, 5, n) / 5


@each_calibrator
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-6, 1 / 60])
def test_weights_that_are_no_counts_may_have_any_scale(calibrator, classes, size):
    raw, y, weight = few_rows(classes)
    expected = calibrator().fit(raw, y, weight).predict_proba(raw)
    tolerance = 1e-3 if size == 1e-320 else 1e-8  # where numbers have three digits
    assert_allclose(calibrator().fit(raw, y, size * weight).predict_proba(raw), expected, atol=tolerance)
    assert_allclose(
        calibrator().fit(raw, y, np.full(len(y), size)).predict_proba(raw),
        calibrator().fit(raw, y).predict_proba(raw),
        atol=1e-8,
    )


def test_a_single_heavy_row_does_not_count_as_many():
    """One row that outweighs all is about one row beside the prior, so the answer stays far from 0 and 1."""
    raw, y = np.array([-3.0, -1.0, 2.0, 3.0]), np.array([0, 1, 0, 1])
    weight = np.array([1e-9, 1e-9, 1e-9, 0.5])
    assert PlattScaling().fit(raw, y, weight).predict_proba([3.0])[0, 1] == pytest.approx(2 / 3, abs=1e-6)


def test_rows_without_weight_in_the_sample_are_no_start(monkeypatch):
    monkeypatch.setattr(_labelled_scores, "SAMPLE", 50)
    raw, y, _ = few_rows(2, n=400)
    weight = (np.arange(400) % 8 != 0).astype(float)
    kept = weight > 0
    expected = PlattScaling().fit(raw[kept], y[kept]).predict_proba(raw)
    assert_allclose(PlattScaling().fit(raw, y, weight).predict_proba(raw), expected, atol=1e-6)


# ---- the ends of isotonic regression --------------------------------------------------------------------------------


def test_isotonic_ends_follow_laplaces_rule_of_succession():
    raw, y = np.arange(20.0), np.repeat([0, 1, 0, 1], [6, 2, 2, 10])
    proba = IsotonicCalibration().fit(raw, y).predict_proba(raw)[:, 1]
    assert_allclose(proba[:6], 1 / 8)
    assert_allclose(proba[6:10], 0.5)
    assert_allclose(proba[10:], 11 / 12)
    outside = IsotonicCalibration().fit(raw, y).predict_proba([-100.0, 100.0])[:, 1]
    assert_allclose(outside, [1 / 8, 11 / 12])


def test_isotonic_ends_never_pass_their_neighbours():
    raw, y = (
        np.arange(22.0),
        np.array([0, *[1, *[0] * 9] * 2, 1]),
    )  # 1 / 3 at the lower end would be above the next step
    proba = IsotonicCalibration().fit(raw, y).predict_proba(raw)[:, 1]
    assert (np.diff(proba) >= 0).all()
    assert_allclose(proba[:21], (2 + 1) / (21 + 2))


def test_between_its_ends_isotonic_calibration_is_scikit_learns():
    rng = np.random.default_rng(0)
    raw = 2 * rng.standard_normal(600)
    y, weight = (rng.random(600) < expit(raw)).astype(int), rng.uniform(0.5, 2, 600)
    plain = IsotonicRegression(out_of_bounds="clip").fit(raw, y, sample_weight=weight).predict(raw)
    proba = IsotonicCalibration().fit(raw, y, weight).predict_proba(raw)[:, 1]
    inside = (plain > 0.1) & (plain < 0.9)
    assert inside.mean() > 0.5
    assert_allclose(proba[inside], plain[inside], rtol=1e-12)
    assert 0 < proba.min() < proba.max() < 1


@pytest.mark.parametrize(("n", "most"), [(300, 0.02), (1000, 0.01)])
def test_isotonic_ends_cost_new_rows_little(n, most):
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(10):
        raw, new = rng.normal(-1, 1.5, n), rng.normal(-1, 1.5, 5000)
        y, truth = (rng.random(n) < expit(raw)).astype(int), expit(new)
        proba = IsotonicCalibration().fit(raw, y).predict_proba(new)[:, 1]
        losses.append(metrics.log_loss(truth, proba) - metrics.log_loss(truth, truth))
    assert np.mean(losses) < most  # without a row of each class at either end 0.23 and 0.06
