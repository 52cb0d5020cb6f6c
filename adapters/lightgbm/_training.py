"""Training and cross-validation with LightGBM."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from ..._types import Array
from ...losses import Loss
from .._init_score import as_init_score
from .._loss import check_storable, naming
from ._callbacks import EvaluateTrainingRows, StopDart, column_sampling
from ._data import (
    best_init_score,
    check_dataset,
    check_evaluation,
    construct_with,
    has_init_score,
    has_soft_labels,
    named_data,
    wants_init_score,
    without_predictions,
)
from ._model import Model, continued
from ._objects import Feval, Objective, metrics_with_init_score
from ._settings import is_dart, own_settings, threads_of
from ._unfinished import ShowFinished


def train(
    params: Mapping[str, Any],
    train_set: lgb.Dataset,
    num_boost_round: int = 100,
    *,
    loss: Loss,
    valid_sets: Sequence[lgb.Dataset] | lgb.Dataset | None = None,
    valid_names: Sequence[str] | str | None = None,
    feval: Feval | Sequence[Feval] | None = None,
    init_model: str | Path | Model | None = None,
    callbacks: Sequence[Callable[..., Any]] | None = None,
) -> lgb.Booster:
    """Train like ``lightgbm.train``, with a loss and its init score, weights, metric and column sampling.

    Arguments after ``num_boost_round`` are keyword-only.

    Wrappers around ``lightgbm.train``, such as MLflow's autologging, receive the same final model as the caller. In a
    callback, ``env.model`` behaves like the final model of the trees so far: its predictions, files and copies include the
    init score and the link.

    Parameters
    ----------
    params : mapping
        LightGBM's parameters, without an objective. ``boost_from_average=False`` starts from 0.
    train_set : Dataset
        The training data, with labels. Its weights and init scores are used, and it is not modified. If it has init
        scores, the raw score is that score plus the trees, and no other init score is added.
    num_boost_round, valid_sets, valid_names, callbacks
        As in ``lightgbm.train``.
    loss : Loss
    feval : callable or list of callables, optional
        Metrics, which receive raw scores that include the init score. Default: ``Metric(loss)``, unless ``params``
        contains a metric.
    init_model : Booster, LGBMModel or path, optional
        A model to continue, trained with the same loss. It keeps its init score, including the one in the
        :class:`Objective` of an ``LGBMClassifier``. A ``Booster`` trained by passing an :class:`Objective` to
        ``lightgbm.train`` does not contain its init score. Neither do model files saved from such a booster or from an
        ``LGBMClassifier`` with an :class:`Objective`.

    Returns
    -------
    Booster
        The leaves contain the init score, also in the model file. The booster's own ``predict`` returns class
        probabilities if they are the plain sigmoid or softmax of the raw scores, and raw scores otherwise.
        :func:`predict_proba` always returns probabilities, and :func:`servable` returns a model whose ``predict`` does. A
        pickled booster keeps its loss; a model file and a ``copy.deepcopy`` do not.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels, weights or scores are invalid for the loss, or if a parameter would be ignored or
        give wrong results.

    Notes
    -----
    With ``boosting="dart"``, two runs with a custom objective may differ: LightGBM reads an uninitialised variable
    (``is_update_score_cur_iter_`` in ``dart.hpp``), which decides whether it drops trees before the first round. Dart
    training stops with a warning after a round that dropped trees and found no leaf to split.
    """
    check_storable(loss)
    settings = own_settings(params, loss)
    check_dataset("train_set", train_set)
    construct_with(train_set, settings)
    previous = None if init_model is None else continued(init_model, loss, train_set)
    if previous is None:
        init_score = best_init_score(loss, train_set, settings)
        init_score = init_score if wants_init_score(train_set, settings) else 0.0 * init_score
    else:
        init_score = np.zeros(previous.num_model_per_iteration())
    evaluated = named_data(valid_sets, valid_names, train_set)
    return boost(
        settings,
        train_set,
        num_boost_round,
        loss=loss,
        init_score=init_score,
        previous=previous,
        evaluated=evaluated,
        feval=feval,
        callbacks=callbacks,
    )


def boost(
    settings: dict[str, Any],
    train_set: lgb.Dataset,
    num_boost_round: int,
    *,
    loss: Loss,
    init_score: Array,
    previous: lgb.Booster | None,
    evaluated: Sequence[tuple[lgb.Dataset, str]],
    feval: Feval | Sequence[Feval] | None,
    callbacks: Sequence[Callable[..., Any]] | None,
) -> lgb.Booster:
    """Train from a given init score, one value per class, with checked settings."""
    if loss.multiclass:
        settings["num_class"] = len(init_score)
    for data, name in evaluated:
        check_dataset(f"valid_sets {name!r}", data)
        construct_with(data, settings)
        check_evaluation(loss, data, name, len(init_score), scores=has_init_score(train_set))
    own: list[Callable[..., Any]] = [ShowFinished(loss, [init_score]), *column_sampling()]
    handed_over = evaluated
    if is_dart(settings):
        own += [StopDart(), *(EvaluateTrainingRows(train_set, name) for data, name in evaluated if data is train_set)]
        handed_over = [(data, name) for data, name in evaluated if data is not train_set]
    constant = as_init_score(init_score)
    try:
        with threads_of(settings):
            return lgb.train(
                {**settings, "objective": Objective(loss, constant)},
                train_set,
                num_boost_round,
                valid_sets=[data for data, _ in handed_over] if evaluated else None,
                valid_names=[name for _, name in handed_over],
                feval=metrics_with_init_score(loss, feval, settings["metric"], constant),
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
    """Cross-validate like ``lightgbm.cv``, with a loss; each fold starts from the init score of its own training part.

    Arguments after ``num_boost_round`` are keyword-only.

    Parameters
    ----------
    params, loss, feval
        As for :func:`train`.
    train_set : Dataset
    num_boost_round, metrics, fpreproc, callbacks
        As in ``lightgbm.cv``.
    **options
        Other keyword arguments of ``lightgbm.cv``: ``folds``, ``nfold``, ``stratified``, ``shuffle``, ``init_model``,
        ``seed``, ``eval_train_metric``, ``return_cvbooster``.

    Returns
    -------
    dict
        The result of ``lightgbm.cv``. Its boosters, if any, are like those that :func:`train` returns.

    Raises
    ------
    TypeError, ValueError
        As for :func:`train`, before the first round of any fold.
    """
    check_storable(loss)
    settings = own_settings(params if metrics is None else {**params, "metric": metrics}, loss)
    check_dataset("train_set", train_set)
    construct_with(train_set, settings)
    previous = options.pop("init_model", None)
    if previous is None:
        n_classes = len(best_init_score(loss, train_set, settings))
    else:
        previous = continued(previous, loss, train_set)
        n_classes = previous.num_model_per_iteration()
    if loss.multiclass:
        settings["num_class"] = n_classes
    if options.get("folds") is None and has_soft_labels(train_set):
        options.setdefault("stratified", False)
    init_scores: list[Array] = []

    def prepare(
        train_part: lgb.Dataset, test_part: lgb.Dataset, fold_params: dict[str, Any]
    ) -> tuple[lgb.Dataset, lgb.Dataset, dict[str, Any]]:
        if fpreproc is not None:
            train_part, test_part, fold_params = fpreproc(train_part, test_part, fold_params)
        with naming(f"training part of fold {len(init_scores) + 1}"):
            init_score = best_init_score(loss, train_part, fold_params)
        if previous is not None or not wants_init_score(train_part, fold_params):
            init_score = 0.0 * init_score
        init_scores.append(init_score)
        if init_score.any():  # the parts are subsets made for this fold, so the caller's data stay unchanged
            for part in (train_part, test_part):
                part.construct().set_init_score(np.tile(init_score, (part.num_data(), 1)).squeeze())
        return train_part, test_part, fold_params

    results: dict[str, Any]
    try:
        with threads_of(settings):
            results = lgb.cv(
                {**settings, "objective": Objective(loss)},
                train_set,
                num_boost_round,
                feval=metrics_with_init_score(loss, feval, settings["metric"], 0.0),
                fpreproc=prepare,
                init_model=previous,
                callbacks=[
                    *(callbacks or ()),
                    ShowFinished(loss, init_scores),
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
