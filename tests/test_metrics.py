"""Scores of probabilities against scikit-learn's."""

import numpy as np
import pytest
import sklearn.metrics
from numpy.testing import assert_allclose
from scipy.special import expit, softmax

from boosting_losses.metrics import brier_score, log_loss


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, 300), rng.random(300), rng.random(300)


@pytest.fixture
def multiclass():
    rng = np.random.default_rng(0)
    return rng.permutation(np.arange(300) % 5), rng.dirichlet(np.ones(5), 300), rng.random(300)


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_is_scikit_learns(binary, multiclass, weighted):
    for y, p, weight in (binary, multiclass):
        w = weight if weighted else None
        assert_allclose(log_loss(y, p, w), sklearn.metrics.log_loss(y, p, sample_weight=w), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_certainty_is_clipped_as_scikit_learn_does(dtype):
    p = np.array([0.0, 1.0, 1.0, 0.25], dtype=dtype)
    assert_allclose(log_loss([0, 1, 0, 1], p), sklearn.metrics.log_loss([0, 1, 0, 1], p), rtol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_brier_score(binary, multiclass, weighted):
    y, p, weight = binary
    w = weight if weighted else None
    assert_allclose(brier_score(y, p, w), sklearn.metrics.brier_score_loss(y, p, sample_weight=w), rtol=1e-13)
    y, p, weight = multiclass
    w = weight if weighted else None
    expected = np.average(((np.eye(5)[y] - p) ** 2).sum(axis=1), weights=w)
    assert_allclose(brier_score(y, p, w), expected, rtol=1e-13)


def test_soft_labels(binary, multiclass):
    _, p, _ = binary
    assert_allclose(log_loss(p, p), -np.mean(p * np.log(p) + (1 - p) * np.log(1 - p)))
    assert brier_score(p, p) == 0
    _, p, _ = multiclass
    assert_allclose(log_loss(p, p), -np.mean((p * np.log(p)).sum(axis=1)))


@pytest.mark.parametrize("score", [log_loss, brier_score])
def test_integer_weights_are_repeated_rows(binary, multiclass, score):
    for y, p, _ in (binary, multiclass):
        weight = np.arange(len(y)) % 4
        rows = np.repeat(np.arange(len(y)), weight)
        assert_allclose(score(y, p, weight), score(y[rows], p[rows]), rtol=1e-14)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_from_raw_scores(classes, weighted):
    rng = np.random.default_rng(classes)
    n = 3000
    weight = rng.random(n) if weighted else None
    raw = 3 * rng.standard_normal(n if classes == 2 else (n, classes))
    y = rng.integers(0, classes, n)
    proba = expit(raw) if classes == 2 else softmax(raw, axis=1)
    for score in (log_loss, brier_score):
        assert_allclose(score(y, sample_weight=weight, raw=raw), score(y, proba, weight), rtol=1e-12)
        single = score(y, sample_weight=weight, raw=raw.astype(np.float32))
        assert_allclose(single, score(y, proba, weight), rtol=1e-6)
    if classes > 2:
        soft = rng.dirichlet(np.ones(classes), n)
        assert_allclose(log_loss(soft, sample_weight=weight, raw=raw), log_loss(soft, proba, weight), rtol=1e-12)


def test_either_probabilities_or_raw_scores():
    with pytest.raises(ValueError, match="either proba or raw must be given, got both"):
        log_loss([0, 1], [0.1, 0.2], raw=[0.1, 0.2])
    with pytest.raises(ValueError, match="either proba or raw must be given, got none"):
        brier_score([0, 1])
    with pytest.raises(ValueError, match="raw must be finite, got nan in row 1"):
        brier_score([0, 1], raw=[0.1, np.nan])
