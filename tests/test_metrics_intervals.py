"""Intervals: against closed forms, scikit-learn's resampling done by hand, and the truth in simulations."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from numba.core import config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from boosting_losses._kernels import poisson
from boosting_losses.metrics import (
    bootstrap,
    brier_score,
    calibration_error,
    confidence_interval,
    d2,
    discrimination,
    log_loss,
    miscalibration,
    normalized_cross_entropy,
    paired_difference,
    refinement_loss,
    smooth_calibration_error,
)
from boosting_losses.metrics._statistics.bootstrap import Bootstrap, Columns, apart, observed, side_by_side

compiled = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")
pytestmark = compiled


def predictions(n, seed=0, sharpness=1.0):
    rng = np.random.default_rng(seed)
    z = rng.normal(-1.0, 1.5, n)
    return (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int), 1 / (1 + np.exp(-sharpness * z)), rng


# ---- the bootstrap itself -------------------------------------------------------------------------------------------


def test_counts_are_poisson():
    bootstrap, n = Bootstrap(1, 0, 256, seed=0), 2000
    columns = Columns(np.ones((1, 1)), np.empty((1, 0), np.int32), np.empty((1, 0)))
    seen = np.zeros(9)
    pairs = 0.0
    last = None
    for _ in range(n):
        bootstrap.add(np.ones(1), columns)
        count = bootstrap._drawn.copy()
        seen += np.bincount(count.astype(int), minlength=9)[:9]
        if last is not None:
            pairs += ((count - 1) * (last - 1)).mean()
        last = count
    total = seen.sum()
    assert total == n * 256
    expected = stats.poisson(1).pmf(np.arange(9)) * total
    # 16 bits round the probabilities by up to 2**-17, and above 8 there is nothing.
    assert (np.abs(seen[:8] - expected[:8]) < 5 * np.sqrt(expected[:8] + 1) + 2.0**-16 * total).all()
    assert abs(pairs / n) < 0.007
    totals = bootstrap.totals().weight
    assert abs(np.corrcoef(totals[:128], totals[128:])[0, 1]) < 0.4
    assert_allclose(totals.mean(), n, rtol=0.01)
    assert_allclose(totals.std(), np.sqrt(n), rtol=0.2)


def test_blocks_and_groups_change_nothing():
    rng = np.random.default_rng(0)
    n = 1000
    columns = Columns(rng.random((n, 2)), rng.integers(0, 5, (n, 3)).astype(np.int32), rng.random((n, 3)))
    weight = rng.random(n)
    whole, parts, alone = (Bootstrap(2, 5, 200, seed=3) for _ in range(3))
    whole.add(weight, columns)
    for rows in np.array_split(np.arange(n), 7):
        parts.add(weight[rows], columns.take(rows))
    alone.add(weight, columns, np.zeros(n, dtype=bool))
    for a, b, c in zip(whole.totals(), parts.totals(), alone.totals(), strict=True):
        assert_allclose(a, b, rtol=1e-12)
        assert_array_equal(a, c)
    together = Bootstrap(2, 5, 200, seed=3)
    together.add(weight, columns, np.arange(n) > 0)
    ratio = together.totals().weight / weight.sum()
    assert_allclose(ratio, np.rint(ratio), atol=1e-9)  # all rows count as often
    seen = observed(weight, columns, 5)
    assert_allclose(seen.cell_weight.sum(), 3 * weight.sum())
    assert_allclose(seen.values[:, 0], weight @ columns.values)


def test_side_by_side_and_apart():
    rng = np.random.default_rng(0)
    parts = [
        Columns(rng.random((50, m)), rng.integers(0, c, (50, 1)).astype(np.int32), rng.random((50, 1)))
        for m, c in ((1, 3), (2, 4))
    ]
    weight = np.ones(50)
    both = apart(observed(weight, side_by_side(parts, [3, 4]), 7), [1, 2], [3, 4])
    for part, totals, c in zip(parts, both, (3, 4), strict=True):
        for a, b in zip(observed(weight, part, c), totals, strict=True):
            assert_allclose(a, b)


def test_sixteen_bits_have_mean_and_variance_one():
    over = np.array([int(getattr(poisson, f"_OVER_{k}")) for k in range(8)])
    assert over.sum() == 2**16
    second_moment = ((2 * np.arange(8) + 1) * over).sum() / 2**16
    assert_allclose(second_moment, 2.0, atol=5e-5)


# ---- intervals ------------------------------------------------------------------------------------------------------


def halls_interval(parts, mean, total, level=0.95):
    """Hall's (1992) interval found by solving his cubic numerically; ``parts`` are ``weight * (loss - mean)``."""
    n = len(parts)
    error = np.sqrt(n / (n - 1) * (parts**2).sum()) / total
    a = stats.skew(parts) / np.sqrt(n)

    def limit(z):
        root = np.roots([a * a / 27, a / 3, 1.0, a / 6 - z])
        return mean - error * root[np.argmin(abs(root.imag))].real

    z = stats.norm.ppf((1 + level) / 2)
    return mean, limit(z), limit(-z)


def test_of_a_mean_in_closed_form():
    y, p, _ = predictions(500)
    losses = -np.log(np.where(y, p, 1 - p))
    expected = halls_interval(losses - losses.mean(), losses.mean(), 500, 0.9)
    assert_allclose(confidence_interval(log_loss, y, p, level=0.9), expected, rtol=1e-6)
    squares = (y - p) ** 2
    expected = halls_interval(squares - squares.mean(), squares.mean(), 500)
    assert_allclose(confidence_interval(brier_score, y, p), expected, rtol=1e-6)


def test_groups_widen_what_they_repeat():
    y, p, _ = predictions(400)
    single = confidence_interval(log_loss, y, p)
    groups = np.tile(np.arange(400), 9)
    many = confidence_interval(log_loss, np.tile(y, 9), np.tile(p, 9), groups=groups)
    assert_allclose(many, single, rtol=1e-12)
    careless = confidence_interval(log_loss, np.tile(y, 9), np.tile(p, 9))
    assert careless.high - careless.low < 0.4 * (single.high - single.low)
    for score in (calibration_error, normalized_cross_entropy, miscalibration):
        names = np.array([f"customer {g}" for g in groups])
        many = confidence_interval(score, np.tile(y, 9), np.tile(p, 9), groups=names)
        single = confidence_interval(score, y, p)
        assert_allclose(many.high - many.low, single.high - single.low, rtol=0.2)


@pytest.mark.parametrize("score", [log_loss, brier_score, normalized_cross_entropy, d2])
@pytest.mark.parametrize("classes", [2, 3])
def test_bootstrap_is_that_of_resampled_weights(score, classes):
    rng = np.random.default_rng(0)
    n = 1500
    p = rng.dirichlet(np.ones(classes), n)
    y = np.array([rng.choice(classes, p=row) for row in p])
    p = p[:, 1] if classes == 2 else p
    w = rng.random(n)
    fast = confidence_interval(score, y, p, w, method="bootstrap", n_resamples=2000)
    slow = [score(y, p, w * rng.poisson(1, n)) for _ in range(1000)]
    spread = np.std(slow)
    assert fast.value == score(y, p, w)
    assert_allclose(fast[1:], np.quantile(slow, [0.025, 0.975]), atol=0.25 * spread)


def test_any_other_function():
    y, p, _ = predictions(400)

    auc = sklearn.metrics.roc_auc_score
    estimate = confidence_interval(auc, y, p, n_resamples=60)
    assert estimate.low < estimate.value < estimate.high
    assert 0.06 < estimate.high - estimate.low < 0.14
    assert estimate == confidence_interval(auc, y, p, n_resamples=60)
    assert estimate != confidence_interval(auc, y, p, n_resamples=60, random_state=1)
    pairs = np.arange(400) // 2
    assert confidence_interval(auc, y, p, groups=pairs, n_resamples=20).value == estimate.value


@pytest.mark.parametrize(
    "score", [log_loss, calibration_error, smooth_calibration_error, miscalibration, discrimination]
)
def test_the_same_seed_gives_the_same_interval(score):
    y, p, _ = predictions(600, sharpness=1.7)
    options = {"method": "bootstrap", "n_resamples": 100}
    first = confidence_interval(score, y, p, **options)
    assert first == confidence_interval(score, y, p, **options)
    assert first != confidence_interval(score, y, p, random_state=7, **options)
    assert first.low <= first.high


@pytest.mark.slow
@pytest.mark.parametrize("sharpness", [0.6, 1.0, 1.6])
@pytest.mark.parametrize("score", [calibration_error, smooth_calibration_error])
def test_calibration_errors_hold_the_truth(score, sharpness):
    """200 samples of 1500 rows: with 95 % coverage, fewer than 180 hits happen once in 2000 times."""
    y, p, _ = predictions(400_000, seed=1, sharpness=sharpness)
    rate = 1 / (1 + (1 / p - 1) ** (1 / sharpness))
    truth = score(rate, p)
    hits = 0
    for seed in range(200):
        y, p, _ = predictions(1500, seed=seed, sharpness=sharpness)
        estimate = confidence_interval(score, y, p, n_resamples=256, random_state=seed)
        hits += estimate.low - 1e-3 <= truth <= estimate.high + 1e-3
    assert hits >= 180


def test_percentiles_would_miss_a_calibrated_model():
    """Why there is an interval of its own: resampled errors are all above the truth, 0."""
    y, p, rng = predictions(1500)
    resampled = [calibration_error(y, p, rng.poisson(1, 1500)) for _ in range(200)]
    assert np.quantile(resampled, 0.025) > 0.01
    assert confidence_interval(calibration_error, y, p).low == 0.0


def test_several_scores_in_the_same_replicates():
    y, p, rng = predictions(1000)
    w = rng.random(1000)
    scores = {"loss": log_loss, "ece": partial(calibration_error, n_bins=5), "d2": partial(d2, score="brier")}
    replicates = bootstrap(scores, y, p, w, n_resamples=300)
    assert {name: values.shape for name, values in replicates.items()} == dict.fromkeys(scores, (300,))
    alone = bootstrap({"d2": scores["d2"]}, y, p, w, n_resamples=300)
    assert_allclose(replicates["d2"], alone["d2"], rtol=1e-10)
    assert np.corrcoef(replicates["loss"], replicates["d2"])[0, 1] < -0.5
    low, high = np.quantile(replicates["loss"], [0.025, 0.975])
    assert_allclose((low, high), confidence_interval(log_loss, y, p, w)[1:], rtol=0.02)
    assert bootstrap({}, y, p) == {}
    with pytest.raises(ValueError, match=r"scores must be from boosting_losses.metrics .* got roc_auc_score as 'auc'"):
        bootstrap({"auc": sklearn.metrics.roc_auc_score}, y, p)
    with pytest.raises(ValueError, match=r"proba must lie in \[0, 1\], got 1.5 in row 3"):
        bootstrap(scores, y, np.where(np.arange(1000) == 3, 1.5, p))


# ---- differences ----------------------------------------------------------------------------------------------------


def test_difference_of_means_in_closed_form():
    y, p, rng = predictions(500)
    q, w = np.clip(p + 0.05 * rng.standard_normal(500), 0.01, 0.99), rng.random(500)
    gaps = -np.log(np.where(y, p, 1 - p)) + np.log(np.where(y, q, 1 - q))
    mean = np.average(gaps, weights=w)
    difference = paired_difference(log_loss, y, p, q, w)
    assert_allclose(difference, halls_interval(w * (gaps - mean), mean, w.sum()), rtol=1e-6)
    both = [confidence_interval(log_loss, y, x, w) for x in (p, q)]
    assert difference.high - difference.low < 0.7 * (both[0].high - both[0].low)


@pytest.mark.parametrize("score", [log_loss, d2, calibration_error, smooth_calibration_error, miscalibration])
def test_differences_change_sign_with_the_models(score):
    y, p, _ = predictions(2000)
    q = np.clip(p**1.4, 0.001, 0.999)
    for groups in (None, np.arange(2000) // 4):
        options = {"groups": groups, "method": "bootstrap", "n_resamples": 100}
        there, back = paired_difference(score, y, p, q, **options), paired_difference(score, y, q, p, **options)
        assert_allclose(there, [-back.value, -back.high, -back.low], rtol=1e-9)
        if score in (log_loss, d2):
            assert there.value == score(y, p) - score(y, q)
        else:  # noise makes these too large
            here, other = (confidence_interval(score, y, x, groups=groups, n_resamples=100) for x in (p, q))
            assert_allclose(there.value, here.value - other.value, rtol=1e-9)
        assert there.low < there.value < there.high


def test_a_model_does_not_differ_from_itself():
    y, p, _ = predictions(500)
    for score in (log_loss, calibration_error, d2):
        assert_allclose(paired_difference(score, y, p, p), 0.0, atol=1e-15)


def test_options_without_meaning():
    y, p, _ = predictions(50)
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\), got 95"):
        confidence_interval(log_loss, y, p, level=95)
    with pytest.raises(ValueError, match="n_resamples must be an integer from 2 to 100000, got 1"):
        confidence_interval(log_loss, y, p, n_resamples=1)
    with pytest.raises(ValueError, match=r"random_state must be an integer from 0 .*, got None"):
        paired_difference(log_loss, y, p, p, random_state=None)
    with pytest.raises(ValueError, match=r"method must be 'bootstrap' or 'auto' .* got 'analytic' for d2"):
        confidence_interval(d2, y, p, method="analytic")
    with pytest.raises(ValueError, match=r"groups must have shape \(50,\), one group per label, got \(3,\)"):
        confidence_interval(log_loss, y, p, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="groups must name at least 2 groups, got only 1"):
        confidence_interval(log_loss, y, p, groups=np.ones(50, int))
    with pytest.raises(ValueError, match="either proba or raw must be given, got none"):
        confidence_interval(log_loss, y)
    with pytest.raises(ValueError, match="method must be 'auto', 'analytic' or 'bootstrap', got 'analitic'"):
        confidence_interval(log_loss, y, p, method="analitic")
    with pytest.raises(ValueError, match=r"proba and other must have the same shape, got \(50,\) and \(50, 3\)"):
        paired_difference(brier_score, y, p, np.stack([1 - p, p, 0 * p], axis=1))
    for missing in (None, np.nan, pd.NA):
        groups = np.array(["a", "b"] * 25, dtype=object)
        groups[7] = missing
        with pytest.raises(ValueError, match=r"groups must have no missing values, got .* in row 7"):
            confidence_interval(log_loss, y, p, groups=groups)
    groups[7] = 3
    with pytest.raises(TypeError, match="groups must all be of one type"):
        confidence_interval(log_loss, y, p, groups=groups)


# ---- hard cases -----------------------------------------------------------------------------------------------------

EVERY = [
    log_loss,
    brier_score,
    normalized_cross_entropy,
    d2,
    calibration_error,
    smooth_calibration_error,
    miscalibration,
    discrimination,
    partial(calibration_error, debiased=True),
]


@pytest.mark.parametrize("score", EVERY, ids=lambda score: getattr(score, "__name__", "debiased"))
def test_so_few_rows_that_replicates_are_empty(score):
    y, p = [0, 1, 0, 1], [0.2, 0.3, 0.6, 0.7]
    for groups in (None, [0, 0, 1, 1]):
        estimate = confidence_interval(score, y, p, groups=groups, n_resamples=300)
        assert estimate.low <= estimate.high
        assert paired_difference(score, y, p, p, groups=groups, n_resamples=300).value == 0.0


@pytest.mark.parametrize("score", [log_loss, brier_score, normalized_cross_entropy, refinement_loss])
def test_from_raw_scores_in_the_tails(score):
    """Clipped probabilities would give an interval that does not hold the estimate."""
    rng = np.random.default_rng(0)
    raw = 2 * rng.standard_normal(2000)
    y = (rng.random(2000) < 1 / (1 + np.exp(-raw))).astype(int)
    raw[0], y[0] = -300.0, 1
    method = {} if score is not log_loss else {"method": "bootstrap"}
    estimate = confidence_interval(score, y, raw=raw, n_resamples=200, **method)
    assert estimate.value == score(y, raw=raw)
    assert estimate.low < estimate.value < estimate.high
    if score is log_loss:
        losses = np.logaddexp(0.0, np.where(y, -raw, raw))
        estimate = confidence_interval(score, y, raw=raw)
        assert_allclose(estimate, halls_interval(losses - losses.mean(), losses.mean(), 2000), rtol=1e-6)


def test_rare_events_and_infinite_losses():
    y, p, _ = predictions(2000)
    rare = np.arange(2000) == 5
    for score in (normalized_cross_entropy, d2):
        estimate = confidence_interval(score, rare, 0.01 * p)
        assert estimate.low < estimate.value
        assert np.isfinite(estimate).all()
    p[np.argmax(y)] = 0.0
    absent = np.ones(2000)
    absent[np.argmax(y)] = 0.0
    for score in (log_loss, normalized_cross_entropy, d2, miscalibration):
        assert np.isfinite(confidence_interval(score, y, p, absent, eps=0.0, n_resamples=50)).all()
    assert np.isnan(paired_difference(log_loss, y, p, p, eps=0.0)).all()
    value, low, high = confidence_interval(log_loss, y, p, eps=0.0)
    assert value == np.inf
    assert np.isnan([low, high]).all()


@pytest.mark.parametrize("scale", [1e-300, 1e200])
@pytest.mark.parametrize("score", EVERY, ids=lambda score: getattr(score, "__name__", "debiased"))
def test_only_ratios_of_weights_count(score, scale):
    y, p, _ = predictions(300)
    one = confidence_interval(score, y, p, np.ones(300), n_resamples=50)
    scaled = confidence_interval(score, y, p, np.full(300, scale), n_resamples=50)
    assert_allclose(scaled.value, one.value, rtol=1e-6)
    assert_allclose(scaled, one, rtol=0.02)  # bins of equal weight may differ by a row


def test_rows_without_weight_do_not_count():
    y, p, _ = predictions(3000)
    weight, groups = np.where(np.arange(3000) < 1500, 0.0, 1.0), np.arange(3000) // 100
    for options in ({}, {"method": "bootstrap"}):
        some = confidence_interval(log_loss, y[1500:], p[1500:], groups=groups[1500:], **options)
        every = confidence_interval(log_loss, y, p, weight, groups=groups, **options)
        assert_allclose(every, some, rtol=1e-9 if not options else 0.05)
