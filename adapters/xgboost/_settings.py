"""Parameters: those that a training with a loss needs, and those of a caller that would be ignored or do harm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..._types import Array
from ..._validation import numbers
from ...losses import LogLoss, Loss
from .._loss import ATTRIBUTE, check_loss, check_same_loss, check_values
from .._parameters import checked_num_class, is_one, switch, without_none
from ._data import has_margins, labels_and_weights
from ._model import IDENTITIES, has_vector_leaves, init_score_of, is_linear, objective_of
from ._objects import RANK_METRICS, Metric, Objective
from ._workers import classes_of_all, several

#: Parameters by name, or as pairs, which may name several metrics.
Params: TypeAlias = "Mapping[str, Any] | Sequence[tuple[str, Any]]"

#: One tree a round with a score for each class in its leaves.
VECTOR_LEAVES = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}

#: Why a linear model of many classes is refused.
_ONE_INIT_SCORE = "which adds the init score of class 0 to every class"


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings that bare use of :class:`Objective` needs: link, init score, number of classes, metric.

    XGBoost estimates no init score for a custom objective, and applies the link of whichever objective stands in its
    parameters.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, for the init score.
    sklearn : bool, default False
        Settings for ``xgboost.train`` (False) or for the constructor of ``XGBClassifier`` (True), these with objective
        and metric. ``XGBClassifier`` always applies a sigmoid or softmax: under a focal loss or class weights its own
        ``predict_proba`` is no probability; :func:`predict_proba` gives it.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss, or ``XGBClassifier`` cannot train it on them.
    """
    check_loss(loss)
    init_score = loss.init_score(y_true, sample_weight)
    if not sklearn:
        stored = link(loss, np.size(init_score), soft=np.ndim(y_true) == 2)
        return {**stored, "base_score": base_score(init_score, sigmoid_link=loss.is_proper)}
    _check_for_classifier(loss, y_true)
    return {
        "objective": Objective(loss),
        "eval_metric": Metric(loss),
        "base_score": base_score(init_score, sigmoid_link=True),
        "disable_default_eval_metric": True,
    }


def _check_for_classifier(loss: Loss, y_true: npt.ArrayLike) -> None:
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


def own_settings(params: Params | None, loss: Loss) -> dict[str, Any]:
    """Return the caller's parameters; refuse any that would be ignored or contradict the loss."""
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
        raise ValueError(f"booster must be a tree booster for {loss}, got 'gblinear', {_ONE_INIT_SCORE}")
    settings["num_class"] = checked_num_class(settings.get("num_class"), loss)
    return without_none(settings)


def _mapping(params: Any) -> Mapping[str, Any]:
    """Return parameters by name; those given as pairs may name several metrics."""
    if params is None or isinstance(params, Mapping):
        return params or {}
    settings: dict[str, Any] = {}
    for pair in params if isinstance(params, Iterable) and not isinstance(params, str) else [params]:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"params must be a mapping or pairs (name, value), got {pair!r}")
        name, value = pair
        settings[name] = [*settings.get(name, ()), value] if name == "eval_metric" else value
    return settings


def computed_settings(loss: Loss, data: xgb.DMatrix, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return link and init score for training on these data from the start; refuse data without meaning."""
    labels, weight = labels_and_weights(data)
    if several():
        labels, weight = classes_of_all(loss, labels, weight, settings.get("num_class"))
    init_score = loss.init_score(labels, weight, settings.get("num_class"))
    if has_margins(data):
        init_score = init_score * 0.0
    stored = link(loss, np.size(init_score), soft=labels.ndim == 2)
    return {**stored, "base_score": base_score(init_score, sigmoid_link=loss.is_proper)}


def continued_settings(loss: Loss, data: xgb.DMatrix, previous: xgb.Booster) -> dict[str, Any]:
    """Return the link for adding trees to a model; refuse a model of another loss and data without meaning."""
    check_same_loss(loss, previous.attr(ATTRIBUTE), "xgb_model")
    if loss.multiclass and is_linear(previous):
        raise ValueError(f"xgb_model must be of trees for {loss}, got 'gblinear', {_ONE_INIT_SCORE}")
    labels, weight = labels_and_weights(data)
    n_classes = np.size(init_score_of(previous))
    if several():
        labels, weight = classes_of_all(loss, labels, weight, n_classes)
    settings = link(loss, n_classes, soft=labels.ndim == 2)
    objective = objective_of(previous)
    if objective != settings["objective"] and (loss.multiclass or {objective, settings["objective"]} != IDENTITIES):
        raise ValueError(f"xgb_model must have the objective {settings['objective']!r} for {loss}, got {objective!r}")
    check_values(loss, labels, weight, n_classes, np.float32)
    if has_vector_leaves(previous):  # files forget it, and trees of both kinds would mix
        settings |= VECTOR_LEAVES
    return settings


def link(loss: Loss, n_classes: int, *, soft: bool) -> dict[str, Any]:
    """Return the parameters that decide what ``predict`` does to raw scores: a sigmoid or softmax only if that is right.

    The identity is ``reg:squarederror``, whose own gradient is never asked for: what reads model files takes its
    ``base_score`` for a raw score, but that of ``binary:logitraw`` for a probability. Soft labels are several targets to
    XGBoost, which its softmax objective refuses.
    """
    quiet = {"disable_default_eval_metric": True}
    if not loss.multiclass:
        return {"objective": "binary:logistic" if loss.is_proper else "reg:squarederror", **quiet}
    if soft:
        return {"objective": "reg:squarederror", **quiet}
    return {"objective": "multi:softprob" if loss.is_proper else "reg:squarederror", "num_class": n_classes, **quiet}


def base_score(init_score: float | Array, *, sigmoid_link: bool) -> float | list[float]:
    """Return an init score as XGBoost wants it: a probability under a sigmoid, otherwise raw scores."""
    if isinstance(init_score, np.ndarray) and init_score.size > 1:
        return [float(score) for score in init_score]
    score = float(np.squeeze(init_score))
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
