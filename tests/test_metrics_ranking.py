"""Scores of the order of predictions against scikit-learn's."""

import numpy as np
import pytest
import sklearn.metrics
from numpy.testing import assert_allclose

from boosting_losses.metrics import average_precision, roc_auc


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    p = rng.random(400).round(2)  # with ties
    return (rng.random(400) < p).astype(int), p, rng.random(400)


@pytest.fixture
def multiclass():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 500)
    return np.array([rng.choice(4, p=row) for row in p]), p, rng.random(500)


@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes(binary, weighted):
    y, p, weight = binary
    w = weight if weighted else None
    for proba in (p, np.stack([1 - p, p], axis=1)):
        assert_allclose(roc_auc(y, proba, w), sklearn.metrics.roc_auc_score(y, p, sample_weight=w), rtol=1e-12)
        expected = sklearn.metrics.average_precision_score(y, p, sample_weight=w)
        assert_allclose(average_precision(y, proba, w), expected, rtol=1e-12)


def test_the_area_is_a_share_of_pairs(binary):
    y, p, w = binary
    pairs = np.outer(w[y == 1], w[y == 0])
    wins = np.sign(np.subtract.outer(p[y == 1], p[y == 0])) / 2 + 0.5
    assert_allclose(roc_auc(y, p, w), (pairs * wins).sum() / pairs.sum(), rtol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_classes(multiclass, weighted):
    y, p, weight = multiclass
    w = weight if weighted else None
    expected = sklearn.metrics.roc_auc_score(y, p, multi_class="ovr", average="macro", sample_weight=w)
    assert_allclose(roc_auc(y, p, w), expected, rtol=1e-12)
    expected = sklearn.metrics.average_precision_score(y, p, average="macro", sample_weight=w)
    assert_allclose(average_precision(y, p, w), expected, rtol=1e-12)


@pytest.mark.parametrize("score", [roc_auc, average_precision])
def test_a_class_without_weight(score, binary, multiclass):
    for y, p, w in (binary, multiclass):
        without = np.where(y == 0, 0.0, w)  # a class without weight is a class without rows
        with pytest.raises(ValueError, match="y_true must hold"):
            score(y, p, without)


@pytest.mark.parametrize("score", [roc_auc, average_precision])
def test_raw_scores(score):
    raw = [800.0, 900.0, 700.0, -800.0]  # whose sigmoids are all 0 or 1
    assert score([0, 1, 0, 0], raw=raw) == 1.0
    assert score([0, 1, 0, 0], raw=np.stack([np.zeros(4), raw], axis=1)) == 1.0


@pytest.mark.parametrize("score", [roc_auc, average_precision])
@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        ([1, 1], [0.2, 0.3], "y_true must hold both classes, got class 1 only"),
        ([0, 0], [[0.2, 0.8], [0.3, 0.7]], "y_true must hold both classes, got class 0 only"),
        ([0, 0.25], [0.2, 0.3], "y_true must hold labels 0 and 1, got 0.25"),
        ([[0.5, 0.5, 0]] * 2, [[0.2, 0.3, 0.5]] * 2, r"y_true must hold class codes \(n,\), got soft labels"),
        ([0, 2], [[0.2, 0.3, 0.5]] * 2, r"y_true must hold rows of every class 0..2, got none of class 1"),
    ],
)
def test_what_is_refused(score, y, p, message):
    with pytest.raises(ValueError, match=message):
        score(y, p)
