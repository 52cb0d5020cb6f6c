"""One list of losses, and the data that try them: every property is tested for every loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses._kernels.posterior import posterior_loops
from boosting_losses._kernels.rows import row_loops

from . import own_losses as own

BINARY = {
    "log": LogLoss(),
    "log-weighted": LogLoss(pos_weight=3.5),
    "log-smooth": LogLoss(pos_weight=0.4, label_smoothing=0.1),
    "focal-0": FocalLoss(gamma=0.0),
    "focal-0.5": FocalLoss(gamma=0.5, hessian="exact"),
    "focal-1": FocalLoss(gamma=1.0, alpha=0.25),
    "focal-2": FocalLoss(gamma=2.0),
    "focal-2-exact": FocalLoss(gamma=2.0, alpha=0.7, hessian="exact"),
    "focal-5": FocalLoss(gamma=5.0, hessian="exact"),
    "poly1": own.poly1(2.0, pos_weight=3.5),
    "gce": own.gce(0.7, label_smoothing=0.1),
    "asymmetric-focusing": own.asymmetric_focusing(1.0, 4.0),
    "asymmetric-margin": own.asymmetric_margin(0.1, pos_weight=2.0),
}
MULTICLASS = {
    "softmax": SoftmaxCrossEntropy(),
    "softmax-weighted": SoftmaxCrossEntropy(class_weight=(1.0, 0.3, 2.5, 4.0)),
    "softmax-smooth": SoftmaxCrossEntropy(class_weight=(1.0, 0.3, 2.5, 4.0), label_smoothing=0.2),
    "softmax-focal-0": SoftmaxFocalLoss(gamma=0.0),
    "softmax-focal-0.5": SoftmaxFocalLoss(gamma=0.5, hessian="exact"),
    "softmax-focal-1": SoftmaxFocalLoss(gamma=1.0, class_weight=(1.0, 0.3, 2.5, 4.0)),
    "softmax-focal-2": SoftmaxFocalLoss(gamma=2.0),
    "softmax-focal-5": SoftmaxFocalLoss(gamma=5.0, class_weight=(1.0, 0.3, 2.5, 4.0), hessian="exact"),
    "softmax-poly1": own.softmax_poly1(2.0, class_weight=(1.0, 0.3, 2.5, 4.0), label_smoothing=0.2),
    "softmax-gce": own.softmax_gce(0.7),
    "softmax-huberised": own.softmax_huberised(50.0, hessian="exact"),
}
LOSSES = {**BINARY, **MULTICLASS}
CLASSES = 4

#: Formulas take seconds to compile, so that the default tests do without some.
SLOW = {"gce", "asymmetric-margin", "softmax-gce"}


def each(losses, *quick):
    """Return a decorator that runs a test for each loss, and marks it slow except for the named losses, if any are named."""
    slow = losses.keys() - set(quick) if quick else SLOW
    cases = [
        pytest.param(loss, id=name, marks=[pytest.mark.slow] if name in slow else []) for name, loss in losses.items()
    ]
    return pytest.mark.parametrize("loss", cases)


each_loss, each_binary, each_multiclass = each(LOSSES), each(BINARY), each(MULTICLASS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def exact(loss):
    """Return the loss without a guard of its Hessian."""
    return replace(loss, hessian="exact") if hasattr(loss, "hessian") else loss


def of_classes(loss, classes):
    """Return the loss with weights for another number of classes, if it has weights."""
    return replace(loss, class_weight=tuple(np.linspace(0.3, 4.0, classes))) if loss.class_weight else loss


def has_posterior(loss):
    return loss.shape().obstacle is None


def mostly_slow(values, *quick):
    """Return parameters that make a test slow, but for those at the given places."""
    return [value if i in quick else pytest.param(value, marks=pytest.mark.slow) for i, value in enumerate(values)]


def compiled_variants():
    """Return how many variants of each kernel this process has compiled or loaded."""
    return {
        f"{kind}, {loss}: {name}": len(function.signatures)
        for kind, loss in LOSSES.items()
        for loops in loops_of(loss)
        for name, function in loops._asdict().items()
        if hasattr(function, "signatures")
    }


def loops_of(loss):
    """Return the compiled loops of a loss."""
    formula, parameters = loss.formula()
    if not loss.multiclass:
        return loss._loops()[0], posterior_loops(formula, loss.pair)
    return loss._loops()[0], row_loops(formula, len(parameters)), posterior_loops(formula, False)


def sample(loss, n=200, seed=0, spread=3.0, soft=False):
    """Return labels and raw scores of the loss's kind; the scores reach both tails."""
    rng = np.random.default_rng(seed)
    if not loss.multiclass:
        y = rng.random(n) if soft else rng.integers(0, 2, n)
        return y, spread * rng.standard_normal(n)
    y = rng.dirichlet(np.ones(CLASSES), n) if soft else rng.permutation(np.arange(n) % CLASSES)
    return y, spread * rng.standard_normal((n, CLASSES))


def row_derivatives(loss, label, raw, weight=1.0, **options):
    """Return gradient and the packed upper triangle of the Hessian of one row."""
    gradient, (hessian,) = loss.row_function(len(raw), **options)(np.asarray(raw), float(label), weight)
    return gradient, hessian
