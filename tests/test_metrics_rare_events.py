"""Intervals where events are few, and differences of errors that may be 0: against the truth of known worlds."""

import numpy as np
import pytest
from numba.core import config
from numpy.testing import assert_allclose
from scipy.special import expit, logit

from boosting_losses.metrics import (
    average_precision,
    brier_score,
    calibration_error,
    confidence_interval,
    log_loss,
    miscalibration,
    paired_difference,
    roc_auc,
    smooth_calibration_error,
)
from boosting_losses.metrics._predictions import check
from boosting_losses.metrics._statistics.redrawn_labels import RedrawnLabels

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

#: Scores are normal around a mean, with this standard deviation; a second model sees them through noise.
SPREAD, NOISE = 1.5, 1.0
KNOWN = SPREAD**2 / (SPREAD**2 + NOISE**2)


def world(seed, n, mean, slope=1.0):
    """Labels, what a model says whose log odds are ``slope`` times too large, and a calibrated one that knows less."""
    rng = np.random.default_rng((seed, n))
    score = mean + SPREAD * rng.standard_normal(n)
    seen = mean + KNOWN * (score + NOISE * rng.standard_normal(n) - mean)
    points, weight = np.polynomial.hermite_e.hermegauss(41)
    less = expit(seen[:, None] + SPREAD * np.sqrt(1.0 - KNOWN) * points) @ (weight / weight.sum())
    return (rng.random(n) < expit(score)).astype(int), expit(slope * score), less, expit(score)


def truth_of_difference(score, mean, slope=1.0):
    """With both labels of many rows, each by its probability."""
    _, p, less, rate = world(0, 400_000, mean, slope)
    labels, weight = np.repeat([1, 0], len(p)), np.concatenate([rate, 1.0 - rate])
    return score(labels, np.tile(p, 2), weight) - score(labels, np.tile(less, 2), weight)


@pytest.mark.slow
@pytest.mark.parametrize("score", [brier_score, log_loss])
def test_differences_hold_the_truth_with_13_events(score):
    """The moments seen in so few events alone hold the true difference of Brier scores in 80 % of samples."""
    truth = truth_of_difference(score, mean=-7.75)
    held = 0
    for seed in range(150):
        y, p, less, _ = world(seed, 10_000, mean=-7.75)
        difference = paired_difference(score, y, p, less)
        held += difference.low <= truth <= difference.high
    assert held >= 135


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("score", ["log_loss", "brier"])
def test_expected_moments_are_those_of_labels_that_are_drawn(score, weighted):
    y, p, _, rate = world(1, 20_000, mean=-2.0)
    less = expit(0.7 * np.log(rate / (1.0 - rate)) - 0.5)
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(y)) if weighted else np.ones(len(y))
    first, second = check(y, p), check(y, less)
    redrawn = RedrawnLabels(first, second, None)
    for part in np.array_split(np.arange(len(y)), 3):
        redrawn.add(first.take(part), second.take(part), weight[part])

    def losses(label):
        if score == "brier":
            return (p - label) ** 2 - (less - label) ** 2
        return np.log(less / p) if label else np.log((1.0 - less) / (1.0 - p))

    mean = 0.01
    square, cube = redrawn.moments(score, mean)
    for power, found in ((2, square), (3, cube)):
        parts = [(weight * (losses(label) - mean)) ** power for label in (0, 1)]
        expected = float((1.0 - rate) @ parts[0] + rate @ parts[1])
        scale = float((1.0 - rate) @ np.abs(parts[0]) + rate @ np.abs(parts[1]))
        assert_allclose(found, expected, atol=0.05 * scale)


def test_soft_labels_and_groups_keep_the_moments_seen():
    y, p, less, rate = world(2, 2000, mean=-5.0)
    for labels, groups in ((rate, None), (y, np.arange(2000) // 2)):
        difference = paired_difference(brier_score, labels, p, less, groups=groups)
        assert difference.low < difference.value < difference.high


def test_an_error_of_a_calibrated_model_is_0_in_half_of_the_samples():
    estimates = []
    for seed in range(80):
        y, p, _, _ = world(seed, 300, mean=-1.0)
        estimates.append(confidence_interval(calibration_error, y, p, n_resamples=200, debiased=True).value)
    assert 0.3 < np.mean(np.array(estimates) == 0.0) < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("score", [calibration_error, smooth_calibration_error, miscalibration])
@pytest.mark.parametrize("slope", [0.6, 1.5])
def test_differences_from_a_calibrated_model_are_not_too_small(score, slope):
    """An error that may be 0 errs upwards alone."""
    truth = truth_of_difference(score, -1.0, slope)
    options = {"debiased": True} if score is calibration_error else {}
    below = 0
    for seed in range(80):
        y, p, less, _ = world(seed, 1000, -1.0, slope)
        difference = paired_difference(score, y, p, less, n_resamples=200, **options)
        assert difference.low <= difference.value <= difference.high
        below += difference.high < truth
    assert below <= 11  # 5 % of the samples exceed this once in two thousand times


@pytest.mark.slow
def test_smooth_errors_of_rare_events_are_resolved():
    """Their kernel is narrower than a hundredth."""
    _, p, _, rate = world(0, 400_000, -7.75, 1.5)
    truth = smooth_calibration_error(rate, p)
    held = 0
    for seed in range(60):
        y, p, _, _ = world(seed, 10_000, -7.75, 1.5)
        estimate = confidence_interval(smooth_calibration_error, y, p, n_resamples=200)
        held += estimate.low <= truth <= estimate.high
    assert held >= 50


@pytest.mark.parametrize("score", [roc_auc, average_precision])
def test_events_that_happen_to_rank_high_do_not_make_a_score_sure(score):
    """That no improbable event was seen says little about how often there is one."""
    rng = np.random.default_rng(0)
    p = np.sort(expit(-4.0 + 1.5 * rng.standard_normal(1000)))
    y = np.zeros(1000, dtype=int)
    y[-150::10] = 1
    # Where labels are drawn with their probabilities, this is how much the score varies between samples.
    drawn = [score(rng.random(1000) < p, p) for _ in range(150)]
    estimate = confidence_interval(score, y, p)
    assert np.ptp(logit(estimate[1:])) > np.ptp(logit(np.quantile(drawn, [0.025, 0.975])))


@pytest.mark.parametrize("n_resamples", [2, 3])
def test_few_replicates_give_poor_intervals_but_no_error(n_resamples):
    for seed in range(1):
        y, p, less, _ = world(seed, 200, mean=-1.0)
        for score in (roc_auc, average_precision, calibration_error, smooth_calibration_error, miscalibration):
            for weight in (None, np.full(200, 1e-200), np.arange(200.0)):
                estimate = confidence_interval(score, y, p, weight, n_resamples=n_resamples, random_state=seed)
                assert estimate.low <= estimate.value <= estimate.high
                paired_difference(score, y, p, less, weight, n_resamples=n_resamples, random_state=seed)
