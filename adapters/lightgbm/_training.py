"""Training with LightGBM, and what is asked of its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from ..._types import Array
from ...losses import Loss, loss_to_json
from .._shared import (
    ATTRIBUTE,
    check_loss,
    check_storable,
    constant,
    servable_offset,
    served_loss,
    shifted,
    two_columns,
)
from ._callbacks import EvaluateTrainingRows, ShowFinished, StopDart, column_sampling
from ._model import Model, booster_of, continued, edited, link_line, link_params, loss_of, start_of
from ._objects import Feval, Objective, metrics_with_intercept
from ._settings import (
    check_dataset,
    check_evaluation,
    checked_init_score,
    has_init_score,
    has_soft_labels,
    is_dart,
    named,
    own_settings,
    wants_intercept,
    with_settings,
    without_predictions,
)


def params(
    loss: Loss, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None, *, sklearn: bool = False
) -> dict[str, Any]:
    """The settings that bare use needs: objective with intercept, number of classes, no builtin metric.

    LightGBM estimates no intercept for a custom objective, and its builtin metrics read raw scores as probabilities;
    ``LGBMClassifier`` adds one of them to the early stopping unless it is told not to.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : array-like
        The training labels and weights, for the intercept.
    sklearn : bool, default False
        Settings for ``lightgbm.train`` (False) or for the constructor of ``LGBMClassifier`` (True), whose own ``predict``
        and ``predict_proba`` give raw scores without the intercept; use :func:`predict_proba`.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights have no meaning for the loss.
    """
    check_loss(loss)
    init = constant(loss.init_score(y_true, sample_weight))
    settings: dict[str, Any] = {"objective": Objective(loss, init), "metric": "None"}
    return settings if sklearn or isinstance(init, float) else {**settings, "num_class": len(init)}


def train(
    params: Mapping[str, Any],
    train_set: lgb.Dataset,
    num_boost_round: int = 100,
    valid_sets: Sequence[lgb.Dataset] | lgb.Dataset | None = None,
    valid_names: Sequence[str] | str | None = None,
    feval: Feval | Sequence[Feval] | None = None,
    init_model: str | Path | Model | None = None,
    callbacks: Sequence[Callable[..., Any]] | None = None,
    *,
    loss: Loss,
) -> lgb.Booster:
    """``lightgbm.train`` with a loss of ours: intercept, weights, metric and column sampling are as they must be.

    Whoever sees the model earlier than the caller does, sees the same: a wrapper around ``lightgbm.train``, such as MLflow's
    autologging, gets the model that comes back, and what a callback predicts with ``env.model``, saves or copies has the
    intercept and the link of a finished model of the trees so far.

    Parameters
    ----------
    params : mapping
        LightGBM's parameters, without an objective. ``boost_from_average=False`` starts from 0.
    train_set : Dataset
        With labels; its weights and init scores are honoured, and it comes back as it was. With init scores of its own
        the raw score is that score plus the trees, and no intercept is added.
    num_boost_round, valid_sets, valid_names, callbacks
        As in ``lightgbm.train``.
    feval : callable or list of callables, optional
        They see raw scores with the intercept. Default: ``Metric(loss)``, unless ``params`` asks for a metric.
    init_model : Booster, LGBMModel or path, optional
        A model to continue, trained with the same loss. It keeps its intercept, also that in the :class:`Objective` of an
        ``LGBMClassifier``. A ``Booster`` of bare ``lightgbm.train`` and a file of either have lost theirs.
    loss : Loss

    Returns
    -------
    Booster
        Its leaves contain the intercept, in the model file too. Its own ``predict`` gives class probabilities where the
        plain sigmoid or softmax is one, otherwise raw scores. :func:`predict_proba` always gives probabilities;
        :func:`servable` makes a model that does. The booster remembers its loss when pickled; a model file and
        ``copy.deepcopy``, which goes through its text, cannot.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels, weights or scores have no meaning for the loss, or if a parameter would be
        ignored or give wrong numbers.

    Notes
    -----
    With ``boosting="dart"`` two runs may differ under any custom objective: LightGBM reads a variable before it is set
    (``is_update_score_cur_iter_`` in ``dart.hpp``), and so drops trees before the first round or not. A dart training ends,
    with a warning, at a round that finds no leaf to split.
    """
    check_storable(loss)
    settings = own_settings(params, loss)
    check_dataset("train_set", train_set)
    with_settings(train_set, settings)
    previous = None if init_model is None else continued(init_model, loss, train_set)
    if previous is None:
        init = checked_init_score(loss, train_set, settings)
        init = init if wants_intercept(train_set, settings) else 0.0 * init
    else:
        init = np.zeros(previous.num_model_per_iteration())
    if loss.multiclass:
        settings["num_class"] = len(init)
    evaluated = named(valid_sets, valid_names, train_set)
    for data, name in evaluated:
        check_dataset(f"valid_sets {name!r}", data)
        with_settings(data, settings)
        check_evaluation(loss, data, name, len(init), scores=has_init_score(train_set))
    own: list[Callable[..., Any]] = [ShowFinished(loss, [init]), *column_sampling()]
    handed_over = evaluated
    if is_dart(settings):
        own += [StopDart(), *(EvaluateTrainingRows(train_set, name) for data, name in evaluated if data is train_set)]
        handed_over = [(data, name) for data, name in evaluated if data is not train_set]
    offset = constant(init)
    try:
        return lgb.train(
            {**settings, "objective": Objective(loss, offset)},
            train_set,
            num_boost_round,
            valid_sets=[data for data, _ in handed_over] if evaluated else None,
            valid_names=[name for _, name in handed_over],
            feval=metrics_with_intercept(loss, feval, settings["metric"], offset),
            init_model=previous,
            callbacks=[*(callbacks or ()), *own],
        )
    finally:
        if previous is not None:
            without_predictions(train_set, *(data for data, _ in evaluated))


def cv(
    params: Mapping[str, Any],
    train_set: lgb.Dataset,
    num_boost_round: int = 100,
    *,
    loss: Loss,
    metrics: str | Sequence[str] | None = None,
    feval: Feval | Sequence[Feval] | None = None,
    fpreproc: Callable[..., tuple[lgb.Dataset, lgb.Dataset, dict[str, Any]]] | None = None,
    callbacks: Sequence[Callable[..., Any]] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """``lightgbm.cv`` with a loss of ours; each fold starts from the intercept of its own training part.

    Parameters
    ----------
    params, loss, feval
        As for :func:`train`.
    train_set : Dataset
    num_boost_round, metrics, fpreproc, callbacks
        As in ``lightgbm.cv``.
    **options
        The other arguments of ``lightgbm.cv`` by their names: ``folds``, ``nfold``, ``stratified``, ``shuffle``,
        ``init_model``, ``seed``, ``eval_train_metric``, ``return_cvbooster``.

    Returns
    -------
    dict
        What ``lightgbm.cv`` returns; boosters among it are as :func:`train` returns them.

    Raises
    ------
    TypeError, ValueError
        As for :func:`train`, before the first round of any fold.
    """
    check_storable(loss)
    settings = own_settings(params if metrics is None else {**params, "metric": metrics}, loss)
    check_dataset("train_set", train_set)
    with_settings(train_set, settings)
    previous = options.pop("init_model", None)
    if previous is None:
        n_classes = len(checked_init_score(loss, train_set, settings))
    else:
        previous = continued(previous, loss, train_set)
        n_classes = previous.num_model_per_iteration()
    if loss.multiclass:
        settings["num_class"] = n_classes
    if options.get("folds") is None and has_soft_labels(train_set):
        options.setdefault("stratified", False)
    offsets: list[Array] = []

    def prepare(
        train_part: lgb.Dataset, test_part: lgb.Dataset, fold_params: dict[str, Any]
    ) -> tuple[lgb.Dataset, lgb.Dataset, dict[str, Any]]:
        if fpreproc is not None:
            train_part, test_part, fold_params = fpreproc(train_part, test_part, fold_params)
        try:
            init = checked_init_score(loss, train_part, fold_params)
        except ValueError as error:
            raise ValueError(f"training part of fold {len(offsets) + 1}: {error}") from error
        if previous is not None or not wants_intercept(train_part, fold_params):
            init = 0.0 * init
        offsets.append(init)
        if init.any():  # the parts are subsets made for this fold: nothing of the caller's changes
            for part in (train_part, test_part):
                part.construct().set_init_score(np.tile(init, (part.num_data(), 1)).squeeze())
        return train_part, test_part, fold_params

    results: dict[str, Any]
    try:
        results = lgb.cv(
            {**settings, "objective": Objective(loss)},
            train_set,
            num_boost_round,
            feval=metrics_with_intercept(loss, feval, settings["metric"], 0.0),
            fpreproc=prepare,
            init_model=previous,
            callbacks=[
                *(callbacks or ()),
                ShowFinished(loss, offsets),
                *([StopDart()] if is_dart(settings) else []),
                *column_sampling(),
            ],
            **options,
        )
    finally:
        if previous is not None:
            without_predictions(train_set)
    folds: Any = results.get("cvbooster")
    if folds is not None:
        for booster in folds.boosters:
            best = booster.best_of_trees()
            booster.model_from_string(booster.model_to_string(num_iteration=-1))
            booster.best_iteration = best
    return results


def raw_score(model: Model, X: Any, **options: Any) -> Array:
    """Raw scores of a model, intercept included.

    Parameters
    ----------
    model : Booster or LGBMModel
    X : array-like or DataFrame
    **options
        Of ``Booster.predict``: ``num_iteration`` (default: the best one of an early-stopped model), ``start_iteration``
        and others.

    Returns
    -------
    ndarray of shape (n,) or (n, K), float64
    """
    scores = np.asarray(booster_of(model).predict(X, raw_score=True, **options))
    return np.asarray(shifted(scores, start_of(model)))


def predict_proba(model: Model, X: Any, loss: Loss | None = None, **options: Any) -> Array:
    """Class probabilities: the posterior that the raw scores imply under the loss they were trained with.

    Parameters
    ----------
    model : Booster or LGBMModel
    X, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries. LightGBM's model files carry none.

    Returns
    -------
    ndarray of shape (n, K), float64
        Two columns for a binary loss.

    Raises
    ------
    ValueError
        If the model carries no loss and none is given, or another one than is given.
    """
    loss = loss_of(model, loss)
    return two_columns(loss, raw_score(model, X, **options))


def servable(model: Model, loss: Loss | None = None) -> lgb.Booster:
    """A copy whose own ``predict`` gives the posterior, in any language.

    The sigmoid or softmax is stored as the model's link, and what class weights have shifted is taken out of the leaves
    of the first trees.

    Parameters
    ----------
    model : Booster or LGBMModel
    loss : Loss, optional
        Needed only where the model carries none. Default: the loss that it carries.

    Returns
    -------
    Booster

    Raises
    ------
    ValueError
        If the posterior is not a sigmoid or softmax of shifted scores (focal losses), or the model carries no loss and
        none is given.
    """
    loss = loss_of(model, loss)
    booster = booster_of(model)
    n_classes = booster.num_model_per_iteration()
    offset = servable_offset(loss, n_classes)
    total = np.atleast_1d(offset + np.asarray(start_of(model)))
    link = link_line(loss.multiclass, n_classes)
    served = lgb.Booster(model_str=edited(booster.model_to_string(num_iteration=-1), total.tolist(), link))
    served.params.update(link_params(link))  # which LightGBM before 4.7 does not read from a text
    served.best_iteration = booster.best_iteration
    setattr(served, ATTRIBUTE, loss_to_json(served_loss(loss)))
    return served
