"""XGBoost's objective and eval metric for a loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..._types import Array
from ...losses import BinaryLoss, Loss, MulticlassLoss
from .._init_score import InitScore
from .._loss import check_loss
from .._metric import MetricBase, warn_of_no_mean
from ._data import labels_and_weights
from ._workers import has_no_weight, mean_of_all, several

#: Metrics that depend only on the order of the scores, and are therefore correct for raw scores with any link.
RANK_METRICS = ("auc", "aucpr", "ndcg", "map", "pre")

#: The implementations that can write the gradient over the raw scores. That of another loss may use a score again later.
_IN_PLACE = (BinaryLoss.write_gradient_hessian, MulticlassLoss.write_gradient_hessian)


@dataclass(frozen=True)
class Objective:
    """A loss as ``obj=`` of ``xgboost.train`` and ``objective=`` of ``XGBClassifier``.

    Sample weights multiply the gradient and the Hessian. For a multiclass loss, the diagonal of the Hessian is doubled, as in
    XGBoost's softmax objective. If you pass this object directly to XGBoost, set the init score and the link with
    :func:`params`.

    Parameters
    ----------
    loss : Loss

    Raises
    ------
    TypeError
        If ``loss`` is not a loss.
    """

    loss: Loss

    def __post_init__(self) -> None:
        check_loss(self.loss)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: npt.ArrayLike | None = None) -> tuple[Array, Array]:
        """Return the gradient and the Hessian, from ``(raw, DMatrix)`` or from ``(y_true, raw, sample_weight=None)``."""
        if isinstance(y_pred, xgb.DMatrix):
            raw = y_true
            labels, weight = labels_and_weights(y_pred)
        else:
            labels, raw, weight = y_true, y_pred, sample_weight  # type: ignore[assignment]
        gradient, hessian = np.empty_like(raw, dtype=np.float32), np.empty_like(raw, dtype=np.float32)
        return _derivatives(self.loss, labels, raw, weight, gradient, hessian)

    def __deepcopy__(self, memo: dict[int, Any]) -> Objective:
        return self  # immutable


@dataclass(frozen=True)
class InPlaceObjective:
    """An objective that writes the gradient over the raw scores, block by block, to save memory.

    This is safe because XGBoost passes a new copy of the scores in each call. It holds that copy and the results while it
    grows the trees of the round.
    """

    loss: Loss
    n_scores: int = 1

    def __call__(self, raw: Any, data: xgb.DMatrix) -> tuple[Array, Array]:
        """Return the gradient and the Hessian; the scores may be overwritten."""
        if not raw.size:  # XGBoost drops the columns in a process without rows
            raw = np.empty((0, self.n_scores), np.float32)
        spare = type(self.loss).write_gradient_hessian in _IN_PLACE and raw.dtype == np.float32 and raw.flags.writeable
        gradient = raw if spare else np.empty_like(raw, dtype=np.float32)
        # The labels come last: their memory, free after this call, then leaves no gap below arrays that live longer.
        hessian = np.empty_like(raw, dtype=np.float32)
        labels, weight = labels_and_weights(data)
        return _derivatives(self.loss, labels, raw, weight, gradient, hessian)


def _derivatives(
    loss: Loss, labels: Any, raw: Any, weight: Any, gradient: Array, hessian: Array
) -> tuple[Array, Array]:
    if has_no_weight(labels, weight):
        return np.zeros_like(raw), np.zeros_like(raw)
    factor = 2.0 if loss.multiclass else 1.0
    loss.write_gradient_hessian(labels, raw, weight, gradient, hessian, factor=factor)
    return gradient, hessian


@dataclass(frozen=True)
class Metric(MetricBase):
    """A loss, or a score of its probabilities, as ``custom_metric=`` and as ``eval_metric=`` of ``XGBClassifier``.

    Parameters
    ----------
    loss : Loss
        The loss that the model is trained with.
    score : callable, optional
        A score ``(y_true, proba, sample_weight=None) -> float`` of the class probabilities ``loss.posterior(raw)``,
        such as those in :mod:`boosting_losses.metrics`. Default: the mean of the loss itself.
    input : {"raw", "proba"}, default "raw"
        What XGBoost passes to the metric: raw scores with a custom objective, probabilities with a builtin one. The
        metric does not detect this.
    name : str, optional
        Name in logs. Default: the name of the score or of the loss.
    greater_is_better : bool, default False
        Whether a greater score is better. XGBoost infers the direction of a metric from its name alone, so ``auc_`` is
        prefixed to the name if XGBoost would otherwise minimise the score. Early stopping, including XGBoost's callback,
        then maximises the score, even if the metric is passed to XGBoost directly.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid, or if XGBoost would maximise a metric with this name although lower is better.

    Notes
    -----
    XGBoost prints a custom metric with six decimals and parses the result, so early stopping ignores smaller differences.

    In distributed training, such as with Dask, each process returns the value over all rows. If the score is not known to be
    a mean over rows, the value is the mean of the values of the processes, weighted by the total sample weight of each
    process, and a warning is issued.
    """

    #: Always 0, because XGBoost's raw scores already include the init score.
    init_score: InitScore = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if _is_maximised(self.label) and not self.greater_is_better:
            starts = ", ".join(RANK_METRICS)
            raise ValueError(f"name must not start with {starts}, which XGBoost maximises, got {self.label!r}")

    @property
    def label(self) -> str:
        """The name shown in logs, from which XGBoost infers the direction."""
        name = super().label
        return f"auc_{name}" if self.greater_is_better and not _is_maximised(name) else name

    @property
    def __name__(self) -> str:
        return self.label

    def __call__(
        self, y_true: Any, y_score: Any, sample_weight: npt.ArrayLike | None = None
    ) -> float | tuple[str, float]:
        """Return ``(name, value)`` for ``(predictions, DMatrix)``, or the value for ``(y_true, predictions, weights)``."""
        if isinstance(y_score, xgb.DMatrix):
            labels, weight = labels_and_weights(y_score)
            return self.label, self.value(labels, y_true, weight)
        return self.value(y_true, y_score, sample_weight)

    def value(self, y_true: npt.ArrayLike, predictions: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> float:
        """Return the value of the metric over the rows of all processes."""
        if not several():
            return super().value(y_true, predictions, sample_weight)
        if not self.is_mean:
            warn_of_no_mean(self.label)
        local = 0.0 if has_no_weight(y_true, sample_weight) else super().value(y_true, predictions, sample_weight)
        return mean_of_all(local, y_true, sample_weight)


def _is_maximised(name: str) -> bool:
    """Return whether XGBoost's early stopping maximises a metric of this name."""
    return name.startswith(RANK_METRICS) and name != "mape"
