"""Losses of K raw scores per sample: all that follows from a formula, cross-entropy and focal loss of the softmax."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels.binary import Formula
from .._kernels.blocks import or_empty, softmax
from .._kernels.multiclass import MulticlassLoops, multiclass_loops
from .._kernels.posterior import posterior_loops
from .._kernels.rows import RowLoops, known_parameters, row_loops
from .._threads import each_part
from .._types import Array, Doubles
from .._validation import Chunk
from . import parameters
from ._constant_scores import minimising_scores
from ._shape import Shape, shape_of
from .base import Loss
from .formulas import cross_entropy, focal
from .row_functions import RowFunction, row_function
from .serialization import register_loss

_Result = TypeVar("_Result")


class MulticlassLoss(Loss):
    """Base class of losses of K raw scores per sample, which follow from a formula.

    A subclass is a frozen dataclass with a method ``formula``, and may have the fields ``class_weight`` and
    ``label_smoothing``.
    """

    multiclass: ClassVar[bool] = True

    class_weight: Sequence[float] | None = None
    label_smoothing: float = 0.0

    @abstractmethod
    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        """Return a function ``f(p, *parameters)`` of the probability p of the label's class, and its parameters."""

    def sum_and_weight(
        self,
        y_true: npt.ArrayLike,
        raw: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        shift: float | Sequence[float] | None = None,
    ) -> tuple[float, float]:
        data = self._checked(y_true, raw, sample_weight)
        return self._sums_of(data, _checked_shift(shift, data[1].shape[1]), None)

    def per_sample(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float64]:
        data = self._checked(y_true, raw, sample_weight)
        losses = np.empty(len(data[0]))
        self._sums_of(data, None, losses)
        return losses

    def write_gradient_hessian(
        self,
        y_true: npt.ArrayLike,
        raw: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        gradient: Array,
        hessian: Array,
        *,
        shift: float | Sequence[float] | None = None,
        factor: float = 1.0,
    ) -> None:
        data = self._checked(y_true, raw, sample_weight)
        _validation.check_outputs(data[1], gradient=gradient, hessian=hessian)
        constants = _checked_shift(shift, data[1].shape[1])
        fill = self._fill_derivatives if data[0].ndim == 1 else self._fill_soft_derivatives
        flags = self._each_chunk(
            lambda chunk: fill(chunk, constants, factor, chunk.of(gradient), chunk.of(hessian)), data
        )
        fine, weighs = zip(*flags, strict=True)
        if not (all(fine) and any(weighs)):
            _validation.refuse_multiclass(*data)

    def row_function(
        self, n_classes: int, init_score: float | Sequence[float] = 0.0, factor: float = 1.0
    ) -> RowFunction:
        scores = np.asarray(init_score, dtype=np.float64)
        if scores.ndim and scores.shape != (n_classes,):
            raise ValueError(f"init_score must hold one score per class, got {scores.size} for {n_classes}")
        loops, of = self._row_loops()
        known = known_parameters(
            factor,
            self.label_smoothing,
            self.semidefinite,
            of,
            np.broadcast_to(scores, n_classes),
            self._class_weights(n_classes),
        )
        return row_function(loops, known, n_classes)

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, n_classes: int | None = None
    ) -> npt.NDArray[np.float64]:
        parameters.check_n_classes(n_classes)
        y, weight = _validation.labels_and_weights(y_true, sample_weight, multiclass=True)
        _validation.refuse_weights(weight)
        _validation.refuse_class_labels(y, n_classes)
        if y.ndim == 2:
            classes = y.shape[1]
            if n_classes not in (None, classes):
                raise ValueError(f"y_true with soft labels must have n_classes={n_classes} columns, got {classes}")
            shares = np.average(y.astype(np.float64), axis=0, weights=weight)
        else:
            classes = int(y.max()) + 1 if n_classes is None else n_classes
            smoothed = self.label_smoothing > 0.0
            if classes > max(len(y), 2) and not (
                smoothed and n_classes
            ):  # avoid allocating huge arrays for a huge code
                codes = np.unique(y)
                gap = int(np.argmin(np.append(codes == np.arange(len(codes)), False)))
                raise ValueError(
                    f"y_true must hold every class 0..{classes - 1} with positive weight, got none of class {gap} among"
                    f" {len(y)} labels"
                )
            shares = np.bincount(y.astype(np.intp), weight, classes).astype(np.float64)
        present = np.flatnonzero(shares > 0.0)
        if len(present) == 1:
            raise ValueError(f"y_true must hold at least 2 classes with positive weight, got only class {present[0]}")
        shares /= shares.sum()
        terms = (1.0 - self.label_smoothing) * shares + self.label_smoothing / classes
        if not (terms > 0.0).all():
            missing = np.flatnonzero(terms == 0.0)
            raise ValueError(
                f"y_true must hold every class 0..{classes - 1} with positive weight, got none of class {missing[0]}: its"
                " best score is minus infinity"
            )
        log_p = np.log(terms) + np.log(self._class_weights(classes))
        if self.shape().offset is None:
            log_p = self._best_scores(shares, log_p)
        best: npt.NDArray[np.float64] = log_p - log_p.mean()
        return best

    def activation(self, raw: npt.ArrayLike) -> Array:
        scores = _validation.raw_scores(raw, multiclass=True)
        return self._softmax(scores, np.zeros(scores.shape[1]), 0.0)

    def posterior(self, raw: npt.ArrayLike, undo_smoothing: bool = False) -> Array:
        scores = _validation.raw_scores(raw, multiclass=True)
        smoothing = self.label_smoothing if undo_smoothing else 0.0
        if self.shape().offset is not None:
            return self._softmax(scores, self._undo_weights(scores.shape[1]), smoothing)
        proba = np.empty_like(scores)
        if not self._fill_implied(scores, False, proba):
            _validation.refuse_raw(scores)
        if smoothing:
            proba = np.clip((proba - smoothing / proba.shape[1]) / (1.0 - smoothing), 0.0, 1.0)
            proba /= proba.sum(axis=1, keepdims=True)
        return proba

    def posterior_logits(self, raw: npt.ArrayLike) -> Array:
        scores = _validation.raw_scores(raw, multiclass=True)
        _validation.refuse_raw(scores)
        if self.is_proper:
            return scores
        if (offset := self.posterior_offset(scores.shape[1])) is not None:
            return scores.astype(np.float64) + offset
        logits = np.empty_like(scores, dtype=np.float64)
        self._fill_implied(scores, True, logits)
        return logits

    def posterior_offset(self, n_classes: int = 2) -> npt.NDArray[np.float64] | None:
        return None if self.shape().offset is None else self._undo_weights(n_classes)

    @property
    def is_proper(self) -> bool:
        return self.shape().offset is not None and parameters.all_equal(self.class_weight)

    def with_class_weight(self, weights: npt.NDArray[np.float64]) -> tuple[Self, float]:
        parameters.refuse_both(self, given=self.class_weight is not None)
        return replace(self, class_weight=tuple(weights.tolist())), 1.0  # type: ignore[type-var]

    def shape(self) -> Shape:
        formula, of = self.formula()
        return shape_of(formula, of, pair=False, multiclass=True)

    def _class_weights(self, classes: int) -> npt.NDArray[np.float64]:
        if self.class_weight is None:
            return np.ones(classes)
        if len(self.class_weight) != classes:
            raise ValueError(f"class_weight must hold one weight per class, got {len(self.class_weight)} for {classes}")
        return np.array(self.class_weight)

    def _undo_weights(self, classes: int) -> npt.NDArray[np.float64]:
        """Return the offset of the log probabilities that undoes the class weights."""
        offset: npt.NDArray[np.float64] = 0.0 - np.log(self._class_weights(classes))
        return offset

    def _best_scores(self, shares: Doubles, log_terms: Doubles) -> Doubles:
        """Return the minimiser, given each class's share and the logarithm of its smoothed share times its weight."""
        if self.shape().obstacle:
            _, alike = np.unique(log_terms.round(12), return_inverse=True)
            guarded = getattr(self, "hessian", "exact") == "guarded"
            loss = replace(self, hessian="exact") if guarded else self  # type: ignore[type-var]
            return minimising_scores(loss, shares, log_terms, alike)
        formula, of = self.formula()
        scores = np.empty_like(log_terms)
        posterior_loops(formula, False).multiclass_init_score(log_terms, of, scores)
        return scores

    def _checked(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> tuple[Array, Array, Array | None]:
        """Return checked data. Smoothed class codes become soft labels, except for cross-entropy."""
        y, scores, weight = _validation.multiclass(y_true, raw, sample_weight)
        if y.ndim == 1 and self.label_smoothing > 0.0 and self.formula()[0] is not cross_entropy:
            _validation.refuse_class_labels(y, scores.shape[1])
            y = np.eye(scores.shape[1], dtype=y.dtype)[y.astype(np.intp)]
        return y, scores, weight

    def _each_chunk(self, task: Callable[[Chunk], _Result], data: tuple[Array, Array, Array | None]) -> list[_Result]:
        # They are made here, because several threads would make and compile them several times.
        (self._loops if data[0].ndim == 1 else self._row_loops)()
        return _validation.each_chunk(task, *data, width=data[1].shape[1], whole=True)

    def _loops(self) -> tuple[MulticlassLoops, tuple[float, ...]]:
        formula, of = self.formula()
        return multiclass_loops(formula, formula is cross_entropy), of

    def _terms(self, classes: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the sums of the factors of the losses of all classes by label, and what label smoothing adds to each."""
        weights, smoothing = self._class_weights(classes), self.label_smoothing
        if smoothing == 0.0:
            return weights, np.empty(0)
        spread = weights * (smoothing / classes)
        return (1.0 - smoothing) * weights + spread.sum(), spread

    def _sums_of(
        self, data: tuple[Array, Array, Array | None], shift: Array | None, each: Array | None
    ) -> tuple[float, float]:
        """Return the sums of weighted losses and weights; fill ``each`` with the weighted loss of every row, if given."""
        add_up = self._sums
        if data[0].ndim == 2:
            add_up, each = self._soft_sums, np.empty(len(data[0])) if each is None else each
        sums = self._each_chunk(lambda chunk: add_up(chunk, shift, None if each is None else chunk.of(each)), data)
        fine, losses, weights = zip(*sums, strict=True)
        if not (all(fine) and 0.0 < sum(weights) < math.inf):
            _validation.refuse_multiclass(*data)
        return sum(losses), sum(weights)

    def _sums(self, chunk: Chunk, shift: Array | None, each: Array | None) -> tuple[bool, float, float]:
        loops, of = self._loops()
        data, terms = _arguments(chunk, shift), self._terms(chunk.raw.shape[1])
        fine, loss, _, w = loops.sums(*data, of, *terms, False, or_empty(each))
        return fine, loss, w

    def _soft_sums(self, chunk: Chunk, shift: Array | None, each: Array | None) -> tuple[bool, float, float]:
        assert each is not None
        fine = self._fill_soft_losses(chunk, shift, each)
        rows = slice(chunk.begin, chunk.end)
        with np.errstate(over="ignore"):  # the caller refuses an infinite sum of weights
            w = chunk.end - chunk.begin if chunk.weight is None else chunk.weight[rows].sum(dtype=np.float64)
            return fine, float(each[rows].sum()), float(w)

    def _fill_derivatives(
        self, chunk: Chunk, shift: Array | None, factor: float, gradient: Array, hessian: Array
    ) -> tuple[bool, bool]:
        """Return whether all values are valid, and whether any weight is above 0."""
        loops, of = self._loops()
        data, terms = _arguments(chunk, shift), self._terms(chunk.raw.shape[1])
        return loops.gradient_hessian(*data, of, *terms, self.hessian_floor(), factor, gradient, hessian)

    def _row_loops(self) -> tuple[RowLoops, tuple[float, ...]]:
        formula, of = self.formula()
        return row_loops(formula, len(of)), of

    def _fill_soft_losses(self, chunk: Chunk, shift: Array | None, out: Array) -> bool:
        loops, of = self._row_loops()
        data, weights = _arguments(chunk, shift), self._class_weights(chunk.raw.shape[1])
        return loops.soft_losses(*data, of, weights, self.label_smoothing, out)

    def _fill_soft_derivatives(
        self, chunk: Chunk, shift: Array | None, factor: float, gradient: Array, hessian: Array
    ) -> tuple[bool, bool]:
        loops, of = self._row_loops()
        data, weights = _arguments(chunk, shift), self._class_weights(chunk.raw.shape[1])
        smoothing, floor = self.label_smoothing, self.hessian_floor()
        fine = loops.soft_gradient_hessian(*data, of, weights, smoothing, floor, factor, gradient, hessian)
        return fine, chunk.weight is None or bool(chunk.weight[chunk.begin : chunk.end].any())

    def _softmax(self, raw: Array, offset: Array, smoothing: float) -> Array:
        proba = np.empty_like(raw)
        fine = each_part(lambda rows: softmax(raw[rows], offset, smoothing, proba[rows]), len(raw), raw.shape[1])
        if not all(fine):
            _validation.refuse_raw(raw)
        return proba

    def _fill_implied(self, raw: Array, as_logits: bool, out: Array) -> bool:
        self._check_posterior("posterior")
        formula, of = self.formula()
        fill, offset = posterior_loops(formula, False).multiclass, self._undo_weights(raw.shape[1])
        width = 16.0 * raw.shape[1]  # without SIMD instructions
        fine = each_part(lambda rows: fill(raw[rows], of, offset, as_logits, out[rows]), len(raw), width)
        return all(fine)


def _checked_shift(shift: float | Sequence[float] | None, classes: int) -> npt.NDArray[np.float64] | None:
    if shift is None:
        return None
    init_score = np.asarray(shift, dtype=np.float64)
    if init_score.ndim and init_score.shape != (classes,):
        raise ValueError(f"shift must be one number or one for each of {classes} classes, got shape {init_score.shape}")
    return np.broadcast_to(init_score, classes).copy()


def _arguments(chunk: Chunk, shift: Array | None) -> tuple[Array, Array, Array, int, int, Array]:
    """Return the first arguments of loops: labels, scores, weights, the range of rows, and the constants to add to scores."""
    return chunk.y, chunk.raw, or_empty(chunk.weight, chunk.y.dtype), chunk.begin, chunk.end, or_empty(shift)


@register_loss
@dataclass(frozen=True)
class SoftmaxCrossEntropy(MulticlassLoss):
    """Cross-entropy of the softmax of K raw scores, for hard labels also called multiclass log loss.

    Parameters
    ----------
    class_weight : sequence of K floats, optional
        The weights of classes 0..K-1, each finite and > 0. Default: all 1.
    label_smoothing : float, default 0.0
        In [0, 1). Moves labels towards 1/K: ``t_k = (1 - label_smoothing) * y_k + label_smoothing / K``.

    Notes
    -----
    With p the softmax of the raw scores, the loss of a sample is::

        -sum_k class_weight[k] * t_k * log(p_k)

    Labels are smoothed before they are weighted, as in ``torch.nn.CrossEntropyLoss``. PyTorch's mean is normalised by the
    class weights; the mean here is normalised by the sample weights only. Without ``class_weight`` the loss is strictly
    proper. With ``class_weight``, ``posterior`` divides the probability of each class by its weight and normalises the
    result (Elkan 2001).

    Examples
    --------
    >>> from boosting_losses import SoftmaxCrossEntropy
    >>> loss = SoftmaxCrossEntropy()
    >>> gradient, hessian = loss.gradient_hessian([2], [[0.0, 0.0, 0.0]])
    >>> gradient.round(4)
    array([[ 0.3333,  0.3333, -0.6667]])
    """

    class_weight: Sequence[float] | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_weight", parameters.class_weights(self.class_weight))
        object.__setattr__(self, "label_smoothing", parameters.smoothing_strength(self.label_smoothing))

    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        return cross_entropy, ()

    def shape(self) -> Shape:
        return Shape(0.0, convex=True)


@register_loss
@dataclass(frozen=True)
class SoftmaxFocalLoss(MulticlassLoss):
    """Focal loss of the softmax of K raw scores.

    Parameters
    ----------
    gamma : float, default 2.0
        From 0 to 100. The focusing parameter: larger values reduce the weight of easy samples more. 0 gives softmax
        cross-entropy.
    class_weight : sequence of K floats, optional
        The weights of classes 0..K-1, each finite and > 0. Default: all 1.
    hessian : {"guarded", "exact"}, default "guarded"
        As for :class:`FocalLoss`, applied to each entry of the Hessian's diagonal.

    Notes
    -----
    With p the softmax of the raw scores, the loss of a sample of class y is::

        -class_weight[y] * (1 - p_y) ** gamma * log(p_y)

    (Lin et al. 2017, arXiv 1708.02002). For a soft label, the loss is the mean of the losses of the classes, weighted by the
    label. Its cost is proportional to K times the number of classes with a nonzero label. ``posterior`` maps the softmax
    back to the class probabilities (Charoenphakdee et al. 2021, arXiv 2011.09172, theorem 11) and undoes the class weights.
    """

    gamma: float = 2.0
    class_weight: Sequence[float] | None = None
    hessian: Literal["guarded", "exact"] = "guarded"

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", parameters.focusing(self.gamma))
        object.__setattr__(self, "class_weight", parameters.class_weights(self.class_weight))
        parameters.check_hessian_rule(self.hessian)

    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        return focal, (self.gamma,)

    def shape(self) -> Shape:
        return Shape(0.0 if self.gamma == 0.0 else None, convex=self.gamma == 0.0)

    def hessian_floor(self) -> float:
        return parameters.hessian_floor(self.hessian, self.gamma)
