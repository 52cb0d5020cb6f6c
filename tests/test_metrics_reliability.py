"""Calibration errors against other packages', and against what their definitions imply."""

import itertools
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

from boosting_losses.metrics import calibration_error, reliability_curve, smooth_calibration_error
from boosting_losses.metrics._predictions import Predictions
from boosting_losses.metrics._smooth_error import smooth_error


@pytest.fixture(scope="module")
def binary():
    rng = np.random.default_rng(1)
    p = rng.beta(1, 2, 3000)
    return (rng.random(3000) < p**1.3).astype(int), p


@pytest.fixture(scope="module")
def multiclass():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(4), 3000)
    return np.array([rng.choice(4, p=row) for row in p]), p


@pytest.fixture(scope="module")
def oracle():
    """uncertainty-calibration."""
    return pytest.importorskip("calibration")


def test_expected_calibration_error(oracle, binary, multiclass):
    y, p = binary
    assert_allclose(calibration_error(y, p), oracle.get_ece(p, y), rtol=1e-12)
    assert_allclose(calibration_error(y, p, n_bins=7), oracle.get_ece(p, y, num_bins=7), rtol=1e-12)
    assert_allclose(calibration_error(y, p, strategy="quantile"), oracle.get_ece_em(p, y), rtol=1e-12)
    y, p = multiclass
    assert_allclose(calibration_error(y, p), oracle.get_ece(p, y), rtol=1e-12)
    class_wise = calibration_error(y, p, multiclass="class_wise")
    assert_allclose(class_wise, oracle.get_ece(p, y, mode="marginal"), rtol=1e-12)


@pytest.mark.parametrize("debiased", [False, True])
def test_root_mean_square_error(oracle, binary, multiclass, debiased):
    for (y, p), mode in ((binary, "marginal"), (multiclass, "marginal"), (multiclass, "top-label")):
        expected = oracle.lower_bound_scaling_ce(p, y, p=2, debias=debiased, num_bins=15, mode=mode)
        kind = "class_wise" if mode == "marginal" else "top_label"
        options = {"norm": 2, "strategy": "quantile", "debiased": debiased, "multiclass": kind}
        assert_allclose(calibration_error(y, p, **options), expected, rtol=1e-12)


def test_debiased_mean_error(oracle, binary):
    """Theirs draws 1000 normal errors; ours takes their mean in closed form."""
    y, p = binary
    np.random.seed(0)  # noqa: NPY002  (what they draw from)
    expected = np.mean([oracle.get_ece_em(p, y, debias=True) for _ in range(5)])
    assert_allclose(calibration_error(y, p, strategy="quantile", debiased=True), expected, atol=2e-4)


def test_smooth_calibration_error(binary):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        relplot = pytest.importorskip("relplot")
    y, p = binary
    rng = np.random.default_rng(3)
    for labels, proba in ((y, p), (rng.random(3000) < p, p), (y[:40], p[:40]), (1 - y, p)):
        # relplot counts half of what lies at the ends of its grid.
        assert_allclose(smooth_calibration_error(labels, proba), relplot.smECE(proba, labels * 1.0), rtol=0.01)


# ---- from here on without other packages ----------------------------------------------------------------------------

ERRORS = {
    "ece": calibration_error,
    "quantile": lambda *data: calibration_error(*data, strategy="quantile"),
    "norm 2": lambda *data: calibration_error(*data, norm=2),
    "max": lambda *data: calibration_error(*data, norm="max"),
    "class-wise": lambda *data: calibration_error(*data, multiclass="class_wise"),
    "smooth": smooth_calibration_error,
}


@pytest.mark.parametrize("mean", [-7.0, -1.0, 7.0])
def test_the_smooth_error_is_its_definition_close_to_0_and_1_too(mean):
    rng = np.random.default_rng(5)
    score = mean + 1.5 * rng.normal(size=1000)
    y, p = (rng.random(1000) < expit(score)).astype(float), expit(1.3 * score)
    weight = rng.uniform(0.5, 2.0, 1000)
    error, width = smooth_error(Predictions(y, p, weight))
    points = (np.arange(8000) + 0.5) / 8000
    residual = np.zeros(8000)
    for image in (p, -p, 2.0 - p):
        for start in range(0, 1000, 200):
            rows = slice(start, start + 200)
            kernel = np.exp(-0.5 * ((points[:, None] - image[rows]) / width) ** 2) / (np.sqrt(2.0 * np.pi) * width)
            residual += kernel @ (weight * (p - y))[rows]
    assert_allclose(error, np.abs(residual).mean() / weight.sum(), rtol=0.01)


def plain(y, p, weight, edges, norm):
    """The definition, bin by bin."""
    gaps, shares = [], []
    for low, high in itertools.pairwise(edges):
        rows = (p > low) & (p <= high) if low > 0 else p <= high
        if weight[rows].sum() > 0:
            gaps.append(abs(np.average(p[rows] - y[rows], weights=weight[rows])))
            shares.append(weight[rows].sum() / weight.sum())
    return max(gaps) if norm == "max" else np.dot(shares, np.power(gaps, norm)) ** (1 / norm)


@pytest.mark.parametrize("norm", [1, 2, "max"])
@pytest.mark.parametrize("n_bins", [1, 4, 15, 100])
def test_it_is_its_definition(binary, norm, n_bins):
    y, p = binary
    weight = np.random.default_rng(0).random(len(y))
    p = np.round(p, 2)  # many on the edges of bins
    expected = plain(y, p, weight, np.arange(n_bins + 1) / n_bins, norm)
    assert_allclose(calibration_error(y, p, weight, norm=norm, n_bins=n_bins), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ERRORS)
def test_it_is_zero_where_every_frequency_is_right(name):
    p = np.repeat([0.1, 0.5, 0.9], 10)
    y = np.concatenate([np.arange(10) < k for k in (1, 5, 9)])
    assert_allclose(ERRORS[name](y, p), 0.0, atol=1e-12)


def test_debiasing_removes_what_noise_adds():
    rng = np.random.default_rng(0)
    biased, debiased = [], {1: [], 2: []}
    for _ in range(100):
        p = rng.random(300)
        y = rng.random(300) < p
        biased.append(calibration_error(y, p))
        for norm, errors in debiased.items():
            errors.append(calibration_error(y, p, norm=norm, debiased=True))
    assert np.mean(biased) > 0.07
    assert np.mean(debiased[1]) < 0.65 * np.mean(biased)
    assert np.median(debiased[2]) < 0.3 * np.mean(biased)


def test_equal_probabilities_are_never_parted():
    p = np.array([0.2] * 50 + [0.7] * 3 + [0.9] * 3)
    y = np.arange(56) % 2
    curve = reliability_curve(y, p, strategy="quantile", n_bins=10)
    assert_allclose(curve.weight, [50, 3, 3])
    assert_allclose(curve.predicted, [0.2, 0.7, 0.9])
    assert_allclose(curve.observed, [1 / 2, 1 / 3, 2 / 3])
    assert_allclose(curve.effective_rows, [50, 3, 3])
    assert len(reliability_curve(y, p, strategy="quantile", n_bins=2).weight) == 2


def test_bins_of_equal_weight():
    rng = np.random.default_rng(0)
    p, weight = rng.random(5000), rng.random(5000)
    for w in (None, weight):
        curve = reliability_curve(rng.random(5000) < p, p, w, strategy="quantile", n_bins=8)
        assert_allclose(curve.weight, curve.weight.sum() / 8, rtol=5e-3)
    few = curve.effective_rows / (5000 / 8)
    assert_allclose(few, 0.75, atol=0.05)  # (E w)**2 / E w**2 of uniform weights


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": 3}, "norm must be 1, 2 or 'max', got 3"),
        ({"norm": True}, "norm must be 1, 2 or 'max', got True"),
        ({"strategy": "kmeans"}, "strategy must be 'uniform' or 'quantile', got 'kmeans'"),
        ({"n_bins": 0}, "n_bins must be an integer from 1 to 100000, got 0"),
        ({"n_bins": 2.5}, "n_bins must be an integer from 1 to 100000, got 2.5"),
        ({"multiclass": "ovr"}, "multiclass must be 'top_label' or 'class_wise', got 'ovr'"),
        ({"norm": "max", "debiased": True}, "debiased must be False for norm 'max'"),
    ],
)
def test_options_without_meaning(options, message):
    with pytest.raises(ValueError, match=message):
        calibration_error([0, 1], [0.2, 0.7], **options)


def test_soft_labels_of_many_classes_are_refused():
    with pytest.raises(ValueError, match=r"y_true must hold class codes \(n,\), got soft labels of shape \(2, 3\)"):
        calibration_error([[0.2, 0.3, 0.5]] * 2, [[0.2, 0.3, 0.5]] * 2)
