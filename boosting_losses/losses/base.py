"""The base class of all losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._types import Array
from ._shape import Shape
from .row_functions import RowFunction


class Loss(ABC):
    """Base class of losses of raw scores, which can be used with every boosting library.

    To make a loss, decorate a formula with :func:`binary_loss` or :func:`multiclass_loss`. A subclass of this class, of
    :class:`BinaryLoss` or of :class:`MulticlassLoss` must be a frozen dataclass, and defines the abstract methods. For
    CatBoost, a subclass for K classes also defines ``row_function``. Decorate it with ``register_loss`` so that model files
    can store it.

    A *raw score* (margin, logit) is the sum of the outputs of a model's trees. Losses are immutable, hashable, picklable
    and stateless: they store their parameters and no information about data.

    All methods take their arguments in the order ``(y_true, raw, sample_weight=None)``:

    y_true : array-like
        Binary losses: ``(n,)`` labels in [0, 1], hard or soft. Multiclass losses: ``(n,)`` class codes 0..K-1, or
        ``(n, K)`` soft labels whose rows sum to 1. Any boolean, integer or floating dtype except float16.
    raw : array-like
        Finite raw scores, ``(n,)`` for a binary loss and ``(n, K)`` for a multiclass loss; float32 or float64 (integers
        and booleans are converted to float64).
    sample_weight : array-like of shape (n,), optional
        Finite, >= 0, not all 0. Multiplies the value, gradient and Hessian of its row. An integer weight is equivalent to
        repeating the row.

    Raises
    ------
    TypeError
        From every method, if a dtype is not numeric or is half precision.
    ValueError
        From every method, if shapes disagree, data are empty, or a value is invalid; the message names the argument, the
        rule, the value and its row.
    """

    #: Whether a sample has one raw score per class (True) or a single raw score (False).
    multiclass: ClassVar[bool]

    def __call__(self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Return the mean loss in nats: ``sum(w_i * loss_i) / sum(w_i)``."""
        total, weight = self.sum_and_weight(y_true, raw, sample_weight)
        return total / weight

    @abstractmethod
    def sum_and_weight(
        self,
        y_true: npt.ArrayLike,
        raw: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        shift: float | Sequence[float] | None = None,
    ) -> tuple[float, float]:
        """Return the pair ``(sum(w_i * loss_i), sum(w_i))``, computed in float64 in one pass without temporary arrays.

        To compute the mean loss over chunks, folds or workers, add their pairs and divide once at the end. ``shift`` is
        the init score to add to the raw scores, one number or one per class.
        """

    @abstractmethod
    def per_sample(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the loss of each sample times its weight, in nats: ``(n,)`` float64, for any dtype of ``raw``."""

    def gradient_hessian(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Return the first and second derivatives of ``per_sample`` with respect to ``raw``.

        Both arrays have the shape and dtype of ``raw``; integers and booleans give float64. For a multiclass loss, the
        second array contains the diagonal of each sample's K x K Hessian.
        """
        scores = _validation.numeric("raw", raw)
        dtype: npt.DTypeLike = np.float32 if scores.dtype.newbyteorder("=") == np.float32 else np.float64
        gradient: Array = np.empty_like(scores, dtype=dtype)
        hessian: Array = np.empty_like(scores, dtype=dtype)
        self.write_gradient_hessian(y_true, scores, sample_weight, gradient, hessian)
        return gradient, hessian

    @abstractmethod
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
        """Write the results of ``gradient_hessian`` into existing arrays, in the dtype and layout that a library expects.

        Parameters
        ----------
        y_true, raw, sample_weight
            As for all methods.
        gradient, hessian : ndarray of the shape of ``raw``
            float32 or float64, in any memory layout. The computation uses the dtype of ``raw``.
        shift : float or sequence of K floats, optional
            The init score to add to the raw scores, one number or one per class.
        factor : float, default 1.0
            Multiplies the Hessian.
        """

    @abstractmethod
    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, n_classes: int | None = None
    ) -> float | npt.NDArray[np.float64]:
        """Return the constant raw score that minimises the weighted mean loss, the starting point of boosting.

        Parameters
        ----------
        y_true, sample_weight
            As for all methods.
        n_classes : int, optional
            The number of classes K, required if the largest class code does not occur. Default: the largest code plus one.

        Returns
        -------
        float or ndarray of shape (K,)
            For K classes the scores sum to 0, since a common constant does not change the loss. If the loss has no posterior,
            the minimiser may be infinite, and margins of the classes are then kept within -30 and 30.

        Raises
        ------
        ValueError
            If all labels are of one class, or if a class is missing and its best score would be minus infinity.
        """

    @abstractmethod
    def activation(self, raw: npt.ArrayLike) -> Array:
        """Return the plain sigmoid or softmax of the raw scores, with the same shape and dtype."""

    @abstractmethod
    def posterior(self, raw: npt.ArrayLike, undo_smoothing: bool = False) -> Array:
        """Return the class probability P(y | x) that raw scores imply if they minimise the expected loss.

        If the loss is proper, this is the plain activation. A focal term and class weights move the minimiser away
        from the probability; this method undoes both in closed form. Label smoothing is a regulariser and is undone only
        on request, because undoing it moves some probabilities to exactly 0 or 1.

        Parameters
        ----------
        raw : array-like of shape (n,) or (n, K)
        undo_smoothing : bool, default False

        Returns
        -------
        ndarray of the shape and dtype of ``raw``
            Binary losses: P(y = 1 | x).
        """

    @abstractmethod
    def posterior_logits(self, raw: npt.ArrayLike) -> Array:
        """Return scores whose plain sigmoid or softmax is the posterior, for further calibration.

        Unlike logarithms of ``posterior``, these scores keep full precision if a probability rounds to 0 or 1.

        Parameters
        ----------
        raw : array-like of shape (n,) or (n, K)

        Returns
        -------
        ndarray of the shape of ``raw``
            Binary losses: the log odds of class 1. Multiclass losses: the logarithms of the class probabilities, up to a
            constant for each row. The dtype is float64. If the loss is proper, the result is the raw scores themselves, as
            float32 or float64.
        """

    @abstractmethod
    def posterior_offset(self, n_classes: int = 2) -> float | npt.NDArray[np.float64] | None:
        """Return the constant c with ``posterior(raw) == activation(raw + c)``, which undoes class weights.

        Returns
        -------
        float, ndarray of shape (n_classes,), or None
            0 if the plain activation is the class probability; None if no such constant exists (focal losses).
        """

    @property
    @abstractmethod
    def is_proper(self) -> bool:
        """Whether the plain activation of the minimiser is the class probability, not considering label smoothing."""

    def with_class_weight(self, weights: npt.NDArray[np.float64]) -> tuple[Self, float]:
        """Return the loss with class weights, and a factor for all sample weights.

        Since class weights are a part of the loss, ``posterior`` undoes them. A loss may store only the ratio of the
        weights of two classes; the factor restores their magnitude.

        Raises
        ------
        TypeError, ValueError
            If the loss does not support class weights, or already has some.
        """
        raise TypeError(
            f"class_weight must be None for a loss that does not support class weights, got one with {self}"
        )

    def shape(self) -> Shape:
        """Return where a posterior exists, and whether the second derivative is negative anywhere."""
        return Shape(None, convex=True)

    def fill_derivatives(
        self, y: Array, raw: Array, shift: float | None, weight: Array | None, gradient: Array, hessian: Array
    ) -> bool:
        """Fill derivatives of a binary loss, for libraries that request many small blocks.

        Labels and weights must have the same dtype, and all arrays the same length. Losses of this package do not validate
        the data, and return False if a value may be invalid or all weights are 0.
        """
        self.write_gradient_hessian(y, raw, weight, gradient, hessian, shift=shift)
        return True

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
            order. Unless the loss has ``hessian="exact"``, the Hessian is positive semi-definite: negative curvature in the
            direction of the gradient is set to 0.

        Raises
        ------
        TypeError
            If the loss has no such function, as all binary losses.
        ValueError
            If ``n_classes`` differs from the number of class weights or init scores. The returned function raises
            ValueError if a row has a different number of scores, or a label out of range.
        """
        raise TypeError(f"{self} must have a row function for K scores per sample, got {n_classes} scores")

    @property
    def semidefinite(self) -> bool:
        """Whether the Hessian of row functions is always positive semi-definite."""
        return bool(getattr(self, "hessian", "guarded") != "exact")

    def hessian_floor(self) -> float:
        """Return the smallest ratio of the Hessian to the magnitude of the gradient; 0 leaves the Hessian as it is."""
        return 0.0

    def _check_posterior(self, what: str) -> None:
        if (obstacle := self.shape().obstacle) is not None:
            raise ValueError(f"{what} must be defined for {self}, but {obstacle}")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # losses are immutable, and scikit-learn's clone and CatBoost compare parameters by identity
