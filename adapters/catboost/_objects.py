"""CatBoost's objective and eval metric for a loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._types import Array
from ...losses import Loss
from ...losses.row_functions import RowFunction
from .._init_score import InitScore, as_init_score
from .._loss import check_loss
from .._metric import MetricBase


@dataclass(frozen=True)
class Objective:
    """A loss as ``loss_function=`` of CatBoost, on the CPU.

    Sample weights, which include CatBoost's class weights, multiply the derivatives. A multiclass loss returns the full K x K
    Hessian in a positive semi-definite form, because CatBoost stops with an error otherwise.

    Parameters
    ----------
    loss : Loss
    init_score : float or sequence of K floats, default 0.0
        A constant that is added to CatBoost's scores, so that training starts from it. ``train`` stores it as the model's
        bias. For a model that was trained without ``train``, ``raw_score`` adds it.

    Raises
    ------
    TypeError
        If ``loss`` is not a loss.
    """

    loss: Loss
    init_score: InitScore = 0.0

    no_jit = True  # otherwise CatBoost tries to compile the methods on each fit, fails and warns

    def __post_init__(self) -> None:
        check_loss(self.loss)
        object.__setattr__(self, "init_score", as_init_score(self.init_score))
        object.__setattr__(self, "_rows", {})
        if self.loss.multiclass and isinstance(self.init_score, tuple):
            # CatBoost calls this function twice per row and round; a Python wrapper would cost a tenth of the training time.
            object.__setattr__(self, "calc_ders_multi", self._row_function(len(self.init_score)))

    def calc_ders_range(self, approxes: Array, targets: Array, weights: Array | None) -> Array:
        """Return the first and second derivatives of the negative loss for a block of rows, ``(n, 2)``."""
        if self.loss.multiclass:
            raise ValueError(f"{self.loss} needs K scores per sample: pass class_names with at least 2 classes")
        loss = self.loss
        derivatives = np.empty((len(targets), 2))
        gradient, hessian = derivatives[:, 0], derivatives[:, 1]
        shift = None if self.init_score == 0.0 else self.init_score
        if not loss.fill_derivatives(targets, approxes, shift, weights, gradient, hessian):  # type: ignore[arg-type]
            if weights is not None and not weights.any():  # all rows of a block may have weight 0
                return np.zeros((len(targets), 2))
            loss.write_gradient_hessian(targets, approxes, weights, gradient, hessian, shift=shift)
        np.negative(derivatives, out=derivatives)
        return derivatives

    def calc_ders_multi(
        self, approx: Array, target: float, weight: float
    ) -> tuple[Sequence[float], tuple[Sequence[float]]]:
        """Return the first and second derivatives of the negative loss for one row.

        The second derivatives are a one-element tuple that contains the upper triangle of the Hessian in row-major order,
        because CatBoost reads the values sequentially.
        """
        return self._row_function(len(approx))(approx, target, weight)

    def _row_function(self, n_classes: int) -> RowFunction:
        rows: dict[int, RowFunction] = self.__dict__["_rows"]
        if n_classes not in rows:
            if not self.loss.multiclass:
                raise TypeError(f"{self.loss} is binary, got {n_classes} scores per sample")
            rows[n_classes] = self.loss.row_function(n_classes, self.init_score, factor=-1.0)
        return rows[n_classes]

    def __reduce__(self) -> tuple[type[Objective], tuple[Loss, InitScore]]:
        return type(self), (self.loss, self.init_score)  # without compiled functions

    def __deepcopy__(self, memo: dict[int, Any]) -> Objective:
        return self  # immutable; CatBoost and scikit-learn's clone compare by identity


class Metric(MetricBase):
    """A loss, or a score of its probabilities, as ``eval_metric=`` of CatBoost.

    Parameters
    ----------
    loss : Loss
        The loss that the model is trained with.
    score : callable, optional
        A score ``(y_true, proba, sample_weight=None) -> float`` of the class probabilities ``loss.posterior(raw)``, such
        as those in :mod:`boosting_losses.metrics`. Default: the mean of the loss itself.
    greater_is_better : bool, default False
        Whether a greater score is better.
    init_score : float or sequence of K floats, default 0.0
        The init score of the :class:`Objective`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid.

    Notes
    -----
    CatBoost passes raw scores to metrics with every objective, and names a metric after its class, here ``Metric``. The
    parameters ``input`` and ``name`` exist for the other libraries, and ``input`` must be "raw".
    """

    no_jit = True

    def __post_init__(self) -> None:
        if self.input != "raw":
            raise ValueError(
                f"input must be 'raw', because CatBoost passes raw scores with every objective, got {self.input!r}"
            )
        super().__post_init__()

    def is_max_optimal(self) -> bool:
        """Return whether a greater value is better."""
        return self.greater_is_better

    def evaluate(self, approxes: Sequence[Array], target: Array, weight: Array | None) -> tuple[float, float]:
        """Return the value of the metric times the sum of weights, and the sum of weights."""
        raw = np.column_stack(approxes) if self.loss.multiclass else np.asarray(approxes[0])
        total = float(len(target)) if weight is None else float(np.sum(weight, dtype=np.float64))
        return (self.value(target, raw, weight) * total if total > 0.0 else 0.0), total

    def get_final_error(self, error: float, weight: float) -> float:
        """Return the value of the metric: the error divided by the sum of weights."""
        return error / weight if weight > 0.0 else 0.0
