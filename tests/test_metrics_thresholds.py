"""Scores of decisions at thresholds, and those of the distribution of predictions and losses."""

import numpy as np
import pytest
import sklearn.metrics
from numpy.testing import assert_allclose

from boosting_losses.metrics import at_thresholds, log_loss, sharpness, threshold_of_costs, trimmed_log_loss


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    p = rng.random(400).round(2)
    return (rng.random(400) < p).astype(int), p, rng.random(400)


@pytest.mark.parametrize("weighted", [False, True])
def test_rates_are_scikit_learns(data, weighted):
    y, p, weight = data
    w = weight if weighted else None
    thresholds = [0.5, 0.07, 0.99, 0.5, 0.0, 0.31]  # in no order; many probabilities are thresholds
    table = at_thresholds(y, p, thresholds, w)
    assert_allclose(table.threshold, thresholds)
    for i, t in enumerate(thresholds):
        called = (p >= t).astype(int)
        expected = sklearn.metrics.precision_recall_fscore_support(y, called, average="binary", sample_weight=w)
        assert_allclose([table.precision[i], table.recall[i], table.f1[i]], expected[:3], rtol=1e-12)
        (tn, fp), (fn, tp) = sklearn.metrics.confusion_matrix(y, called, sample_weight=w)
        n = tn + fp + fn + tp
        assert_allclose(table.specificity[i], tn / (tn + fp), rtol=1e-12)
        assert_allclose(table.predicted_positive[i], (tp + fp) / n, rtol=1e-12)
        assert_allclose(table.net_benefit[i], tp / n - fp / n * t / (1 - t), rtol=1e-12, atol=1e-15)
        rate = (tp + fn) / n
        assert_allclose(table.net_benefit_of_all[i], rate - (1 - rate) * t / (1 - t), rtol=1e-12)


def test_thresholds_with_weights(data):
    y, p, _ = data
    counts = np.arange(400) % 4
    rows = np.repeat(np.arange(400), counts)
    some = np.linspace(0, 1, 7)
    columns = np.stack([1 - p, p], axis=1)
    for same in (at_thresholds(y[rows], p[rows], some), at_thresholds(y, columns, some, counts * 1e-200)):
        for field, values in at_thresholds(y, p, some, counts)._asdict().items():
            assert_allclose(getattr(same, field), values, rtol=1e-12, atol=1e-15, err_msg=field)
    soft = at_thresholds([0.25, 1.0], [0.5, 0.9], 0.5)
    hard = at_thresholds([0, 1, 1], [0.5, 0.5, 0.9], 0.5, [0.75, 0.25, 1])
    assert_allclose(soft, hard)
    assert soft.precision.shape == (1,)


def test_thresholds_at_the_ends():
    table = at_thresholds([0, 1, 1], [0.2, 0.5, 1.0], [0.0, 1.0])
    assert_allclose(table.net_benefit, [2 / 3, 1 / 3])
    assert_allclose(table.net_benefit_of_all, [2 / 3, -np.inf])
    assert at_thresholds([0], [1.0], [1.0]).net_benefit == -np.inf
    none = at_thresholds([0, 1], [0.2, 0.3], [0.9])
    assert np.isnan(none.precision[0])
    assert (none.recall[0], none.f1[0], none.specificity[0], none.net_benefit[0]) == (0.0, 0.0, 1.0, 0.0)
    assert np.isnan(at_thresholds([1, 1], [0.2, 0.3], [0.1]).specificity[0])
    assert np.isnan(at_thresholds([0, 0], [0.2, 0.3], [0.1]).recall[0])
    assert_allclose(at_thresholds([0, 1], np.array([0.3, 0.3], np.float32), [np.float32(0.3)]).recall, 1.0)


def test_what_thresholds_refuse():
    for bad in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match=r"thresholds must lie in \[0, 1\], got"):
            at_thresholds([0, 1], [0.2, 0.3], [0.5, bad])
    with pytest.raises(ValueError, match=r"thresholds must have shape \(T,\), got \(1, 1\)"):
        at_thresholds([0, 1], [0.2, 0.3], [[0.5]])
    with pytest.raises(TypeError, match="thresholds must be"):
        at_thresholds([0, 1], [0.2, 0.3], ["half"])
    with pytest.raises(ValueError, match=r"proba must contain probabilities of two classes, .* got \(2, 3\)"):
        at_thresholds([0, 1], [[0.2, 0.3, 0.5]] * 2, [0.5])


def test_costs_and_thresholds_agree(data):
    y, _, _ = data
    rng = np.random.default_rng(1)
    p = rng.random(len(y))
    t = threshold_of_costs(2.0, 6.0)
    assert t == 0.25
    # With calibrated probabilities it is where the expected costs of both decisions are equal.
    assert_allclose((1 - t) * 2.0, t * 6.0)
    # Net benefit is what is saved against calling none, in units of a false negative's cost.
    cost = 2.0 * np.mean((p >= t) & (y == 0)) + 6.0 * np.mean((p < t) & (y == 1))
    assert_allclose(at_thresholds(y, p, t).net_benefit[0], (6.0 * y.mean() - cost) / 6.0, rtol=1e-12)
    assert threshold_of_costs(0, 3) == 0.0
    assert threshold_of_costs(np.int64(3), 0) == 1.0
    assert threshold_of_costs(1e308, 1e308) == 0.5


def test_what_costs_are_refused():
    with pytest.raises(ValueError, match=r"false_positive must be finite and >= 0, got -1"):
        threshold_of_costs(-1, 1)
    with pytest.raises(ValueError, match=r"false_negative must be finite and >= 0, got inf"):
        threshold_of_costs(1, np.inf)
    with pytest.raises(ValueError, match="one of false_positive and false_negative must be > 0, got 0 for both"):
        threshold_of_costs(0, 0)
    with pytest.raises(TypeError, match="false_positive must be a number, got '1'"):
        threshold_of_costs("1", 1)


# ---- sharpness and trimmed log loss ---------------------------------------------------------------------------------


def test_sharpness(data):
    y, p, w = data
    assert_allclose(sharpness(y, p), np.var(p), rtol=1e-12)
    assert_allclose(sharpness(y, p, w), np.average((p - np.average(p, weights=w)) ** 2, weights=w), rtol=1e-12)
    assert_allclose(sharpness(y, np.stack([1 - p, p], axis=1), w), sharpness(y, p, w), rtol=1e-12)
    many = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    assert_allclose(sharpness(y, many), np.var(many, axis=0).sum(), rtol=1e-12)
    assert sharpness([0, 1], [0.0, 1.0]) == 0.25
    assert sharpness([0, 1], [0.3, 0.3]) == 0.0


def test_trimmed_log_loss(data):
    y, p, w = data
    p = np.clip(p, 0.01, 0.99)
    losses = np.sort(-np.log(np.where(y == 1, p, 1 - p)))
    assert_allclose(trimmed_log_loss(y, p, trim=0.1), losses[:360].mean(), rtol=1e-12)
    # 0.4 of the row at the border is left.
    assert_allclose(trimmed_log_loss(y, p, trim=0.001), (losses[:399].sum() + 0.6 * losses[399]) / 399.6, rtol=1e-12)
    for trim in (0, 0.0):
        assert_allclose(trimmed_log_loss(y, p, w, trim=trim), log_loss(y, p, w), rtol=1e-12)
    many = np.random.default_rng(0).dirichlet(np.ones(3), 400)
    assert_allclose(trimmed_log_loss(y, raw=np.log(many), trim=0.1), trimmed_log_loss(y, many, trim=0.1), rtol=1e-9)


@pytest.mark.parametrize("trim", [0.01, 0.37, 0.99])
def test_one_wrong_label_loses_everything(trim):
    y, p = np.zeros(100), np.full(100, 0.5)
    y[7], p[7] = 1.0, 0.0
    assert_allclose(trimmed_log_loss(y, p, eps=0.0, trim=trim), np.log(2), rtol=1e-12)
    assert trimmed_log_loss(y, p, eps=0.0, trim=0.009) == np.inf
    assert_allclose(trimmed_log_loss(y, p, (np.arange(100) != 7) * 1.0, eps=0.0, trim=0.0), np.log(2))


def test_borders_by_rounding_do_not_count():
    """(1 - 0.58) * 100 rows are a little more than 42."""
    p, y = np.where(np.arange(100) < 42, 0.5, 0.0), np.ones(100)
    assert_allclose(trimmed_log_loss(y, p, eps=0.0, trim=0.58), np.log(2), rtol=1e-12)


def test_what_trimming_refuses():
    for trim in (-0.1, 1.0, np.nan, "1 %"):
        with pytest.raises(ValueError, match="trim must be >= 0 and < 1, got"):
            trimmed_log_loss([0, 1], [0.2, 0.3], trim=trim)
