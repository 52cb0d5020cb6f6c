"""Parameters: those that a training with a loss needs, and those of a caller that would be ignored or do harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss, SoftmaxFocalLoss
from .._init_score import InitScore, as_init_score
from .._loss import check_loss
from .._metric import check_metric
from .._parameters import is_one, without_none
from ._data import encode
from ._objects import Metric, Objective

_LOSS = ("loss_function", "objective")
#: Builtin metrics that depend on the order of the scores alone: right on raw scores, init score or not.
_RANK_METRICS = ("AUC", "PRAUC", "QueryAUC", "NormalizedGini")


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings that bare use needs: objective with init score, metric, class names.

    CatBoost estimates no init score for a custom objective, demands an eval metric, and reads labels as numbers unless the
    classes are named.

    Parameters
    ----------
    loss : Loss
    y_true : array-like of shape (n,)
        The training labels, of any kind that CatBoost takes.
    sample_weight : array-like of shape (n,), optional
    sklearn : bool, default False
        Settings for ``catboost.train`` (False) or for the constructor of ``CatBoostClassifier`` (True). In CatBoost they
        are the same; in the adapters of the other libraries they differ.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss.
    """
    del sklearn
    check_loss(loss)
    codes, names = encode(loss, y_true, {})
    init_score = as_init_score(loss.init_score(codes, sample_weight))
    return companions(loss, init_score, names, {}) | {"allow_writing_files": False}


def companions(
    loss: Loss, init_score: InitScore, names: tuple[Any, ...] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return objective, metric and classes; a metric of the caller's is made to see the init score."""
    if loss.multiclass and names is not None and len(names) == 2:
        raise ValueError(
            f"labels must be of at least 3 classes for {loss}: CatBoost trains two with one score, as a binary loss"
        )
    metric = settings.get("eval_metric") or Metric(loss)
    if isinstance(metric, Metric):
        metric = metric.with_init_score(init_score)
    found = {"loss_function": Objective(loss, init_score), "eval_metric": metric}
    return found if names is None else {**found, "class_names": names}


def own_settings(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """Return the caller's parameters; refuse any that would be ignored or contradict the loss."""
    settings = without_none(params)
    for alias in _LOSS:
        if alias in settings:
            raise ValueError(f"params must not hold a {alias} beside loss={loss}, got {settings[alias]!r}")
    if str(settings.get("task_type", "CPU")).upper() == "GPU":
        raise ValueError("task_type must be 'CPU': a custom loss does not run on CatBoost's GPU, got 'GPU'")
    if not is_one(pos_weight := settings.pop("scale_pos_weight", 1)):
        raise ValueError(
            f"scale_pos_weight is not for custom objectives, got {pos_weight}; use"
            " LogLoss(pos_weight=...), FocalLoss(alpha=...) or class_weights"
        )
    if isinstance(loss, SoftmaxFocalLoss) and loss.hessian == "exact":
        raise ValueError(
            "hessian must be 'guarded', got 'exact': CatBoost needs a full Hessian that is positive semi-definite"
        )
    _check_metrics(settings, loss)
    if "callbacks" in settings:
        settings["callbacks"] = Callbacks(settings["callbacks"])
    writes = any(settings.get(name) for name in ("train_dir", "save_snapshot", "snapshot_file"))
    settings.setdefault("allow_writing_files", writes)
    return settings


class Callbacks:
    """One callback or several, as what CatBoost calls; training goes on while all of them say so."""

    def __init__(self, callbacks: Any) -> None:
        self.callbacks = tuple(callbacks) if isinstance(callbacks, (list, tuple)) else (callbacks,)
        for callback in self.callbacks:
            if isinstance(callback, type) or not callable(getattr(callback, "after_iteration", None)):
                raise TypeError(f"callbacks must have a method after_iteration(info), got {callback!r}")

    def after_iteration(self, info: Any) -> bool:
        """Ask one after the other, and none after the first that stops, as CatBoost does."""
        return all(callback.after_iteration(info) for callback in self.callbacks)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callbacks:
        return self  # CatBoost copies its parameters: what the callbacks record would stay in a copy


def _check_metrics(settings: Mapping[str, Any], loss: Loss) -> None:
    asked = [settings.get("eval_metric")]
    for name in ("custom_metric", "custom_loss"):
        value = settings.get(name)
        asked += list(value) if isinstance(value, (list, tuple)) else [value]
    for metric in asked:
        check_metric(metric, loss)
        if isinstance(metric, str) and metric.split(":")[0] not in _RANK_METRICS:
            raise ValueError(
                f"eval_metric must be a Metric or one of {', '.join(_RANK_METRICS)} under a custom objective, got {metric!r},"
                " which would see scores without their init score; use Metric(loss, score)"
            )


def check_ordered(settings: Mapping[str, Any], weight: Array) -> None:
    """Refuse rows of weight 0 under ordered boosting, where CatBoost divides by the weight of the first few rows.

    A custom objective then gets scores that are no numbers, and CatBoost's own ``MultiClass`` stops.
    """
    if settings.get("boosting_type") == "Ordered" and not weight.all():
        raise ValueError(
            "rows of weight 0 must be left out with boosting_type='Ordered', in which CatBoost divides by the weight of few"
            f" rows, got {np.count_nonzero(weight == 0)} of them"
        )
