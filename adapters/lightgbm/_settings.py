"""Parameters: those that a training with a loss needs, and those of a caller that would be ignored or do harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from ...losses import Loss
from .._init_score import as_init_score
from .._loss import check_loss
from .._parameters import checked_num_class, without_none
from ._objects import Objective

_OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
_METRIC = ("metric", "metrics", "metric_types")
_NUM_CLASS = ("num_class", "num_classes")
_BOOSTING = ("boosting", "boosting_type", "boost")
_RANDOM_FOREST = ("rf", "random_forest")
#: Ignored by LightGBM under a custom objective, without a message; each with the value that asks for nothing.
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


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings that bare use needs: objective with init score, number of classes, no builtin metric.

    LightGBM estimates no init score for a custom objective, and its builtin metrics read raw scores as probabilities;
    ``LGBMClassifier`` adds one of them to the early stopping unless it is told not to.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, for the init score.
    sklearn : bool, default False
        Settings for ``lightgbm.train`` (False) or for the constructor of ``LGBMClassifier`` (True), whose own ``predict``
        and ``predict_proba`` give raw scores without the init score; use :func:`predict_proba`.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss.
    """
    check_loss(loss)
    init_score = as_init_score(loss.init_score(y_true, sample_weight))
    settings: dict[str, Any] = {"objective": Objective(loss, init_score), "metric": "None"}
    return settings if sklearn or isinstance(init_score, float) else {**settings, "num_class": len(init_score)}


def own_settings(params: Mapping[str, Any], loss: Loss) -> dict[str, Any]:
    """Return the caller's parameters, aliases resolved; refuse any that would be ignored or contradict the loss."""
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
        if settings.get(alias) in _RANDOM_FOREST:
            raise ValueError(
                f"{alias} must not be {settings[alias]!r}: LightGBM's random forest takes no custom objective"
            )
    settings["metric"] = _checked_metrics(_resolved(settings, _METRIC, "None"))
    settings["num_class"] = checked_num_class(_resolved(settings, _NUM_CLASS, None), loss)
    return without_none(settings)


def is_dart(settings: Mapping[str, Any]) -> bool:
    """Return whether boosting drops trees."""
    return "dart" in (settings.get(alias) for alias in _BOOSTING)


def is_random_forest(settings: Mapping[str, Any]) -> bool:
    """Return whether trees are averaged, not boosted."""
    return not {settings.get(alias) for alias in _BOOSTING}.isdisjoint(_RANDOM_FOREST)


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
