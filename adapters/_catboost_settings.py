"""What CatBoost must be told for a loss of ours, and what a caller must not tell it beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np
import numpy.typing as npt

from ..losses import Loss, SoftmaxFocalLoss
from ._shared import Array, check_metric, is_one, without_none

_LOSS = ("loss_function", "objective")
#: Builtin metrics that depend on the order of the scores alone: right on raw scores, intercept or not.
_RANK_METRICS = ("AUC", "PRAUC", "QueryAUC", "NormalizedGini")


def own_settings(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """The caller's parameters, without any that would be ignored or contradict the loss."""
    settings = without_none(params)
    for alias in _LOSS:
        if alias in settings:
            raise ValueError(f"params must not hold a {alias} beside loss={loss}, got {settings[alias]!r}")
    if str(settings.get("task_type", "CPU")).upper() == "GPU":
        raise ValueError("task_type must be 'CPU': a loss of ours does not run on CatBoost's GPU, got 'GPU'")
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
    writes = any(settings.get(name) for name in ("train_dir", "save_snapshot", "snapshot_file"))
    settings.setdefault("allow_writing_files", writes)
    return settings


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
                " which would see scores without their intercept; use Metric(loss, score)"
            )


def encode(loss: Loss, raw_labels: npt.ArrayLike, settings: Mapping[str, Any]) -> tuple[Array, tuple[Any, ...] | None]:
    """Class codes, as CatBoost will make them, and the class of each code; soft labels as they are and None."""
    if raw_labels is None or np.ndim(raw_labels) == 0:
        raise ValueError("the data must have labels, got none")
    labels = np.asarray(raw_labels)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"labels must have shape (n,), at least one, got {labels.shape}")
    names = settings.get("class_names")
    if names is None:
        if labels.dtype.kind == "f" and not loss.multiclass and not (labels == np.floor(labels)).all():
            if not ((labels >= 0) & (labels <= 1)).all():
                raise ValueError("labels that are no integers must lie in [0, 1], or be named by class_names")
            if settings.get("class_weights") is not None or settings.get("auto_class_weights") not in (None, "None"):
                raise ValueError("class_weights must be left out for soft labels, which belong to both classes")
            return labels.astype(np.float64), None
        names = np.unique(labels).tolist()
        if all(isinstance(name, float) and name.is_integer() for name in names):
            names = [int(name) for name in names]
    if not loss.multiclass and len(names) != 2:
        raise ValueError(f"labels must be of 2 classes for the binary {loss}, got {len(names)}: {names[:5]}")
    return codes_of(labels, tuple(names)), tuple(names)


def codes_of(labels: npt.ArrayLike, names: tuple[Any, ...]) -> Array:
    """The position of each label among the classes."""
    array = np.asarray(labels)
    known = np.asarray(names)
    if array.dtype.kind in "US" or known.dtype.kind in "US":
        array, known = array.astype(str), known.astype(str)
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known, array, sorter=order), len(known) - 1)]
    wrong = known[found] != array
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"labels must be among the classes {list(names)}, got {array[row].item()!r} in row {row}")
    codes: Array = found.astype(np.float64)
    return codes


def weights_of(pool: cb.Pool, codes: Array, names: tuple[Any, ...] | None, settings: dict[str, Any]) -> Array:
    """The weight that each row has in training: its own times that of its class.

    ``class_weights`` given as a dictionary become a list in the order of the class codes, which ``catboost.cv`` takes too.
    """
    weight = np.asarray(pool.get_weight(), dtype=np.float64)
    given, automatic = settings.get("class_weights"), settings.get("auto_class_weights")
    if given is None and automatic in (None, "None"):
        return weight
    if given is not None:
        if isinstance(given, dict):
            if set(given) != set(names or ()):
                raise ValueError(f"class_weights must have the classes {list(names or ())} as keys, got {list(given)}")
            given = settings["class_weights"] = [given[name] for name in names or ()]
        values = np.asarray(given, dtype=np.float64)
    else:
        sums = np.bincount(codes.astype(np.intp), weight, len(names or ()))
        values = sums.max() / sums
        if automatic == "SqrtBalanced":
            values = np.sqrt(values)
    if len(values) != len(names or ()):
        raise ValueError(f"class_weights must hold one weight per class, got {len(values)} for {len(names or ())}")
    product: Array = weight * values[codes.astype(np.intp)]
    return product


def has_baseline(pool: cb.Pool) -> bool:
    """Does the caller's pool start from scores of its own?"""
    return bool(np.asarray(pool.get_baseline()).size)
