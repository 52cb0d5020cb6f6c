"""Losses that users make of a formula: derivatives, posterior, guard, libraries, model files, errors."""

import importlib
import json
import os
import pickle

import numpy as np
import pytest
from mpmath import mp, mpf
from numpy.testing import assert_allclose
from scipy.optimize import brentq, minimize

from boosting_losses import FocalLoss, LogLoss, SoftmaxFocalLoss, binary_loss, check_loss, multiclass_loss
from boosting_losses._kernels._source import text_digest
from boosting_losses.losses import loss_from_json, loss_to_json

from . import own_losses as own
from . import reference
from .cases import each_dtype, row_derivatives
from .test_losses_accuracy import SUBNORMAL, both_signs

TOLERANCE = {np.float32: 4e-6, np.float64: 1e-12}


def slow_but_for(cases, *quick):
    """Return the cases as parameters named after their losses, of which only some are compiled by the default tests."""
    marks = [() if i in quick else pytest.mark.slow for i in range(len(cases))]
    return [pytest.param(*case, marks=mark, id=type(case[0]).__name__) for case, mark in zip(cases, marks, strict=True)]


#: Each loss with the definitions of the losses of class 1 and class 0 as functions of the margin of the own class.
BINARY = [
    (own.poly1(2.0), *2 * [lambda m: own.poly1_of(m, 2.0)]),
    (own.gce(0.7), *2 * [lambda m: own.gce_of(m, 0.7)]),
    (own.focal(1.5), *2 * [lambda m: own.focal_of(m, 1.5)]),
    (own.asymmetric_focusing(1.0, 4.0), lambda m: own.focal_of(m, 1), lambda m: own.focal_of(m, 4)),
    (own.cost_sensitive(5.0), lambda m: -5 * mp.log(own.sigmoid(m)), lambda m: -mp.log(own.sigmoid(m))),
]
MULTICLASS = [
    (own.softmax_poly1(2.0), lambda m: own.poly1_of(m, 2.0)),
    (own.softmax_gce(0.7), lambda m: own.gce_of(m, 0.7)),
    (own.softmax_focal(1.5), lambda m: own.focal_of(m, 1.5)),
]
each_binary = pytest.mark.parametrize(("loss", "of_1", "of_0"), slow_but_for(BINARY, 0, 3))
each_multiclass = pytest.mark.parametrize(("loss", "of_label"), slow_but_for(MULTICLASS, 0))


def exact(loss):
    return type(loss)(**{**vars(loss), "hessian": "exact"})


def assert_close(actual, expected, size, dtype, what):
    allowed = max(TOLERANCE[dtype] * abs(size), 4 * SUBNORMAL[dtype])
    assert abs(mpf(float(actual)) - expected) <= allowed, f"{what}: {actual!r} instead of {mp.nstr(expected, 20)}"


@each_dtype
@each_binary
def test_binary_derivatives_against_mpmath(loss, of_1, of_0, dtype):
    raw = np.array([z for z in both_signs(dtype) if abs(z) <= 360], dtype)
    for label, definition in ((1, of_1), (0, of_0)):
        gradient, hessian = exact(loss).gradient_hessian(np.full(len(raw), label), raw)
        for z, g, h in zip(raw, gradient, hessian, strict=True):
            margin = float(z) if label else -float(z)
            with mp.workdps(reference.digits(2 * abs(margin) + 60)):
                d, c = reference.derivatives(definition, margin)
                assert_close(g if label else -g, d, d, dtype, f"gradient of {label} at {z}")
                assert_close(h, c, abs(c) + abs(d), dtype, f"Hessian of {label} at {z}")


@each_dtype
@each_multiclass
def test_multiclass_derivatives_against_mpmath(loss, of_label, dtype):
    rng = np.random.default_rng(0)
    raw = (np.concatenate([np.ones(6), np.full(6, 15.0)])[:, None] * rng.standard_normal((12, 3))).astype(dtype)
    y = np.arange(12) % 3
    gradient, hessian = exact(loss).gradient_hessian(y, raw)
    for z, label, g, h in zip(raw.astype(float).tolist(), y, gradient, hessian, strict=True):
        with mp.workdps(200):

            def value(scores, label=label):
                others = mp.fsum(mp.exp(score) for k, score in enumerate(scores) if k != label)
                return of_label(mpf(scores[label]) - mp.log(others))

            derivatives = [
                reference.derivatives(lambda x, k=k, z=z, f=value: f([*z[:k], x, *z[k + 1 :]]), z[k]) for k in range(3)
            ]
        row = row_derivatives(exact(loss), label, z) if dtype == np.float64 else None
        for k, (d, c) in enumerate(derivatives):
            assert_close(g[k], d, d, dtype, f"gradient {k} of {label} at {z}")
            assert_close(h[k], c, abs(c) + 4 * abs(d), dtype, f"Hessian {k} of {label} at {z}")
            if row is not None:
                assert_close(row[0][k], d, d, dtype, f"gradient {k} of {label} in a row function")
                assert_close(row[1][[0, 3, 5][k]], c, abs(c) + 4 * abs(d), dtype, f"Hessian {k} in a row function")


@pytest.mark.slow
def test_every_function_of_a_formula_has_its_derivatives():
    loss = own.softmax_with_everything()
    check = check_loss(loss)
    assert check.derivative_error < 1e-9
    assert_allclose(loss([1], [[0.0, 0.5]]), np.asarray(own.softmax_with_everything.function(scalar(0.5))), rtol=1e-12)


def scalar(margin):
    class Plain(float):
        pass

    return Plain(1 / (1 + np.exp(-margin)))


@pytest.mark.parametrize("eta", [0.02, 0.3, 0.5, 0.9])
@each_binary
def test_binary_posterior_against_a_minimiser(loss, of_1, of_0, eta):
    best = brentq(lambda z: exact(loss).gradient_hessian([eta], [z])[0][0], -60.0, 60.0, xtol=1e-14)
    assert_allclose(loss.posterior([best]), eta, rtol=1e-8)
    assert_allclose(loss.init_score([eta]), best, rtol=1e-7, atol=1e-8)
    weighted = type(loss)(pos_weight=3.0, label_smoothing=0.1)
    best = brentq(lambda z: weighted.gradient_hessian([eta], [z])[0][0], -60.0, 60.0, xtol=1e-14)
    assert_allclose(weighted.posterior([best], undo_smoothing=True), eta, rtol=1e-8)
    assert_allclose(weighted.init_score([eta]), best, rtol=1e-7, atol=1e-8)


@each_multiclass
def test_multiclass_posterior_against_a_minimiser(loss, of_label):
    eta = np.array([0.5, 0.3, 0.2])
    weighted = type(loss)(class_weight=(1.0, 2.0, 0.5), label_smoothing=0.1)
    for each in (loss, weighted):
        best = minimize(
            lambda z, f=each: f([eta], z[None]),
            np.log(eta),
            jac=lambda z, f=each: f.gradient_hessian([eta], z[None])[0][0],
            method="BFGS",
            options={"gtol": 1e-11},
        ).x
        assert_allclose(each.posterior(best[None], undo_smoothing=True)[0], eta, atol=1e-6)
        assert_allclose(each.init_score(eta[None]), best - best.mean(), atol=1e-6)


def test_smoothed_labels_are_soft_labels():
    loss, raw = own.softmax_poly1(label_smoothing=0.3), np.random.default_rng(0).standard_normal((20, 4))
    y = np.arange(20) % 4
    soft = 0.7 * np.eye(4)[y] + 0.3 / 4
    plain = own.softmax_poly1()
    assert_allclose(loss.per_sample(y, raw), plain.per_sample(soft, raw))
    for one, other in zip(loss.gradient_hessian(y, raw), plain.gradient_hessian(soft, raw), strict=True):
        assert_allclose(one, other)


@pytest.mark.parametrize(
    ("hand", "builtin"),
    [
        (own.focal(2.0), FocalLoss(2.0, hessian="exact")),
        (own.softmax_focal(2.0), SoftmaxFocalLoss(2.0, hessian="exact")),
    ],
    ids=["binary", "multiclass"],
)
def test_focal_as_a_formula_is_the_focal_loss(hand, builtin):
    rng = np.random.default_rng(0)
    raw = 3 * (rng.standard_normal((100, 4)) if hand.multiclass else rng.standard_normal(100))
    y = np.arange(100) % (4 if hand.multiclass else 2)
    assert_allclose(hand(y, raw), builtin(y, raw), rtol=1e-14)
    for one, other in zip(exact(hand).gradient_hessian(y, raw), builtin.gradient_hessian(y, raw), strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-15)
    assert_allclose(hand.posterior(raw), builtin.posterior(raw), rtol=1e-12)
    assert_allclose(hand.init_score(y), builtin.init_score(y), rtol=1e-12, atol=1e-12)


def test_a_guard_is_used_only_where_it_is_needed():
    assert own.cost_sensitive().hessian_floor() == 0.0
    assert own.poly1(0.5).hessian_floor() == 0.0
    assert own.poly1(2.0).hessian_floor() == 0.25
    gradient, hessian = own.poly1(2.0).gradient_hessian([1], [-10.0])
    assert hessian[0] == 0.25 * -gradient[0]
    assert own.poly1(2.0, hessian="exact").gradient_hessian([1], [-10.0])[1][0] < 0.25 * -gradient[0]


def test_a_loss_without_posterior_says_where():
    loss = own.asymmetric(margin=0.05)
    with pytest.raises(
        ValueError, match=r"posterior must be defined .* class 0 does not decrease at margins from -30 to -2\.9"
    ):
        loss.posterior([0.0])
    assert loss.posterior_offset() is None
    y = np.array([0, 0, 0, 1])
    best = loss.init_score(y)  # exists nevertheless
    assert loss(y, np.full(4, best)) < min(loss(y, np.full(4, best - 1e-3)), loss(y, np.full(4, best + 1e-3)))


def test_a_cost_ratio_is_a_shift():
    loss = own.cost_sensitive(5.0)
    assert_allclose(loss.posterior_offset(), -np.log(5.0))
    assert_allclose(loss.posterior([0.3]), LogLoss(5.0).posterior([0.3]))
    assert_allclose(loss.init_score([0, 1, 1]), LogLoss(5.0).init_score([0, 1, 1]))


def test_parameters_are_checked_and_a_loss_is_a_value():
    with pytest.raises(ValueError, match=r"q must be finite and > 0 and <= 1, got 2\.0"):
        own.gce(2.0)
    with pytest.raises(TypeError, match="epsilon must be a number that is finite and >= 0, got 'x'"):
        own.poly1("x")
    with pytest.raises(ValueError, match="gamma must be finite, got inf"):
        own.focal(np.inf)
    loss = own.poly1(3)
    assert repr(loss) == "poly1(epsilon=3.0, pos_weight=1.0, label_smoothing=0.0, hessian='guarded')"
    assert pickle.loads(pickle.dumps(loss)) == loss == own.poly1(3.0) != own.poly1()
    assert len({loss, own.poly1(3.0)}) == 1


def test_formulas_that_are_none_are_refused():
    with pytest.raises(TypeError, match="formula must be a function, got 3"):
        binary_loss(3)
    with pytest.raises(TypeError, match="must be named and have a default value, got gamma"):
        binary_loss(lambda p, gamma: p)
    with pytest.raises(TypeError, match="must not be named 'hessian'"):
        binary_loss(lambda p, hessian=1.0: p)
    with pytest.raises(TypeError, match="must return a loss that depends on p, or two, got 3"):
        binary_loss(lambda p: 3)
    with pytest.raises(TypeError, match="must return one loss for K classes, got 2"):
        multiclass_loss(lambda p: (p, p))
    with pytest.raises(TypeError, match="rules must be for parameters of <lambda>, a, got 'b'"):
        binary_loss(b="> 0")(lambda p, a=1.0: p * a)
    with pytest.raises(ValueError, match="a rule must consist of"):
        binary_loss(a="positive")(lambda p, a=1.0: p * a)
    with pytest.raises(TypeError, match="functions with known derivatives, got sin of Dual"):
        binary_loss(lambda p: np.sin(-np.log(p)))


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_a_formula_that_cannot_be_compiled_is_named_with_its_line():
    @binary_loss
    def odd(p):
        scale = json.loads("1.0")
        return -np.log(p) * scale

    with pytest.raises(TypeError, match=r"odd cannot be compiled because of line \d+ of test_own_losses.py: "):
        odd()([0, 1], [0.0, 1.0])


def test_the_digest_of_a_text_sees_helpers_but_no_comments(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    text = (
        "import numpy as np\nA = 1.0\n\n\ndef helper(p):\n    return 1 - p\n\n\ndef f(p):\n    return A * helper(p)\n"
    )
    variants = [text, text.replace("(p):", "(p):  # words", 1), text.replace("1.0", "2.0"), text.replace("1 - p", "p")]
    digests = []
    for i, variant in enumerate(variants):
        (tmp_path / f"formulas_{i}.py").write_text(variant)
        digests.append(text_digest(importlib.import_module(f"formulas_{i}").f))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert None not in digests


def test_json_is_read_where_the_text_of_the_formula_is_unknown(monkeypatch):
    loss = own.poly1(2.0)
    text = loss_to_json(loss)
    monkeypatch.setattr(own.poly1, "source", lambda self: None)
    assert loss_from_json(text) == loss


def test_json():
    for loss in (own.poly1(2.0), own.softmax_gce(0.4, class_weight=(1, 2, 3))):
        text = loss_to_json(loss)
        assert loss_from_json(text) == loss
    with pytest.raises(ValueError, match="its text has changed"):
        loss_from_json(loss_to_json(own.poly1()).replace(own.poly1().source(), "0123456789abcdef"))
    with pytest.raises(ValueError, match=r"gone of module tests\.own_losses must be importable"):
        loss_from_json('{"loss": "tests.own_losses:gone", "source": ""}')
    with pytest.raises(ValueError, match=r"importable to load a model .* No module named 'nowhere'"):
        loss_from_json('{"loss": "nowhere:gone", "source": ""}')
