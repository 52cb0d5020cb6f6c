"""A loss as what LightGBM calls: an objective and an eval metric."""

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

    Weights of the data multiply gradient and Hessian. For K classes the Hessian's diagonal is multiplied by K / (K - 1),
    as in LightGBM's own softmax objective.

    Parameters
    ----------
    loss : Loss
    init_score : float or sequence of K floats, default 0.0
        A constant that is added to LightGBM's scores, so that training starts there. It does not become a part of the
        model: ``raw_score`` adds it for an ``LGBMClassifier``, ``train`` folds it into the model.

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
        """Return gradient and Hessian, from ``(raw, Dataset)`` or from ``(y_true, raw, weight)``."""
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
        What LightGBM hands over: raw scores under a custom objective, probabilities under a builtin one. Never guessed.
    name : str, optional
        Name in logs. Default: that of the score or the loss.
    greater_is_better : bool, default False
        Direction of the score.
    init_score : float or sequence of K floats, default 0.0
        That of the :class:`Objective`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.
    """

    def __call__(self, y_true: Any, y_pred: Any, weight: npt.ArrayLike | None = None) -> tuple[str, float, bool]:
        """Return name, value and direction, from ``(predictions, Dataset)`` or from ``(y_true, predictions, weight)``."""
        if isinstance(y_pred, lgb.Dataset):
            labels, weight = labels_and_weights(y_pred)
            return self.label, self.value(labels, y_true, weight), self.greater_is_better
        return self.label, self.value(y_true, y_pred, weight), self.greater_is_better


def metrics_with_init_score(
    loss: Loss, feval: Feval | Sequence[Feval] | None, metric: Any, init_score: InitScore
) -> list[Feval] | None:
    """Return the metrics that were asked for, made to see the raw scores with the init score."""
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
    """A metric of the caller's, on scores with the init score."""

    metric: Feval
    init_score: InitScore

    def __call__(self, predictions: Array, data: lgb.Dataset) -> Any:
        return self.metric(plus_init_score(predictions, self.init_score), data)
