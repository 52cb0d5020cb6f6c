"""Values and derivatives of the losses on one thread, against a memory copy, NumPy and scikit-learn.

Labels and weights are float32, as in all three boosting libraries. Raw scores are float32 in C order, as in XGBoost, or
float64, in Fortran order for K classes, as in LightGBM. If a reference needs other labels, they are converted beforehand.

Rows with "given outputs" write into preallocated arrays; in the others, both sides allocate their results in every call.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss

from boosting_losses import FocalLoss, LogLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss, metrics
from boosting_losses._types import Array
from boosting_losses.losses import Loss

from . import allocator, numpy_losses
from .measure import Bar, Case, Pair, Row, Timed, speed_ups

#: The ratio of rows for K classes to rows for a binary loss. It keeps the number of cells constant for derivatives, and
#: reduces it for scores, whose references are slow.
_SHARE_OF_ROWS = {3: 1.0, 10: 0.3, 100: 0.03}
_SHARE_OF_METRIC_ROWS = {3: 0.1, 10: 0.1, 100: 0.01}


@dataclass(frozen=True)
class _Data:
    y: Array
    raw: Array
    weight: Array

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """The labels as integers."""
        return self.y.astype(np.int64)

    def outputs(self, dtype: npt.DTypeLike) -> tuple[Array, Array]:
        """Return arrays for the gradient and the Hessian whose memory is already mapped."""
        return np.full_like(self.raw, 0.0, dtype=dtype), np.full_like(self.raw, 0.0, dtype=dtype)


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the rows whose names match ``--only``."""
    allocator.settle(arguments.memory)
    return speed_ups(_cases(arguments.rows), arguments)


def derivatives(loss: Loss, y: Array, raw: Array, weight: Array | None, gradient: Array, hessian: Array) -> None:
    """Write the gradient and the Hessian into the given arrays."""
    loss.write_gradient_hessian(y, raw, weight, gradient, hessian)


def _cases(rows: int) -> Iterator[Case]:
    yield from _against_copy(rows)
    yield from _binary_against_numpy(rows)
    yield from _multiclass_against_numpy(rows)
    yield from _against_sklearn(rows)
    yield from _metrics_against_sklearn(rows)


# ---- memory copy -------------------------------------------------------------------------------------------------------


def _against_copy(rows: int) -> Iterator[Case]:
    for weighted in (False, True):
        name = f"logistic float32{', weights' if weighted else ''} / memory copy"
        yield Case(name, partial(_copy_pair, rows, weighted, given=False), rows, "Mrow/s", Bar(0.7))
        yield Case(f"{name}, given outputs", partial(_copy_pair, rows, weighted, given=True), rows, "Mrow/s", Bar(0.7))


def _copy_pair(rows: int, weighted: bool, given: bool) -> Pair:
    """Copy half the bytes of labels, scores, weights and outputs: reads plus writes then equal the bytes of all of them."""
    data = _data(rows, None, np.float32)
    weight = data.weight if weighted else None
    numbers = (5 if weighted else 4) * rows // 2
    source, target = np.ones(numbers, np.float32), np.ones(numbers, np.float32)
    return _ours(LogLoss(), data, weight, np.float32 if given else None), partial(np.copyto, target, source)


# ---- NumPy -------------------------------------------------------------------------------------------------------------


def _binary_against_numpy(rows: int) -> Iterator[Case]:
    losses = (
        ("logistic", LogLoss(), numpy_losses.logistic, 5.0, 3.0),
        ("focal gamma=2", FocalLoss(gamma=2.0), partial(numpy_losses.focal, gamma=2.0), 4.0, 5.0),
        ("focal gamma=1.5", FocalLoss(gamma=1.5), partial(numpy_losses.focal, gamma=1.5), 2.5, 4.0),
    )
    for name, loss, formula, single, double in losses:
        for dtype, out, bar in (
            (np.float32, None, Bar(single)),
            (np.float64, None, None if name == "logistic" else Bar(double)),
            (np.float64, np.float32, Bar(double)),
        ):
            pair = partial(_numpy_pair, loss, formula, rows, None, dtype, "C", out)
            yield Case(f"{name} {_types(dtype, out)} / NumPy", pair, rows, "Mrow/s", bar)


def _multiclass_against_numpy(rows: int) -> Iterator[Case]:
    softmax = ("softmax", SoftmaxCrossEntropy(), numpy_losses.softmax)
    focal = ("softmax focal gamma=2", SoftmaxFocalLoss(gamma=2.0), partial(numpy_losses.softmax_focal, gamma=2.0))
    for (name, loss, formula), single, double in (
        (softmax, {3: 8.0, 10: 8.0, 100: 4.0}, {3: 5.0, 10: 5.0, 100: 3.0}),
        (focal, {3: 6.0, 10: 6.0, 100: None}, {3: 6.0, 10: 6.0, 100: None}),
    ):
        for classes, share in _SHARE_OF_ROWS.items():
            count = _at_least_two(rows * share, classes)
            for dtype, order, out, limit in (
                (np.float32, "C", None, single[classes]),
                (np.float64, "F", None, double[classes]),
                (np.float64, "F", np.float64, double[classes]),
            ):
                pair = partial(_numpy_pair, loss, formula, count, classes, dtype, order, out)
                title = f"{name} K={classes} {_types(dtype, out, order)} / NumPy"
                yield Case(title, pair, count * classes, "Mcell/s", None if limit is None else Bar(limit))


def _numpy_pair(
    loss: Loss,
    formula: Callable[..., object],
    rows: int,
    classes: int | None,
    dtype: npt.DTypeLike,
    order: str,
    out: npt.DTypeLike | None,
) -> Pair:
    data = _data(rows, classes, dtype, order)
    labels = data.y if classes is None else data.codes
    return _ours(loss, data, None, out), partial(formula, labels, data.raw)


# ---- scikit-learn ------------------------------------------------------------------------------------------------------


def _against_sklearn(rows: int) -> Iterator[Case]:
    for dtype, limit in ((np.float32, 15.0), (np.float64, 5.0)):
        pair = partial(_sklearn_pair, rows, None, dtype, "C", np.float32)
        yield Case(f"logistic {_types(dtype, np.float32)} / scikit-learn", pair, rows, "Mrow/s", Bar(limit))
    for classes, share in _SHARE_OF_ROWS.items():
        count = _at_least_two(rows * share, classes)
        for dtype, order, limit in ((np.float32, "C", 5.0 if classes == 100 else 8.0), (np.float64, "F", 5.0)):
            pair = partial(_sklearn_pair, count, classes, dtype, order, dtype)
            name = f"softmax K={classes} {_types(dtype, dtype, order)} / scikit-learn"
            yield Case(name, pair, count * classes, "Mcell/s", Bar(limit))


def _sklearn_pair(rows: int, classes: int | None, dtype: npt.DTypeLike, order: str, out: npt.DTypeLike) -> Pair:
    data = _data(rows, classes, dtype, order)
    loss, reference = (
        (LogLoss(), HalfBinomialLoss())
        if classes is None
        else (SoftmaxCrossEntropy(), HalfMultinomialLoss(n_classes=classes))
    )
    y = data.y.astype(data.raw.dtype)  # scikit-learn requires labels and scores of the same dtype
    gradient, hessian = data.outputs(out)
    theirs = partial(reference.gradient_hessian, y, data.raw, None, gradient, hessian, n_threads=1)
    return _ours(loss, data, None, out), theirs


# ---- scores ------------------------------------------------------------------------------------------------------------


def _metrics_against_sklearn(rows: int) -> Iterator[Case]:
    for dtype in (np.float32, np.float64):
        name = f"weighted mean log loss {_types(dtype, None)} / scikit-learn"
        yield Case(name, partial(_log_loss_pair, LogLoss(), rows, None, dtype), rows, "Mrow/s", Bar(40.0))
    for classes, share in _SHARE_OF_METRIC_ROWS.items():
        count = _at_least_two(rows * share, classes)
        for dtype in (np.float32, np.float64):
            pair = partial(_log_loss_pair, SoftmaxCrossEntropy(), count, classes, dtype)
            name = f"weighted mean log loss K={classes} {_types(dtype, None)} / scikit-learn"
            yield Case(name, pair, count * classes, "Mcell/s", Bar(20.0) if classes == 10 else None)
    yield Case("weighted Brier score float64 / scikit-learn", partial(_brier_pair, rows), rows, "Mrow/s", None)


def _log_loss_pair(loss: Loss, rows: int, classes: int | None, dtype: npt.DTypeLike) -> Pair:
    """Return the log loss from raw scores, and that of scikit-learn from precomputed probabilities."""
    data = _data(rows, classes, dtype)
    labels = None if classes is None else list(range(classes))
    reference = partial(
        sklearn.metrics.log_loss, data.codes, loss.activation(data.raw), sample_weight=data.weight, labels=labels
    )
    return partial(loss, data.y, data.raw, data.weight), reference


def _brier_pair(rows: int) -> Pair:
    data = _data(rows, None, np.float64)
    proba = LogLoss().activation(data.raw)
    reference = partial(sklearn.metrics.brier_score_loss, data.codes, proba, sample_weight=data.weight)
    return partial(metrics.brier_score, data.y, proba, data.weight), reference


# ---- data and functions ------------------------------------------------------------------------------------------------


def _ours(loss: Loss, data: _Data, weight: Array | None, out: npt.DTypeLike | None) -> Timed:
    """Return the public method, or, if ``out`` is a dtype, the method that writes into given arrays."""
    if out is None:
        return partial(loss.gradient_hessian, data.y, data.raw, weight)
    return partial(derivatives, loss, data.y, data.raw, weight, *data.outputs(out))


def _data(rows: int, classes: int | None, dtype: npt.DTypeLike, order: str = "C") -> _Data:
    """Draw labels, raw scores and weights of K classes; ``None`` means two classes with one score per row."""
    random = np.random.default_rng(0)
    if classes is None:
        raw = random.normal(0.0, 2.0, rows)
        y = random.random(rows) < 1.0 / (1.0 + np.exp(-raw))
        y[:2] = (False, True)  # the smallest data, too, contain both classes
    else:
        raw = random.normal(0.0, 1.5, (rows, classes))
        y = (raw + random.gumbel(size=raw.shape)).argmax(axis=1)
    weight = random.uniform(0.5, 1.5, rows).astype(np.float32)
    return _Data(y.astype(np.float32), np.asarray(raw, dtype, order), weight)  # type: ignore[call-overload]


def _types(scores: npt.DTypeLike, out: npt.DTypeLike | None, order: str = "") -> str:
    """Return the dtype and order of the scores, and the dtype of given outputs, as text."""
    name = f"{np.dtype(scores).name} {order}".rstrip()
    if out is None:
        return name
    return f"{name}, given outputs" if out == scores else f"{name} to {np.dtype(out).name}, given outputs"


def _at_least_two(rows: float, classes: int) -> int:
    """Return the number of rows, but at least two for each class."""
    return max(int(rows), 2 * classes)
