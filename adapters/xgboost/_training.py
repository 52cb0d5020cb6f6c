"""Training with XGBoost, and what is asked of its models."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from ..._types import Array
from ...losses import Loss, loss_to_json
from .._shared import (
    ATTRIBUTE,
    check_loss,
    check_metric,
    check_storable,
    servable_offset,
    served_loss,
    two_columns,
    without_none,
)
from ._model import (
    ON_MARGINS,
    SHIFTED,
    CarryLoss,
    Model,
    booster_of,
    intercept,
    is_linear,
    load,
    loss_of,
    with_link,
)
from ._objects import InPlaceObjective, Metric, Objective
from ._settings import (
    Params,
    base_score,
    check_evaluation,
    check_for_classifier,
    check_metrics,
    continued_settings,
    fold_settings,
    has_margins,
    labels_and_weights,
    link,
    named_data,
    own_settings,
)
from ._sketch import Sketch, sketched, vector_leaves
from ._workers import anywhere

EstimatorT = TypeVar("EstimatorT", bound=xgb.XGBModel)


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """The settings that bare use of :class:`Objective` needs: link, intercept, number of classes, metric.

    XGBoost estimates no intercept for a custom objective, and applies the link of whichever objective stands in its
    parameters.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, for the intercept.
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
    init = loss.init_score(y_true, sample_weight)
    if not sklearn:
        stored = link(loss, np.size(init), soft=np.ndim(y_true) == 2)
        return {**stored, "base_score": base_score(loss.is_proper, init)}
    check_for_classifier(loss, y_true)
    return {
        "objective": Objective(loss),
        "eval_metric": Metric(loss),
        "base_score": base_score(True, init),
        "disable_default_eval_metric": True,
    }


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
    """``xgboost.train`` with a loss of ours: intercept, link, weights and metric are as they must be.

    Parameters
    ----------
    params : mapping or sequence of pairs
        XGBoost's parameters, without an objective. ``base_score`` replaces the computed intercept, in XGBoost's units:
        a probability where the stored link is a sigmoid, otherwise raw scores.
    dtrain : DMatrix, QuantileDMatrix or ExtMemQuantileDMatrix
        With labels; its weights and base margins are honoured. With base margins the raw score is the margin plus the
        trees, and no intercept is added.
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
        A model to continue, trained with the same loss. It keeps its intercept.
    custom_metric : callable, optional
        Default: ``Metric(loss)``, unless ``params`` asks for an ``eval_metric``.

    Returns
    -------
    Booster
        Its raw scores contain the intercept and its attributes the loss, in the model file too. Its own ``predict``
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
        computed = fold_settings(loss, dtrain, settings)
        n_scores = np.size(computed["base_score"])
    else:
        computed = continued_settings(loss, dtrain, previous)
        n_scores = np.size(intercept(previous))
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
        callbacks=[CarryLoss(**attributes), *(callbacks or ())],
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
    """``xgboost.cv`` with a loss of ours; each fold starts from the intercept of its own training part.

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
    whole = fold_settings(loss, dtrain, settings)  # a fault of the data is better named by its row in all of them
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
        try:
            computed = fold_settings(loss, train_part, fold_params)
        except ValueError as error:
            raise ValueError(f"training part of fold {fold}: {error}") from error
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


def raw_score(model: Model, X: Any, *, iteration_range: tuple[int, int] | None = None) -> Array:
    """Raw scores of a model, intercept and base margins included.

    Parameters
    ----------
    model : Booster or XGBModel
    X : DMatrix or what one is made of
    iteration_range : (int, int), optional
        Rounds to use, as in ``Booster.predict``. Default: up to the best one of an early-stopped model (also of a
        Booster, whose own ``predict`` uses all), otherwise all.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float32
    """
    booster = booster_of(model)
    if iteration_range is None:
        best = booster.attr("best_iteration")
        iteration_range = (0, 0) if best is None else (0, int(best) + 1)
    if isinstance(model, xgb.Booster) or isinstance(X, xgb.DMatrix):
        data = X if isinstance(X, xgb.DMatrix) else xgb.DMatrix(X, enable_categorical=True)
        scores: Array = booster.predict(data, output_margin=True, iteration_range=iteration_range)
    else:
        scores = model.predict(X, output_margin=True, iteration_range=iteration_range)
    return scores


def predict_proba(
    model: Model, X: Any, loss: Loss | None = None, *, iteration_range: tuple[int, int] | None = None
) -> Array:
    """Class probabilities: the posterior that the raw scores imply under the loss they were trained with.

    Parameters
    ----------
    model : Booster or XGBModel
    X, iteration_range
        As for :func:`raw_score`.
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    ndarray of shape (n, K), float32
        Two columns for a binary loss.

    Raises
    ------
    ValueError
        If the model carries no loss and none is given, or another one than is given, or bare XGBoost has continued it with
        a builtin objective; if it is a :func:`servable` model of class weights and ``X`` has base margins.
    """
    loss = loss_of(model, loss)
    if isinstance(X, xgb.DMatrix) and X.get_base_margin().size and booster_of(model).attr(SHIFTED) is not None:
        raise ValueError(
            "X must have no base margins for this served model: they replace the intercept, which holds the shift of class"
            " weights; use the model that servable was given"
        )
    return two_columns(loss, raw_score(model, X, iteration_range=iteration_range))


# Estimators first: scikit-learn has no types, so that to a checker an estimator may be a Booster too.
@overload
def servable(model: EstimatorT, loss: Loss | None = None) -> EstimatorT: ...
@overload
def servable(model: xgb.Booster, loss: Loss | None = None) -> xgb.Booster: ...
def servable(model: Model, loss: Loss | None = None) -> Model:
    """A copy whose own ``predict`` (``predict_proba`` of a classifier) gives the posterior, in any language.

    The sigmoid or softmax is stored as the model's link and what class weights have shifted is taken out of the
    intercept. Of an early-stopped model of trees it has the rounds up to the best, and the weights of dart's trees are in
    their leaves. Do not continue training from it, nor refit it.

    Base margins replace the intercept, so that a served model of class weights is wrong on data that have any. A model of
    :func:`train` on base margins is refused; that an ``XGBClassifier`` was fitted with ``base_margin`` cannot be seen.
    Use :func:`predict_proba` of the model itself there.

    Focal models are refused. Their own ``predict``, in any language, gives raw scores, of which ``loss.posterior`` makes
    probabilities in closed form. Through onnxmltools a ``Booster`` of two classes gives raw scores too; it refuses more.

    Parameters
    ----------
    model : Booster or XGBModel
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    Booster or XGBModel
        Of the type of ``model``.

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), the model carries no loss and
        none is given, or another one than is given, or XGBoost cannot store the intercept.
    """
    loss = loss_of(model, loss)
    booster = booster_of(model)
    before = intercept(booster)
    if loss.multiclass != (np.size(before) > 1):
        raise ValueError(f"loss must fit the model, got {loss} for {np.size(before)} scores per sample")
    if loss.multiclass and is_linear(booster):
        raise ValueError("the model must be of trees for many classes, got 'gblinear', which has one intercept for all")
    stopped = {name: booster.attr(name) for name in ("best_iteration", "best_score")}
    best = None if is_linear(booster) else stopped["best_iteration"]  # a linear model has its last weights only
    if best is not None and int(best) + 1 < booster.num_boosted_rounds():
        booster = booster[: int(best) + 1]
    offset = servable_offset(loss, np.size(before))
    if np.any(offset) and booster.attr(ON_MARGINS) is not None:
        raise ValueError(
            f"the shift of {loss} cannot be stored for a model of base margins, which replace the intercept where it would"
            " be; use predict_proba"
        )
    served = with_link(booster, np.size(before), base_score(True, before + offset))
    if np.abs(intercept(served) - before - offset).max() > 1e-4:
        raise ValueError(f"XGBoost cannot store the intercept {before + offset} of {loss} under a sigmoid")
    served.set_attr(**{ATTRIBUTE: loss_to_json(served_loss(loss))}, **stopped)
    if np.any(offset):
        served.set_attr(**{SHIFTED: "true"})
    if isinstance(model, xgb.Booster):
        return served
    classifier = type(model)(**{**model.get_params(), "eval_metric": None})
    classifier.load_model(served.save_raw("ubj"))
    return classifier


def _default_metric(
    loss: Loss, custom_metric: Callable[..., Any] | None, eval_metric: Any
) -> Callable[..., Any] | None:
    """The metric that was asked for, ours if there is none."""
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
    """The direction of early stopping; refuses one that contradicts the metric's.

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
