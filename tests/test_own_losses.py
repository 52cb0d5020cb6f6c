"""What only losses have that users make of a formula: parameters, guard, model files, errors. See ``cases.py``."""

import importlib
import json
import os

import numpy as np
import pytest
from numpy.testing import assert_allclose

from boosting_losses import FocalLoss, LogLoss, SoftmaxFocalLoss, binary_loss, check_loss, multiclass_loss
from boosting_losses._kernels._source import text_digest
from boosting_losses.losses import loss_from_json, loss_to_json

from . import own_losses as own
from . import reference
from .cases import exact


@pytest.mark.slow
def test_every_function_of_a_formula_has_its_derivatives():
    loss, scores = own.softmax_with_everything(hessian="exact"), [0.0, 0.5, -1.0]
    terms = reference.terms(loss, (0, 1, 0), scores)
    gradient, hessian = loss.gradient_hessian([1], [scores])
    assert_allclose(loss([1], [scores]), float(terms.value), rtol=1e-14)
    assert_allclose(gradient[0], np.array(terms.gradient, float), rtol=1e-13)
    assert_allclose(hessian[0], np.array(terms.hessian, float), rtol=1e-12)
    assert check_loss(loss).derivative_error < 1e-9


@pytest.mark.slow
def test_other_words_for_a_formula_have_the_same_derivatives():
    @binary_loss
    def with_a_power(p, q=0.7):
        return (1 - p**q) / q

    raw = np.linspace(-300, 300, 101)
    for y in (np.ones(101), np.zeros(101)):
        found, expected = with_a_power(hessian="exact"), own.gce(0.7, hessian="exact")
        assert_allclose(found.per_sample(y, raw), expected.per_sample(y, raw), rtol=1e-14, atol=1e-15)
        for one, two in zip(found.gradient_hessian(y, raw), expected.gradient_hessian(y, raw), strict=True):
            assert_allclose(one, two, rtol=1e-12, atol=1e-300)


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
    with pytest.raises(
        ValueError, match=r"posterior must be defined .* class 0 does not decrease at margins from -30 to -2\.2"
    ):
        own.asymmetric_margin(0.1).posterior([0.0])


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
    assert loss == own.poly1(3.0) != own.poly1()
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


def test_json_of_a_formula_that_has_changed_or_gone():
    with pytest.raises(ValueError, match="its text has changed"):
        loss_from_json(loss_to_json(own.poly1()).replace(own.poly1().source(), "0123456789abcdef"))
    with pytest.raises(ValueError, match=r"gone of module tests\.own_losses must be importable"):
        loss_from_json('{"loss": "tests.own_losses:gone", "source": ""}')
    with pytest.raises(ValueError, match=r"importable to load a model .* No module named 'nowhere'"):
        loss_from_json('{"loss": "nowhere:gone", "source": ""}')
