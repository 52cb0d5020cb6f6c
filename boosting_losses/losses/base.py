"""The interface of a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from .. import _validation
from .._types import Array


class Loss(ABC):
    """A loss of raw scores, written once and usable with every boosting library.

    A *raw score* (margin, logit) is the sum of the outputs of a model's trees. Losses are immutable, hashable, picklable
    and stateless: they hold their parameters and remember nothing about data.

    All methods take their arguments in the order ``(y_true, raw, sample_weight=None)``:

    y_true : array-like
        Binary losses: ``(n,)`` labels in [0, 1], hard or soft. Multiclass losses: ``(n,)`` class codes 0..K-1, or
        ``(n, K)`` soft labels whose rows sum to 1. Any boolean, integer or floating dtype but float16.
    raw : array-like
        Finite raw scores, ``(n,)`` for a binary loss and ``(n, K)`` for a multiclass one; float32 or float64 (integers
        and booleans become float64).
    sample_weight : array-like of shape (n,), optional
        Finite, >= 0, not all 0. Multiplies value, gradient and Hessian of its row: an integer weight does exactly what
        repeating the row would do.

    Raises
    ------
    TypeError
        From every method, when a dtype is not numeric, or is half precision.
    ValueError
        From every method, when shapes disagree, data are empty, or a value has no meaning; the message names the
        argument, the rule, the value and its row.
    """

    #: Whether a sample has one raw score for each class (True) or a single one (False).
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
        """Return the pair ``(sum(w_i * loss_i), sum(w_i))``, summed in float64 in one pass without temporary arrays.

        Pairs of chunks, folds or workers add up; dividing once at the end gives the mean over all of them. ``shift`` is
        the init score to add to the raw scores, one number or one for each class.
        """

    @abstractmethod
    def per_sample(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the loss of each sample times its weight, in nats: ``(n,)`` float64, whatever the dtype of ``raw``."""

    def gradient_hessian(
        self, y_true: npt.ArrayLike, raw: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> tuple[Array, Array]:
        """Return first and second derivatives of ``per_sample`` in ``raw``; two arrays of the shape and dtype of ``raw``.

        For a multiclass loss the second is the diagonal of each sample's K x K Hessian.
        """
        scores = _validation.numeric("raw", raw)
        dtype: npt.DTypeLike = np.float32 if scores.dtype == np.float32 else np.float64
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
        """Write what ``gradient_hessian`` returns into given arrays, in the dtype and layout that a library wants.

        Parameters
        ----------
        y_true, raw, sample_weight
            As in all methods.
        gradient, hessian : ndarray of the shape of ``raw``
            float32 or float64, in any memory layout. The computation is in the dtype of ``raw``.
        shift : float or sequence of K floats, optional
            The init score to add to the raw scores, one number or one for each class.
        factor : float, default 1.0
            Multiplies the Hessian.
        """

    @abstractmethod
    def init_score(
        self, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, n_classes: int | None = None
    ) -> float | npt.NDArray[np.float64]:
        """Return the constant raw score that minimises the weighted mean loss, from which boosting should start.

        Parameters
        ----------
        y_true, sample_weight
            As in all methods.
        n_classes : int, optional
            The number of classes K, needed where class codes do not show all of them. Default: the largest code plus one.

        Returns
        -------
        float or ndarray of shape (K,)
            For K classes the scores sum to 0 (a common constant changes nothing).

        Raises
        ------
        ValueError
            When all labels are of one class, or a class is missing whose best score would be minus infinity.
        """

    @abstractmethod
    def activation(self, raw: npt.ArrayLike) -> Array:
        """Return the plain sigmoid or softmax of the raw scores, of their shape and dtype."""

    @abstractmethod
    def posterior(self, raw: npt.ArrayLike, undo_smoothing: bool = False) -> Array:
        """Return the class probability P(y | x) that raw scores imply when they minimise the expected loss.

        This is the plain activation where the loss is proper. A focal term and class weights move the minimiser away
        from the probability; this method undoes both in closed form. Label smoothing is a regulariser and is undone only
        on request, since that moves rows to exactly 0 and 1.

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

        Unlike logarithms of ``posterior`` they keep their digits where a probability rounds to 0 or 1.

        Parameters
        ----------
        raw : array-like of shape (n,) or (n, K)

        Returns
        -------
        ndarray of the shape of ``raw``
            Binary losses: the log odds of class 1. Otherwise logarithms of the class probabilities, up to a constant for
            each row. float64; where the plain activation is the posterior, the raw scores themselves.
        """

    @abstractmethod
    def posterior_offset(self, n_classes: int = 2) -> float | npt.NDArray[np.float64] | None:
        """Return the constant c with ``posterior(raw) == activation(raw + c)``, which undoes class weights.

        Returns
        -------
        float, ndarray of shape (n_classes,), or None
            0 where the plain activation already is the probability, None where no constant makes it one (focal losses).
        """

    @property
    @abstractmethod
    def is_proper(self) -> bool:
        """Whether the plain activation already is the class probability, label smoothing aside."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # immutable; scikit-learn's clone and CatBoost compare by identity
