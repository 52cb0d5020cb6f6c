"""Losses of K raw scores per sample: softmax cross-entropy and softmax focal loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._kernels import focal, row_by_row, rows, softmax, softmax_focal
from .._types import Array
from . import parameters
from .base import Loss
from .rows import RowFunction, row_function


class MulticlassLoss(Loss):
    """Base class of losses of K raw scores per sample."""

    multiclass: ClassVar[bool] = True

    class_weight: Sequence[float] | None

    def sum_and_weight(
        self,
        y_true: npt.ArrayLike,
        raw: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        shift: float | Sequence[float] | None = None,
    ) -> tuple[float, float]:
        data = _validation.multiclass(y_true, raw, sample_weight)
        init_score, class_weight = _checked_shift(shift, data[1].shape[1]), self._class_weights(data[1].shape[1])
        total, weights = 0.0, 0.0
        for _, y, scores, weight in _validation.blocks(*data):
            if y.ndim == 1:
                fine, loss, w = self._sums(y, scores, init_score, weight, class_weight, None)
            else:
                losses = np.empty(len(y))
                fine = self._fill_soft_losses(y, _shifted(scores, init_score), weight, class_weight, losses)
                loss, w = float(losses.sum()), float(len(y) if weight is None else weight.sum(dtype=np.float64))
            if not fine:
                _validation.refuse_multiclass(*data)
            total, weights = total + loss, weights + w
        if not 0.0 < weights < np.inf:
            _validation.refuse_weights(data[2])
        return total, weights

    def per_sample(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float64]:
        data = _validation.multiclass(y_true, raw, sample_weight)
        _validation.refuse_weights(data[2])
        class_weight = self._class_weights(data[1].shape[1])
        losses = np.empty(len(data[0]))
        for block, y, scores, weight in _validation.blocks(*data):
            if y.ndim == 1:
                fine, _, _ = self._sums(y, scores, None, weight, class_weight, losses[block])
            else:
                fine = self._fill_soft_losses(y, scores, weight, class_weight, losses[block])
            if not fine:
                _validation.refuse_multiclass(*data)
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
        data = _validation.multiclass(y_true, raw, sample_weight)
        _validation.check_outputs(data[1], gradient=gradient, hessian=hessian)
        init_score, class_weight = _checked_shift(shift, data[1].shape[1]), self._class_weights(data[1].shape[1])
        any_weight = False
        for block, y, scores, weight in _validation.blocks(*data):
            g, h = gradient[block], hessian[block]
            if y.ndim == 1:
                fine, weighs = self._fill_derivatives(y, scores, init_score, weight, class_weight, factor, g, h)
            else:
                fine = self._fill_soft_derivatives(y, _shifted(scores, init_score), weight, class_weight, factor, g, h)
                weighs = weight is None or bool(weight.any())
            if not fine:
                _validation.refuse_multiclass(*data)
            any_weight |= weighs
        if not any_weight:
            _validation.refuse_weights(data[2])

    def row_function(
        self, n_classes: int, init_score: float | Sequence[float] = 0.0, factor: float = 1.0
    ) -> RowFunction:
        """Return a function that computes the gradient and full Hessian of one sample, for row-by-row libraries.

        Parameters
        ----------
        n_classes : int
        init_score : float or sequence of K floats, default 0.0
            Added to the raw scores.
        factor : float, default 1.0
            Multiplies the derivatives, in addition to the sample weight; -1 for a library that maximises.

        Returns
        -------
        callable ``(raw, label, weight) -> (gradient, hessian)``
            Takes raw scores of shape (K,) and dtype float64, a class code and a weight, both floats. The weight is not
            validated. Returns K floats and a one-element tuple that contains the upper triangle of the Hessian in row-major
            order. The Hessian of a guarded focal loss is positive semi-definite: negative curvature in the direction of the
            gradient is set to 0.

        Raises
        ------
        ValueError
            If ``n_classes`` differs from the number of class weights or init scores. The returned function raises
            ValueError if a row has a different number of scores, or a label out of range.
        """
        scores = np.asarray(init_score, dtype=np.float64)
        if scores.ndim and scores.shape != (n_classes,):
            raise ValueError(f"init_score must hold one score per class, got {scores.size} for {n_classes}")
        gamma, smoothing, semidefinite = self._row_parameters()
        parameters = rows.parameters(
            factor, gamma, smoothing, semidefinite, np.broadcast_to(scores, n_classes), self._class_weights(n_classes)
        )
        return row_function(parameters, n_classes)

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
            smoothed = getattr(self, "label_smoothing", 0.0) > 0.0
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
        shares = self._smoothed(shares / shares.sum())
        if not (shares > 0.0).all():
            missing = np.flatnonzero(shares == 0.0)
            raise ValueError(
                f"y_true must hold every class 0..{classes - 1} with positive weight, got none of class {missing[0]}: its"
                " best score is minus infinity"
            )
        log_p = self._best_log_p(np.log(shares) + np.log(self._class_weights(classes)))
        best: npt.NDArray[np.float64] = log_p - log_p.mean()
        return best

    def activation(self, raw: npt.ArrayLike) -> Array:
        scores = _validation.raw_scores(raw, multiclass=True)
        proba = np.empty_like(scores)
        if not softmax.posterior(scores, np.zeros(scores.shape[1]), 0.0, proba):
            _validation.refuse_raw(scores)
        return proba

    def posterior(self, raw: npt.ArrayLike, undo_smoothing: bool = False) -> Array:
        scores = _validation.raw_scores(raw, multiclass=True)
        proba = np.empty_like(scores)
        if not self._fill_posterior(scores, self._undo_weights(scores.shape[1]), undo_smoothing, proba):
            _validation.refuse_raw(scores)
        return proba

    def posterior_logits(self, raw: npt.ArrayLike) -> Array:
        scores = _validation.raw_scores(raw, multiclass=True)
        _validation.refuse_raw(scores)
        if self.is_proper:
            return scores
        logits = np.empty_like(scores, dtype=np.float64)
        self._fill_logits(scores, self._undo_weights(scores.shape[1]), logits)
        return logits

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

    def _smoothed(self, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the mean label after smoothing, given the mean label before."""
        return shares

    # The kernels of a loss. ``_sums`` returns validity and sums; ``_fill_derivatives`` returns validity and whether any
    # weight is above 0; the kernels for soft labels return validity.

    @abstractmethod
    def _sums(
        self,
        y: Array,
        raw: Array,
        shift: Array | None,
        weight: Array | None,
        class_weight: Array,
        each: Array | None,
    ) -> tuple[bool, float, float]: ...

    @abstractmethod
    def _fill_derivatives(
        self,
        y: Array,
        raw: Array,
        shift: Array | None,
        weight: Array | None,
        class_weight: Array,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> tuple[bool, bool]: ...

    @abstractmethod
    def _fill_soft_losses(
        self, y: Array, raw: Array, weight: Array | None, class_weight: Array, out: Array
    ) -> bool: ...

    @abstractmethod
    def _fill_soft_derivatives(
        self,
        y: Array,
        raw: Array,
        weight: Array | None,
        class_weight: Array,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> bool: ...

    @abstractmethod
    def _row_parameters(self) -> tuple[float, float, bool]:
        """Return a tuple: gamma, the label-smoothing strength, and whether the Hessian must be positive semi-definite."""

    @abstractmethod
    def _fill_posterior(self, raw: Array, offset: Array, undo_smoothing: bool, out: Array) -> bool: ...

    @abstractmethod
    def _fill_logits(self, raw: Array, offset: Array, out: Array) -> None: ...

    @abstractmethod
    def _best_log_p(self, log_terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the minimiser, given for each class the logarithm of its mean label multiplied by its weight."""


def _checked_shift(shift: float | Sequence[float] | None, classes: int) -> npt.NDArray[np.float64] | None:
    if shift is None:
        return None
    init_score = np.asarray(shift, dtype=np.float64)
    if init_score.ndim and init_score.shape != (classes,):
        raise ValueError(f"shift must be one number or one for each of {classes} classes, got shape {init_score.shape}")
    return np.broadcast_to(init_score, classes).copy()


def _shifted(raw: Array, shift: npt.NDArray[np.float64] | None) -> Array:
    return raw if shift is None else raw + shift


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

    @property
    def is_proper(self) -> bool:
        return parameters.all_equal(self.class_weight)

    def posterior_offset(self, n_classes: int = 2) -> npt.NDArray[np.float64]:
        return self._undo_weights(n_classes)

    def _smoothed(self, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return (1.0 - self.label_smoothing) * shares + self.label_smoothing / len(shares)

    def _sums(
        self,
        y: Array,
        raw: Array,
        shift: Array | None,
        weight: Array | None,
        class_weight: Array,
        each: Array | None,
    ) -> tuple[bool, float, float]:
        fine, loss, _, weights = softmax.sums(y, raw, shift, weight, class_weight, self.label_smoothing, each)
        return fine, loss, weights

    def _fill_derivatives(
        self,
        y: Array,
        raw: Array,
        shift: Array | None,
        weight: Array | None,
        class_weight: Array,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> tuple[bool, bool]:
        smoothing = self.label_smoothing
        return softmax.gradient_hessian(y, raw, shift, weight, class_weight, smoothing, factor, gradient, hessian)

    def _fill_soft_losses(self, y: Array, raw: Array, weight: Array | None, class_weight: Array, out: Array) -> bool:
        return row_by_row.losses(y, raw, weight, class_weight, self.label_smoothing, out)

    def _fill_soft_derivatives(
        self,
        y: Array,
        raw: Array,
        weight: Array | None,
        class_weight: Array,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> bool:
        smoothing = self.label_smoothing
        return row_by_row.gradient_hessian(y, raw, weight, class_weight, smoothing, factor, gradient, hessian)

    def _row_parameters(self) -> tuple[float, float, bool]:
        return 0.0, self.label_smoothing, True

    def _fill_posterior(self, raw: Array, offset: Array, undo_smoothing: bool, out: Array) -> bool:
        return softmax.posterior(raw, offset, self.label_smoothing if undo_smoothing else 0.0, out)

    def _fill_logits(self, raw: Array, offset: Array, out: Array) -> None:
        np.add(raw, offset, out=out)

    def _best_log_p(self, log_terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return log_terms


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

    @property
    def is_proper(self) -> bool:
        return self.gamma == 0.0 and parameters.all_equal(self.class_weight)

    def posterior_offset(self, n_classes: int = 2) -> npt.NDArray[np.float64] | None:
        return self._undo_weights(n_classes) if self.gamma == 0.0 else None

    def _sums(
        self,
        y: Array,
        raw: Array,
        shift: Array | None,
        weight: Array | None,
        class_weight: Array,
        each: Array | None,
    ) -> tuple[bool, float, float]:
        return softmax_focal.sums(y, raw, shift, weight, class_weight, self.gamma, each)

    def _fill_derivatives(
        self,
        y: Array,
        raw: Array,
        shift: Array | None,
        weight: Array | None,
        class_weight: Array,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> tuple[bool, bool]:
        floor = parameters.hessian_floor(self.hessian, self.gamma)
        return softmax_focal.gradient_hessian(
            y, raw, shift, weight, class_weight, self.gamma, floor, factor, gradient, hessian
        )

    def _fill_soft_losses(self, y: Array, raw: Array, weight: Array | None, class_weight: Array, out: Array) -> bool:
        return row_by_row.focal_losses(y, raw, weight, class_weight, self.gamma, out)

    def _fill_soft_derivatives(
        self,
        y: Array,
        raw: Array,
        weight: Array | None,
        class_weight: Array,
        factor: float,
        gradient: Array,
        hessian: Array,
    ) -> bool:
        floor = parameters.hessian_floor(self.hessian, self.gamma)
        return row_by_row.focal_gradient_hessian(
            y, raw, weight, class_weight, self.gamma, floor, factor, gradient, hessian
        )

    def _row_parameters(self) -> tuple[float, float, bool]:
        return self.gamma, 0.0, self.hessian == "guarded"

    def _fill_posterior(self, raw: Array, offset: Array, undo_smoothing: bool, out: Array) -> bool:
        return row_by_row.focal_posterior(raw, self.gamma, offset, out)

    def _fill_logits(self, raw: Array, offset: Array, out: Array) -> None:
        row_by_row.focal_logits(raw, self.gamma, offset, out)

    def _best_log_p(self, log_terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        log_p = np.empty_like(log_terms)
        focal.minimiser(log_terms, self.gamma, log_p)
        return log_p
