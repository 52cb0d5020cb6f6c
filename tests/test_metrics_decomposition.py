"""Decompositions against model-diagnostics', scikit-learn's parts, and their own identities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from boosting_losses.metrics import (
    brier_score,
    decompose,
    decompose_by_class,
    discrimination,
    log_loss,
    miscalibration,
)

SCORES = {"log_loss": log_loss, "brier": brier_score}
each_score = pytest.mark.parametrize("score", SCORES)


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(1)
    p = np.round(rng.beta(1, 2, 2000), 3)
    return (rng.random(2000) < p**1.3).astype(int), p, rng.random(2000)


@pytest.fixture(scope="module")
def multiclass():
    rng = np.random.default_rng(2)
    raw = rng.standard_normal((2000, 4))
    y = np.array([rng.choice(4, p=row) for row in softmax(raw, axis=1)])
    return y, softmax(2 * raw, axis=1), rng.random(2000)


@each_score
@pytest.mark.parametrize("weighted", [False, True])
def test_corp_is_that_of_model_diagnostics(binary, score, weighted):
    scoring = pytest.importorskip("model_diagnostics.scoring")
    y, p, weight = binary
    p = np.clip(p, 1e-6, 1 - 1e-6)
    w = weight if weighted else None
    function = scoring.LogLoss() if score == "log_loss" else scoring.SquaredError()
    expected = scoring.decompose(y_obs=y, y_pred=p, weights=w, scoring_function=function).row(0, named=True)
    for part, value in decompose(y, p, w, score=score)._asdict().items():
        assert_allclose(value, expected[part], rtol=1e-9)


@each_score
@pytest.mark.parametrize("weighted", [False, True])
def test_corp_is_its_definition(binary, score, weighted):
    y, p, weight = binary
    w = weight if weighted else None
    fit = IsotonicRegression(y_min=0, y_max=1).fit(p, y, w).predict(p)
    rate = np.full(len(y), np.average(y, weights=w))
    recalibrated, uncertainty = (SCORES[score](y, q, w) for q in (fit, rate))
    parts = decompose(y, p, w, score=score)
    assert_allclose(parts.miscalibration, SCORES[score](y, p, w) - recalibrated, rtol=1e-9)
    assert_allclose(parts.discrimination, uncertainty - recalibrated, rtol=1e-9)
    assert_allclose(parts.refinement, recalibrated, rtol=1e-12)
    assert miscalibration(y, p, w, score=score) == parts.miscalibration
    assert discrimination(y, p, w, score=score) == parts.discrimination


@each_score
def test_parts_add_up(binary, multiclass, score):
    for y, p, w in (binary, multiclass):
        whole = decompose(y, p, w, score=score)
        assert_allclose(whole.miscalibration - whole.discrimination + whole.uncertainty, whole.score, rtol=1e-15)
        assert_allclose(whole.score, SCORES[score](y, p, w), rtol=1e-14)


@each_score
def test_soft_labels(binary, score):
    """A label of 0.3 is 3 rows of class 1 and 7 of class 0: of the Brier score, their spread counts as well."""
    y, p, _ = binary
    soft = np.round(0.1 + 0.8 * y, 1)
    parts = decompose(soft, p, score=score)
    twice_y, twice_p = np.repeat([1, 0], len(y)), np.tile(p, 2)
    hard = decompose(twice_y, twice_p, np.concatenate([soft, 1 - soft]), score=score)
    assert_allclose(parts.miscalibration, hard.miscalibration, rtol=1e-10)
    assert_allclose(parts.discrimination, hard.discrimination, rtol=1e-10)
    assert_allclose(parts.score, SCORES[score](soft, p), rtol=1e-14)


@each_score
def test_extremes(score):
    perfect = decompose([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], score=score)
    assert_allclose(perfect.refinement, 0.0, atol=1e-15)
    assert_allclose(perfect.discrimination, perfect.uncertainty)
    useless = decompose([0, 1, 0, 1], [0.5] * 4, score=score)
    assert_allclose([useless.miscalibration, useless.discrimination], 0.0, atol=1e-15)


def test_temperature_undoes_what_was_too_sure(multiclass):
    y, p, w = multiclass
    right = np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True)
    parts = decompose(y, p, w)
    assert parts.refinement <= log_loss(y, right, w)
    assert_allclose(parts.refinement, log_loss(y, right, w), rtol=2e-3)
    assert parts.miscalibration > 0.05
    assert_allclose(decompose(y, sample_weight=w, raw=np.log(p)), parts, rtol=1e-6)
    binary_parts = decompose(y == 0, p[:, 0], recalibration="temperature")
    assert binary_parts.miscalibration > 0


@each_score
def test_each_class(multiclass, score):
    y, p, w = multiclass
    parts = decompose_by_class(y, p, w, score=score)
    assert len(parts) == 4
    for k, part in enumerate(parts):
        assert_allclose(part, decompose(y == k, p[:, k], w, score=score), rtol=1e-12)
    if score == "brier":
        assert_allclose(sum(part.score for part in parts), brier_score(y, p, w), rtol=1e-12)


def test_options_without_meaning(binary, multiclass):
    y, p, _ = binary
    with pytest.raises(ValueError, match="score must be 'log_loss' or 'brier', got 'auc'"):
        decompose(y, p, score="auc")
    with pytest.raises(ValueError, match="recalibration must be 'auto', 'isotonic' or 'temperature', got 'platt'"):
        decompose(y, p, recalibration="platt")
    with pytest.raises(ValueError, match=r"proba must have a column for each class, \(n, K\), got \(2000,\)"):
        decompose_by_class(y, p)
    y, p, _ = multiclass
    with pytest.raises(ValueError, match=r"recalibration='isotonic' requires two classes .*, got 4 columns"):
        decompose(y, p, recalibration="isotonic")
