"""The memory of XGBoost's objective and training, and the gradient that is written over the raw scores."""

import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_allclose, assert_array_equal

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from boosting_losses.adapters.xgboost import Objective, train
from boosting_losses.adapters.xgboost._objects import InPlaceObjective
from boosting_losses.losses import binary

from . import own_losses as own
from .cases import sample
from .test_own_losses_trained import OF_ARRAYS, Scaled

ROWS = 300_000


def matrix(loss, rows=ROWS, *, weighted=False, soft=False):
    """Data with one feature, whose first rows contain every class."""
    random = np.random.default_rng(0)
    classes = 4 if loss.multiclass else 2
    y = random.integers(classes, size=rows).astype(np.float32)
    y[:classes] = np.arange(classes)
    if soft:
        y = np.eye(classes)[y.astype(int)] * 0.5 + 0.5 / classes if loss.multiclass else np.clip(y, 0.1, 0.9)
    weight = random.random(rows) if weighted else None
    return xgb.QuantileDMatrix(random.random((rows, 1), np.float32), y, weight=weight, max_bin=4)


@contextmanager
def traced():
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


each_loss = pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy()], ids=repr)


@each_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_the_objective_allocates_the_hessian_labels_and_weights_only(loss, weighted):
    data = matrix(loss, weighted=weighted)
    raw = np.zeros((ROWS, 4) if loss.multiclass else ROWS, np.float32)
    objective = InPlaceObjective(loss)
    objective(raw.copy(), data)  # compiles
    with traced():
        results = objective(raw, data)
        kept, peak = tracemalloc.get_traced_memory()
    assert results[0] is raw
    labels = (2 if weighted else 1) * 4 * ROWS
    scratch = 4 * binary._COPIED + 200_000
    assert kept == pytest.approx(raw.nbytes, abs=20_000)
    assert peak < raw.nbytes + labels + scratch


class Memory(xgb.callback.TrainingCallback):
    """The Python memory at the start of each round, and its peak during the round."""

    def __init__(self):
        self.held, self.peaks = [], []

    def before_iteration(self, model, epoch, evals_log):
        tracemalloc.reset_peak()
        self.held.append(tracemalloc.get_traced_memory()[0])
        return False

    def after_iteration(self, model, epoch, evals_log):
        self.peaks.append(tracemalloc.get_traced_memory()[1])
        return False


@pytest.mark.parametrize("soft", [False, True])
@each_loss
def test_no_array_lives_longer_than_a_round(loss, soft):
    memory = Memory()

    def run(rows, callbacks):
        data = matrix(loss, rows, soft=soft, weighted=True)
        more = {"evals": [(data, "train")], "early_stopping_rounds": 2, "verbose_eval": False, "callbacks": callbacks}
        train({"max_depth": 2, "max_bin": 4, "nthread": 1}, data, 3, loss=loss, **more)

    run(100, [])  # compiles
    with traced():
        run(ROWS, [memory])
    scores = 4 * ROWS * (4 if loss.multiclass else 1)
    labels = scores if soft else 4 * ROWS
    assert max(memory.held) < 200_000
    # The scores, the Hessian, labels and weights; the metric holds less.
    assert max(memory.peaks) < 2 * scores + labels + 4 * ROWS + 4 * binary._COPIED + 200_000


class ReadsLate(Scaled):
    """A loss that reads the scores again after it has written the gradient."""

    def write_gradient_hessian(self, y_true, raw, sample_weight, gradient, hessian, *, shift=None, factor=1.0):
        w = 1.0 if sample_weight is None else sample_weight
        gradient[:] = w * (1 / (1 + np.exp(-raw)) - y_true)
        hessian[:] = w * factor / (2 + np.exp(raw) + np.exp(-raw))


@pytest.mark.parametrize(
    "loss",
    [
        *(
            LogLoss(pos_weight=3.0, label_smoothing=0.1),
            FocalLoss(1.5),
            own.asymmetric_margin(margin=0.05),
            ReadsLate(),
        ),
        *(SoftmaxCrossEntropy(), SoftmaxFocalLoss(), own.softmax_poly1(2.0)),
        *OF_ARRAYS,
    ],
    ids=lambda loss: type(loss).__name__,
)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_writing_over_the_scores_gives_the_same_derivatives(loss, soft, weighted, monkeypatch):
    monkeypatch.setattr(binary, "_COPIED", 64)
    y, raw = sample(loss, soft=soft)
    raw = raw.astype(np.float32)
    weight = np.random.default_rng(1).random(len(y)) if weighted else None
    if weighted:
        weight[10:130] = 0.0  # more than a block
    data = xgb.DMatrix(np.zeros((len(y), 1)), y, weight=weight)
    given = raw.copy()
    expected = Objective(loss)(given, data)
    assert_array_equal(given, raw)
    for one, other in zip(InPlaceObjective(loss)(raw, data), expected, strict=True):
        assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    "loss", [LogLoss(), FocalLoss(), OF_ARRAYS[0], SoftmaxCrossEntropy()], ids=lambda loss: type(loss).__name__
)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_the_error_names_the_row_of_a_bad_score(loss, bad, monkeypatch):
    monkeypatch.setattr(binary, "_COPIED", 64)
    data = matrix(loss, 300)
    raw = np.zeros((300, 4) if loss.multiclass else 300, np.float32)
    raw[170], raw[250] = bad, bad
    with pytest.raises(ValueError, match=f"raw must be finite, got {bad} in row 170"):
        InPlaceObjective(loss)(raw, data)
