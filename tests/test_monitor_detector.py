"""The sequential test: fair bets, guaranteed run length, tolerance, overdispersion, delays."""

import itertools
import math

import numpy as np
import pytest

from boosting_losses.metrics import logits as logits_of_metrics
from boosting_losses.monitor import Detector
from boosting_losses.monitor._detector import entropy, powers
from boosting_losses.monitor._maps import maps_of


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def log_likelihood(y, u):
    """Of class codes y under logits u, (n,) or (n, K), by the definition."""
    if u.ndim == 1:
        return np.where(y == 1, -np.logaddexp(0.0, -u), -np.logaddexp(0.0, u))
    return u[np.arange(len(y)), y] - np.log(np.exp(u).sum(axis=1))


def contrasts(classes):
    """Return the biases that the coordinates of each map of K classes stand for, without the code of the maps."""
    basis = np.zeros((classes, classes - 1))
    for k in range(1, classes):
        basis[:k, k - 1], basis[k, k - 1] = 1.0, -k
    return basis / np.linalg.norm(basis, axis=0)


def mapped(z, theta, middle):
    if z.ndim == 1:
        return z + theta[0] + theta[1] * (z - middle)
    return z + contrasts(z.shape[1]) @ theta[:-1] + theta[-1] * (z - middle)


@pytest.fixture(params=[2, 3, 5], ids=lambda k: f"{k} classes")
def look(request):
    rng = np.random.default_rng(request.param)
    shape = (200,) if request.param == 2 else (200, request.param)
    z = 1.5 * rng.normal(size=shape)
    y = rng.integers(0, request.param, 200)
    return y, z, rng.uniform(0.1, 1.0, 200), maps_of(request.param)


def test_gains_are_differences_of_log_likelihoods(look):
    y, z, power, maps = look
    middle = maps.middle(z, power)
    gains = maps.gains(y.astype(float), z, power, middle, maps.grid)
    wanted = [power @ (log_likelihood(y, mapped(z, theta, middle)) - log_likelihood(y, z)) for theta in maps.grid]
    np.testing.assert_allclose(gains, wanted, rtol=1e-10, atol=1e-10)


def test_derivatives_are_those_of_the_gain(look):
    y, z, power, maps = look
    middle, at = maps.middle(z, power), 0.3 * maps.grid[1]
    gradient, information = maps.derivatives(y.astype(float), z, power, middle, at)
    step = 1e-5 * np.eye(len(at))

    def gain(theta):
        return power @ log_likelihood(y, mapped(z, theta, middle))

    np.testing.assert_allclose(gradient, [(gain(at + s) - gain(at - s)) / 2e-5 for s in step], rtol=1e-6, atol=1e-6)
    for s, row in zip(step, information, strict=True):
        plus = maps.derivatives(y.astype(float), z, power, middle, at + s)[0]
        minus = maps.derivatives(y.astype(float), z, power, middle, at - s)[0]
        np.testing.assert_allclose(row, (minus - plus) / 2e-5, rtol=1e-5, atol=1e-5)


def test_a_slope_leaves_the_middle_where_it_is(look):
    """The score in the shift does not move with the slope to first order: information has no mixed term."""
    y, z, power, maps = look
    if z.ndim == 1:
        _, information = maps.derivatives(y.astype(float), z, power, maps.middle(z, power), np.zeros(2))
        assert abs(information[0, 1]) < 1e-9 * information[0, 0]


def test_every_bet_is_fair_where_the_probabilities_are_right():
    """The expectation of each factor, over all labels of a small look, is at most 1: by enumeration."""
    z = np.array([-2.0, -0.5, 0.3, 1.7, 3.0])
    p = sigmoid(z)
    for settings in ({"min_saving": 0.0}, {"min_saving": 0.05}, {"look_effect": 0.5}):
        total = 0.0
        for labels in itertools.product((0, 1), repeat=len(z)):
            y = np.array(labels)
            probability = np.prod(np.where(y == 1, p, 1.0 - p))
            detector = Detector(**settings)
            detector.update(y, z)
            total += probability * np.exp(detector._log_sum).sum()
        assert total <= 1.0 + 1e-12  # the sum of shares is 1 before the look
        assert settings != {"min_saving": 0.0} or total == pytest.approx(1.0)


def test_every_bet_is_fair_for_every_tolerated_map():
    """The tolerance is a composite null: maps that save no more than it, of 2 and of 3 classes."""
    rng = np.random.default_rng(0)
    for classes, rows in ((2, 6), (3, 4)):
        maps = maps_of(classes)
        z = rng.normal(size=rows) if classes == 2 else rng.normal(size=(rows, 3))
        power = np.ones(rows)
        middle = maps.middle(z, power)
        _, information = maps.derivatives(np.zeros(rows), z, power, middle, np.zeros(maps.grid.shape[1]))
        saving = 0.02
        for _ in range(4):
            direction = rng.normal(size=maps.grid.shape[1])
            theta = direction * math.sqrt(2.0 * saving * rows / (direction @ information @ direction))
            truth = mapped(z, theta, middle)
            total = 0.0
            for labels in itertools.product(range(classes), repeat=rows):
                y = np.array(labels)
                probability = math.exp(log_likelihood(y, truth).sum())
                detector = Detector(classes, min_saving=saving, look_effect=0.0)
                detector.update(y, z)
                total += probability * np.exp(detector._log_sum).sum()
            assert total <= 1.0 + 1e-9


def test_powers_of_groups_and_weights():
    weight = np.array([2.0, 1.0, 4.0, 4.0])
    np.testing.assert_allclose(powers(weight, np.array([-1, -2, 7, 7])), [0.5, 0.25, 0.5, 0.5])
    assert powers(np.zeros(2), np.array([-1, -2])).tolist() == [0.0, 0.0]


def test_copies_of_a_row_in_a_group_are_evidence_for_one_row():
    rng = np.random.default_rng(1)
    z = rng.normal(size=100)
    y = (rng.random(100) < sigmoid(z + 1.0)).astype(int)
    once, copied = Detector(min_saving=0.0), Detector(min_saving=0.0)
    triple = np.repeat(np.arange(100), 3)
    a = once.update(y, z)
    b = copied.update(y[triple], z[triple], group=triple)
    assert b.nats == pytest.approx(a.nats, rel=1e-9)


def test_the_run_length_is_kept_by_right_probabilities():
    """At most one alarm in ``run_length`` looks on average; here far fewer than 3,000 / 50."""
    rng = np.random.default_rng(2)
    detector, alarms = Detector(run_length=50, min_saving=0.0), 0
    for look in range(3000):
        z = -2.0 + 0.8 * math.sin(look / 58.0) + 1.5 * rng.normal(size=30)
        if detector.update(rng.random(30) < sigmoid(z), z).alarm:
            alarms += 1
            detector.restart()
    assert 5 <= alarms <= 60


@pytest.mark.parametrize("shift", [math.log(1.5), -math.log(1.5)])
def test_a_change_is_found_and_dated(shift):
    rng = np.random.default_rng(3)
    detector = Detector(min_saving=0.0)
    for look in range(200):
        z = -2.0 + 1.5 * rng.normal(size=100)
        evidence = detector.update(rng.random(100) < sigmoid(z + (shift if look >= 60 else 0.0)), z)
        if evidence.alarm:
            break
    assert 61 <= look <= 80
    assert 50 <= evidence.since <= 66
    assert evidence.looks == look + 1


def test_a_small_error_is_tolerated_by_default_and_found_without_tolerance():
    rng = np.random.default_rng(4)
    tolerant, strict = Detector(), Detector(min_saving=0.0)
    found = False
    for _ in range(150):
        z = -2.0 + 1.5 * rng.normal(size=5_000)
        y = rng.random(5_000) < sigmoid(z + math.log(1.04))
        assert not tolerant.update(y, z).alarm
        found |= strict.update(y, z).alarm
    assert found


def test_looks_that_vary_are_learned():
    """Effects of looks of 0.3 in log odds raise alarms if none are expected, and none once they are known."""
    rng = np.random.default_rng(5)
    naive, learning = Detector(look_effect=0.0), Detector()
    alarms = []
    for look in range(150):
        z = -2.0 + 1.5 * rng.normal(size=2_000)
        y = rng.random(2_000) < sigmoid(z + 0.3 * rng.normal())
        naive_alarm, alarm = naive.update(y, z).alarm, learning.update(y, z).alarm
        alarms.append((naive_alarm, alarm and look >= 50))
        if alarm:
            learning.restart()
        if naive_alarm:
            naive.restart()
    naive_alarms, learned_alarms = np.sum(alarms, axis=0)
    assert naive_alarms > 20
    assert learned_alarms <= 2


def test_entropy_is_the_expected_log_loss():
    z = np.array([-40.0, -3.0, 0.0, 2.0, 700.0])
    wanted = sigmoid(z) * np.logaddexp(0.0, -z) + sigmoid(-z) * np.logaddexp(0.0, z)
    np.testing.assert_allclose(entropy(z), wanted, rtol=1e-12)
    proba = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(entropy(np.log(np.maximum(proba, 1e-300)))[0], -(proba[0] * np.log(proba[0])).sum())
    assert entropy(np.log(np.maximum(proba, 1e-300)))[1] == pytest.approx(0.0, abs=1e-290)


def test_extreme_but_legal_looks():
    detector = Detector()
    for z in (np.array([700.0, -700.0]), np.zeros(1), np.full(50, -34.5)):
        evidence = detector.update(np.zeros(len(z)), z)
        assert not math.isnan(evidence.nats)
    before = detector.evidence()
    assert detector.update(np.empty(0), np.empty(0)) == before  # a look without rows is none
    many = Detector(40)
    logits = logits_of_metrics(np.full((10, 40), 1 / 40))
    assert not math.isnan(many.update(np.arange(10), np.asarray(logits, float)).nats)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_classes": 1}, "n_classes must be a whole number >= 2, got 1"),
        ({"run_length": 1.0}, "run_length must be > 1 and finite, got 1.0"),
        ({"min_saving": -0.1}, "min_saving must be None, or finite and >= 0, got -0.1"),
        ({"look_effect": math.inf}, "look_effect must be finite and >= 0, got inf"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Detector(**settings)
