"""Value, gradient and Hessian against mpmath, from one tail to the other."""

from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp, mpf

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.losses.row_functions import MOST_CLASSES_IN_TUPLES

from . import reference
from .cases import each_dtype, each_loss, each_multiclass, mostly_slow, row_derivatives, sample

SCORES = {
    np.float32: [0.0, 1e-6, 1e-3, 0.1, 0.7, 1.3, 2.9, 3.3, 7.0, 15.9, 16.3, 30.0, 51.7, 80.0],
    np.float64: [0.0, 1e-6, 1e-3, 0.1, 0.7, 1.3, 2.9, 3.3, 7.0, 16.3, 36.9, 37.1, 80.0, 117.3, 350.1, 641.7, 700.0],
}
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-13}
SUBNORMAL = {np.float32: mpf(2) ** -149, np.float64: mpf(2) ** -1074}
GAMMAS = [0.5, 2.0, 0.0, 1.0, 5.0]
FOCAL = [FocalLoss(gamma, alpha, "exact") for gamma in GAMMAS for alpha in (None, 0.25)]
SOFTMAX_FOCAL = [SoftmaxFocalLoss(gamma, weights, "exact") for gamma in GAMMAS for weights in (None, (1.0, 0.3, 2.5))]


def assert_close(actual, exact, size, dtype, what):
    """Within the tolerance relative to ``size``, or within one subnormal number of the dtype."""
    allowed = max(TOLERANCE[dtype] * abs(size), SUBNORMAL[dtype])
    assert abs(mpf(float(actual)) - exact) <= allowed, f"{what}: {actual!r} instead of {mp.nstr(exact, 20)}"


def both_signs(dtype):
    return [dtype(sign * score) for score in SCORES[dtype] for sign in (1, -1)]


@each_dtype
@pytest.mark.parametrize("y", mostly_slow([0.0, 1.0, 0.3, 0.96875], 1, 2))
@pytest.mark.parametrize(
    "loss", mostly_slow([LogLoss(0.4, label_smoothing=0.1), *FOCAL, LogLoss(), LogLoss(3.5)], 0, 2, 3), ids=repr
)
def test_binary_against_mpmath(loss, y, dtype):
    y = dtype(y)
    raw = np.array(both_signs(dtype))
    labels = np.full(len(raw), y)
    values = loss.per_sample(labels, raw)
    gradients, hessians = loss.gradient_hessian(labels, raw)
    assert gradients.dtype == hessians.dtype == dtype
    for z, value, gradient, hessian in zip(raw, values, gradients, hessians, strict=True):
        exact = reference.binary_terms(loss, float(y), float(z))
        assert_close(value, exact[0], exact[0], dtype, f"value at {z}")
        assert_close(gradient, exact[1], exact[3], dtype, f"gradient at {z}")
        assert_close(hessian, exact[2], exact[4], dtype, f"Hessian at {z}")


def rows(dtype):
    """Rows of three scores: tied, nearly tied, one class ahead by up to the whole range, and all far from 0."""
    large = SCORES[dtype][-1]
    ahead = [[z, 0.0, -0.5 * z] for z in map(float, both_signs(dtype)[2::3])]
    return np.array([[0.0, 0.0, 0.0], [large, large, -large], [-large, 1.0, 1.0 + 1e-6], *ahead], dtype=dtype)


@each_dtype
@pytest.mark.parametrize("label", mostly_slow([None, 0, 1, 2], 0, 1))
@pytest.mark.parametrize(
    "loss",
    mostly_slow(
        [SoftmaxCrossEntropy((1.0, 0.3, 2.5), label_smoothing=0.1), *SOFTMAX_FOCAL, SoftmaxCrossEntropy()], 0, 2, 11
    ),
    ids=repr,
)
def test_multiclass_against_mpmath(loss, label, dtype):
    """A class code is also tried as a row of shares; None stands for a soft label."""
    raw = rows(dtype)
    shares = (0.25, 0.625, 0.125) if label is None else np.eye(3)[label]
    terms = [reference.multiclass_terms(loss, shares, list(map(float, z))) for z in raw]
    soft = np.tile(np.array(shares, dtype=dtype), (len(raw), 1))
    for labels in [soft] if label is None else [soft, np.full(len(raw), label)]:
        values = loss.per_sample(labels, raw)
        gradients, hessians = loss.gradient_hessian(labels, raw)
        assert gradients.dtype == hessians.dtype == dtype
        # For a class code nothing in the gradient cancels: accurate relative to itself, however small.
        cancels = labels is soft or getattr(loss, "label_smoothing", 0.0) > 0.0
        for z, actual, g, h, (value, gradient, hessian, sizes) in zip(
            raw, values, gradients, hessians, terms, strict=True
        ):
            assert_close(actual, value, value, dtype, f"value at {z}")
            for k in range(3):
                assert_close(g[k], gradient[k], sizes[k] if cancels else gradient[k], dtype, f"gradient {k} at {z}")
                assert_close(h[k], hessian[k], sizes[k], dtype, f"Hessian {k} at {z}")


@each_dtype
@each_loss
@pytest.mark.parametrize("size", [0.0, 1.0, 50.0, 200.0, 1e4, 1e30, 1e38])
def test_finite_with_the_right_sign_everywhere(loss, size, dtype):
    y, raw = sample(loss, 300, spread=size)
    raw = np.clip(raw, -3e38, 3e38).astype(dtype)
    check_signs(loss, y, raw)


@each_loss
def test_finite_with_the_right_sign_at_1e300(loss):
    y, raw = sample(loss, 300)
    check_signs(loss, y, np.sign(raw) * 1e300)
    if loss.multiclass:  # scores whose difference is no double: the value may overflow, the step must not
        far = np.sign(raw) * 1.7e308
        for derivative in loss.gradient_hessian(y, far):
            assert np.isfinite(derivative).all()
        assert np.isfinite(loss.posterior(far)).all()
        for label in range(raw.shape[1]):
            assert all(np.isfinite(part).all() for part in row_derivatives(loss, label, far[0]))


def check_signs(loss, y, raw):
    values = loss.per_sample(y, raw)
    gradient, hessian = loss.gradient_hessian(y, raw)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    own = np.eye(raw.shape[1], dtype=bool)[y] if loss.multiclass else y.astype(bool)
    if getattr(loss, "label_smoothing", 0.0) == 0.0:
        assert (gradient[own] <= 0).all()
        assert (gradient[~own] >= 0).all()
    wrong = raw < (raw.max(axis=1, keepdims=True) if loss.multiclass else 0)
    assert (gradient[own & wrong] != 0).all(), "a misclassified row must be pulled back"
    if getattr(loss, "hessian", "guarded") == "guarded":
        assert (hessian >= 0).all()


@each_multiclass
@pytest.mark.parametrize("n_classes", [4, MOST_CLASSES_IN_TUPLES + 1])
def test_rows_agree_with_the_definition_in_both_tails(loss, n_classes):
    if loss.class_weight is not None:
        loss = replace(loss, class_weight=tuple(np.linspace(0.3, 4.0, n_classes)))
    rng = np.random.default_rng(n_classes)
    for spread in (1.0, 40.0):
        z = spread * rng.standard_normal(n_classes)
        for label in (int(z.argmax()), int(z.argmin())):
            _, exact, diagonal, sizes = reference.multiclass_terms(loss, np.eye(n_classes)[label], z.tolist())
            gradient, packed = row_derivatives(loss, label, z)
            full = np.zeros((n_classes, n_classes))
            full[np.triu_indices(n_classes)] = packed
            for k in range(n_classes):
                assert_close(gradient[k], exact[k], exact[k], np.float64, f"gradient {k} of {label} at {z}")
                if getattr(loss, "hessian", "exact") == "exact":
                    assert_close(full[k, k], diagonal[k], sizes[k], np.float64, f"Hessian {k} of {label} at {z}")
