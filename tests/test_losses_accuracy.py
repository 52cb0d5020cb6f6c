"""Value, gradient and Hessian against mpmath, from one tail to the other."""

from dataclasses import replace

import numpy as np
import pytest

from boosting_losses.losses.row_functions import MOST_CLASSES_IN_TUPLES

from . import reference
from .cases import (
    BINARY,
    CLASSES,
    LOSSES,
    MULTICLASS,
    each,
    each_dtype,
    each_loss,
    each_multiclass,
    exact,
    has_posterior,
    mostly_slow,
    of_classes,
    row_derivatives,
    sample,
)
from .reference import mp, mpf

SCORES = {
    np.float32: [0.0, 1e-6, 1e-3, 0.1, 0.7, 1.3, 2.9, 3.3, 7.0, 15.9, 16.3, 30.0, 51.7, 80.0],
    np.float64: [0.0, 1e-6, 1e-3, 0.1, 0.7, 1.3, 2.9, 3.3, 7.0, 16.3, 36.9, 37.1, 80.0, 117.3, 350.1, 641.7, 700.0],
}
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-13}
SUBNORMAL = {np.float32: mpf(2) ** -149, np.float64: mpf(2) ** -1074}


def assert_close(actual, expected, size, dtype, what):
    """Within the tolerance relative to ``size``, or within two subnormal numbers, one for each term of a Hessian."""
    allowed = max(TOLERANCE[dtype] * abs(size), 2 * SUBNORMAL[dtype])
    assert abs(mpf(float(actual)) - expected) <= allowed, f"{what}: {actual!r} instead of {mp.nstr(expected, 20)}"


def both_signs(dtype):
    return [dtype(sign * score) for score in SCORES[dtype] for sign in (1, -1)]


#: The losses at the probability of the label's class as their papers define them, a second copy of the formulas.
PUBLISHED = {
    "log": lambda p: -mp.log(p),
    "focal-0.5": lambda p: -mp.sqrt(1 - p) * mp.log(p),
    "focal-2": lambda p: -(1 - p) * (1 - p) * mp.log(p),
    "poly1": lambda p: -mp.log(p) + 2 * (1 - p),
    "gce": lambda p: (1 - p ** mpf(0.7)) / mpf(0.7),
    "asymmetric-focusing": (lambda p: -(1 - p) * mp.log(p), lambda p: -((1 - p) ** 4) * mp.log(p)),
    "asymmetric-margin": (
        lambda p: -(1 - p) * mp.log(p),
        lambda p: -(max(1 - p - mpf(0.1), 0) ** 4) * mp.log(min(p + mpf(0.1), 1)),
    ),
    "softmax": lambda p: -mp.log(p),
    "softmax-focal-5": lambda p: -((1 - p) ** 5) * mp.log(p),
    "softmax-poly1": lambda p: -mp.log(p) + 2 * (1 - p),
    "softmax-gce": lambda p: (1 - p ** mpf(0.7)) / mpf(0.7),
    "softmax-huberised": lambda p: 1 - 50 * p + mp.log(50) if p < mpf(1) / 50 else -mp.log(p),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_formulas_are_those_of_the_papers(name):
    loss, published = LOSSES[name], PUBLISHED[name]
    formula, parameters = loss.formula()
    with mp.workdps(50):
        for p in map(mpf, (1e-30, 0.01, 0.03, 0.1, 0.5, 0.95, 1 - 1e-12)):
            found = formula(p, *parameters)
            if isinstance(published, tuple):
                pairs = zip(found, (published[0](p), published[1](1 - p)), strict=True)
            else:
                pairs = [(found, published(p))]
            for actual, expected in pairs:
                assert abs(actual - expected) <= 1e-15 * abs(expected)


@each_dtype
@pytest.mark.parametrize("y", mostly_slow([0.0, 1.0, 0.3, 0.96875], 1, 2))
@each(BINARY, "log-smooth", "focal-1", "focal-2", "poly1", "asymmetric-focusing")
def test_binary_against_mpmath(loss, y, dtype):
    loss, y = exact(loss), dtype(y)
    raw = np.array(both_signs(dtype))
    labels = np.full(len(raw), y)
    values = loss.per_sample(labels, raw)
    gradients, hessians = loss.gradient_hessian(labels, raw)
    assert gradients.dtype == hessians.dtype == dtype
    for z, value, gradient, hessian in zip(raw, values, gradients, hessians, strict=True):
        terms = reference.terms(loss, (1 - mpf(float(y)), float(y)), [float(z)])
        assert_close(value, terms.value, terms.value, dtype, f"value at {z}")
        assert_close(gradient, terms.gradient[0], terms.gradient_size[0], dtype, f"gradient at {z}")
        assert_close(hessian, terms.hessian[0], terms.hessian_size[0], dtype, f"Hessian at {z}")


def rows(dtype):
    """Rows of three scores: tied, nearly tied, one class ahead by up to the whole range, and all far from 0."""
    large = SCORES[dtype][-1]
    ahead = [[z, 0.0, -0.5 * z] for z in map(float, both_signs(dtype)[2::3])]
    return np.array([[0.0, 0.0, 0.0], [large, large, -large], [-large, 1.0, 1.0 + 1e-6], *ahead], dtype=dtype)


@each_dtype
@pytest.mark.parametrize("label", mostly_slow([None, 0, 1, 2], 0, 1))
@each(MULTICLASS, "softmax-smooth", "softmax-focal-0.5", "softmax-focal-1", "softmax-poly1")
def test_multiclass_against_mpmath(loss, label, dtype):
    """A class code is also tried as a row of shares; None stands for a soft label."""
    loss, raw = exact(of_classes(loss, 3)), rows(dtype)
    shares = (0.25, 0.625, 0.125) if label is None else np.eye(3)[label]
    terms = [reference.terms(loss, shares, list(map(float, z))) for z in raw]
    soft = np.tile(np.array(shares, dtype=dtype), (len(raw), 1))
    for labels in [soft] if label is None else [soft, np.full(len(raw), label)]:
        values = loss.per_sample(labels, raw)
        gradients, hessians = loss.gradient_hessian(labels, raw)
        assert gradients.dtype == hessians.dtype == dtype
        # For a class code nothing in the gradient cancels: accurate relative to itself, however small.
        cancels = labels is soft or loss.label_smoothing > 0.0
        for z, value, g, h, row in zip(raw, values, gradients, hessians, terms, strict=True):
            assert_close(value, row.value, row.value, dtype, f"value at {z}")
            for k in range(3):
                size = row.hessian_size[k] if cancels else row.gradient[k]
                assert_close(g[k], row.gradient[k], size, dtype, f"gradient {k} at {z}")
                assert_close(h[k], row.hessian[k], row.hessian_size[k], dtype, f"Hessian {k} at {z}")


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
        assert not has_posterior(loss) or np.isfinite(loss.posterior(far)).all()
        for label in range(raw.shape[1]):
            assert all(np.isfinite(part).all() for part in row_derivatives(loss, label, far[0]))


def is_unbounded(loss):
    """Return whether the loss of a misclassified row grows without end, so that its gradient does not vanish."""
    far = np.array([[-300.0, 0.0], [-600.0, 0.0]]) if loss.multiclass else np.array([-300.0, -600.0])
    losses = replace(loss, class_weight=None) if loss.multiclass else loss
    near, farther = losses.per_sample([0, 0] if loss.multiclass else [1, 1], far)
    return farther > 1.5 * near


def check_signs(loss, y, raw):
    values = loss.per_sample(y, raw)
    gradient, hessian = loss.gradient_hessian(y, raw)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    own = np.eye(raw.shape[1], dtype=bool)[y] if loss.multiclass else y.astype(bool)
    if loss.label_smoothing == 0.0:
        assert (gradient[own] <= 0).all()
        assert (gradient[~own] >= 0).all()
    wrong = raw < (raw.max(axis=1, keepdims=True) if loss.multiclass else 0)
    if is_unbounded(loss):
        assert (gradient[own & wrong] != 0).all(), "a misclassified row must be pulled back"
    if getattr(loss, "hessian", "guarded") == "guarded":
        assert (hessian >= 0).all()


@each_multiclass
@pytest.mark.parametrize("n_classes", [CLASSES, MOST_CLASSES_IN_TUPLES + 1])
def test_rows_agree_with_the_definition_in_both_tails(loss, n_classes):
    loss = exact(of_classes(loss, n_classes))
    rng = np.random.default_rng(n_classes)
    for spread in (1.0, 40.0):
        z = spread * rng.standard_normal(n_classes)
        for label in (int(z.argmax()), int(z.argmin())):
            terms = reference.terms(loss, np.eye(n_classes)[label], z.tolist())
            gradient, packed = row_derivatives(loss, label, z)
            full = np.zeros((n_classes, n_classes))
            full[np.triu_indices(n_classes)] = packed
            for k in range(n_classes):
                size = terms.hessian_size[k] if loss.label_smoothing else terms.gradient[k]
                assert_close(gradient[k], terms.gradient[k], size, np.float64, f"gradient {k} of {label} at {z}")
                assert_close(full[k, k], terms.hessian[k], terms.hessian_size[k], np.float64, f"Hessian {k} of {label}")
