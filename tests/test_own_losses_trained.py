"""Users' losses in the three libraries, in the classifier, and in model files."""

from dataclasses import dataclass

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from numpy.testing import assert_allclose
from scipy.special import logsumexp, softmax
from sklearn.model_selection import GridSearchCV

from boosting_losses import CalibratedBoostingClassifier, FocalLoss, LogLoss, SoftmaxCrossEntropy
from boosting_losses.losses import ArrayLoss, Loss, MulticlassArrayLoss, register_loss

from . import own_losses as own
from .cases import sample
from .libraries import LIBRARIES, LIGHTGBM, columns, data_of

each_library = pytest.mark.parametrize("library", LIBRARIES, ids=repr)


@register_loss
@dataclass(frozen=True)
class Scaled(Loss):
    """A subclass of the base class itself: a multiple of log loss."""

    factor: float = 2.0
    multiclass = False

    def sum_and_weight(self, y_true, raw, sample_weight=None, *, shift=None):
        total, weight = LogLoss().sum_and_weight(y_true, raw, sample_weight, shift=shift)
        return self.factor * total, weight

    def per_sample(self, y_true, raw, sample_weight=None):
        return self.factor * LogLoss().per_sample(y_true, raw, sample_weight)

    def write_gradient_hessian(self, y_true, raw, sample_weight, gradient, hessian, *, shift=None, factor=1.0):
        LogLoss().write_gradient_hessian(y_true, raw, sample_weight, gradient, hessian, shift=shift, factor=factor)
        gradient *= self.factor
        hessian *= self.factor

    def init_score(self, y_true, sample_weight=None, n_classes=None):
        return LogLoss().init_score(y_true, sample_weight)

    def activation(self, raw):
        return LogLoss().activation(raw)

    posterior = activation

    def posterior_logits(self, raw):
        return np.asarray(raw)

    def posterior_offset(self, n_classes=2):
        return 0.0

    is_proper = True


def value(y, raw):
    return np.logaddexp(0.0, raw) - y * raw


def gradient(y, raw):
    return 1 / (1 + np.exp(-raw)) - y


def hessian(y, raw):
    p = 1 / (1 + np.exp(-raw))
    return p * (1 - p)


LOSSES = [own.poly1(2.0, pos_weight=2.0), own.softmax_poly1(2.0)]


def value_of_k(y, raw):
    return logsumexp(raw, axis=1) - raw[np.arange(len(y)), y.astype(int)]


def gradient_of_k(y, raw):
    return softmax(raw, axis=1) - np.eye(raw.shape[1])[y.astype(int)]


def hessian_of_k(y, raw):
    return softmax(raw, axis=1) * (1 - softmax(raw, axis=1))


OF_ARRAYS = [ArrayLoss(value, gradient, hessian), MulticlassArrayLoss(value_of_k, gradient_of_k, hessian_of_k)]


@each_library
@pytest.mark.parametrize(
    "loss", [*LOSSES, own.asymmetric_margin(), *OF_ARRAYS, Scaled()], ids=lambda loss: type(loss).__name__
)
def test_training_lowers_the_loss(library, loss):
    X, y = data_of(loss)
    model = library.train(library.data(X, y), 5, loss=loss)
    raw = library.adapter.raw_score(model, X)
    assert loss(y, raw) < 0.95 * loss(y, np.broadcast_to(loss.init_score(y), raw.shape))


@each_library
@pytest.mark.parametrize("loss", [*LOSSES, Scaled()], ids=repr)
def test_a_loaded_model_knows_the_loss(library, loss, tmp_path):
    X, y = data_of(loss)
    model = library.train(library.data(X, y), 5, loss=loss)
    path = tmp_path / f"model.{library.suffix}"
    model.save_model(str(path))
    raw = library.adapter.raw_score(model, X)
    expected = columns(loss.posterior(np.asarray(raw, np.float64)))
    has_metadata = library is not LIGHTGBM
    proba = library.adapter.predict_proba(library.load(path), X, loss=None if has_metadata else loss)
    assert_allclose(proba, expected, rtol=1e-5)


@each_library
def test_a_model_of_a_loss_that_has_gone_still_gives_raw_scores(library, tmp_path, monkeypatch):
    loss = own.poly1(2.0)
    X, y = data_of(loss)
    model = library.train(library.data(X, y), 3, loss=loss)
    monkeypatch.setattr(type(loss), "source", lambda self: "another text")
    with pytest.raises(ValueError, match="its text has changed"):
        library.adapter.predict_proba(model, X)
    assert np.isfinite(library.adapter.raw_score(model, X)).all()


@each_library
def test_a_shifted_sigmoid_is_servable(library):
    loss = own.cost_sensitive(5.0)
    X, y = data_of(loss)
    model = library.train(library.data(X, y), 3, loss=loss)
    served = library.adapter.servable(model)
    assert_allclose(columns(library.own_predictions(served, X)), library.adapter.predict_proba(model, X), rtol=1e-4)
    with pytest.raises(ValueError, match="not a sigmoid or softmax"):
        library.adapter.servable(library.train(library.data(X, y), 3, loss=own.poly1()))


@each_library
def test_focal_as_a_formula_trains_the_same_model(library):
    by_hand = own.focal(2.0)
    X, y = data_of(by_hand)
    hand, builtin = (library.train(library.data(X, y), 5, loss=loss) for loss in (by_hand, FocalLoss(2.0)))
    for function in (library.adapter.raw_score, library.adapter.predict_proba):
        assert_allclose(function(hand, X), function(builtin, X), rtol=1e-6, atol=1e-6)


def test_the_classifier_weighs_classes_and_searches_parameters():
    X, y = data_of(own.poly1())
    estimator = LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1)
    model = CalibratedBoostingClassifier(estimator, loss=own.poly1(), cv=2, class_weight="balanced").fit(X, y)
    assert model.score(X, y) > 0.9
    search = GridSearchCV(model, {"loss__epsilon": [0.0, 2.0]}, cv=2).fit(X, y)
    assert isinstance(search.best_estimator_.loss, own.poly1)


@pytest.mark.parametrize("loss", OF_ARRAYS, ids=["binary", "multiclass"])
@pytest.mark.parametrize("soft", [False, True])
def test_functions_of_arrays_are_a_loss(loss, soft):
    y, raw = sample(loss, soft=soft)
    weight = np.random.default_rng(1).random(len(y))
    plain = SoftmaxCrossEntropy() if loss.multiclass else LogLoss()
    assert_allclose(loss.per_sample(y, raw, weight), plain.per_sample(y, raw, weight), rtol=1e-9, atol=1e-15)
    assert_allclose(loss(y, raw, weight), plain(y, raw, weight), rtol=1e-12)
    ours, others = loss.gradient_hessian(y, raw, weight), plain.gradient_hessian(y, raw, weight)
    for one, other in zip(ours, others, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-14)
    assert_allclose(loss.init_score(y), plain.init_score(y), atol=1e-8)
    assert_allclose(loss.posterior(raw), plain.posterior(raw), rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueError, match="raw must be finite"):
        loss(y, np.full_like(raw, np.nan))


def test_classes_of_functions_of_arrays_need_not_be_alike():
    costs = np.array([1.0, 2.0, 4.0])

    def weighted(function):
        return lambda y, raw: (costs[y.astype(int)] * function(y, raw).T).T

    loss = MulticlassArrayLoss(*map(weighted, (value_of_k, gradient_of_k, hessian_of_k)))
    assert_allclose(loss.init_score([0, 1, 2]), np.log(costs) - np.log(costs).mean(), atol=1e-12)
