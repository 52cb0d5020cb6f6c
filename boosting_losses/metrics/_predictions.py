"""Labels, probabilities and weights of an evaluation, checked once and then summed by the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels import binning
from .._kernels import probabilities as kernels
from .._types import Array
from ..losses import LogLoss, SoftmaxCrossEntropy

_Result = TypeVar("_Result")

Numbers = npt.NDArray[np.float64]

#: Weights are rescaled unless the largest lies between this value and its inverse.
_LEAST_WEIGHT = 1e-100


class Predictions(NamedTuple):
    """Labels ``(n,)`` or ``(n, K)``, probabilities ``(n,)`` or ``(n, K)`` and weights ``(n,)`` or None.

    Shapes and dtypes have been checked; the kernels check the values.
    """

    y: Array
    proba: Array
    weight: Array | None
    #: The raw scores from which the probabilities were computed, if any. They avoid rounding errors in the log loss.
    raw: Array | None = None

    @property
    def is_binary(self) -> bool:
        return self.proba.ndim == 1

    @property
    def classes(self) -> int:
        return 2 if self.is_binary else int(self.proba.shape[1])

    def take(self, rows: npt.NDArray[np.intp]) -> Predictions:
        """Return the given rows, in the given order."""
        weight, raw = (None if part is None else part[rows] for part in (self.weight, self.raw))
        return Predictions(self.y[rows], self.proba[rows], weight, raw)

    def tried(self) -> Predictions:
        """Check the values, and correct rounding errors in the probabilities.

        Probabilities that leave [0, 1] only by rounding are set to 0 or 1, with a warning. Negative zeros become
        positive, because the kernels do not expect them.
        """
        _validation.refuse_weights(self.weight)
        y = _validation.numbers("y_true", self.y) + 0.0
        if self.is_binary:
            _validation.refuse_binary_labels(y)
        else:
            _validation.refuse_class_labels(y, self.classes)
        weight = None if self.weight is None else self.weight + 0.0
        return Predictions(y, _validation.tried_probabilities(self.proba), weight, self.raw)


class Sums(NamedTuple):
    """Weighted sums of log loss, squared error and 1, and the number of rows where ``eps`` clipped the probability."""

    loss: float
    square: float
    weight: float
    moved: int

    def mean(self, score: Literal["log_loss", "brier"]) -> float:
        """Return the mean log loss or the mean squared error."""
        return (self.loss if score == "log_loss" else self.square) / self.weight


def check(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None = None,
    raw: npt.ArrayLike | None = None,
) -> Predictions:
    """Check the shapes of predictions: probabilities, or raw scores, to which the sigmoid or softmax is applied.

    Two columns contain the probabilities of two classes, and are reduced to the second column.
    """
    refuse_both_or_none(proba, raw)
    if raw is not None:
        raw = _validation.numeric("raw", raw)
        proba = _loss_of(raw).activation(raw)
    p = _validation.numeric("proba", proba)  # type: ignore[arg-type]  # it is not None
    if p.ndim not in (1, 2) or (p.ndim == 2 and p.shape[1] < 2):
        raise ValueError(f"proba must have shape (n,) or (n, K) with K >= 2, got {p.shape}")
    if p.ndim == 2 and p.shape[1] == 2:
        y_true, p, raw = _of_second_class(y_true, p, raw)
    if p.ndim == 1:
        y = _validation.numeric("y_true", y_true)
        weight = None if sample_weight is None else _validation.numeric("sample_weight", sample_weight)
        _validation.refuse_odd_labels_or_weights(y, weight, multiclass=False)
    else:
        y, weight = _validation.labels_and_weights(y_true, sample_weight, multiclass=True)
    _validation.refuse_other_length(y, p, "proba")
    _validation.refuse_other_shape(y, p, "proba")
    return Predictions(y, p, weight, raw)


def checked(
    y_true: npt.ArrayLike,
    proba: npt.ArrayLike | None,
    sample_weight: npt.ArrayLike | None,
    raw: npt.ArrayLike | None,
) -> Predictions:
    """Check the shapes and the values of predictions."""
    data = check(y_true, proba, sample_weight, raw)
    if data.y.ndim == 2:
        raise ValueError(f"y_true must hold class codes (n,), got soft labels of shape {data.y.shape}")
    data = data.tried()
    weight = None if data.weight is None else tamed(np.ascontiguousarray(data.weight, dtype=np.float64))
    return Predictions(np.ascontiguousarray(data.y), np.ascontiguousarray(data.proba), weight, data.raw)


def tamed(weight: Numbers) -> Numbers:
    """Return the weights, rescaled if their squares could overflow or underflow."""
    top = float(weight.max())
    return weight if _LEAST_WEIGHT < top < 1.0 / _LEAST_WEIGHT or top == 0.0 else weight / top


def weights(data: Predictions) -> Numbers:
    """Return the weights of the rows as float64."""
    if data.weight is None:
        return np.ones(len(data.y))
    return tamed(np.ascontiguousarray(data.weight, dtype=np.float64))


def _of_second_class(
    y_true: npt.ArrayLike, proba: Array, raw: Array | None
) -> tuple[npt.NDArray[Any], Array, Array | None]:
    """Given one column per class for a binary problem, return the labels, probabilities and log odds of the second class."""
    _validation.refuse_other_row_sums(proba)
    y = _validation.numbers("y_true", y_true)
    if y.ndim == 2:
        _validation.refuse_other_shape(y, proba, "proba")
        _validation.refuse_class_labels(y)
        y = y[:, 1]
    else:
        _validation.refuse_other_length(y, proba, "proba")
        _validation.refuse_class_labels(y, 2)
    log_odds = None if raw is None else raw[:, 1].astype(np.float64) - raw[:, 0]
    return y, proba[:, 1] if log_odds is None else LogLoss().activation(log_odds), log_odds


def refuse_both_or_none(proba: npt.ArrayLike | None, raw: npt.ArrayLike | None) -> None:
    """Raise ValueError unless exactly one of ``proba`` and ``raw`` is given."""
    if (proba is None) == (raw is None):
        raise ValueError(f"either proba or raw must be given, got {'none' if raw is None else 'both'}")


def margin(data: Predictions, eps: float | None) -> float:
    """Return the distance from 0 and 1 to which probabilities are clipped, by default the machine epsilon of their dtype."""
    if eps is None:
        return float(np.finfo(np.float32 if data.proba.dtype == np.float32 else np.float64).eps)
    if isinstance(eps, bool) or not isinstance(eps, (int, float, np.floating)) or not 0.0 <= eps < 0.5:
        raise ValueError(f"eps must be >= 0 and < 0.5, got {eps!r}")
    return float(eps)


def add_up(data: Predictions, eps: float | None = None) -> Sums:
    """Return the sums over all rows; raise ValueError at the first invalid row."""
    inset = margin(data, eps)
    if data.y.ndim == 2:
        losses, squares, moved = each(data, inset)
        weight = np.ones(len(losses)) if data.weight is None else np.asarray(data.weight, dtype=np.float64)
        return Sums(weighted_sum(weight, losses), float(squares @ weight), float(weight.sum()), moved)
    kernel = kernels.binary_sums if data.is_binary else kernels.multiclass_sums
    parts = _each_chunk(lambda c: kernel(c.y, c.raw, c.weight, inset), data)
    _, loss, square, weight_sum, moved = (sum(part) for part in zip(*parts, strict=True))
    if not (all(fine for fine, *_ in parts) and 0.0 < weight_sum < np.inf):
        return add_up(data.tried(), eps)
    if data.raw is not None and eps is None:
        return Sums(_loss_of(data.raw)(data.y, data.raw, data.weight) * weight_sum, square, weight_sum, 0)
    return Sums(loss, square, weight_sum, int(moved))


def mean_square(data: Predictions) -> float:
    """Return the mean squared error; raise ValueError at the first invalid row."""
    if not data.is_binary:
        sums = add_up(data)
        return sums.square / sums.weight
    parts = _each_chunk(lambda c: kernels.binary_squares(c.y, c.raw, c.weight), data)
    square, weight = (float(sum(part)) for part in list(zip(*parts, strict=True))[1:])
    if not (all(fine for fine, *_ in parts) and 0.0 < weight < np.inf):
        return mean_square(data.tried())
    return square / weight


def each(data: Predictions, eps: float | None = None) -> tuple[Numbers, Numbers, int]:
    """Return the unweighted log loss and squared error of every row, and the number of rows that ``eps`` clipped.

    Raise ValueError at the first invalid row.
    """
    inset = margin(data, eps)
    losses, squares = np.empty(len(data.y)), np.empty(len(data.y))
    kernel = (
        kernels.shares_each if data.y.ndim == 2 else kernels.binary_each if data.is_binary else kernels.multiclass_each
    )
    parts = _each_chunk(lambda c: kernel(c.y, c.raw, inset, c.of(losses), c.of(squares)), data)
    if not all(fine for fine, _ in parts):
        return each(data.tried(), eps)
    _validation.refuse_weights(data.weight)
    if data.raw is not None and eps is None:
        return np.asarray(_loss_of(data.raw).per_sample(data.y, data.raw), dtype=np.float64), squares, 0
    return losses, squares, sum(moved for _, moved in parts)


def class_losses(data: Predictions, eps: float | None = None) -> Numbers:
    """Return the log loss of each row for each class that its label may contain, ``(n, K)``, or ``(n, 1)`` for hard labels.

    Raise ValueError at the first invalid row.
    """
    losses, _, _ = each(data, eps)
    if data.y.ndim == 1 and (data.classes > 2 or not ((data.y != 0) & (data.y != 1)).any()):
        return losses[:, None]
    inset = margin(data, eps)
    p = np.clip(data.proba.astype(np.float64), inset, 1.0 - inset)
    with np.errstate(divide="ignore"):
        terms: Numbers = np.stack([-np.log1p(-p), -np.log(p)], axis=1) if data.is_binary else -np.log(p)
    return terms


def weighted_sum(weight: Numbers, losses: Numbers) -> float:
    """Return the weighted sum; rows of weight 0 are ignored even if their loss is infinite."""
    some = weight > 0.0
    return float(weight @ losses) if some.all() else float(weight[some] @ losses[some])


def _loss_of(raw: npt.NDArray[np.floating]) -> LogLoss | SoftmaxCrossEntropy:
    return LogLoss() if raw.ndim == 1 else SoftmaxCrossEntropy()


def _each_chunk(task: Callable[[_validation.Chunk], _Result], data: Predictions) -> list[_Result]:
    """Return the results of a task for chunks of rows; see ``_validation.each_chunk``."""
    width, together = 1.0 if data.is_binary else data.classes, not data.is_binary
    return _validation.each_chunk(task, data.y, data.proba, data.weight, width=width, rows_together=together)


def class_columns(data: Predictions) -> Numbers:
    """Return the labels as one column per class, containing 0 and 1 or class shares."""
    if data.y.ndim == 2:
        return data.y.astype(np.float64)
    if data.is_binary:
        positive = data.y.astype(np.float64)
        return np.stack([1.0 - positive, positive], axis=1)
    columns: Numbers = (data.y[:, None] == np.arange(data.classes)).astype(np.float64)
    return columns


def one_column(data: Predictions) -> Predictions:
    """Return binary predictions; for K classes, the largest probability and whether its class is correct."""
    if data.is_binary:
        return _doubles(data.y, data.proba, data.weight)
    confidence, correct = np.empty(len(data.y)), np.empty(len(data.y))
    binning.top_class(np.asarray(data.y, dtype=np.float64), data.proba, confidence, correct)
    return Predictions(correct, confidence, data.weight)


def each_class(data: Predictions) -> list[Predictions]:
    """Return the binary predictions of each class against the rest."""
    return [_doubles(data.y == k, data.proba[:, k], data.weight) for k in range(data.classes)]


def _doubles(y: Array, proba: Array, weight: Array | None) -> Predictions:
    return Predictions(np.ascontiguousarray(y, np.float64), np.ascontiguousarray(proba, np.float64), weight)
