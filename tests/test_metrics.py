"""Scores of probabilities against scikit-learn's."""

import mpmath
import numpy as np
import pytest
import sklearn.datasets
import sklearn.linear_model
import sklearn.metrics
import sklearn.utils.class_weight
from numpy.testing import assert_allclose
from scipy.special import expit, softmax

from boosting_losses.metrics import (
    balanced_log_loss,
    brier_score,
    calibration_error,
    confidence_interval,
    d2,
    decompose,
    log_loss,
    log_loss_by_class,
    miscalibration,
    normalized_cross_entropy,
)


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


@pytest.mark.parametrize("weighted", [False, True])
def test_compared_with_the_base_rate_as_scikit_learn_does(binary, multiclass, weighted):
    for y, p, weight in (binary, multiclass):
        w = weight if weighted else None
        explained = sklearn.metrics.d2_log_loss_score(y, p, sample_weight=w)
        assert_allclose(d2(y, p, w), explained, rtol=1e-12)
        assert_allclose(normalized_cross_entropy(y, p, w), 1 - explained, rtol=1e-12)
    y, p, weight = binary
    w = weight if weighted else None
    rate = np.average(y, weights=w)
    expected = 1 - np.average((y - p) ** 2, weights=w) / (rate * (1 - rate))
    assert_allclose(d2(y, p, w, score="brier"), expected, rtol=1e-12)
    y, p, weight = multiclass
    w = weight if weighted else None
    shares = np.average(np.eye(5)[y], axis=0, weights=w)
    squares = ((np.eye(5)[y] - p) ** 2).sum(axis=1)
    expected = 1 - np.average(squares, weights=w) / (1 - (shares**2).sum())
    assert_allclose(d2(y, p, w, score="brier"), expected, rtol=1e-12)


@pytest.mark.parametrize("score", [normalized_cross_entropy, d2])
def test_no_base_rate_to_compare_with(score):
    with pytest.raises(ValueError, match="more than one class to compare with the base rate, got class 1 only"):
        score([1, 1], [0.5, 0.7])
    with pytest.raises(ValueError, match="score must be 'log_loss' or 'brier', got 'auc'"):
        d2([0, 1], [0.5, 0.7], score="auc")


@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_by_class(binary, multiclass, weighted):
    for y, p, weight in (binary, multiclass):
        w = np.where(weighted, weight, 1.0)
        by_class = log_loss_by_class(y, p, w)
        columns = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
        for k, loss in enumerate(by_class):
            rows = y == k
            assert_allclose(loss, np.average(-np.log(columns[rows, k]), weights=w[rows]), rtol=1e-12)
        shares = np.bincount(y, weights=w) / w.sum()
        assert_allclose(shares @ by_class, log_loss(y, p, w), rtol=1e-12)
        one_hot = np.eye(columns.shape[1])[y]
        assert_allclose(log_loss_by_class(one_hot, columns, w), by_class, rtol=1e-12)
    assert np.isnan(log_loss_by_class([0, 1], [[0.2, 0.3, 0.5], [0.1, 0.8, 0.1]])[2])


@pytest.mark.parametrize("weighted", [False, True])
def test_balanced_log_loss(binary, multiclass, weighted):
    for labels, p, weight in (binary, multiclass):
        y = np.where(labels > 0, labels, (np.arange(len(p)) % 3 == 0) * 1)  # unequal frequencies
        w = np.where(weighted, weight, 1.0)
        balanced = w * (w.sum() / np.bincount(y, weights=w))[y]
        assert_allclose(balanced_log_loss(y, p, w), sklearn.metrics.log_loss(y, p, sample_weight=balanced), rtol=1e-12)
        if not weighted:
            of_class = sklearn.utils.class_weight.compute_sample_weight("balanced", y)
            assert_allclose(balanced_log_loss(y, p), sklearn.metrics.log_loss(y, p, sample_weight=of_class), rtol=1e-12)
    soft, p, w = [0.25, 0.5], np.array([0.1, 0.8]), [1.0, 3.0]
    by_class = [np.average(-np.log(q), weights=w * s) for q, s in ((1 - p, 1 - np.array(soft)), (p, np.array(soft)))]
    assert_allclose(balanced_log_loss(soft, p, w), np.mean(by_class), rtol=1e-12)
    assert_allclose(confidence_interval(balanced_log_loss, soft * 50, np.tile(p, 50), w * 50).value, np.mean(by_class))
    for y, w, k in (([0, 0], None, 1), ([0, 1], [0.0, 1.0], 0)):
        with pytest.raises(ValueError, match=rf"y_true must hold rows of every class 0\.\.1, got none of class {k}"):
            balanced_log_loss(y, [0.2, 0.3], w)


def test_clipping_by_choice():
    y, p = [0, 1, 1], [0.0, 0.0, 1.0]
    assert_allclose(log_loss(y, p, eps=1e-3), -(2 * np.log(1 - 1e-3) + np.log(1e-3)) / 3)
    assert log_loss(y, p, eps=0.0) == np.inf
    assert log_loss([0, 1], [0.0, 1.0], eps=0.0) == 0.0
    assert log_loss([[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.5, 0.5]], eps=0.0) == np.log(2) / 2
    for eps in (-1e-9, 0.5, np.nan):
        with pytest.raises(ValueError, match=r"eps must be >= 0 and < 0\.5"):
            log_loss(y, p, eps=eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tails_keep_their_digits(dtype):
    p = np.array([1e-300, 1e-20, 1e-9, 0.3, 1 - 2.0**-20], dtype=np.float64).astype(dtype).astype(np.float64)
    for label, exact in (
        (0, [-mpmath.log1p(-mpmath.mpf(x)) for x in p]),
        (1, [-mpmath.log(mpmath.mpf(x)) for x in p if x]),
    ):
        for x, loss in zip(p[p > 0] if label else p, exact, strict=True):
            assert_allclose(log_loss([label], np.array([x], dtype), eps=0.0), float(loss), rtol=1e-15)
            assert_allclose(log_loss([[1 - label, label]], [[1 - x, x]], eps=0.0), float(loss), rtol=1e-12, atol=1e-15)
    near = np.array([[1e-9, 1 - 2e-9, 1e-9]])
    assert_allclose(brier_score([1], near), 6e-18, rtol=1e-6)


def test_a_row_without_weight_may_lose_everything():
    assert_allclose(log_loss([0, 1], [0.5, 0.0], [1, 0], eps=0.0), np.log(2))
    assert_allclose(log_loss([0, 1], [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], [1, 0], eps=0.0), np.log(2))
    assert_allclose(log_loss_by_class([0, 1, 0], [0.5, 0.0, 0.5], eps=0.0), [np.log(2), np.inf])
    many = log_loss_by_class([0, 1, 2], [[1, 0, 0], [1, 0, 0], [0.3, 0.3, 0.4]], eps=0.0)
    assert_allclose(many, [0.0, np.inf, -np.log(0.4)])


def test_by_class_keeps_digits_of_soft_labels():
    assert_allclose(log_loss_by_class([0.5, 0.5], [1e-12, 1e-12])[0], 1e-12, rtol=1e-12)
    assert_allclose(log_loss_by_class([0.5, 0.0, 1], [0, 1, 1]), log_loss_by_class([0.5, 0.0, 1], [0.0, 1.0, 1.0]))


@pytest.mark.parametrize("eps", [None, 1e-2])
def test_decomposed_is_the_log_loss(binary, eps):
    """Of what was clipped too, in either precision."""
    y, p, weight = binary
    p = p.copy()
    p[:20] = 0.0
    for proba in (p, p.astype(np.float32)):
        whole = decompose(y, proba, weight, eps=eps)
        assert_allclose(whole.score, log_loss(y, proba, weight, eps=eps), rtol=1e-12)
        assert_allclose(miscalibration(y, proba, weight, eps=eps), whole.score - whole.refinement, rtol=1e-12)
    raw = np.array([[100.0, 0.0, 0.0]] + [[0.0, 1.0, 2.0]] * 9)
    labels = np.array([1, 2, 1, 0, 2, 2, 1, 2, 0, 2])
    for dtype in (np.float32, np.float64):
        whole = decompose(labels, raw=raw.astype(dtype))
        assert_allclose(whole.score, log_loss(labels, raw=raw), rtol=1e-6)
        assert whole.miscalibration > 0.0


def test_scores_are_scorers():
    X, y = sklearn.datasets.load_breast_cancer(return_X_y=True)
    X = X[:, :4]
    fitted = sklearn.linear_model.LogisticRegression(max_iter=1000).fit(X, y)
    for score in (log_loss, calibration_error, miscalibration):
        scorer = sklearn.metrics.make_scorer(score, response_method="predict_proba", greater_is_better=False)
        assert_allclose(scorer(fitted, X, y), -score(y, fitted.predict_proba(X)[:, 1]))
