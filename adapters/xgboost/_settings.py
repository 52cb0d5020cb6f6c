"""The parameters that training with a loss requires, and checks of the caller's parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..._threads import threads_of_library
from ..._types import Array
from ..._validation import numbers
from ...losses import LogLoss, Loss
from .._loss import ATTRIBUTE, check_loss, check_same_loss, check_values
from .._parameters import checked_num_class, is_one, switch, thread_count, without_none
from ._model import IDENTITIES, has_vector_leaves, init_score_of, is_linear, objective_of
from ._objects import RANK_METRICS, Metric, Objective

#: Parameters as a mapping, or as pairs, which may contain several metrics.
Params: TypeAlias = "Mapping[str, Any] | Sequence[tuple[str, Any]]"

#: Settings for one tree per round whose leaves contain one score per class.
VECTOR_LEAVES = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}

#: The reason why multiclass linear models raise an error.
_ONE_INIT_SCORE = "which adds the init score of class 0 to every class"


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings required to use :class:`Objective` directly: link, init score, number of classes and metric.

    XGBoost does not estimate an init score for a custom objective, and applies the link of the objective in its parameters.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, from which the init score is computed.
    sklearn : bool, default False
        Whether the settings are for the constructor of ``XGBClassifier`` (True), with the objective and the metric, or for
        ``xgboost.train`` (False). ``XGBClassifier`` always applies a sigmoid or softmax. With a focal loss or class weights,
        its own ``predict_proba`` therefore does not return the posterior; use :func:`predict_proba` of this package.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights are invalid for the loss, or if ``XGBClassifier`` does not support the labels.
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
    """Raise ValueError if ``XGBClassifier`` cannot train on these labels with this loss."""
    labels = numbers("y_true", y_true)
    if labels.ndim != 1 or (labels % 1).any():
        came = f"the shape {labels.shape}" if labels.ndim != 1 else f"{labels[labels % 1 != 0][0]}"
        raise ValueError(
            f"y_true must hold class codes (n,) for XGBClassifier, which does not support soft labels, got {came}"
        )
    if loss.multiclass and labels.max() < 2:
        raise ValueError(
            f"y_true must hold at least 3 classes for {loss} and XGBClassifier, which uses one score per sample for 2"
            " classes, got 2; use a binary loss"
        )


def own_settings(params: Params | None, loss: Loss) -> dict[str, Any]:
    """Return the caller's parameters; raise an error for any that would be ignored or contradict the loss."""
    settings = without_none(_mapping(params))
    if not isinstance(settings.get("eval_metric", ""), str):
        metrics = settings["eval_metric"]
        settings["eval_metric"] = list(metrics) if isinstance(metrics, Iterable) else [metrics]
        if not all(isinstance(name, str) for name in settings["eval_metric"]):
            raise TypeError("eval_metric in params must be a name; pass a function or a Metric as custom_metric")
    if "objective" in settings:
        raise ValueError(
            f"params must not contain 'objective' when a loss is given (loss={loss}), got {settings['objective']!r}"
        )
    if not is_one(settings.get("scale_pos_weight", 1)):
        raise ValueError(
            f"scale_pos_weight has no effect with a custom objective, got {settings['scale_pos_weight']}; use"
            " LogLoss(pos_weight=...), FocalLoss(alpha=...) or sample weights"
        )
    if not switch("disable_default_eval_metric", settings.get("disable_default_eval_metric", True)):
        raise ValueError(
            "disable_default_eval_metric must be true or omitted, got false: the builtin metric would read raw scores; set"
            " eval_metric instead"
        )
    if loss.multiclass and settings.get("booster") == "gblinear":
        raise ValueError(f"booster must be a tree booster for {loss}, got 'gblinear', {_ONE_INIT_SCORE}")
    settings["num_class"] = checked_num_class(settings.get("num_class"), loss)
    return without_none(settings)


def threads_of(settings: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Let losses and metrics use as many threads as XGBoost in a ``with`` block."""
    number = thread_count(settings, "nthread", "n_jobs") or thread_count(xgb.get_config(), "nthread")
    return threads_of_library(number)


def _mapping(params: Any) -> Mapping[str, Any]:
    """Return parameters as a mapping; collect several metrics of parameters given as pairs in a list."""
    if params is None or isinstance(params, Mapping):
        return params or {}
    settings: dict[str, Any] = {}
    for pair in params if isinstance(params, Iterable) and not isinstance(params, str) else [params]:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"params must be a mapping or pairs (name, value), got {pair!r}")
        name, value = pair
        settings[name] = [*settings.get(name, ()), value] if name == "eval_metric" else value
    return settings


def computed_settings(
    loss: Loss, labels: Array, weight: Array | None, settings: Mapping[str, Any], *, margins: bool
) -> dict[str, Any]:
    """Return the link and the init score for a new model of these rows; raise an error if they are invalid."""
    init_score = loss.init_score(labels, weight, settings.get("num_class"))
    if margins:
        init_score = init_score * 0.0
    stored = link(loss, np.size(init_score), soft=labels.ndim == 2)
    return {**stored, "base_score": base_score(init_score, sigmoid_link=loss.is_proper)}


def continued_settings(loss: Loss, labels: Array, weight: Array | None, previous: xgb.Booster) -> dict[str, Any]:
    """Return the link for adding trees to a model; raise an error for a model of another loss or for invalid rows."""
    check_same_loss(loss, previous.attr(ATTRIBUTE), "xgb_model")
    if loss.multiclass and is_linear(previous):
        raise ValueError(f"xgb_model must consist of trees for {loss}, got 'gblinear', {_ONE_INIT_SCORE}")
    n_classes = np.size(init_score_of(previous))
    settings = link(loss, n_classes, soft=labels.ndim == 2)
    objective = objective_of(previous)
    if objective != settings["objective"] and (loss.multiclass or {objective, settings["objective"]} != IDENTITIES):
        raise ValueError(f"xgb_model must have the objective {settings['objective']!r} for {loss}, got {objective!r}")
    check_values(loss, labels, weight, n_classes, np.float32)
    if has_vector_leaves(previous):  # files lack these settings, without which the model would mix both kinds of trees
        settings |= VECTOR_LEAVES
    return settings


def link(loss: Loss, n_classes: int, *, soft: bool) -> dict[str, Any]:
    """Return the parameters that define the link of ``predict``: a sigmoid or softmax if it gives probabilities, else none.

    Without a link, the stored objective is ``reg:squarederror``, whose gradient is never used. Tools that read model files
    interpret its ``base_score`` as a raw score, but interpret that of ``binary:logitraw`` as a probability. XGBoost treats
    soft labels as several targets, which its softmax objective does not support.
    """
    quiet = {"disable_default_eval_metric": True}
    if not loss.multiclass:
        return {"objective": "binary:logistic" if loss.is_proper else "reg:squarederror", **quiet}
    if soft:
        return {"objective": "reg:squarederror", **quiet}
    return {"objective": "multi:softprob" if loss.is_proper else "reg:squarederror", "num_class": n_classes, **quiet}


def base_score(init_score: float | Array, *, sigmoid_link: bool) -> float | list[float]:
    """Return an init score in the form that XGBoost expects: a probability with a sigmoid link, otherwise raw scores."""
    if isinstance(init_score, np.ndarray) and init_score.size > 1:
        return [float(score) for score in init_score]
    score = float(np.squeeze(init_score))
    if not sigmoid_link:
        return score
    # XGBoost clips such a probability to [1e-6, 1 - 1e-6], but raises an error if float32 rounds it to 1.
    return float(np.clip(LogLoss().activation([score])[0], 1e-6, 1 - 1e-6))


def check_metrics(eval_metric: Any, loss: Loss, *, soft: bool) -> None:
    """Raise ValueError for builtin metrics that would misread raw scores as probabilities, or misread the labels."""
    right: tuple[str, ...] = ()
    if loss.multiclass and soft:
        rule = "omitted with soft labels (n, K)"
    elif loss.multiclass and loss.is_proper:
        right = ("merror", "mlogloss", "auc", "aucpr")
        rule = f"one of {', '.join(right)} for a multiclass loss"
    elif not loss.is_proper:
        right = ("merror",) if loss.multiclass else RANK_METRICS
        rule = f"one of {', '.join(right)} where the model predicts raw scores"
    else:
        rule = "a metric for two classes"
    for name in [eval_metric] if isinstance(eval_metric, str) else list(eval_metric or ()):
        kind = name.split("@")[0].rstrip("-")
        of_two_classes = not loss.multiclass and loss.is_proper and kind not in ("merror", "mlogloss")
        if kind not in right and not of_two_classes:
            raise ValueError(
                f"eval_metric must be {rule}, got {name!r}, which would misread the scores or labels; use"
                " custom_metric=Metric(loss, score)"
            )
