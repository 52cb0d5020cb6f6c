"""Losses of one raw score per sample: all that follows from a formula, log loss and focal loss."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, TypeVar

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels.binary import BinaryLoops, Formula, binary_loops, sigmoids
from .._kernels.posterior import posterior_loops
from .._threads import each_part
from .._types import Array
from .._validation import Chunk
from . import parameters
from ._shape import MARGINS, Shape, shape_of
from .base import Loss
from .formulas import cross_entropy, focal, focal_2
from .serialization import register_loss

_Result = TypeVar("_Result")

#: The work of the sigmoid and of the derivatives of cross-entropy, relative to other losses.
_CHEAP = 0.25

#: The number of scores that are copied together before the gradient is written over them.
_COPIED = 65536


class BinaryLoss(Loss):
    """Base class of losses of one raw score per sample, which follow from a formula.

    A subclass is a frozen dataclass with a method ``formula``. It may have the fields or properties ``label_smoothing`` and
    ``class_weights``, the weights of class 1 and class 0.
    """

    multiclass: ClassVar[bool] = False

    #: Whether the formula returns the losses of class 1 and class 0, both as functions of the probability of class 1.
    pair: ClassVar[bool] = False

    label_smoothing: float = 0.0

    @abstractmethod
    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        """Return a function ``f(p, *parameters)`` of the probability p of the label's class, and its parameters."""

    @property
    def class_weights(self) -> tuple[float, float]:
        """The weights of class 1 and class 0."""
        return 1.0, 1.0

    def sum_and_weight(
        self,
        y_true: npt.ArrayLike,
        raw: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        shift: float | Sequence[float] | None = None,
    ) -> tuple[float, float]:
        data = _validation.binary(y_true, raw, sample_weight)
        return self._sums_of(data, _checked_shift(shift), None)

    def per_sample(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float64]:
        data = _validation.binary(y_true, raw, sample_weight)
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
        data = _validation.binary(y_true, raw, sample_weight)
        _validation.check_outputs(data[1], gradient=gradient, hessian=hessian)
        init_score = _checked_shift(shift)
        derive = self._overwrite if np.may_share_memory(gradient, data[1]) else self._fill_derivatives

        def fill(chunk: Chunk) -> tuple[bool, bool]:
            g, h = chunk.of(gradient), chunk.of(hessian)
            flags = derive(chunk.y, chunk.raw, init_score, chunk.weight, g, h)
            if factor != 1.0:
                h *= factor
            return flags

        fine, weighs = zip(*self._each_chunk(fill, data), strict=True)
        if not (all(fine) and any(weighs)):
            _validation.refuse_binary(*data)

    def fill_derivatives(
        self, y: Array, raw: Array, shift: float | None, weight: Array | None, gradient: Array, hessian: Array
    ) -> bool:
        return all(self._fill_derivatives(y, raw, shift, weight, gradient, hessian))

    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, n_classes: int | None = None
    ) -> float:
        if n_classes not in (None, 2):
            raise ValueError(f"n_classes must be 2 or None for a binary loss, got {n_classes}")
        y, weight = _validation.labels_and_weights(y_true, sample_weight, multiclass=False)
        _validation.refuse_weights(weight)
        _validation.refuse_binary_labels(y)
        y = y.astype(np.float64)
        ones, zeros = float(np.average(y, weights=weight)), float(np.average(1.0 - y, weights=weight))
        if not (ones > 0.0 and zeros > 0.0):
            raise ValueError(f"y_true must hold both classes with positive weight, got only class {int(ones > 0.0)}")
        keep, spread = 1.0 - self.label_smoothing, 0.5 * self.label_smoothing * (ones + zeros)
        target = math.log(keep * ones + spread) - math.log(keep * zeros + spread) - self._undo_weights()
        if (offset := self.shape().offset) is not None:
            return target - offset
        return self._searched_init_score(ones) if self.shape().obstacle else self._best_init_score(target)

    def activation(self, raw: npt.ArrayLike) -> Array:
        return self._sigmoids(raw, 0.0, 0.0)

    def posterior(self, raw: npt.ArrayLike, undo_smoothing: bool = False) -> Array:
        smoothing = self.label_smoothing if undo_smoothing else 0.0
        if (offset := self.posterior_offset()) is not None:
            return self._sigmoids(raw, offset, smoothing)
        scores = _validation.raw_scores(raw, multiclass=False)
        proba = np.empty_like(scores)
        if not self._fill_implied(scores, False, proba):
            _validation.refuse_raw(scores)
        return np.clip((proba - 0.5 * smoothing) / (1.0 - smoothing), 0.0, 1.0) if smoothing else proba

    def posterior_logits(self, raw: npt.ArrayLike) -> Array:
        scores = _validation.raw_scores(raw, multiclass=False)
        _validation.refuse_raw(scores)
        if self.is_proper:
            return scores
        if (offset := self.posterior_offset()) is not None:
            return scores.astype(np.float64) + offset
        logits = np.empty(len(scores))
        self._fill_implied(scores, True, logits)
        return logits

    def posterior_offset(self, n_classes: int = 2) -> float | None:
        offset = self.shape().offset
        return None if offset is None else offset + self._undo_weights()

    @property
    def is_proper(self) -> bool:
        return self.posterior_offset() == 0.0

    def shape(self) -> Shape:
        formula, of = self.formula()
        return shape_of(formula, of, pair=self.pair, multiclass=False)

    def _loops(self) -> tuple[BinaryLoops, tuple[float, ...]]:
        formula, of = self.formula()
        return binary_loops(formula, self.pair, formula is cross_entropy), of

    def _each_chunk(self, task: Callable[[Chunk], _Result], data: tuple[Array, Array, Array | None]) -> list[_Result]:
        self._loops()  # made here, because several threads would make and compile them several times
        width = _CHEAP if self.formula()[0] is cross_entropy else 1.0
        return _validation.each_chunk(task, *data, width=width)

    def _fill_derivatives(
        self, y: Array, raw: Array, shift: float | None, weight: Array | None, gradient: Array, hessian: Array
    ) -> tuple[bool, bool]:
        """Return whether all values are valid, and whether any weight is above 0."""
        loops, of = self._loops()
        floor, weights = self.hessian_floor(), self.class_weights
        return loops.gradient_hessian(
            y, raw, shift, weight, of, *weights, self.label_smoothing, floor, gradient, hessian
        )

    def _overwrite(
        self, y: Array, raw: Array, shift: float | None, weight: Array | None, gradient: Array, hessian: Array
    ) -> tuple[bool, bool]:
        """Fill derivatives where the gradient replaces the raw scores.

        Each part of the scores is copied first, because compiled loops are slower if an output overlaps an input.
        """
        copy, flags = np.empty(min(len(raw), _COPIED), raw.dtype), []
        for start in range(0, len(raw), len(copy)):
            rows = slice(start, start + len(copy))
            scores = copy[: len(raw[rows])]
            scores[:] = raw[rows]
            some = None if weight is None else weight[rows]
            flags.append(self._fill_derivatives(y[rows], scores, shift, some, gradient[rows], hessian[rows]))
            if not flags[-1][0] and not np.isfinite(scores).all():
                gradient[rows] = scores  # for the error message
        fine, weighs = zip(*flags, strict=True)
        return all(fine), any(weighs)

    def _sums_of(
        self, data: tuple[Array, Array, Array | None], shift: float | None, each: Array | None
    ) -> tuple[float, float]:
        """Return the sums of weighted losses and weights; fill ``each`` with the weighted loss of every row, if given."""

        def of(chunk: Chunk) -> tuple[bool, float, float, float]:
            return self._sums(chunk.y, chunk.raw, shift, chunk.weight, None if each is None else chunk.of(each))

        fine, losses, _, weights = zip(*self._each_chunk(of, data), strict=True)
        if not (all(fine) and 0.0 < sum(weights) < math.inf):
            _validation.refuse_binary(*data)
        return sum(losses), sum(weights)

    def _sums(
        self, y: Array, raw: Array, shift: float | None, weight: Array | None, each: Array | None
    ) -> tuple[bool, float, float, float]:
        loops, of = self._loops()
        return loops.sums(y, raw, shift, weight, of, *self.class_weights, self.label_smoothing, each)

    def _sigmoids(self, raw: npt.ArrayLike, offset: float, smoothing: float) -> Array:
        scores = _validation.raw_scores(raw, multiclass=False)
        proba = np.empty_like(scores)
        fine = each_part(lambda rows: sigmoids(scores[rows], offset, smoothing, proba[rows]), len(scores), _CHEAP)
        if not all(fine):
            _validation.refuse_raw(scores)
        return proba

    def _fill_implied(self, raw: Array, as_logits: bool, out: Array) -> bool:
        self._check_posterior("posterior")
        formula, of = self.formula()
        fill, offset = posterior_loops(formula, self.pair).binary, self._undo_weights()
        return all(each_part(lambda rows: fill(raw[rows], of, offset, as_logits, out[rows]), len(raw), 8.0))

    def _searched_init_score(self, share: float) -> float:
        """Return the minimiser of the expected loss for a loss without posterior, by bisection from the best of a grid.

        Among minima that are equal up to rounding, the best is the middle one: 0 if the two classes are equal.
        """
        losses = self.per_sample(np.full(len(MARGINS), share), MARGINS)
        lowest = np.flatnonzero(losses <= losses.min() + 1e-15 * abs(losses.min()))
        best = int(lowest[len(lowest) // 2])
        low, high = MARGINS[max(best - 1, 0)], MARGINS[min(best + 1, len(MARGINS) - 1)]
        middle = 0.5 * (low + high)
        while low < middle < high:
            slope = self.gradient_hessian([share], [middle])[0][0]
            if slope == 0.0:
                break
            low, high = (low, middle) if slope > 0.0 else (middle, high)
            middle = 0.5 * (low + high)
        return float(middle)

    def _best_init_score(self, target: float) -> float:
        """Return the raw score whose log odds, before class weights, are ``target``."""
        formula, of = self.formula()
        return posterior_loops(formula, self.pair).binary_init_score(target, of)

    def _undo_weights(self) -> float:
        """Return the log odds that undo the class weights."""
        positive, negative = self.class_weights
        return math.log(negative) - math.log(positive)


def _checked_shift(shift: float | Sequence[float] | None) -> float | None:
    if shift is None:
        return None
    if np.ndim(shift):
        raise ValueError(f"shift must be one number for a binary loss, got {shift!r}")
    return float(shift)  # type: ignore[arg-type]


@register_loss
@dataclass(frozen=True)
class LogLoss(BinaryLoss):
    """Log loss of raw scores, also called binary cross-entropy or logistic loss.

    Parameters
    ----------
    pos_weight : float, default 1.0
        The weight of class 1, finite and > 0 (``scale_pos_weight`` of XGBoost, ``pos_weight`` of PyTorch).
    label_smoothing : float, default 0.0
        In [0, 1). Moves labels towards 1/2: ``t = (1 - label_smoothing) * y + label_smoothing / 2``.

    Notes
    -----
    With p the sigmoid of the raw score z, the loss of a sample is::

        -(pos_weight * t * log(p) + (1 - t) * log(1 - p))

    Labels are smoothed before they are weighted, as in PyTorch. Without ``pos_weight`` the loss is strictly
    proper: the sigmoid of the minimiser is the class probability. With ``pos_weight``, the odds of the sigmoid are
    ``pos_weight`` times too high, and ``posterior`` divides the odds by this factor (Elkan 2001, theorem 2). The decision
    threshold 0.5 is then no longer shifted by ``pos_weight``; choose a threshold on the probabilities instead.

    Examples
    --------
    >>> from boosting_losses import LogLoss
    >>> loss = LogLoss()
    >>> round(loss([0, 1], [-2.0, 1.0]), 4)
    0.2201
    >>> gradient, hessian = loss.gradient_hessian([0, 1], [-2.0, 1.0])
    >>> gradient.round(4)
    array([ 0.1192, -0.2689])
    """

    pos_weight: float = 1.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pos_weight", parameters.finite_above_zero("pos_weight", self.pos_weight))
        object.__setattr__(self, "label_smoothing", parameters.smoothing_strength(self.label_smoothing))

    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        return cross_entropy, ()

    def shape(self) -> Shape:
        return Shape(0.0, convex=True)

    @property
    def class_weights(self) -> tuple[float, float]:
        return self.pos_weight, 1.0

    def with_class_weight(self, weights: npt.NDArray[np.float64]) -> tuple[Self, float]:
        parameters.refuse_both(self, given=self.pos_weight != 1.0)
        return replace(self, pos_weight=float(weights[1] / weights[0])), float(weights[0])


@register_loss
@dataclass(frozen=True)
class FocalLoss(BinaryLoss):
    """Focal loss of raw scores, a log loss that gives less weight to well classified samples.

    Parameters
    ----------
    gamma : float, default 2.0
        From 0 to 100. The focusing parameter: larger values reduce the weight of easy samples more. 0 gives log loss.
    alpha : float, optional
        In (0, 1). The weight of class 1; the weight of class 0 is ``1 - alpha``. By default both weights are 1.
    hessian : {"guarded", "exact"}, default "guarded"
        The second derivative is negative for confidently misclassified samples, and a Newton step would then increase the
        loss. "guarded" keeps the second derivative at or above ``0.25 * min(gamma, 1)`` times the gradient's magnitude,
        which bounds the step; "exact" does not change the second derivative.

    Notes
    -----
    With p the sigmoid of the raw score, p_y = p and alpha_y = alpha for y = 1, and their complements for y = 0, the
    loss of a sample is::

        -alpha_y * (1 - p_y) ** gamma * log(p_y)

    (Lin et al. 2017, arXiv 1708.02002, equation 5). For a soft label, the loss is the mean of the two losses, weighted by
    the label. Focal loss is not proper: the sigmoid of its minimiser is closer to 1/2 than the class probability.
    ``posterior`` recovers the probability (Charoenphakdee et al. 2021, arXiv 2011.09172), and undoes ``alpha`` as well.

    Examples
    --------
    >>> from boosting_losses import FocalLoss
    >>> loss = FocalLoss(gamma=2.0)
    >>> raw = loss.init_score([0] * 95 + [1] * 5)
    >>> round(float(loss.activation([raw])[0]), 3), round(float(loss.posterior([raw])[0]), 3)
    (0.25, 0.05)
    """

    gamma: float = 2.0
    alpha: float | None = None
    hessian: Literal["guarded", "exact"] = "guarded"

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", parameters.focusing(self.gamma))
        if self.alpha is not None:
            object.__setattr__(self, "alpha", parameters.between_zero_and_one("alpha", self.alpha))
        parameters.check_hessian_rule(self.hessian)

    def formula(self) -> tuple[Formula, tuple[float, ...]]:
        return (focal_2, ()) if self.gamma == 2.0 else (focal, (self.gamma,))

    def shape(self) -> Shape:
        return Shape(0.0 if self.gamma == 0.0 else None, convex=self.gamma == 0.0)

    def hessian_floor(self) -> float:
        return parameters.hessian_floor(self.hessian, self.gamma)

    @property
    def class_weights(self) -> tuple[float, float]:
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1.0 - self.alpha)

    def with_class_weight(self, weights: npt.NDArray[np.float64]) -> tuple[Self, float]:
        parameters.refuse_both(self, given=self.alpha is not None)
        return replace(self, alpha=float(weights[1] / weights.sum())), float(weights.sum())
