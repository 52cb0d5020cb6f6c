"""LightGBM's objective and eval metric for a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss
from .._init_score import InitScore, as_init_score, plus_init_score
from .._loss import check_loss
from .._metric import MetricBase, check_metric
from ._data import labels_and_weights

Feval: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Objective:
    """A loss as ``params["objective"]`` of ``lightgbm.train`` and ``objective=`` of ``LGBMClassifier``.

    Sample weights multiply the gradient and the Hessian. For K classes, the diagonal of the Hessian is multiplied by
    K / (K - 1), as in LightGBM's softmax objective.

    Parameters
    ----------
    loss : Loss
    init_score : float or sequence of K floats, default 0.0
        A constant that is added to LightGBM's scores, so that training starts from it. LightGBM does not store it in the
        model: ``raw_score`` adds it for an ``LGBMClassifier``, and ``train`` adds it to the trees.

    Raises
    ------
    TypeError
        If ``loss`` is not a loss.
    """

    loss: Loss
    init_score: InitScore = 0.0

    def __post_init__(self) -> None:
        check_loss(self.loss)
        object.__setattr__(self, "init_score", as_init_score(self.init_score))

    def __call__(self, y_true: Any, y_pred: Any, weight: npt.ArrayLike | None = None) -> tuple[Array, Array]:
        """Return the gradient and the Hessian, from ``(raw, Dataset)`` or from ``(y_true, raw, weight)``."""
        if isinstance(y_pred, lgb.Dataset):
            labels, weight = labels_and_weights(y_pred)
            raw = y_true
        else:
            labels, raw = y_true, y_pred
        gradient, hessian = np.empty_like(raw, dtype=np.float32), np.empty_like(raw, dtype=np.float32)
        factor = raw.shape[1] / (raw.shape[1] - 1) if self.loss.multiclass and np.ndim(raw) == 2 else 1.0
        shift = self.init_score if np.any(self.init_score) else None
        self.loss.write_gradient_hessian(labels, raw, weight, gradient, hessian, shift=shift, factor=factor)
        return gradient, hessian

    def __deepcopy__(self, memo: dict[int, Any]) -> Objective:
        return self  # immutable


class Metric(MetricBase):
    """A loss, or a score of its probabilities, as ``feval=`` and as ``eval_metric=`` of ``LGBMClassifier.fit``.

    Parameters
    ----------
    loss : Loss
        The loss that the model is trained with.
    score : callable, optional
        A score ``(y_true, proba, sample_weight=None) -> float`` of the class probabilities ``loss.posterior(raw)``, such
        as those in :mod:`boosting_losses.metrics`. Default: the mean of the loss itself.
    input : {"raw", "proba"}, default "raw"
        What LightGBM passes to the metric: raw scores with a custom objective, probabilities with a builtin one. The
        metric does not detect this.
    name : str, optional
        Name in logs. Default: the name of the score or of the loss.
    greater_is_better : bool, default False
        Whether a greater score is better.
    init_score : float or sequence of K floats, default 0.0
        The init score of the :class:`Objective`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid.
    """

    def __call__(self, y_true: Any, y_pred: Any, weight: npt.ArrayLike | None = None) -> tuple[str, float, bool]:
        """Return name, value and direction, from ``(predictions, Dataset)`` or ``(y_true, predictions, weight)``."""
        if isinstance(y_pred, lgb.Dataset):
            labels, weight = labels_and_weights(y_pred)
            return self.label, self.value(labels, y_true, weight), self.greater_is_better
        return self.label, self.value(y_true, y_pred, weight), self.greater_is_better


def metrics_with_init_score(
    loss: Loss, feval: Feval | Sequence[Feval] | None, metric: Any, init_score: InitScore
) -> list[Feval] | None:
    """Return the requested metrics, wrapped so that they receive raw scores that include the init score."""
    if feval is None:
        return [Metric(loss, init_score=init_score)] if metric == "None" else None
    functions = [feval] if callable(feval) else list(feval)
    for function in functions:
        check_metric(function, loss)
    return [
        function.with_init_score(init_score) if isinstance(function, Metric) else _WithInitScore(function, init_score)
        for function in functions
    ]


@dataclass(frozen=True)
class _WithInitScore:
    """A metric of the caller, evaluated on scores that include the init score."""

    metric: Feval
    init_score: InitScore

    def __call__(self, predictions: Array, data: lgb.Dataset) -> Any:
        return self.metric(plus_init_score(predictions, self.init_score), data)
