"""What XGBoost must be told for a loss of ours, and what a caller must not tell it beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..._types import Array
from ..._validation import numbers
from ...losses import LogLoss, Loss
from .._shared import ATTRIBUTE, check_same_loss, checked_num_class, is_one, switch, without_none
from ._model import IDENTITIES, has_vector_leaves, intercept, is_linear, objective_of
from ._workers import anywhere, classes_of_all, has_no_weight, several

#: Parameters by name, or as pairs, which may name several metrics.
Params: TypeAlias = "Mapping[str, Any] | Sequence[tuple[str, Any]]"

#: Metrics that depend on the order of the scores alone, or on the largest: right on raw scores of any link.
RANK_METRICS = ("auc", "aucpr", "ndcg", "map", "pre")

#: One tree a round with a score for each class in its leaves.
VECTOR_LEAVES = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}

#: Why a linear model of many classes is refused.
_ONE_INTERCEPT = "which adds the intercept of class 0 to every class"


def own_settings(params: Params | None, loss: Loss) -> dict[str, Any]:
    """The caller's parameters, without any that would be ignored or contradict the loss."""
    settings = without_none(_mapping(params))
    if not isinstance(settings.get("eval_metric", ""), str):
        metrics = settings["eval_metric"]
        settings["eval_metric"] = list(metrics) if isinstance(metrics, Iterable) else [metrics]
        if not all(isinstance(name, str) for name in settings["eval_metric"]):
            raise TypeError("eval_metric in params must be a name; pass a function or a Metric as custom_metric")
    if "objective" in settings:
        raise ValueError(f"params must not hold an objective beside loss={loss}, got {settings['objective']!r}")
    if not is_one(settings.get("scale_pos_weight", 1)):
        raise ValueError(
            f"scale_pos_weight has no effect under a custom objective, got {settings['scale_pos_weight']}; use"
            " LogLoss(pos_weight=...), FocalLoss(alpha=...) or sample weights"
        )
    if not switch("disable_default_eval_metric", settings.get("disable_default_eval_metric", True)):
        raise ValueError(
            "disable_default_eval_metric must be true or left out, got false: the builtin metric would read raw scores; name"
            " the metric as eval_metric"
        )
    if loss.multiclass and settings.get("booster") == "gblinear":
        raise ValueError(f"booster must be a tree booster for {loss}, got 'gblinear', {_ONE_INTERCEPT}")
    settings["num_class"] = checked_num_class(settings.get("num_class"), loss)
    return without_none(settings)


def _mapping(params: Any) -> Mapping[str, Any]:
    """Parameters by name; those given as pairs may name several metrics."""
    if params is None or isinstance(params, Mapping):
        return params or {}
    settings: dict[str, Any] = {}
    for pair in params if isinstance(params, Iterable) and not isinstance(params, str) else [params]:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"params must be a mapping or pairs (name, value), got {pair!r}")
        name, value = pair
        settings[name] = [*settings.get(name, ()), value] if name == "eval_metric" else value
    return settings


def fold_settings(loss: Loss, data: xgb.DMatrix, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Link and intercept for training on these data from the start; refuses data without meaning."""
    labels, weight = labels_and_weights(data)
    if several():
        labels, weight = classes_of_all(loss, labels, weight, settings.get("num_class"))
    init = loss.init_score(labels, weight, settings.get("num_class"))
    if has_margins(data):
        init = init * 0.0
    stored = link(loss, np.size(init), soft=labels.ndim == 2)
    return {**stored, "base_score": base_score(loss.is_proper, init)}


def continued_settings(loss: Loss, data: xgb.DMatrix, previous: xgb.Booster) -> dict[str, Any]:
    """The link for adding trees to a model; refuses a model of another loss and data without meaning."""
    check_same_loss(loss, previous.attr(ATTRIBUTE), "xgb_model")
    if loss.multiclass and is_linear(previous):
        raise ValueError(f"xgb_model must be of trees for {loss}, got 'gblinear', {_ONE_INTERCEPT}")
    labels, weight = labels_and_weights(data)
    n_classes = np.size(intercept(previous))
    if several():
        labels, weight = classes_of_all(loss, labels, weight, n_classes)
    settings = link(loss, n_classes, soft=labels.ndim == 2)
    objective = objective_of(previous)
    if objective != settings["objective"] and (loss.multiclass or {objective, settings["objective"]} != IDENTITIES):
        raise ValueError(f"xgb_model must have the objective {settings['objective']!r} for {loss}, got {objective!r}")
    loss(labels, zeros(loss, len(labels), n_classes), weight)
    if has_vector_leaves(previous):  # files forget it, and trees of both kinds would mix
        settings |= VECTOR_LEAVES
    return settings


def link(loss: Loss, n_classes: int, *, soft: bool) -> dict[str, Any]:
    """The parameters that decide what ``predict`` does to raw scores: a sigmoid or softmax only if that is right.

    The identity is ``reg:squarederror``, whose own gradient is never asked for: what reads model files takes its intercept
    for a raw score, but that of ``binary:logitraw`` for a probability. Soft labels are several targets to XGBoost, which its
    softmax objective refuses.
    """
    quiet = {"disable_default_eval_metric": True}
    if not loss.multiclass:
        return {"objective": "binary:logistic" if loss.is_proper else "reg:squarederror", **quiet}
    if soft:
        return {"objective": "reg:squarederror", **quiet}
    return {"objective": "multi:softprob" if loss.is_proper else "reg:squarederror", "num_class": n_classes, **quiet}


def base_score(sigmoid_link: bool, init: float | Array) -> float | list[float]:
    """An intercept as XGBoost wants it: a probability under a sigmoid, otherwise raw scores."""
    if isinstance(init, np.ndarray) and init.size > 1:
        return [float(score) for score in init]
    score = float(np.squeeze(init))
    if not sigmoid_link:
        return score
    # XGBoost moves such a probability to [1e-6, 1 - 1e-6], and refuses what float32 rounds to 1.
    return float(np.clip(LogLoss().activation([score])[0], 1e-6, 1 - 1e-6))


def check_metrics(eval_metric: Any, loss: Loss, *, soft: bool) -> None:
    """Refuse builtin metrics that would read raw scores as probabilities, or labels as something else."""
    right: tuple[str, ...] = ()
    if loss.multiclass and soft:
        rule = "left out with soft labels (n, K)"
    elif loss.multiclass and loss.is_proper:
        right = ("merror", "mlogloss", "auc", "aucpr")
        rule = f"one of {', '.join(right)} for many classes"
    elif not loss.is_proper:
        right = ("merror",) if loss.multiclass else RANK_METRICS
        rule = f"one of {', '.join(right)} where the model predicts raw scores"
    else:
        rule = "one of two classes"
    for name in [eval_metric] if isinstance(eval_metric, str) else list(eval_metric or ()):
        kind = name.split("@")[0].rstrip("-")
        of_two_classes = not loss.multiclass and loss.is_proper and kind not in ("merror", "mlogloss")
        if kind not in right and not of_two_classes:
            raise ValueError(
                f"eval_metric must be {rule}, got {name!r}, which would misread them; use"
                " custom_metric=Metric(loss, score)"
            )


def is_maximised(name: str) -> bool:
    """Does XGBoost's early stopping look for the largest value of a metric of this name?"""
    return name.startswith(RANK_METRICS) and name != "mape"


def named_data(evals: Any) -> list[tuple[xgb.DMatrix, str]]:
    """Evaluation data with their names, as a list."""
    if evals is not None and not isinstance(evals, Iterable):
        raise TypeError(f"evals must hold pairs (DMatrix, name), got {type(evals).__name__}")
    pairs = list(evals or ())
    for pair in pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[1], str)):
            raise TypeError(f"evals must hold pairs (DMatrix, name), got {pair!r}")
    return pairs


def check_evaluation(
    loss: Loss, data: xgb.DMatrix, name: str, settings: Mapping[str, Any], *, soft: bool, margins: bool
) -> None:
    """Refuse evaluation data without meaning, so that it does not come up after the first round."""
    if " " in name or ":" in name:
        raise ValueError(
            f"names in evals must hold no blank and no colon, which XGBoost cannot read back, got {name!r}"
        )
    try:
        labels, weight = labels_and_weights(data)
        if has_no_weight(labels, weight):
            return
        if loss.multiclass and soft != (labels.ndim == 2):
            kind = "soft labels (n, K)" if soft else "class codes (n,)"
            raise ValueError(f"y_true must hold {kind} as dtrain does, got the shape {labels.shape}")
        n_classes = labels.shape[1] if labels.ndim == 2 else settings.get("num_class", 1)
        loss(labels, zeros(loss, len(labels), n_classes), weight)
    except (TypeError, ValueError) as error:
        raise type(error)(f"evals {name!r}: {error}") from error
    if bool(data.get_base_margin().size) != margins:
        raise ValueError(f"evals {name!r} must have base margins if and only if dtrain has")


def check_for_classifier(loss: Loss, y_true: npt.ArrayLike) -> None:
    """Refuse labels that ``XGBClassifier`` would not train with this loss."""
    labels = numbers("y_true", y_true)
    if labels.ndim != 1 or (labels % 1).any():
        came = f"the shape {labels.shape}" if labels.ndim != 1 else f"{labels[labels % 1 != 0][0]}"
        raise ValueError(f"y_true must hold class codes (n,) for XGBClassifier, which takes no soft labels, got {came}")
    if loss.multiclass and labels.max() < 2:
        raise ValueError(
            f"y_true must hold at least 3 classes for {loss} and XGBClassifier, which trains 2 classes with one score per"
            " sample, got 2; use a binary loss"
        )


def labels_and_weights(data: xgb.DMatrix) -> tuple[Array, Array | None]:
    """Labels ``(n,)`` or ``(n, K)`` and weights ``(n,)`` or None."""
    if not isinstance(data, xgb.DMatrix):
        raise TypeError(f"the data must be a DMatrix, got {type(data).__name__}")
    labels, weight = data.get_label(), data.get_weight()
    rows = data.num_row()
    if labels.size != rows and rows and labels.size:
        labels = labels.reshape(rows, -1)  # soft labels, which xgboost 3.1 hands over flat
    return labels, weight if weight.size else None


def has_margins(data: xgb.DMatrix) -> bool:
    """Have the rows base margins, which replace the intercept?"""
    return anywhere(bool(data.get_base_margin().size))


def zeros(loss: Loss, rows: int, n_classes: int) -> Array:
    """Raw scores to try labels and weights with."""
    return np.zeros((rows, n_classes) if loss.multiclass else rows, np.float32)
