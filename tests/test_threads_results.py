"""Results of chunks that several threads compute: equal to the last bit for any number of threads, and equal to one pass."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss, _threads, num_threads
from boosting_losses._kernels.binary import binary_loops
from boosting_losses._kernels.multiclass import multiclass_loops
from boosting_losses._kernels.rows import row_loops
from boosting_losses._threads import _chunks
from boosting_losses.adapters.xgboost import Sketch
from boosting_losses.adapters.xgboost._sketch import sketched
from boosting_losses.calibration import (
    BetaCalibration,
    IsotonicCalibration,
    PlattScaling,
    TemperatureScaling,
    VectorScaling,
)
from boosting_losses.losses import ArrayLoss, MulticlassArrayLoss
from boosting_losses.metrics import bootstrap, confidence_interval, paired_difference, reliability_curve
from boosting_losses.metrics._raw_scores import means_of_raw
from boosting_losses.report import SCORES

from .cases import LOSSES, each_dtype, sample
from .several_threads import take_part
from .test_sketch import needs_interface

ROWS = 2_500
COUNTS = (1, 2, 3, 7)

#: The losses that default tests cover: cross-entropy and another formula, of two and of many classes.
QUICK = ("log-weighted", "focal-2", "softmax-weighted", "softmax-focal-2")


def exponential(y, raw):
    return np.exp(np.where(y == 1, -raw, raw) / 2)


def slope(y, raw):
    return np.where(y == 1, -0.5, 0.5) * exponential(y, raw)


def curvature(y, raw):
    return exponential(y, raw) / 4


def square(y, raw):
    return ((raw - (y[:, None] == np.arange(raw.shape[1]))) ** 2).sum(axis=1)


def square_slope(y, raw):
    return 2.0 * (raw - (y[:, None] == np.arange(raw.shape[1])))


def square_curvature(y, raw):
    return np.full(raw.shape, 2.0)


ARRAY_LOSSES = (
    ArrayLoss(exponential, slope, curvature),
    MulticlassArrayLoss(square, square_slope, square_curvature),
)


@pytest.fixture
def everyone(monkeypatch):
    return take_part(monkeypatch)


def bits(results):
    """Return results as bytes, which also tell -0.0 from 0.0."""
    return [np.ascontiguousarray(result).tobytes() for result in results]


def assert_same_bits(compute, everyone, least=2):
    """Assert that results do not depend on the number of threads, of which several took part."""
    with num_threads(1):
        expected = [np.array(result) for result in compute()]
    for count in COUNTS[1:]:
        everyone.most = 0
        with num_threads(count):
            assert bits(compute()) == bits(expected), count
        assert min(count, least) <= everyone.most <= count
    return expected


def in_one_pass(compute):
    """Return results that were computed without chunks."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (_threads, _chunks):
            patch.setattr(module, "chunks", lambda rows, width=1.0: [slice(0, rows)])
        return compute()


def of_loss(loss, y, raw, weight):
    """Return everything that a loss computes for rows."""
    shift = np.linspace(-0.5, 0.5, raw.shape[1]) if loss.multiclass else 0.25
    gradient, hessian = np.empty((2, *raw.shape), np.float32)
    loss.write_gradient_hessian(y, raw, weight, gradient, hessian, shift=shift, factor=2.5)
    yield from (gradient, hessian)
    yield from loss.gradient_hessian(y, raw, weight)
    yield from loss.sum_and_weight(y, raw, weight, shift=shift)
    yield loss(y, raw, weight)
    yield loss.per_sample(y, raw, weight)
    yield loss.activation(raw)
    try:
        yield loss.posterior(raw)
        yield loss.posterior(raw, undo_smoothing=True)
        yield loss.posterior_logits(raw)
    except ValueError as error:  # a loss without posterior
        assert "posterior" in str(error)  # noqa: PT017


def forms(loss, dtype):
    """Yield labels, scores and weights in all forms that reach different loops or conversions."""
    y, raw = sample(loss, ROWS)
    raw = raw.astype(dtype)
    weight = np.random.default_rng(1).random(ROWS)
    weight[: ROWS // 3] = 0.0  # chunks of weight 0
    yield y, raw, None
    if dtype == np.float32:
        yield y.astype(np.float32), raw, weight.astype(dtype)
    yield y.astype(np.float64), raw, weight
    yield y.astype(np.float32), raw, weight  # of different dtypes
    yield y == 1, np.repeat(raw, 2, axis=0)[::2], weight.astype(">f4")  # conversions of each chunk
    frozen = raw.copy()
    frozen.flags.writeable = False
    yield sample(loss, ROWS, soft=True)[0], frozen, weight
    if loss.multiclass:
        yield y.astype(np.float64), np.asfortranarray(raw), weight


@each_dtype
@pytest.mark.parametrize(
    "loss",
    [pytest.param(loss, id=name, marks=() if name in QUICK else pytest.mark.slow) for name, loss in LOSSES.items()],
)
def test_losses(loss, dtype, everyone):
    for y, raw, weight in forms(loss, dtype):
        chunked = assert_same_bits(lambda: of_loss(loss, y, raw, weight), everyone)  # noqa: B023
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        for result, one_pass in zip(chunked, in_one_pass(lambda: list(of_loss(loss, y, raw, weight))), strict=True):  # noqa: B023
            assert_allclose(result, one_pass, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("loss", ARRAY_LOSSES)
def test_losses_of_numpy_functions_are_called_by_one_thread(loss, everyone):
    for y, raw, weight in forms(loss, np.float64):
        with num_threads(4):
            chunked = list(of_loss(loss, y, raw, weight))
        for result, one_pass in zip(chunked, in_one_pass(lambda: list(of_loss(loss, y, raw, weight))), strict=True):  # noqa: B023
            assert_allclose(result, one_pass, rtol=1e-12)


@pytest.mark.parametrize("loss", [FocalLoss(), SoftmaxFocalLoss()])
@pytest.mark.parametrize("rows", [1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023, 1024, 1025])
def test_numbers_of_rows_around_the_borders_of_chunks(loss, rows, everyone):
    y, raw = sample(loss, rows)
    chunked = assert_same_bits(lambda: of_loss(loss, y, raw, None), everyone, least=1)
    for result, one_pass in zip(chunked, in_one_pass(lambda: list(of_loss(loss, y, raw, None))), strict=True):
        assert_allclose(result, one_pass, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("width", [0.25, 1.0, 3.0, 100.0, 1e7])
def test_chunks_are_all_rows_in_order(width, monkeypatch):
    monkeypatch.setattr(_chunks, "FEWEST", 256)
    monkeypatch.setattr(_chunks, "MOST", 2048)
    for rows in [*range(300), *range(1000, 1100), 99_999]:
        chunks = _threads.chunks(rows, width)
        joined = np.concatenate([np.arange(chunk.start, chunk.stop) for chunk in chunks])
        assert (joined == np.arange(rows)).all()
        assert all(chunk.start % _chunks.ALIGNMENT == 0 for chunk in chunks)


def predictions(classes):
    rng = np.random.default_rng(classes)
    if classes == 2:
        z = rng.normal(-0.5, 1.5, ROWS)
        p = 1.0 / (1.0 + np.exp(-z))
        return (rng.random(ROWS) < p).astype(int), p, rng.random(ROWS)
    p = rng.dirichlet(np.ones(classes), ROWS)
    return (rng.random((ROWS, 1)) > p.cumsum(axis=1)).sum(axis=1), p, rng.random(ROWS)


@pytest.mark.parametrize("name", SCORES)
def test_scores_and_their_intervals(name, everyone):
    score = SCORES[name].function
    for classes in (2,) if SCORES[name].two_classes_only else (2, 4):
        y, p, w = predictions(classes)
        raw = np.log(p) - (np.log1p(-p) if p.ndim == 1 else 0.0)

        def compute(y=y, p=p, w=w, raw=raw):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield score(y, p)
                yield score(y.astype(np.float32), np.asfortranarray(p, np.float32), w)
                yield score(y, None, w, raw=raw)
                yield confidence_interval(score, y, p, w, n_resamples=300)

        chunked = assert_same_bits(compute, everyone, least=1)
        for result, one_pass in zip(chunked, in_one_pass(lambda: list(compute())), strict=True):
            assert_allclose(result, one_pass, rtol=1e-6, atol=1e-9)


def test_many_scores_of_rows(everyone):
    y, p, w = predictions(2)
    scores = {name: SCORES[name].function for name in ("log_loss", "roc_auc", "calibration_error")}
    bad = np.clip(p + 0.1, 0.0, 1.0)

    def compute():
        yield from bootstrap(scores, y, p, w, n_resamples=600).values()
        yield paired_difference(scores["calibration_error"], y, p, bad, w, n_resamples=600)
        yield from reliability_curve(y, p, w)
        yield means_of_raw(y, np.log(p) - np.log1p(-p), w, 0.1)

    assert_same_bits(compute, everyone)


def test_losses_of_soft_labels_and_many_classes(everyone):
    y, p, w = predictions(4)
    soft, raw = np.eye(4)[y] * 0.9 + 0.025, np.log(p)

    def compute():
        for labels in (y, soft):
            yield means_of_raw(labels, raw, w, np.arange(4.0) / 4)
            yield SCORES["log_loss"].function(labels, np.asfortranarray(p), w)

    assert_same_bits(compute, everyone)


@pytest.mark.parametrize(
    "calibrator", [TemperatureScaling, PlattScaling, BetaCalibration, IsotonicCalibration, VectorScaling]
)
@pytest.mark.parametrize("classes", [2, 4])
@each_dtype
def test_fits_of_calibrators(calibrator, classes, dtype, everyone):
    loss = SoftmaxCrossEntropy() if classes > 2 else LogLoss()
    y, raw = sample(loss, ROWS)
    weight = np.random.default_rng(2).random(ROWS)

    def compute():
        for w in (None, weight.astype(dtype)):
            fit = calibrator().fit(raw.astype(dtype), y, w)
            yield fit.predict_proba(raw)
            for name, value in sorted(vars(fit).items()):
                if name.endswith("_") and isinstance(value, (float, np.ndarray)):
                    yield value

    chunked = assert_same_bits(compute, everyone, least=0 if calibrator is IsotonicCalibration else 2)
    for result, one_pass in zip(chunked, in_one_pass(lambda: list(compute())), strict=True):
        assert_allclose(result, one_pass, rtol=1e-5, atol=1e-7)


@needs_interface
def test_sketches(everyone):
    grad, hess = np.random.default_rng(0).random((2, ROWS, 20), dtype=np.float32)
    objective = sketched(SoftmaxCrossEntropy(), Sketch(2), 0)
    chunked = assert_same_bits(lambda: objective.split_grad(3, grad, hess), everyone)
    directions = Sketch(2).directions(3, 20)
    assert_allclose(chunked[0], grad @ directions.T, rtol=1e-5, atol=1e-5)
    assert_allclose(chunked[1], hess @ (directions**2).T, rtol=1e-5)


@pytest.mark.parametrize(
    ("loops", "loss", "soft"),
    [
        (binary_loops, FocalLoss(), False),
        (multiclass_loops, SoftmaxFocalLoss(), False),
        (row_loops, SoftmaxFocalLoss(), True),
    ],
)
def test_loops_are_made_once(loops, loss, soft, everyone):
    y, raw = sample(loss, ROWS, soft=soft)
    loops.cache_clear()
    with num_threads(3):
        loss.gradient_hessian(y, raw)
    assert loops.cache_info().misses == 1


# ---- invalid rows -----------------------------------------------------------------------------------------------------


def invalid(loss):
    y, raw = sample(loss, ROWS)
    return y.astype(np.float64), raw, np.ones(ROWS)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("loss", [LogLoss(), FocalLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss(), *ARRAY_LOSSES])
def test_the_first_invalid_row_is_named(loss, count, everyone):
    computations = (loss.gradient_hessian, loss, loss.per_sample)
    for first in (0, 64, 1_000, ROWS - 1):
        rows = [row for row in (first, first + 300, ROWS - 1) if row < ROWS]
        for values, value, message in (
            (0, 9.0, "y_true must .*9.0"),
            (1, np.nan, "raw must be finite, got nan"),
            (2, -1.0, "sample_weight must be .*-1.0"),
        ):
            data = invalid(loss)
            data[values][rows] = value
            for compute in computations:
                with num_threads(count), pytest.raises(ValueError, match=f"{message} in row {first}$"):
                    compute(*data)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("loss", [LogLoss(), SoftmaxCrossEntropy(), SoftmaxFocalLoss(), *ARRAY_LOSSES])
def test_weights_of_0_in_chunks_and_everywhere(loss, count, everyone, monkeypatch):
    y, raw, weight = invalid(loss)
    weight[:] = 0.0
    for soft in (y, sample(loss, ROWS, soft=True)[0]):
        for compute in (loss.gradient_hessian, loss, loss.per_sample):
            with num_threads(count), pytest.raises(ValueError, match="sample_weight must have a sum > 0"):
                compute(soft, raw, weight)
    weight[ROWS - 1] = 2.0
    refuse = "refuse_multiclass" if loss.multiclass else "refuse_binary"
    monkeypatch.setattr("boosting_losses._validation." + refuse, None)  # a search for an invalid row would take long
    with num_threads(count):
        gradient, _ = loss.gradient_hessian(y, raw, weight)
        assert_allclose(loss(y, raw, weight), loss.per_sample(y[-1:], raw[-1:])[0])
    assert not gradient[:-1].any()
    assert gradient[-1].any()


def test_the_first_invalid_probability_is_named(everyone):
    y, p, w = predictions(2)
    p[[900, 70, 2_000]] = 1.5
    with num_threads(3):
        for name in ("log_loss", "brier_score", "calibration_error"):
            with pytest.raises(ValueError, match=r"proba must lie in \[0, 1\], got 1.5 in row 70"):
                SCORES[name].function(y, p, w)


def test_helpers_do_not_warn(everyone):
    """A caller who has turned NumPy's warnings off gets none from other threads."""
    y, raw = sample(LogLoss(), ROWS)
    gradient, hessian = np.empty((2, ROWS), np.float32)
    with warnings.catch_warnings(), num_threads(3), np.errstate(over="ignore"):
        warnings.simplefilter("error")
        LogLoss().write_gradient_hessian(y, raw, None, gradient, hessian, factor=1e40)
    assert np.isinf(hessian).any()
    assert everyone.most == 3
