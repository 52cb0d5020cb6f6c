"""The way back from raw scores to class probabilities, and the best constant, against numerical minimisers."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit, softmax

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.losses._constant_scores import minimising_scores

from . import own_losses as own
from .cases import (
    BINARY,
    CLASSES,
    MULTICLASS,
    each,
    each_dtype,
    each_loss,
    each_multiclass,
    exact,
    has_posterior,
    of_classes,
    sample,
)

GAMMAS = [0.0, 0.5, 1.0, 2.0, 5.0, 8.0]
WEIGHTS = tuple(np.linspace(0.5, 3.0, CLASSES))
MORE_BINARY = [LogLoss(pos_weight=16.0), *[FocalLoss(gamma, alpha) for gamma in GAMMAS for alpha in (0.25, 0.9)]]
MORE_MULTICLASS = [SoftmaxFocalLoss(gamma, weights) for gamma in GAMMAS for weights in (None, WEIGHTS)]


@pytest.mark.parametrize("eta", [1e-6, 1e-3, 0.05, 0.3, 0.5, 0.77, 0.999])
@each({**BINARY, **{repr(loss): loss for loss in MORE_BINARY}})
def test_posterior_at_the_binary_minimiser(loss, eta):
    """Compare with the root of the exact gradient: the expected loss at one x is that of the soft label eta."""
    best = brentq(lambda z: exact(loss).gradient_hessian([eta], [z])[0][0], -100.0, 100.0, xtol=1e-14)
    assert_allclose(loss.init_score([eta]), best, rtol=1e-8, atol=1e-8)
    if has_posterior(loss):
        assert_allclose(loss.posterior([best], undo_smoothing=True), eta, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("classes", [3, 10])
@each({**MULTICLASS, **{repr(loss): loss for loss in MORE_MULTICLASS}})
def test_posterior_at_the_multiclass_minimiser(loss, classes):
    loss = of_classes(loss, classes)
    for seed in range(3):
        eta = np.random.default_rng(seed).dirichlet(np.ones(classes))
        # The best score of a rare class may be minus infinity, or so low that the loss is flat.
        if not has_posterior(loss) or np.ptp(loss.init_score(eta[None])) > 15:
            eta = (eta + 1 / classes) / 2
        best = minimise(loss, eta)
        assert_allclose(loss.init_score(eta[None]), best - best.mean(), atol=1e-8)
        if has_posterior(loss):
            posterior = loss.posterior(best[None], undo_smoothing=True)[0]
            assert_allclose(posterior, eta, atol=1e-7)


@each_loss
def test_init_score_is_no_worse_than_any_other_constant(loss):
    """A loss without posterior may have several minima."""
    rng = np.random.default_rng(0)
    for y in (rng.permutation(np.arange(200) % CLASSES), rng.choice(CLASSES, 200, p=(0.5, 0.25, 0.15, 0.1))):
        labels = y if loss.multiclass else (y > 0).astype(float)
        best = np.broadcast_to(loss.init_score(labels), (200, CLASSES) if loss.multiclass else 200)
        for spread in 10 * [0.01, 1.0, 10.0]:
            other = best + spread * rng.standard_normal(CLASSES if loss.multiclass else 1)
            assert loss(labels, best) <= loss(labels, other) * (1 + 1e-14)


@pytest.mark.parametrize(
    "loss", [own.softmax_huberised(5.0), pytest.param(own.softmax_truncated(), marks=pytest.mark.slow)], ids=repr
)
@pytest.mark.parametrize("shares", [(0.4, 0.33, 0.27), (0.6, 0.22, 0.18), (0.5, 0.45, 0.05)])
def test_init_score_against_all_constants_of_a_grid(loss, shares):
    scores = np.stack(np.meshgrid(0.0, *2 * [np.linspace(-25, 25, 501)]), axis=-1).reshape(-1, 3)
    lowest = loss.per_sample(np.tile(shares, (len(scores), 1)), scores).min()
    assert loss([shares], [loss.init_score([shares])]) <= lowest + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("hessian", ["guarded", "exact"])
def test_init_score_of_a_loss_that_has_many_minima(hessian):
    """The mean absolute error has its minimum where the probability of the most frequent class is 1."""
    loss, y = own.softmax_gce(1.0, hessian=hessian), np.array([0, 0, 1, 2])
    assert_allclose(loss.init_score(y), [20, -10, -10])
    assert_allclose(loss.init_score([0, 0, 1, 1, 2]), [10, 10, -20])
    assert_array_equal(loss.init_score(np.arange(30)), np.zeros(30))
    assert_allclose(own.softmax_gce(1.0, (1.0, 4.0, 1.0), hessian=hessian).init_score(y), [-10, 20, -10])
    binary = own.gce(1.0, hessian=hessian)
    assert_allclose([binary.init_score(each) for each in ([0, 1, 1], [0, 0, 1], [0, 1])], [30, -30, 0], atol=1e-12)


@each_multiclass
def test_classes_that_are_alike_get_equal_scores(loss):
    loss = replace(loss, class_weight=None)
    for shares in (np.full(7, 1 / 7), np.array([0.1, 0.3, 0.1, 0.1, 0.3, 0.1]), np.array([0.2, 0.2, 0.3, 0.3])):
        y = np.vstack([shares, shares[::-1], shares[::-1]])
        scores = loss.init_score(y)
        share = y.mean(axis=0)
        for k in range(len(share)):
            assert_allclose(scores[np.isclose(share, share[k])], scores[k], rtol=0, atol=1e-12)


@each_multiclass
def test_the_search_of_an_init_score_finds_what_the_posterior_implies(loss):
    shares = np.array([0.4, 0.3, 0.2, 0.1])
    terms = (1 - loss.label_smoothing) * shares + loss.label_smoothing / CLASSES
    log_terms = np.log(terms * (loss.class_weight or 1.0))
    found = minimising_scores(loss, shares, log_terms, np.arange(CLASSES))
    assert_allclose(found, loss.init_score(shares[None]), atol=1e-10)


def minimise(loss, eta):
    """Minimise the expected loss by BFGS, polished by Newton's method on its gradient."""
    y = eta[None]

    def gradient(z):
        return loss.gradient_hessian(y, z[None])[0][0]

    best = minimize(lambda z: loss(y, z[None]), np.log(eta), jac=gradient, method="BFGS", options={"gtol": 1e-9}).x
    for _ in range(30):
        step = 1e-5
        jacobian = np.array(
            [(gradient(best + step * e) - gradient(best - step * e)) / (2 * step) for e in np.eye(len(eta))]
        )
        best = best - np.linalg.lstsq(jacobian, gradient(best), rcond=1e-8)[0]
    return best


@pytest.mark.parametrize("gamma", GAMMAS)
def test_binary_posterior_is_monotone_odd_and_finite(gamma):
    loss = FocalLoss(gamma)
    positive = np.logspace(-300, 300, 400)
    raw = np.concatenate([-positive[::-1], [0.0], positive])
    p = loss.posterior(raw)
    assert np.isfinite(p).all()
    assert (np.diff(p) >= 0).all()
    assert_allclose(p + p[::-1], 1.0, rtol=1e-15)
    middle = np.linspace(-20, 20, 200)
    assert (np.diff(logit(FocalLoss(gamma).posterior(middle / (1 + gamma)))) > 0).all()


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_asymptote(gamma):
    raw = np.array([30.0, 100.0])
    assert_allclose(np.log(FocalLoss(gamma).posterior(-raw)), -((1 + gamma) * raw - np.log1p(gamma)), rtol=1e-11)


def test_multiclass_posterior_far_out():
    for gamma in GAMMAS:
        raw = np.array([[900.0, -900.0, 0.0], [1e300, -1e300, 1e299], [0.0, 0.0, 0.0]])
        p = SoftmaxFocalLoss(gamma).posterior(raw)
        assert_array_equal(p[:2], [[1, 0, 0], [1, 0, 0]])
        assert_allclose(p[2], 1 / 3)


@each_loss
@each_dtype
def test_activation_is_the_plain_sigmoid_or_softmax(loss, dtype):
    _, raw = sample(loss)
    raw = raw.astype(dtype)
    expected = softmax(raw.astype(float), axis=1) if loss.multiclass else expit(raw.astype(float))
    assert_allclose(loss.activation(raw), expected, rtol=1e-6 if dtype == np.float32 else 2e-15)


def margins(raw):
    """Return the scores of class 1, of many classes relative to class 0."""
    return raw[:, 1] - raw[:, 0] if raw.ndim == 2 else raw


@each_loss
def test_posterior_offset_and_is_proper(loss):
    _, raw = sample(loss)
    offset = loss.posterior_offset(4)
    if offset is None:
        assert not loss.is_proper
        if has_posterior(loss):
            assert np.ptp(margins(loss.posterior_logits(raw)) - margins(raw)) > 0.1
        else:
            with pytest.raises(ValueError, match="posterior must be defined for"):
                loss.posterior(raw)
        return
    assert_allclose(loss.posterior(raw), loss.activation(raw + offset), rtol=1e-12)
    assert loss.is_proper == np.allclose(loss.posterior(raw), loss.activation(raw))


def test_equal_weights_leave_a_loss_proper():
    assert SoftmaxCrossEntropy((2.0, 2.0, 2.0)).is_proper
    assert FocalLoss(0.0, alpha=0.5).is_proper


def test_smoothing_is_undone_only_on_request_and_cut_to_0_and_1():
    loss = LogLoss(label_smoothing=0.2)
    assert_allclose(loss.posterior([-9.0, 0.0, 9.0]), expit([-9.0, 0.0, 9.0]))
    assert_allclose(loss.posterior([-9.0, 0.0, 9.0], undo_smoothing=True), [0.0, 0.5, 1.0])
    p = SoftmaxCrossEntropy(label_smoothing=0.2).posterior([[9.0, 0.0, 0.0], [1.0, 0.0, -9.0]], undo_smoothing=True)
    assert_array_equal(p[0], [1, 0, 0])
    assert_allclose(p.sum(axis=1), 1)
    assert p[1, 2] == 0


def test_init_score_of_plain_losses():
    y = np.array([0, 0, 0, 1, 2, 2])
    assert_allclose(softmax(SoftmaxCrossEntropy().init_score(y)), [1 / 2, 1 / 6, 1 / 3])
    assert_allclose(LogLoss().init_score([0, 0, 0, 1]), -np.log(3))
    assert_allclose(LogLoss().init_score([0, 1], [1e-9, 1.0]), np.log(1e9))
    assert_allclose(SoftmaxCrossEntropy(label_smoothing=0.3).init_score(y, n_classes=4)[3], log_of_share(0.3 / 4, y))


def log_of_share(share, y):
    smoothed = 0.7 * np.bincount(y, minlength=4) / len(y) + 0.3 / 4
    return np.log(share) - np.log(smoothed).mean()


def test_init_score_minimises_over_a_whole_training_set():
    rng = np.random.default_rng(0)
    y, weight = rng.integers(0, 3, 500), rng.random(500)
    for loss in (SoftmaxCrossEntropy((1, 2, 3), 0.1), SoftmaxFocalLoss(2.0, (1, 2, 3))):
        best = loss.init_score(y, weight)
        for change in np.eye(3) * 1e-3:
            raw = np.tile(best, (500, 1))
            assert loss(y, raw, weight) < min(loss(y, raw + change, weight), loss(y, raw - change, weight))
