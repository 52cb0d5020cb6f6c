"""What holds of every score: weights, forms of predictions, and what is refused. A new entry of ``SCORES`` is tested too."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import expit

from boosting_losses.metrics import calibration_error, calibration_error_quantile, decompose, spiegelhalter_z
from boosting_losses.report import SCORES

EVERY = {name: score.function for name, score in SCORES.items()} | {
    "error, quantile": partial(calibration_error, strategy="quantile"),
    "error, norm 2": partial(calibration_error, norm=2),
    "error, max": partial(calibration_error, norm="max"),
    "error, class-wise": partial(calibration_error, multiclass="class_wise"),
    "largest error": partial(calibration_error_quantile, q=1.0),
    "uncertainty": lambda *data, **form: decompose(*data, score="brier", **form).uncertainty,
}
of_many_classes = [name for name in EVERY if name not in SCORES or not SCORES[name].two_classes_only]


def drawn(classes, n=300):
    rng = np.random.default_rng(classes)
    if classes == 2:
        z = rng.normal(-0.5, 1.5, n)
        return (rng.random(n) < expit(z)).astype(int), np.clip(expit(1.5 * z), 0.01, 0.99), rng.random(n)
    p = rng.dirichlet(np.ones(classes), n)
    return np.array([rng.choice(classes, p=row) for row in p]), p, rng.random(n)


def data_of(name):
    return [drawn(classes) for classes in ((2, 4) if name in of_many_classes else (2,))]


@pytest.mark.parametrize("name", EVERY)
def test_weights_count_rows_up_to_a_factor(name):
    score = EVERY[name]
    for y, p, w in data_of(name):
        counts = np.arange(len(y)) % 4
        rows = np.repeat(np.arange(len(y)), counts)
        if score is not spiegelhalter_z:  # whose rows are observations, however much they weigh
            assert_allclose(score(y, p, counts), score(y[rows], p[rows]), rtol=1e-7)
        some = w > 0.5
        assert_allclose(score(y, p, w * some), score(y[some], p[some], w[some]), rtol=1e-7)
        for scale in (1e-200, 1e200):
            assert_allclose(score(y, p, w * scale), score(y, p, w), rtol=1e-7)


@pytest.mark.parametrize("name", EVERY)
def test_forms_of_predictions_say_the_same(name):
    score = EVERY[name]
    for y, p, w in data_of(name):
        expected = score(y, p, w)
        wide = np.zeros((2 * len(y), 5))
        wide[::2, : p[0].size] = p.reshape(len(y), -1)
        strided = wide[::2, 0] if p.ndim == 1 else wide[::2, : p.shape[1]]
        frozen = np.asfortranarray(p)
        frozen.flags.writeable = False
        for labels, proba in (
            (y.astype(np.int8), strided),
            (y.astype(np.float32), frozen),
            (list(y), p.astype(object)),
        ):
            assert_allclose(score(labels, proba, list(w)), expected, rtol=1e-12)
        assert_allclose(score(y, p.astype(np.float32), w.astype(np.float32)), expected, rtol=1e-3)
        assert_allclose(score(y, None, w, raw=np.log(p) - (np.log1p(-p) if p.ndim == 1 else 0.0)), expected, rtol=1e-6)
        if p.ndim == 1:
            z = np.log(p) - np.log1p(-p)
            assert_allclose(score(y, np.stack([1 - p, p], axis=1), w), expected, rtol=1e-9)
            assert_allclose(score(y, None, w, raw=np.stack([0 * z + 1, z + 1], axis=1)), expected, rtol=1e-6)


THREE = [[0.2, 0.3, 0.5]] * 2


@pytest.mark.parametrize(
    ("y", "p", "w", "message"),
    [
        ([0, 1], [0.5, 1.5], None, r"proba must lie in \[0, 1\], got 1.5 in row 1"),
        ([0, 1], [0.5, np.nan], None, "proba must lie in .* got nan in row 1"),
        ([0, 1], [-1e-3, 0.5], None, "proba must lie in .* in row 0"),
        ([0, 2], [0.5, 0.5], None, r"y_true must lie in \[0, 1\], got 2.0 in row 1"),
        ([0, 1], [0.5, 0.5], [1.0, -1.0], "sample_weight must be finite and >= 0, got -1.0 in row 1"),
        ([0, 1], [0.5, 0.5], [0.0, 0.0], "sample_weight must have a sum > 0"),
        ([0, 1], [[0.5, 0.4], [0.5, 0.5]], None, "rows of proba must sum to 1, got 0.9 in row 0"),
        ([0, 3], THREE, None, "class codes 0..2, got 3.0 in row 1"),
        ([0, 0.5], THREE, None, "class codes 0..2, got 0.5 in row 1"),
        ([0, 1, 1], [0.5, 0.5], None, "one label per row of proba, got 3 labels for 2 rows"),
        ([0, 1], [[[0.5]]] * 2, None, r"proba must have shape \(n,\) or \(n, K\)"),
        (["a", "b"], [0.5, 0.5], None, "y_true must be"),
    ],
)
@pytest.mark.parametrize("name", EVERY)
def test_what_has_no_meaning_is_refused(name, y, p, w, message):
    with pytest.raises((TypeError, ValueError), match=message):
        EVERY[name](y, p, w)


@pytest.mark.parametrize("name", [name for name in EVERY if name not in of_many_classes])
def test_scores_of_two_classes_refuse_more(name):
    with pytest.raises(
        ValueError, match=r"must contain probabilities of two classes, .* got \(2, 3\); to score class k"
    ):
        EVERY[name]([0, 1], THREE)
