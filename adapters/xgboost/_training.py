"""Training and cross-validation with XGBoost."""

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
from ._data import check_evaluation, has_margins, labels_and_weights, named_data, rows_of_all
from ._model import ON_MARGINS, Model, init_score_of, load
from ._objects import InPlaceObjective, Metric
from ._settings import Params, check_metrics, computed_settings, continued_settings, own_settings, threads_of
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
    """Train like ``xgboost.train``, with a loss and its init score, link, weights and metric.

    Arguments after ``num_boost_round`` are keyword-only.

    Parameters
    ----------
    params : mapping or sequence of pairs
        XGBoost's parameters, without an objective. ``base_score`` replaces the computed init score, in XGBoost's units: a
        probability if the stored link is a sigmoid, otherwise raw scores.
    dtrain : DMatrix, QuantileDMatrix or ExtMemQuantileDMatrix
        The training data, with labels. Its weights and base margins are used. With base margins, the raw score is the
        margin plus the trees, and no init score is added.
    num_boost_round, evals, early_stopping_rounds, evals_result, verbose_eval, callbacks
        As in ``xgboost.train``, but early stopping is not supported with dart.
    loss : Loss
    sketch : Sketch, optional
        For many classes: one tree per round with vector leaves, whose structure is found along random directions of the
        gradient. Experimental. Requires xgboost 3.2, numeric features and ``tree_method="hist"``.
    maximize : bool, optional
        Whether early stopping maximises the metric. Default: the direction of ``custom_metric`` if it is a
        :class:`Metric`. Neither this argument nor an ``EarlyStopping`` callback may contradict that direction.
    xgb_model : Booster, XGBModel, path, bytes or bytearray, optional
        A model to continue, trained with the same loss. It keeps its init score. If the categories of a column have another
        order than in the first run, xgboost 3.2 trains on the new codes and predicts with the old ones; construct
        ``dtrain`` with ``feature_types=xgb_model.get_categories()``.
    custom_metric : callable, optional
        Default: ``Metric(loss)``, unless ``params`` contains ``eval_metric``.

    Returns
    -------
    Booster
        Its raw scores include the init score and its attributes contain the loss, also in the model file. Its own
        ``predict`` returns class probabilities if they are the plain sigmoid or softmax of the raw scores, and raw scores
        otherwise (also for soft ``(n, K)`` labels). :func:`predict_proba` always returns probabilities, and
        :func:`servable` returns a model whose ``predict`` does.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels, weights or scores are invalid for the loss, or if a parameter would be ignored or
        give wrong results.
    """
    check_storable(loss)
    settings = own_settings(params, loss)
    check_stopping(settings, early_stopping_rounds, callbacks)
    evals = named_data(evals)
    previous = None if xgb_model is None else load(xgb_model, loss)
    n_classes = settings.get("num_class") if previous is None else np.size(init_score_of(previous))
    labels, weight = rows_of_all(loss, dtrain, n_classes)
    margins = has_margins(dtrain)
    if previous is None:
        computed = computed_settings(loss, labels, weight, settings, margins=margins)
        n_scores = np.size(computed["base_score"])
    else:
        computed = continued_settings(loss, labels, weight, previous)
        n_scores = np.size(init_score_of(previous))
        settings.pop("base_score", None)
    settings = {**computed, **settings}
    objective: Any = InPlaceObjective(loss, n_scores)
    if sketch is not None:
        settings |= vector_leaves(sketch, loss, settings, dtrain, previous)
        objective = sketched(loss, sketch, 0 if previous is None else previous.num_boosted_rounds())
    soft = anywhere(labels_and_weights(dtrain)[0].ndim == 2)
    check_metrics(settings.get("eval_metric"), loss, soft=soft)
    for data, name in evals:
        check_evaluation(loss, data, name, settings, soft=soft, margins=margins)
    metric = default_metric(loss, custom_metric, settings.get("eval_metric"))
    with threads_of(settings):
        booster = xgb.train(
            settings,
            dtrain,
            num_boost_round,
            evals=evals,
            obj=objective,
            maximize=direction_of(maximize, metric, callbacks),
            early_stopping_rounds=early_stopping_rounds,
            evals_result=evals_result,
            verbose_eval=verbose_eval,
            xgb_model=previous,
            callbacks=[CarryLoss(loss, margins=margins), *(callbacks or ())],
            custom_metric=metric,
        )
    forget_best_round(booster, previous)
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
    """Cross-validate like ``xgboost.cv``, with a loss; each fold starts from the init score of its own training part.

    Arguments after ``num_boost_round`` are keyword-only.

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
        Other keyword arguments of ``xgboost.cv``: ``nfold``, ``stratified``, ``folds``, ``early_stopping_rounds``,
        ``as_pandas``, ``verbose_eval``, ``show_stdv``, ``seed``, ``shuffle``.

    Returns
    -------
    DataFrame or dict
        The result of ``xgboost.cv``.

    Raises
    ------
    TypeError, ValueError
        As for :func:`train`, before the first round of any fold.
    """
    check_storable(loss)
    settings = own_settings(params, loss)
    # Checked before splitting, so that errors name rows of all data.
    whole = computed_settings(loss, *labels_and_weights(dtrain), settings, margins=has_margins(dtrain))
    if "num_class" in whole:
        settings["num_class"] = whole["num_class"]
    objective: Any = InPlaceObjective(loss)
    if sketch is not None:
        vector_leaves(sketch, loss, {**whole, **settings}, dtrain, None)  # raises errors before the folds are made
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
            rows = labels_and_weights(train_part)
            computed = computed_settings(loss, *rows, fold_params, margins=has_margins(train_part))
        own = {**computed, **without_none(fold_params)}
        if sketch is not None:
            own |= vector_leaves(sketch, loss, own, train_part, None)
        return train_part, test_part, own

    metric = default_metric(loss, custom_metric, asked)
    with threads_of(settings):
        return xgb.cv(
            settings,
            dtrain,
            num_boost_round,
            metrics=asked,
            obj=objective,
            maximize=direction_of(maximize, metric, callbacks),
            fpreproc=prepare,
            callbacks=callbacks,
            custom_metric=metric,
            **options,
        )


class CarryLoss(xgb.callback.TrainingCallback):
    """Callback that stores the loss in the booster before the first round, so that checkpoints contain it."""

    def __init__(self, loss: Loss, *, margins: bool) -> None:
        self.attributes = {ATTRIBUTE: loss_to_json(loss)}
        if margins:
            self.attributes[ON_MARGINS] = "true"

    def before_training(self, model: xgb.Booster) -> xgb.Booster:
        """Set the attributes."""
        model.set_attr(**self.attributes)
        return model


def forget_best_round(booster: xgb.Booster, previous: xgb.Booster | None) -> None:
    """Remove the best round of the first run, which does not apply to a continued model."""
    if previous is not None and booster.attr("best_iteration") == previous.attr("best_iteration"):
        booster.set_attr(best_iteration=None, best_score=None)


def default_metric(loss: Loss, custom_metric: Callable[..., Any] | None, eval_metric: Any) -> Callable[..., Any] | None:
    """Return the custom metric, or ``Metric(loss)`` if neither a custom metric nor ``eval_metric`` is given."""
    if custom_metric is not None and not callable(custom_metric):
        raise TypeError(f"custom_metric must be one function or Metric, got {custom_metric!r}")
    check_metric(custom_metric, loss)
    return Metric(loss) if custom_metric is None and not eval_metric else custom_metric


def check_stopping(
    settings: Mapping[str, Any], rounds: int | None, callbacks: Sequence[xgb.callback.TrainingCallback] | None
) -> None:
    """Raise ValueError for early stopping with dart, where later rounds change the weights of earlier trees."""
    if settings.get("booster") != "dart":
        return
    if rounds is not None or any(isinstance(callback, xgb.callback.EarlyStopping) for callback in callbacks or ()):
        raise ValueError(
            "early stopping is not supported with booster='dart': later rounds change the weights of earlier trees, so the"
            " model of the best round cannot be recovered"
        )


def direction_of(
    maximize: bool | None,
    metric: Callable[..., Any] | None,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None,
) -> bool | None:
    """Return the direction of early stopping; raise ValueError if it contradicts the direction of the metric.

    A callback without a direction infers the correct direction from the name of the metric.
    """
    if not isinstance(metric, Metric):
        return maximize
    asked = {"maximize": maximize}
    for callback in callbacks or ():
        if not isinstance(callback, xgb.callback.EarlyStopping):
            continue
        if metric.label == f"auc_{callback.metric_name}":
            raise ValueError(
                f"metric_name of the EarlyStopping callback must be {metric.label!r}, from which XGBoost infers the direction"
                f" of the metric, got {callback.metric_name!r}"
            )
        if callback.metric_name in (None, metric.label):
            asked["maximize of the EarlyStopping callback"] = callback.maximize
    for argument, direction in asked.items():
        if direction is not None and bool(direction) != metric.greater_is_better:
            raise ValueError(
                f"{argument} must be {metric.greater_is_better} or None, to match greater_is_better of the metric"
                f" {metric.label!r}, got {direction}"
            )
    return metric.greater_is_better
