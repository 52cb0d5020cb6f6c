"""What CatBoost must be told for a loss of ours, and what a caller must not tell it beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import catboost as cb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss, SoftmaxFocalLoss
from .._shared import check_metric, is_one, without_none
from ._groups import has_groups, weights_in_groups

_LOSS = ("loss_function", "objective")
#: Builtin metrics that depend on the order of the scores alone: right on raw scores, intercept or not.
_RANK_METRICS = ("AUC", "PRAUC", "QueryAUC", "NormalizedGini")

#: Up to here single precision, in which a pool holds numeric labels, tells whole numbers apart.
_EXACT = 2**24


def check_pool(pool: object, name: str) -> None:
    """Refuse data in another container."""
    if not isinstance(pool, cb.Pool):
        raise TypeError(f"{name} must be a Pool, got {type(pool).__name__}; make one with catboost.Pool(X, y)")


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
                " which would see scores without their intercept; use Metric(loss, score)"
            )


def encode(loss: Loss, raw_labels: npt.ArrayLike, settings: Mapping[str, Any]) -> tuple[Array, tuple[Any, ...] | None]:
    """Class codes, as CatBoost will make them, and the class of each code; soft labels as they are and None."""
    if raw_labels is None or np.ndim(raw_labels) == 0:
        raise ValueError("the data must have labels, got none")
    labels = np.asarray(raw_labels)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"labels must have shape (n,), at least one, got {labels.shape}")
    if labels.dtype.kind in "iuf" and np.abs(labels).max() >= _EXACT:
        raise ValueError(
            f"labels that are numbers must be below {_EXACT}, got {labels[np.argmax(np.abs(labels))].item()}: CatBoost holds"
            " them in single precision, in which two classes may be one; name them by text or by class codes 0..K-1"
        )
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
    given, automatic = settings.get("class_weights"), settings.get("auto_class_weights")
    if isinstance(given, dict):
        if set(given) != set(names or ()):
            raise ValueError(f"class_weights must have the classes {list(names or ())} as keys, got {list(given)}")
        given = settings["class_weights"] = [given[name] for name in names or ()]
    if given is not None and len(given) != len(names or ()):
        raise ValueError(f"class_weights must hold one weight per class, got {len(given)} for {len(names or ())}")
    if has_groups(pool):
        return weights_in_groups(pool, names, settings)
    weight: Array = np.asarray(pool.get_weight(), dtype=np.float64)
    if given is not None:
        values = np.asarray(given, dtype=np.float64)
    elif automatic not in (None, "None"):
        sums = np.bincount(codes.astype(np.intp), weight, len(names or ()))
        whole = np.floor(sums)  # as CatBoost counts; it leaves a class alone whose weights sum to less than 1
        values = np.where(whole > 0, whole.max() / np.maximum(whole, 1), 1.0)
        values = np.sqrt(values) if automatic == "SqrtBalanced" else values
    else:
        return weight
    product: Array = weight * values[codes.astype(np.intp)]
    return product


def check_ordered(settings: Mapping[str, Any], weight: Array) -> None:
    """Refuse rows of weight 0 under ordered boosting, where CatBoost divides by the weight of the first few rows.

    A custom objective then gets scores that are no numbers, and CatBoost's own ``MultiClass`` stops.
    """
    if settings.get("boosting_type") == "Ordered" and not weight.all():
        raise ValueError(
            "rows of weight 0 must be left out with boosting_type='Ordered', in which CatBoost divides by the weight of few"
            f" rows, got {np.count_nonzero(weight == 0)} of them"
        )


def has_baseline(pool: cb.Pool) -> bool:
    """Does the caller's pool start from scores of its own?"""
    return bool(np.asarray(pool.get_baseline()).size)
