"""Training with XGBoost: one model, or one for each fold."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xgboost as xgb

from ...losses import Loss, loss_to_json
from .._loss import ATTRIBUTE, check_storable, naming
from .._metric import check_metric
from .._parameters import without_none
from ._data import check_evaluation, has_margins, labels_and_weights, named_data
from ._model import ON_MARGINS, Model, init_score_of, load
from ._objects import InPlaceObjective, Metric
from ._settings import Params, check_metrics, computed_settings, continued_settings, own_settings
from ._sketch import Sketch, sketched, vector_leaves
from ._workers import anywhere


def train(
    params: Params,
    dtrain: xgb.DMatrix,
    num_boost_round: int = 10,
    *,
    loss: Loss,
    sketch: Sketch | None = None,
    evals: Sequence[tuple[xgb.DMatrix, str]] | None = None,
    maximize: bool | None = None,
    early_stopping_rounds: int | None = None,
    evals_result: dict[str, Any] | None = None,
    verbose_eval: bool | int | None = True,
    xgb_model: Model | str | os.PathLike[str] | bytes | bytearray | None = None,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    custom_metric: Callable[..., Any] | None = None,
) -> xgb.Booster:
    """Train as ``xgboost.train`` does, with a loss: init score, link, weights and metric are as they must be.

    The arguments after ``num_boost_round`` go by their names.

    Parameters
    ----------
    params : mapping or sequence of pairs
        XGBoost's parameters, without an objective. ``base_score`` replaces the computed init score, in XGBoost's units:
        a probability where the stored link is a sigmoid, otherwise raw scores.
    dtrain : DMatrix, QuantileDMatrix or ExtMemQuantileDMatrix
        With labels; its weights and base margins are honoured. With base margins the raw score is the margin plus the
        trees, and no init score is added.
    num_boost_round, evals, early_stopping_rounds, evals_result, verbose_eval, callbacks
        As in ``xgboost.train``; but dart is not stopped early.
    loss : Loss
    sketch : Sketch, optional
        For many classes: one tree a round with a vector in its leaves, whose structure is found along random directions
        of the gradient. Experimental. Needs xgboost 3.2, numbers as features, ``tree_method="hist"``.
    maximize : bool, optional
        Direction of ``early_stopping_rounds``. Default: that of ``custom_metric``, if it is a :class:`Metric`, which
        neither this nor an ``EarlyStopping`` among ``callbacks`` may contradict.
    xgb_model : Booster, XGBModel, path, bytes or bytearray, optional
        A model to continue, trained with the same loss. It keeps its init score.
    custom_metric : callable, optional
        Default: ``Metric(loss)``, unless ``params`` asks for an ``eval_metric``.

    Returns
    -------
    Booster
        Its raw scores contain the init score and its attributes the loss, in the model file too. Its own ``predict``
        gives class probabilities where the plain sigmoid or softmax is one, otherwise raw scores (for soft ``(n, K)``
        labels too). :func:`predict_proba` always gives probabilities; :func:`servable` makes a model that does.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels, weights or scores have no meaning for the loss, or if a parameter would be
        ignored or give wrong numbers.
    """
    check_storable(loss)
    settings = own_settings(params, loss)
    _check_stopping(settings, early_stopping_rounds, callbacks)
    evals = named_data(evals)
    previous = None if xgb_model is None else load(xgb_model, loss)
    if previous is None:
        computed = computed_settings(loss, dtrain, settings)
        n_scores = np.size(computed["base_score"])
    else:
        computed = continued_settings(loss, dtrain, previous)
        n_scores = np.size(init_score_of(previous))
        settings.pop("base_score", None)
    settings = {**computed, **settings}
    objective: Any = InPlaceObjective(loss, n_scores)
    if sketch is not None:
        settings |= vector_leaves(sketch, loss, settings, dtrain, previous)
        objective = sketched(loss, sketch, 0 if previous is None else previous.num_boosted_rounds())
    soft = anywhere(labels_and_weights(dtrain)[0].ndim == 2)
    check_metrics(settings.get("eval_metric"), loss, soft=soft)
    margins = has_margins(dtrain)
    for data, name in evals:
        check_evaluation(loss, data, name, settings, soft=soft, margins=margins)
    metric = _default_metric(loss, custom_metric, settings.get("eval_metric"))
    attributes = {ATTRIBUTE: loss_to_json(loss)}
    if margins:
        attributes[ON_MARGINS] = "true"
    booster = xgb.train(
        settings,
        dtrain,
        num_boost_round,
        evals=evals,
        obj=objective,
        maximize=_direction(maximize, metric, callbacks),
        early_stopping_rounds=early_stopping_rounds,
        evals_result=evals_result,
        verbose_eval=verbose_eval,
        xgb_model=previous,
        callbacks=[_CarryLoss(**attributes), *(callbacks or ())],
        custom_metric=metric,
    )
    if previous is not None and booster.attr("best_iteration") == previous.attr("best_iteration"):
        # What stopped the first run says nothing about the trees added since.
        booster.set_attr(best_iteration=None, best_score=None)
    return booster


def cv(
    params: Params,
    dtrain: xgb.DMatrix,
    num_boost_round: int = 10,
    *,
    loss: Loss,
    sketch: Sketch | None = None,
    metrics: str | Sequence[str] = (),
    maximize: bool | None = None,
    fpreproc: Callable[..., tuple[xgb.DMatrix, xgb.DMatrix, dict[str, Any]]] | None = None,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    custom_metric: Callable[..., Any] | None = None,
    **options: Any,
) -> Any:
    """Cross-validate as ``xgboost.cv`` does, with a loss; each fold starts from the init score of its own training part.

    The arguments after ``num_boost_round`` go by their names.

    Parameters
    ----------
    params : mapping
        As for :func:`train`.
    dtrain : DMatrix
    num_boost_round, metrics, fpreproc, callbacks
        As in ``xgboost.cv``.
    loss : Loss
    sketch, maximize, custom_metric
        As for :func:`train`.
    **options
        The other arguments of ``xgboost.cv`` by their names: ``nfold``, ``stratified``, ``folds``,
        ``early_stopping_rounds``, ``as_pandas``, ``verbose_eval``, ``show_stdv``, ``seed``, ``shuffle``.

    Returns
    -------
    DataFrame or dict
        What ``xgboost.cv`` returns.

    Raises
    ------
    TypeError, ValueError
        As for :func:`train`, before the first round of any fold.
    """
    check_storable(loss)
    settings = own_settings(params, loss)
    whole = computed_settings(loss, dtrain, settings)  # a fault of the data is better named by its row in all of them
    if "num_class" in whole:
        settings["num_class"] = whole["num_class"]
    objective: Any = InPlaceObjective(loss)
    if sketch is not None:
        vector_leaves(sketch, loss, {**whole, **settings}, dtrain, None)  # refused before the folds are made
        objective = sketched(loss, sketch, 0)
    asked = [metrics] if isinstance(metrics, str) else list(metrics)
    asked = asked or settings.get("eval_metric") or []
    check_metrics(asked, loss, soft=labels_and_weights(dtrain)[0].ndim == 2)
    fold = 0

    def prepare(
        train_part: xgb.DMatrix, test_part: xgb.DMatrix, fold_params: dict[str, Any]
    ) -> tuple[xgb.DMatrix, xgb.DMatrix, dict[str, Any]]:
        nonlocal fold
        fold += 1
        if fpreproc is not None:
            train_part, test_part, fold_params = fpreproc(train_part, test_part, fold_params)
        with naming(f"training part of fold {fold}"):
            computed = computed_settings(loss, train_part, fold_params)
        own = {**computed, **without_none(fold_params)}
        if sketch is not None:
            own |= vector_leaves(sketch, loss, own, train_part, None)
        return train_part, test_part, own

    metric = _default_metric(loss, custom_metric, asked)
    return xgb.cv(
        settings,
        dtrain,
        num_boost_round,
        metrics=asked,
        obj=objective,
        maximize=_direction(maximize, metric, callbacks),
        fpreproc=prepare,
        callbacks=callbacks,
        custom_metric=metric,
        **options,
    )


class _CarryLoss(xgb.callback.TrainingCallback):
    """Callback that writes attributes before the first round, so that checkpoints have them too."""

    def __init__(self, **attributes: str) -> None:
        self.attributes = attributes

    def before_training(self, model: xgb.Booster) -> xgb.Booster:
        """Write the attributes."""
        model.set_attr(**self.attributes)
        return model


def _default_metric(
    loss: Loss, custom_metric: Callable[..., Any] | None, eval_metric: Any
) -> Callable[..., Any] | None:
    """Return the metric that was asked for, ``Metric(loss)`` if there is none."""
    if custom_metric is not None and not callable(custom_metric):
        raise TypeError(f"custom_metric must be one function or Metric, got {custom_metric!r}")
    check_metric(custom_metric, loss)
    return Metric(loss) if custom_metric is None and not eval_metric else custom_metric


def _check_stopping(
    settings: Mapping[str, Any], rounds: int | None, callbacks: Sequence[xgb.callback.TrainingCallback] | None
) -> None:
    """Refuse to stop a dart training early: rounds after the best one have given its trees other weights."""
    if settings.get("booster") != "dart":
        return
    if rounds is not None or any(isinstance(callback, xgb.callback.EarlyStopping) for callback in callbacks or ()):
        raise ValueError(
            "early stopping must be left out for booster='dart': rounds after the best one give its trees other weights, so"
            " that the model of the best round no longer exists"
        )


def _direction(
    maximize: bool | None,
    metric: Callable[..., Any] | None,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None,
) -> bool | None:
    """Return the direction of early stopping; refuse one that contradicts the metric's.

    A callback that was given none finds the right one by the metric's name.
    """
    if not isinstance(metric, Metric):
        return maximize
    asked = {"maximize": maximize}
    for callback in callbacks or ():
        if not isinstance(callback, xgb.callback.EarlyStopping):
            continue
        if metric.label == f"auc_{callback.metric_name}":
            raise ValueError(
                f"metric_name of the EarlyStopping callback must be {metric.label!r}, by which XGBoost knows the direction of"
                f" the metric, got {callback.metric_name!r}"
            )
        if callback.metric_name in (None, metric.label):
            asked["maximize of the EarlyStopping callback"] = callback.maximize
    for argument, direction in asked.items():
        if direction is not None and bool(direction) != metric.greater_is_better:
            raise ValueError(
                f"{argument} must be {metric.greater_is_better} or None, as greater_is_better of the metric"
                f" {metric.label!r} says, got {direction}"
            )
    return metric.greater_is_better
