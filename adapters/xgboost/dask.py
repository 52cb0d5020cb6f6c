"""XGBoost on Dask: training and prediction with a loss.

The init score and the metrics are those of the rows of all workers, so that training stops early in the same round on every
worker. ``Objective`` and ``Metric`` can also be passed to ``xgboost.dask.train`` and ``DaskXGBClassifier`` directly, with the
settings that :func:`params` returns.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xgboost as xgb

from ...losses import Loss
from .._extra import requires_dask
from .._loss import check_storable
from ._data import check_name, named_data
from ._model import Model, booster_of, init_score_of, load, loss_of
from ._objects import InPlaceObjective
from ._prediction import checked_rounds_of, refuse_margins, rounds_of
from ._settings import Params, check_metrics, computed_settings, continued_settings, own_settings
from ._settings import params as params_of_rows
from ._training import CarryLoss, check_stopping, default_metric, direction_of, forget_best_round

with requires_dask():
    import distributed
    import xgboost.dask as xgb_dask

    from .. import _dask

__all__ = ["params", "predict_proba", "raw_score", "train"]


def train(
    client: Any,
    params: Params,
    dtrain: xgb_dask.DaskDMatrix,
    num_boost_round: int = 10,
    *,
    loss: Loss,
    evals: Sequence[tuple[xgb_dask.DaskDMatrix, str]] | None = None,
    early_stopping_rounds: int | None = None,
    xgb_model: Model | None = None,
    verbose_eval: int | bool = True,
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = None,
    custom_metric: Callable[..., Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train like ``xgboost.dask.train``, with a loss and its init score, link, weights and metric.

    The labels and weights are read once before training, on the workers that hold them. In every round, each worker evaluates
    its rows, and XGBoost's collective adds the sums of all workers. Workers without rows of an evaluation set take part.

    Parameters
    ----------
    client : distributed.Client or None
    params, loss, custom_metric
        As for ``train`` of :mod:`boosting_losses.adapters.xgboost`.
    dtrain : DaskDMatrix or DaskQuantileDMatrix
        The training data, with labels. Its weights and base margins are used.
    num_boost_round, evals, early_stopping_rounds, verbose_eval, callbacks
        As in ``xgboost.dask.train``.
    xgb_model : Booster or XGBModel, optional
        A model to continue, trained with the same loss. It keeps its init score.
    **options
        Other keyword arguments of ``xgboost.dask.train``, such as ``coll_cfg``.

    Returns
    -------
    dict
        ``{"booster": Booster, "history": dict}``. The booster is like that of ``train`` on one machine: raw scores include
        the init score, and the attributes contain the loss.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if labels or weights are invalid for the loss, or if a parameter would be ignored or give
        wrong results.
    RuntimeError
        If a worker leaves the cluster during training.
    """
    check_storable(loss)
    client = _dask.checked_client(client)
    settings = own_settings(params, loss)
    check_stopping(settings, early_stopping_rounds, callbacks)
    found = _summary(client, loss, dtrain, "dtrain")
    previous = None if xgb_model is None else load(xgb_model, loss)
    if previous is None:
        rows = found.totals.rows(settings.get("num_class"))
        computed = computed_settings(loss, *rows, settings, margins=found.has_margins)
        n_scores = np.size(computed["base_score"])
    else:
        n_scores = np.size(init_score_of(previous))
        computed = continued_settings(loss, *found.totals.rows(n_scores), previous)
        settings.pop("base_score", None)
    settings = {**computed, **settings}
    check_metrics(settings.get("eval_metric"), loss, soft=found.totals.soft)
    evaluated: list[Any] = named_data(evals)
    for data, name in evaluated:
        check_name(name)
        if data is not dtrain:
            _check_evaluation(found, _summary(client, loss, data, f"evals {name!r}"), f"evals {name!r}", n_scores)
    metric = default_metric(loss, custom_metric, settings.get("eval_metric"))
    direction_of(None, metric, callbacks)  # checks the callbacks; XGBoost infers the direction from the name
    workers = {worker for data in (dtrain, *(data for data, _ in evaluated)) for worker in data.worker_map}
    evaluated = [(data if data is dtrain else _everywhere(client, data, workers), name) for data, name in evaluated]
    with _dask.naming_lost_workers(client, workers):
        result: dict[str, Any] = xgb_dask.train(
            client,
            settings,
            dtrain,
            num_boost_round,
            evals=evaluated or None,
            obj=InPlaceObjective(loss, n_scores),
            early_stopping_rounds=early_stopping_rounds,
            xgb_model=previous,
            verbose_eval=verbose_eval,
            callbacks=[CarryLoss(loss, margins=found.has_margins), *(callbacks or ())],
            custom_metric=metric,
            **options,
        )
    forget_best_round(result["booster"], previous)
    return result


def raw_score(client: Any, model: Model | Mapping[str, Any], data: Any, *, rounds: int | None = None) -> Any:
    """Return the raw scores of a Dask collection, including the init score and base margins.

    Parameters
    ----------
    client : distributed.Client or None
    model : Booster, XGBModel or the result of :func:`train`
    data : DaskDMatrix, Dask array or Dask DataFrame
    rounds : int, optional
        Number of rounds to use, starting with the first. Default: up to the best round for an early-stopped model, otherwise
        all rounds.

    Returns
    -------
    Dask array, Series or DataFrame
        Of shape (n,) or (n, K), float32, lazy; a Series or DataFrame if ``data`` is a DataFrame.

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not an integer from 1 to the number of rounds of the model.
    """
    booster = booster_of(_trained(model))
    last = rounds_of(booster) if rounds is None else checked_rounds_of(rounds, booster)
    return xgb_dask.predict(client, booster, data, output_margin=True, iteration_range=(0, last))


def predict_proba(
    client: Any, model: Model | Mapping[str, Any], data: Any, loss: Loss | None = None, *, rounds: int | None = None
) -> Any:
    """Return class probabilities of a Dask collection: the posterior that the raw scores imply under the training loss.

    Parameters
    ----------
    client, model, data, rounds
        As for :func:`raw_score`.
    loss : Loss, optional
        Required only if the model carries no loss. Default: the loss that the model carries.

    Returns
    -------
    Dask array or DataFrame of shape (n, K), float64
        Lazy; a binary loss gives two columns.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, if the given loss differs from the model's, if ``data`` have base
        margins and the model is a ``servable`` model with class weights, or if ``rounds`` is invalid (see
        :func:`raw_score`).
    """
    loss = loss_of(_trained(model), loss)
    if isinstance(data, xgb_dask.DaskDMatrix) and _has_margins(client, data):
        refuse_margins(_trained(model))
    return _dask.posterior_of(loss, raw_score(client, model, data, rounds=rounds))


def params(
    loss: Loss, y_true: Any, sample_weight: Any = None, *, client: Any = None, sklearn: bool = False
) -> dict[str, Any]:
    """Return the settings required to use ``Objective`` directly, like ``params`` of the adapter, from Dask collections.

    Parameters
    ----------
    loss : Loss
    y_true, sample_weight : Dask array or Series
        The training labels and weights, which are read once.
    client : distributed.Client, optional
    sklearn : bool, default False
        Whether the settings are for the constructor of ``DaskXGBClassifier`` (True) or for ``xgboost.dask.train`` (False).

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If labels or weights are invalid for the loss.
    """
    rows = _dask.init_rows(_dask.checked_client(client), y_true, sample_weight, multiclass=loss.multiclass)
    return params_of_rows(loss, *rows, sklearn=sklearn)


def _trained(model: Model | Mapping[str, Any]) -> Any:
    return model["booster"] if isinstance(model, Mapping) else model


def _summary(client: Any, loss: Loss, data: Any, name: str) -> _dask.Summary:
    if not isinstance(data, xgb_dask.DaskDMatrix):
        raise TypeError(f"{name} must be a DaskDMatrix, got {type(data).__name__}")
    return _dask.total(name, _dask.summaries(client, data.worker_map, name, multiclass=loss.multiclass))


def _has_margins(client: Any, data: xgb_dask.DaskDMatrix) -> bool:
    part = next(held[0] for held in data.worker_map.values())
    found: bool = _dask.checked_client(client).submit(_part_has_margins, part, pure=False).result()
    return found


def _part_has_margins(part: _dask.Part) -> bool:
    return part.get("base_margin") is not None


def _everywhere(client: Any, data: xgb_dask.DaskDMatrix, workers: set[str]) -> xgb_dask.DaskDMatrix:
    """Return evaluation data of which each worker holds a partition, which may have no rows.

    On a worker without a partition, the data have no feature names, and XGBoost refuses to evaluate a custom metric there.
    """
    missing = workers - set(data.worker_map)
    if not missing:
        return data
    holder, parts = next(iter(data.worker_map.items()))
    empty = client.submit(_without_rows, parts[0], workers=[holder], pure=False)
    # Each worker gets its own copy: XGBoost's tasks run where all their partitions are.
    copies = {worker: [client.submit(_without_rows, empty, workers=[worker], pure=False)] for worker in missing}
    distributed.wait(copies)
    found = copy.copy(data)
    found.worker_map = {**data.worker_map, **copies}
    return found


def _without_rows(part: _dask.Part) -> dict[str, Any]:
    return {name: values[:0] for name, values in part.items()}


def _check_evaluation(trained: _dask.Summary, found: _dask.Summary, name: str, n_classes: int) -> None:
    """Raise ValueError if evaluation data do not fit the training data."""
    _dask.check_evaluation(trained, found, name, n_classes)
    if found.has_margins != trained.has_margins:
        raise ValueError(f"{name} must have base margins if and only if dtrain has")
