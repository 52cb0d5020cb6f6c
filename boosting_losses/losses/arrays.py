"""Losses whose value and derivatives are given as functions of NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels._source import text_digest
from .._kernels.binary import BinaryLoops, Formula
from .._kernels.rows import ROW_SUM_TOLERANCE
from .._threads import num_threads
from .._types import Array, Doubles
from .._validation import Chunk
from ._constant_scores import minimising_scores
from ._shape import MARGINS, Shape, examined
from .binary import BinaryLoss
from .multiclass import MulticlassLoss
from .row_functions import RowFunction
from .serialization import imported, register_loss

_Result = TypeVar("_Result")

#: A function ``(y, raw) -> array`` of labels that are 0 or 1 and raw scores, both float64 and of shape (n,).
ArrayFunction = Callable[[Array, Array], npt.ArrayLike]


class _OfArrays:
    """What losses of both kinds that are made of NumPy functions share."""

    value: ArrayFunction
    gradient: ArrayFunction
    hessian: ArrayFunction

    def __post_init__(self) -> None:
        for name in ("value", "gradient", "hessian"):
            function = getattr(self, name)
            object.__setattr__(self, name, imported(function) if isinstance(function, str) else function)
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} must be a function (y, raw), got {function!r}")

    def source(self) -> str:
        """Return digests of the texts of the functions, which model files store."""
        return " ".join(str(text_digest(function)) for function in (self.value, self.gradient, self.hessian))

    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        raise TypeError(f"{self} has no formula")

    def _each_chunk(self, task: Callable[[Chunk], _Result], data: tuple[Array, Array, Array | None]) -> list[_Result]:
        # The functions may not be made for several threads.
        with num_threads(1):
            return _validation.each_chunk(task, *data, width=data[1].size / len(data[1]))

    def at(self, function: ArrayFunction, label: float, raw: Array) -> Doubles:
        """Return the result of a function for one label."""
        return np.asarray(function(np.full(len(raw), label), raw), np.float64)


@register_loss
@dataclass(frozen=True)
class ArrayLoss(_OfArrays, BinaryLoss):
    """A binary loss whose value, gradient and Hessian are functions of NumPy arrays.

    It has the same methods as other losses, and is slower than a loss that :func:`binary_loss` makes of a formula.

    Parameters
    ----------
    value, gradient, hessian : callable ``(y, raw) -> ndarray of shape (n,)``
        The loss of each row and its derivatives with respect to the raw score, for float64 arrays of shape (n,) of labels,
        which are 0 or 1, and raw scores. Sample weights and soft labels are applied to the results.

    Notes
    -----
    The Hessian is used as it is. With g1 and g0 the gradients of the labels 1 and 0 at the same raw score, the class
    probability is ``g0 / (g0 - g1)``, because the expected gradient of the minimiser is 0. A model file stores the names of
    the functions, "module:name", which can also be passed instead of the functions.

    Examples
    --------
    >>> import numpy as np
    >>> from boosting_losses.losses import ArrayLoss
    >>> def exponential(y, raw):
    ...     return np.exp(np.where(y == 1, -raw, raw) / 2)
    >>> def gradient(y, raw):
    ...     return np.where(y == 1, -0.5, 0.5) * exponential(y, raw)
    >>> def hessian(y, raw):
    ...     return exponential(y, raw) / 4
    >>> loss = ArrayLoss(exponential, gradient, hessian)
    >>> loss.posterior([0.0, 2.0]).round(4)
    array([0.5   , 0.8808])
    """

    value: ArrayFunction
    gradient: ArrayFunction
    hessian: ArrayFunction

    def shape(self) -> Shape:
        return _shape_of(self)

    def _loops(self) -> tuple[BinaryLoops, tuple[float, ...]]:
        return BinaryLoops(self._fill_gradient_hessian, self._fill_sums), ()

    def _fill_gradient_hessian(
        self,
        y: Array,
        raw: Array,
        shift: float | None,
        weight: Array | None,
        parameters: tuple[float, ...],
        positive: float,
        negative: float,
        smoothing: float,
        floor: float,
        gradient: Array,
        hessian: Array,
    ) -> tuple[bool, bool]:
        if not _are_valid(y, raw, weight):
            return False, True
        w = 1.0 if weight is None else weight
        gradient[:] = w * self._mixed(self.gradient, y, raw, shift)
        hessian[:] = w * self._mixed(self.hessian, y, raw, shift)
        return True, weight is None or bool(weight.any())

    def _fill_sums(
        self,
        y: Array,
        raw: Array,
        shift: float | None,
        weight: Array | None,
        parameters: tuple[float, ...],
        positive: float,
        negative: float,
        smoothing: float,
        each: Array | None,
    ) -> tuple[bool, float, float, float]:
        if not _are_valid(y, raw, weight):
            return False, 0.0, math.nan, 0.0
        losses = self._mixed(self.value, y, raw, shift) * (1.0 if weight is None else weight)
        if each is not None:
            each[:] = losses
        total = float(len(y)) if weight is None else float(weight.sum(dtype=np.float64))
        return True, float(losses.sum()), math.nan, total

    def _mixed(self, function: ArrayFunction, y: Array, raw: Array, shift: float | None) -> Doubles:
        """Return the results of a function for the labels 1 and 0, weighted by the label."""
        labels, scores = y.astype(np.float64), raw + np.float64(shift or 0.0)
        if ((labels == 0.0) | (labels == 1.0)).all():
            return np.asarray(function(labels, scores), np.float64)
        one, zero = (np.asarray(function(np.full(len(y), label), scores), np.float64) for label in (1.0, 0.0))
        return labels * one + (1.0 - labels) * zero

    def log_odds(self, raw: Array) -> Doubles:
        """Return the log odds that raw scores imply, a straight line far out."""
        scores = raw.astype(np.float64)
        inside = np.clip(scores, MARGINS[0], MARGINS[-1])
        of_1, of_0 = (self.at(self.gradient, label, inside) for label in (1.0, 0.0))
        return np.log(of_0) - np.log(-of_1) + self.slope(inside) * (scores - inside)

    def slope(self, scores: Doubles) -> Doubles:
        """Return the derivative of the log odds."""
        of_1, of_0 = (self.at(self.hessian, y, scores) / self.at(self.gradient, y, scores) for y in (1.0, 0.0))
        return of_0 - of_1

    def _fill_implied(self, raw: Array, as_logits: bool, out: Array) -> bool:
        self._check_posterior("posterior")
        logits = self.log_odds(raw)
        out[:] = logits if as_logits else self.activation(logits)
        return bool(np.isfinite(raw).all())

    def _best_init_score(self, target: float) -> float:
        low, high = -1.0, 1.0
        while self.log_odds(np.array([low]))[0] > target:
            low *= 2.0
        while self.log_odds(np.array([high]))[0] < target:
            high *= 2.0
        middle = 0.5 * (low + high)
        while low < middle < high:
            low, high = (middle, high) if self.log_odds(np.array([middle]))[0] < target else (low, middle)
            middle = 0.5 * (low + high)
        return middle


@lru_cache(maxsize=64)
def _shape_of(loss: ArrayLoss) -> Shape:
    with np.errstate(all="ignore"):
        d_1, d_0 = loss.at(loss.gradient, 1.0, MARGINS), -loss.at(loss.gradient, 0.0, MARGINS)
        h_1, h_0 = loss.at(loss.hessian, 1.0, MARGINS), loss.at(loss.hessian, 0.0, MARGINS)
        convex = bool((h_1 >= 0.0).all() and (h_0 >= 0.0).all())
        excess = loss.log_odds(MARGINS) - MARGINS
        return examined({"class 1": d_1, "class 0": d_0}, convex, excess, loss.slope(MARGINS))


def _are_valid(y: Array, raw: Array, weight: Array | None) -> bool:
    """Return whether labels lie in the range of their codes or shares, and scores and weights are finite."""
    most = raw.shape[1] - 1 if raw.ndim > y.ndim else 1
    labels = ((y >= 0) & (y <= most)).all() and (raw.ndim == y.ndim or (y == np.floor(y)).all())
    if y.ndim == 2:
        labels = labels and bool((abs(y.sum(axis=1, dtype=np.float64) - 1.0) <= ROW_SUM_TOLERANCE).all())
    weights = weight is None or ((weight >= 0) & (weight < np.inf)).all()
    return bool(labels and weights and np.isfinite(raw).all())


@register_loss
@dataclass(frozen=True)
class MulticlassArrayLoss(_OfArrays, MulticlassLoss):
    """A loss of K classes whose value, gradient and Hessian are functions of NumPy arrays.

    Parameters
    ----------
    value : callable ``(y, raw) -> ndarray of shape (n,)``
        The loss of each row, for float64 arrays of class codes of shape (n,) and raw scores of shape (n, K).
    gradient, hessian : callable ``(y, raw) -> ndarray of shape (n, K)``
        The derivatives with respect to the raw scores, of the Hessian the diagonal.

    Notes
    -----
    The class probabilities eta solve ``sum_k eta_k gradient(k, raw) = 0``. CatBoost gets a diagonal Hessian. See
    :class:`ArrayLoss`.
    """

    value: ArrayFunction
    gradient: ArrayFunction
    hessian: ArrayFunction

    def shape(self) -> Shape:
        return Shape(None, convex=False)

    def row_function(
        self, n_classes: int, init_score: float | Sequence[float] = 0.0, factor: float = 1.0
    ) -> RowFunction:
        diagonal = np.cumsum([0, *range(n_classes, 1, -1)])

        def row(raw: Array, label: float, weight: float) -> tuple[Sequence[float], tuple[Sequence[float]]]:
            scores, packed = (
                (raw + np.asarray(init_score, np.float64))[None],
                np.zeros(n_classes * (n_classes + 1) // 2),
            )
            packed[diagonal] = factor * weight * np.maximum(self.at(self.hessian, label, scores)[0], 0.0)
            gradient = factor * weight * self.at(self.gradient, label, scores)[0]
            return gradient.tolist(), (packed.tolist(),)

        return row

    def _checked(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> tuple[Array, Array, Array | None]:
        return _validation.multiclass(y_true, raw, sample_weight)

    def _sums_of(
        self, data: tuple[Array, Array, Array | None], shift: Array | None, each: Array | None
    ) -> tuple[float, float]:
        losses = np.empty(len(data[0])) if each is None else each

        def fill(chunk: Chunk) -> bool:
            if not _are_valid(chunk.y, chunk.raw, chunk.weight):
                return False
            w = 1.0 if chunk.weight is None else chunk.weight
            losses[chunk.rows] = w * self._of_labels(self.value, chunk, shift)
            return True

        if not all(self._each_chunk(fill, data)):
            _validation.refuse_multiclass(*data)
        _validation.refuse_weights(data[2])
        return float(losses.sum()), float(len(losses) if data[2] is None else data[2].sum(dtype=np.float64))

    def _fill_derivatives(
        self, chunk: Chunk, shift: Array | None, factor: float, gradient: Array, hessian: Array
    ) -> tuple[bool, bool]:
        if not _are_valid(chunk.y, chunk.raw, chunk.weight):
            return False, True
        w = 1.0 if chunk.weight is None else chunk.weight[:, None].astype(np.float64)
        rows = slice(0, len(chunk.y))
        gradient[rows] = w * self._of_labels(self.gradient, chunk, shift)
        hessian[rows] = factor * w * self._of_labels(self.hessian, chunk, shift)
        return True, chunk.weight is None or bool(chunk.weight.any())

    _fill_soft_derivatives = _fill_derivatives

    def _of_labels(self, function: ArrayFunction, chunk: Chunk, shift: Array | None) -> Doubles:
        """Return the results of a function for class codes or soft labels."""
        scores = chunk.raw.astype(np.float64) + (0.0 if shift is None else shift)
        if chunk.y.ndim == 2:
            return self._mixed(function, chunk.y, scores)
        return np.asarray(function(chunk.y.astype(np.float64), scores), np.float64)

    def _mixed(self, function: ArrayFunction, y: Array, raw: Array) -> Doubles:
        """Return the results of a function for each class, weighted by the soft label."""
        mixture: Doubles = np.einsum("nk,nk...->n...", y.astype(np.float64), self._of_classes(function, raw))
        return mixture

    def _of_classes(self, function: ArrayFunction, raw: Array) -> Doubles:
        """Return the results of a function with the label as the second axis."""
        scores = raw.astype(np.float64)
        return np.stack([self.at(function, label, scores) for label in range(raw.shape[1])], axis=1)

    def _fill_implied(self, raw: Array, as_logits: bool, out: Array) -> bool:
        gradients = self._of_classes(self.gradient, raw)
        gradients /= np.abs(gradients).max(axis=(1, 2), keepdims=True)
        ones = np.ones((raw.shape[1], 1))
        # The sum of the probabilities is 1, and the expected gradient 0.
        eta = np.linalg.solve(gradients @ gradients.transpose(0, 2, 1) + 1.0, ones[None])[..., 0]
        eta = np.clip(eta, np.finfo(np.float64).tiny, None)
        eta /= eta.sum(axis=1, keepdims=True)
        out[:] = np.log(eta) if as_logits else eta
        return bool(np.isfinite(raw).all())

    def _best_scores(self, shares: Doubles, log_terms: Doubles) -> Doubles:
        return minimising_scores(self, shares, log_terms, np.arange(len(shares)))
