"""The flexible calibration curve against published output of lowess, statsmodels, and its definition row by row."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from boosting_losses.metrics import (
    calibration_error_quantile,
    flexible_calibration_curve,
    flexible_calibration_errors,
    integrated_calibration_index,
)
from boosting_losses.metrics._lowess import Lowess, weighted_quantile


def drawn(n, decimals=None, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(0.7, 2.0, n)
    p = p if decimals is None else p.round(decimals)
    return (rng.random(n) < p**1.2).astype(int), p, rng.random(n)


def plain(x, y, weight, nearest, at):
    """A local line at one point, row by row; ``nearest`` rows are listed."""
    distance = np.abs(x - at)
    width = np.sort(distance)[nearest - 1]
    near = distance <= (0.999 * width if width > 0 else 0)
    u = distance[near] / (width or 1.0)
    w = weight[near] * np.where(u <= 0.001, 1.0, (1 - u**3) ** 3)
    mean = np.average(x[near], weights=w)
    spread = np.average((x[near] - mean) ** 2, weights=w)
    value = np.average(y[near], weights=w)
    if np.sqrt(spread) <= 0.001 * np.ptp(x):
        return value
    slope = np.average((x[near] - mean) * y[near], weights=w) / spread
    return value + slope * (at - mean)


def cells(x, y):
    points, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return points, counts.astype(float), np.bincount(place, y) / counts


def test_published_output():
    """Of Cleveland's program lowess, at netlib.org/go/lowess: f = 0.25, no robustness steps, delta 0 and 3."""
    x = np.array([1, 2, 3, 4, 5, *[6] * 10, 8, 10, 12, 14, 50], dtype=float)
    y = np.array([18, 2, 15, 6, 10, 4, 16, 11, 7, 3, 14, 17, 20, 12, 9, 13, 1, 8, 5, 19], dtype=float)
    points, counts, mean = cells(x, y)
    smooth = Lowess(points, counts, share=0.25, apart=0.0).apply(mean)
    published = [13.659, 11.145, 8.701, 9.722, 10.000, 11.300, 13.000, 6.440, 5.596, 5.456, 18.998]
    assert_allclose(smooth, published, atol=5.001e-4)
    smooth = Lowess(points, counts, share=0.25, apart=3 / 49).apply(mean)
    published = [13.659, 12.347, 11.034, 9.722, 10.511, 11.300, 13.000, 6.440, 5.596, 5.456, 18.998]
    assert_allclose(smooth, published, atol=5.001e-4)


@pytest.mark.parametrize(
    ("n", "decimals"),
    [(2, None), (3, None), (4, None), (7, None), (50, None), (50, 1), (1000, None), (1000, 1), (1000, 2), (5000, 3)],
)
def test_against_statsmodels(n, decimals):
    smoothers = pytest.importorskip("statsmodels.nonparametric.smoothers_lowess")
    y, p, _ = drawn(n, decimals, seed=n)
    curve = smoothers.lowess(y, p, it=0, delta=0.01 * np.ptp(p), return_sorted=False)
    away = np.abs(curve - p)
    found = flexible_calibration_errors(y, p)
    expected = [away.mean(), np.median(away), np.quantile(away, 0.9), away.max()]
    assert_allclose(found, expected, rtol=1e-9, atol=1e-11)
    assert_allclose(integrated_calibration_index(y, p), found.mean, rtol=1e-12)
    for q, value in ((0.5, found.e50), (0.9, found.e90), (1, found.largest), (0, away.min())):
        assert_allclose(calibration_error_quantile(y, p, q=q), value, rtol=1e-9, atol=1e-11)
    drawn_curve = flexible_calibration_curve(y, p)
    assert_allclose(np.interp(p, drawn_curve.predicted, drawn_curve.observed), curve, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("decimals", [None, 2, 0])
def test_the_definition(decimals):
    y, p, _ = drawn(300, decimals)
    p = np.where(np.arange(300) < 30, np.arange(300) / 77, p)  # for no decimals: three quarters of the rows at 0
    points, counts, mean = cells(p, y)
    smooth = Lowess(points, counts, apart=0.0).apply(mean)
    assert_allclose(smooth, [plain(p, y, np.ones(300), 200, at) for at in points], rtol=1e-9)


def test_the_definition_with_weights():
    """Any weights, by listing each row a number of times."""
    y, p, _ = drawn(100)
    weight = np.random.default_rng(1).integers(1, 9, 100)
    order = np.argsort(p)
    y, p, weight = y[order], p[order], weight[order]
    nearest = int(2 / 3 * weight.sum() + 1e-7)
    rows = np.repeat(np.arange(100), weight)
    expected = [plain(p[rows], y[rows], np.ones(len(rows)), nearest, at) for at in p]
    assert_allclose(Lowess(p, weight * 1.0, apart=0.0).apply(y * 1.0), expected, rtol=1e-9)
    assert_allclose(Lowess(p, weight * 0.3, unit=0.3, apart=0.0).apply(y * 1.0), expected, rtol=1e-9)


def test_many_columns_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    points, weight, values = np.sort(rng.random(300)), rng.random(300), rng.random((300, 5))
    smoother = Lowess(points, weight, unit=0.01)
    together = smoother.apply(values)
    assert together.shape == (300, 5)
    for column, smooth in zip(values.T, together.T, strict=True):
        assert_allclose(smoother.apply(column), smooth, rtol=1e-12)
    # It is linear, and straight lines stay as they are.
    assert_allclose(smoother.apply(2 * values[:, 0] - values[:, 1]), 2 * together[:, 0] - together[:, 1], atol=1e-12)
    assert_allclose(smoother.apply(3 * points - 1), 3 * points - 1, atol=1e-12)
    operator = smoother.at_fitted(np.eye(300))
    assert_allclose(smoother.variance(weight), operator**2 @ weight, rtol=1e-12)
    monkeypatch.setattr("boosting_losses.metrics._lowess._HELD", 1000)  # blocks of three lines
    assert_allclose(smoother.apply(values), together, rtol=1e-12)
    assert_allclose(smoother.variance(weight), operator**2 @ weight, rtol=1e-12)


ERRORS = {
    "mean": integrated_calibration_index,
    "median": lambda *data, **form: calibration_error_quantile(*data, q=0.5, **form),
    "0.9": calibration_error_quantile,
    "largest": lambda *data, **form: flexible_calibration_errors(*data, **form).largest,
}


@pytest.mark.parametrize("name", ERRORS)
def test_equal_weights_and_tiny_ones(name):
    error = ERRORS[name]
    y, p, _ = drawn(400)
    assert_allclose(error(y, p, np.full(400, 0.3)), error(y, p), rtol=1e-9)
    tiny = np.where(np.arange(400) == 7, 1e-300, 1.0)  # a row that hardly counts changes hardly anything
    assert_allclose(error(y, p, tiny), error(y, p), atol=0.01)


@pytest.mark.parametrize("name", ERRORS)
def test_many_classes(name):
    error = ERRORS[name]
    many = np.random.default_rng(0).dirichlet(np.ones(4), 300)
    labels = np.arange(300) % 4
    top = (many.argmax(axis=1) == labels, many.max(axis=1))
    assert_allclose(error(labels, many), error(*top), rtol=1e-12)


def test_few_points():
    y = [0, 1, 1, 0]
    for p in (0.0, 0.3, 1.0):
        found = flexible_calibration_errors(y, np.full(4, p))
        assert_allclose(found, np.full(4, abs(0.5 - p)))
        curve = flexible_calibration_curve(y, np.full(4, p))
        assert_allclose([curve.predicted[0], curve.observed[0]], [p, 0.5])
        assert_allclose(curve.high - curve.low, 2 * 1.959963984540054 * 0.25, rtol=1e-9)
    assert_allclose(flexible_calibration_errors([1], [0.2]), np.full(4, 0.8))
    # Two points: the frequencies themselves.
    assert_allclose(flexible_calibration_errors([0, 1, 1, 1], [0.0, 0.0, 1.0, 1.0]).largest, 0.5)
    extreme = flexible_calibration_errors([0, 0, 1, 1, 0, 1], [0.0, 1e-12, 1e-300, 1.0, 0.5, 1 - 1e-16])
    assert np.isfinite(extreme).all()


@pytest.mark.slow
def test_the_band_holds_the_truth():
    """Where smoothing bends nothing: true frequencies on a line."""
    p = np.sort(np.random.default_rng(1).beta(2, 2, 500))
    inside = []
    rng = np.random.default_rng(2)
    for _ in range(100):
        curve = flexible_calibration_curve(rng.random(500) < p, p, level=0.9)
        middle = slice(10, -10)
        truth = curve.predicted[middle]
        inside.append(np.mean((curve.low[middle] <= truth) & (truth <= curve.high[middle])))
    assert_allclose(np.mean(inside), 0.9, atol=0.03)


def test_the_band():
    y, p, w = drawn(500)
    curve = flexible_calibration_curve(y, p, w)
    for field in curve:
        assert field.shape == curve.predicted.shape
    assert len(curve.predicted) <= 201
    assert (curve.low >= 0).all()
    assert (curve.high <= 1).all()
    narrow = flexible_calibration_curve(y, p, w, level=0.5)
    assert (narrow.high - narrow.low < curve.high - curve.low).all()
    assert_allclose(flexible_calibration_curve(y, p, w * 7), curve, rtol=1e-9)
    # Twice the rows at the same places, and the same frequencies.
    double = flexible_calibration_curve(np.tile(y, 2), np.tile(p, 2))
    single = flexible_calibration_curve(y, p)
    inner = (single.low > 0) & (single.high < 1)
    width = (double.high - double.low)[inner] / (single.high - single.low)[inner]
    assert_allclose(width, np.sqrt(0.5), rtol=0.03)


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_weighted_quantiles(q):
    rng = np.random.default_rng(0)
    for n in (1, 2, 9, 10, 101):
        values, counts = rng.random(n), rng.integers(1, 5, n)
        assert_allclose(weighted_quantile(values, np.ones(n), q), np.quantile(values, q), rtol=1e-12)
        expected = np.quantile(np.repeat(values, counts), q)
        assert_allclose(weighted_quantile(values, counts * 1.0, q), expected, rtol=1e-12)
        assert_allclose(weighted_quantile(values, counts * 0.1, q, unit=0.1), expected, rtol=1e-9)


def test_what_is_refused():
    for score in (flexible_calibration_curve, flexible_calibration_errors, integrated_calibration_index):
        with pytest.raises(ValueError, match=r"y_true must hold class codes \(n,\), got soft labels"):
            score([[0.5, 0.5, 0.0]], [[0.5, 0.25, 0.25]])
    for q in (-0.1, 1.1, np.nan, "median", True):
        with pytest.raises(ValueError, match=r"q must lie in \[0, 1\], got"):
            calibration_error_quantile([0, 1], [0.2, 0.5], q=q)
    for level in (0, 1.0, np.nan, 95):
        with pytest.raises(ValueError, match=r"level must lie in \(0, 1\), got"):
            flexible_calibration_curve([0, 1], [0.2, 0.5], level=level)
