"""The parameters that training with a loss requires, and checks of the caller's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss
from .._init_score import InitScore, as_init_score
from .._loss import check_loss
from .._metric import check_metric
from .._parameters import is_one, without_none
from ._data import encode
from ._objects import Metric, Objective

_LOSS = ("loss_function", "objective")
#: Builtin metrics that depend only on the order of the scores, and are therefore correct with or without the init score.
_RANK_METRICS = ("AUC", "PRAUC", "QueryAUC", "NormalizedGini")


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings required to use :class:`Objective` directly: objective with init score, metric and class names.

    CatBoost does not estimate an init score for a custom objective, requires an eval metric, and reads labels as numbers
    unless class names are given.

    Parameters
    ----------
    loss : Loss
    y_true : array-like of shape (n,)
        The training labels, of any type that CatBoost accepts.
    sample_weight : array-like of shape (n,), optional
    sklearn : bool, default False
        Whether the settings are for the constructor of ``CatBoostClassifier`` (True) or for ``catboost.train`` (False). Both
        are the same in CatBoost, but differ in the other adapters.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights are invalid for the loss.
    """
    del sklearn
    check_loss(loss)
    codes, names = encode(loss, y_true, {})
    init_score = as_init_score(loss.init_score(codes, sample_weight))
    return companions(loss, init_score, names, {}) | {"allow_writing_files": False}


def companions(
    loss: Loss, init_score: InitScore, names: tuple[Any, ...] | None, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the objective, the metric and the class names as settings; a :class:`Metric` receives the init score."""
    if loss.multiclass and names is not None and len(names) == 2:
        raise ValueError(
            f"labels must be of at least 3 classes for {loss}: CatBoost uses one score per sample for 2 classes; use a"
            " binary loss"
        )
    metric = settings.get("eval_metric") or Metric(loss)
    if isinstance(metric, Metric):
        metric = metric.with_init_score(init_score)
    found = {"loss_function": Objective(loss, init_score), "eval_metric": metric}
    return found if names is None else {**found, "class_names": names}


def own_settings(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """Return the caller's parameters; raise an error for any that would be ignored or contradict the loss."""
    settings = without_none(params)
    for alias in _LOSS:
        if alias in settings:
            raise ValueError(
                f"params must not contain {alias!r} when a loss is given (loss={loss}), got {settings[alias]!r}"
            )
    if str(settings.get("task_type", "CPU")).upper() == "GPU":
        raise ValueError("task_type must be 'CPU': a custom loss does not run on CatBoost's GPU, got 'GPU'")
    if not is_one(pos_weight := settings.pop("scale_pos_weight", 1)):
        raise ValueError(
            f"scale_pos_weight is not supported with a custom objective, got {pos_weight}; use"
            " LogLoss(pos_weight=...), FocalLoss(alpha=...) or class_weights"
        )
    if loss.multiclass and not loss.semidefinite:
        raise ValueError("hessian must be 'guarded', got 'exact': CatBoost requires a positive semi-definite Hessian")
    _check_metrics(settings, loss)
    if "callbacks" in settings:
        settings["callbacks"] = Callbacks(settings["callbacks"])
    writes = any(settings.get(name) for name in ("train_dir", "save_snapshot", "snapshot_file"))
    settings.setdefault("allow_writing_files", writes)
    return settings


class Callbacks:
    """One or several callbacks as a single CatBoost callback; training continues while all of them return True."""

    def __init__(self, callbacks: Any) -> None:
        self.callbacks = tuple(callbacks) if isinstance(callbacks, (list, tuple)) else (callbacks,)
        for callback in self.callbacks:
            if isinstance(callback, type) or not callable(getattr(callback, "after_iteration", None)):
                raise TypeError(f"callbacks must have a method after_iteration(info), got {callback!r}")

    def after_iteration(self, info: Any) -> bool:
        """Call the callbacks in order, up to the first that stops training, as CatBoost does."""
        return all(callback.after_iteration(info) for callback in self.callbacks)

    def __deepcopy__(self, memo: dict[int, Any]) -> Callbacks:
        return self  # CatBoost copies its parameters, and the caller would not see what copied callbacks record


def _check_metrics(settings: Mapping[str, Any], loss: Loss) -> None:
    asked = [settings.get("eval_metric")]
    for name in ("custom_metric", "custom_loss"):
        value = settings.get(name)
        asked += list(value) if isinstance(value, (list, tuple)) else [value]
    for metric in asked:
        check_metric(metric, loss)
        if isinstance(metric, str) and metric.split(":")[0] not in _RANK_METRICS:
            raise ValueError(
                f"eval_metric must be a Metric or one of {', '.join(_RANK_METRICS)} with a custom objective, got {metric!r},"
                " which would receive scores without the init score; use Metric(loss, score)"
            )


def check_ordered(settings: Mapping[str, Any], weight: Array) -> None:
    """Raise ValueError for rows of weight 0 with ordered boosting, which divides by the total weight of the first rows.

    If that weight is 0, a custom objective receives NaN scores, and CatBoost's own ``MultiClass`` fails.
    """
    if settings.get("boosting_type") == "Ordered" and not weight.all():
        raise ValueError(
            "rows of weight 0 must be omitted with boosting_type='Ordered', which divides by the total weight of a few rows,"
            f" got {np.count_nonzero(weight == 0)} such rows"
        )
