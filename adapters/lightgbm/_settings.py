"""What LightGBM must be told for a loss of ours, and what a caller must not tell it beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from ..._types import Array
from ...losses import Loss
from .._shared import checked_num_class, switch, without_none

_OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
_METRIC = ("metric", "metrics", "metric_types")
_NUM_CLASS = ("num_class", "num_classes")
_BOOSTING = ("boosting", "boosting_type", "boost")
#: Ignored by LightGBM under a custom objective, without a word; each with the value that asks for nothing.
_IGNORED = {
    "is_unbalance": False,
    "unbalance": False,
    "unbalanced_sets": False,
    "scale_pos_weight": 1,
    "sigmoid": 1,
    "pos_bagging_fraction": 1,
    "pos_sub_row": 1,
    "pos_subsample": 1,
    "pos_bagging": 1,
    "neg_bagging_fraction": 1,
    "neg_sub_row": 1,
    "neg_subsample": 1,
    "neg_bagging": 1,
}
#: Builtin metrics that depend on the order of the scores alone: right on raw scores.
_RANK_METRICS = ("auc", "average_precision")


def own_settings(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """The caller's parameters, without any that would be ignored or contradict the loss; aliases resolved."""
    settings = without_none(params)
    for alias in _OBJECTIVE:
        if alias in settings:
            raise ValueError(f"params must not hold an objective beside loss={loss}, got {settings[alias]!r}")
    for name, harmless in _IGNORED.items():
        if str(settings.get(name, harmless)).lower() not in (
            str(harmless).lower(),
            str(int(harmless)),
            f"{harmless:.1f}",
        ):
            raise ValueError(
                f"{name} has no effect under a custom objective, got {settings[name]}; use LogLoss(pos_weight=...),"
                " FocalLoss(alpha=...) or sample weights"
            )
    for alias in _BOOSTING:
        if settings.get(alias) in ("rf", "random_forest"):
            raise ValueError(
                f"{alias} must not be {settings[alias]!r}: LightGBM's random forest takes no custom objective"
            )
    settings["metric"] = _checked_metrics(_resolved(settings, _METRIC, "None"))
    settings["num_class"] = checked_num_class(_resolved(settings, _NUM_CLASS, None), loss)
    return without_none(settings)


def is_dart(settings: Mapping[str, Any]) -> bool:
    """Does boosting drop trees?"""
    return "dart" in (settings.get(alias) for alias in _BOOSTING)


def check_dataset(name: str, data: object) -> None:
    """Refuse data in another container."""
    if not isinstance(data, lgb.Dataset):
        raise TypeError(f"{name} must be a lightgbm.Dataset, got {type(data).__name__}")


def named(
    valid_sets: Sequence[lgb.Dataset] | lgb.Dataset | None,
    valid_names: Sequence[str] | str | None,
    train_set: lgb.Dataset,
) -> list[tuple[lgb.Dataset, str]]:
    """Each set to evaluate with its name, as LightGBM would name it."""
    sets = [valid_sets] if isinstance(valid_sets, lgb.Dataset) else list(valid_sets or ())
    names = [valid_names] if isinstance(valid_names, str) else list(valid_names or ())
    usual = ["training" if data is train_set else f"valid_{index}" for index, data in enumerate(sets)]
    return list(zip(sets, names[: len(sets)] + usual[len(names) :], strict=True))


def checked_init_score(loss: Loss, data: lgb.Dataset, settings: Mapping[str, Any]) -> Array:
    """The best constant for these data, one number per class; refuses data without meaning."""
    labels, weight = labels_and_weights(data)
    return np.atleast_1d(loss.init_score(labels, weight, settings.get("num_class")))


def wants_intercept(data: lgb.Dataset, settings: Mapping[str, Any]) -> bool:
    """Is an intercept ours to add, or have the data scores of their own?"""
    return switch("boost_from_average", settings.get("boost_from_average", True)) and not has_init_score(data)


def with_settings(data: lgb.Dataset, settings: Mapping[str, Any]) -> None:
    """Construct a data set that reads its labels from a file or a parent, with the parameters that it shall have.

    ``lightgbm.train`` constructs it with them; it cannot change them in one that is constructed already.
    """
    reads_labels = data.used_indices is not None or isinstance(data.data, (str, Path))
    if data.label is None and reads_labels and not is_constructed(data):
        data._update_params({**settings, "objective": "none"})  # noqa: SLF001
        data.construct()


def has_soft_labels(data: lgb.Dataset) -> bool:
    """Are some labels no integers?"""
    labels, _ = labels_and_weights(data)
    return bool((np.asarray(labels, dtype=np.float64) % 1 != 0).any())


def has_init_score(data: lgb.Dataset) -> bool:
    """Does the caller's data set start from scores of its own?"""
    return data.init_score is not None or (is_constructed(data) and data.get_field("init_score") is not None)


def without_predictions(*sets: lgb.Dataset) -> None:
    """Take out of the caller's data sets what LightGBM leaves in them after ``init_model``: that model's predictions.

    They would shift every later run on these data, and a later run without a model would be refused.
    """
    for data in sets:
        data.init_score = None
        data._predictor = None  # noqa: SLF001  nothing public resets it
        if is_constructed(data):
            data.set_field("init_score", None)


def check_evaluation(loss: Loss, data: lgb.Dataset, name: str, n_classes: int, *, scores: bool) -> None:
    """Refuse evaluation data without meaning, so that it does not come up after the first round."""
    try:
        check_values(loss, data, n_classes)
    except (TypeError, ValueError) as error:
        raise type(error)(f"valid_sets {name!r}: {error}") from error
    if has_init_score(data) != scores:
        raise ValueError(f"valid_sets {name!r} must have init scores if and only if train_set has")


def check_values(loss: Loss, data: lgb.Dataset, n_classes: int) -> None:
    """Refuse labels and weights without meaning for the loss."""
    labels, weight = labels_and_weights(data)
    loss(labels, np.zeros((len(labels), n_classes) if loss.multiclass else len(labels)), weight)


def labels_and_weights(data: lgb.Dataset) -> tuple[Array, Array | None]:
    """Labels ``(n,)`` and weights ``(n,)`` or None; a data set that reads them from a file or a parent is constructed."""
    if data.label is None and not is_constructed(data):
        if data.used_indices is None and not isinstance(data.data, (str, Path)):
            raise ValueError("the Dataset must have labels, got none")
        data.construct()
    label, weight = data.get_label(), data.get_weight() if is_constructed(data) else data.weight
    return column(label), None if weight is None else column(weight)


def column(values: Any) -> Array:
    """What LightGBM takes for a column, one-column frames among it, as an array."""
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def is_constructed(data: lgb.Dataset) -> bool:
    """Has LightGBM made its own copy of the data?"""
    return data._handle is not None  # noqa: SLF001  LightGBM has no public way to ask


def _resolved(settings: dict[str, Any], aliases: tuple[str, ...], default: Any) -> Any:
    """Take a parameter out of the settings under whichever of its names it was given."""
    values = [settings.pop(alias) for alias in aliases if alias in settings]
    return values[0] if values else default


def _checked_metrics(metric: Any) -> Any:
    """Refuse builtin metrics that would read raw scores as probabilities."""
    names = metric.split(",") if isinstance(metric, str) else list(metric or ())
    for name in names:
        if str(name).strip() not in (*_RANK_METRICS, "", "None", "none", "null", "custom", "na"):
            raise ValueError(
                f"metric must be one of {', '.join(_RANK_METRICS)} or 'None' under a custom objective, got {name!r}, which"
                " would read raw scores as probabilities; use feval=Metric(loss, score)"
            )
    return (metric if isinstance(metric, str) else names) or "None"
