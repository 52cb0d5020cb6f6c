"""LightGBM on Dask: training and prediction with a loss.

The init score and the metrics are those of the rows of all workers, so that training stops early in the same round on
every worker. LightGBM's own Dask estimators evaluate metrics on the rows of each worker alone, and hang if the workers
disagree about early stopping. :func:`global_metrics` corrects this for a ``DaskLGBMClassifier`` with ``Objective`` and
``Metric``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from ...losses import Loss
from .. import _dask
from .._extra import requires_dask
from .._loss import check_storable, check_values
from .._metric import MetricBase, warn_of_no_mean
from .._parameters import switch
from .._prediction import checked_rounds, refuse_ranges
from ._distributed import Exchange, GlobalMetrics, Plan, train_share
from ._model import Model, booster_of, continued_model, loss_of
from ._objects import Feval
from ._prediction import raw_score as raw_score_of_rows
from ._settings import network_settings, own_settings
from ._settings import params as params_of_rows

with requires_dask():
    import distributed
    from dask.base import is_dask_collection

__all__ = ["global_metrics", "params", "predict_proba", "raw_score", "train"]


def train(
    params: Mapping[str, Any],
    X: Any,
    y: Any,
    num_boost_round: int = 100,
    *,
    loss: Loss,
    sample_weight: Any = None,
    eval_X: Sequence[Any] = (),
    eval_y: Sequence[Any] = (),
    eval_sample_weight: Sequence[Any] | None = None,
    eval_names: Sequence[str] | None = None,
    feval: Feval | Sequence[Feval] | None = None,
    init_model: str | Path | Model | None = None,
    evals_result: dict[str, Any] | None = None,
    callbacks: Sequence[Callable[..., Any]] | None = None,
    client: Any = None,
) -> lgb.Booster:
    """Train LightGBM on Dask collections, with a loss and its init score, weights, metric and column sampling.

    The data have the form that ``DaskLGBMClassifier.fit`` takes, the settings that of ``lightgbm.train``. The workers that
    hold rows of ``X`` train together, by default each with the threads that Dask gave it. In every round, they exchange
    their metrics. Partitions without any weight are not used.

    Parameters
    ----------
    params : mapping
        LightGBM's parameters, without an objective and without addresses of machines. ``tree_learner`` must be "data" (the
        default) or "voting". ``local_listen_port`` sets the port of all workers, one on each machine; default: a free port.
    X : Dask array or DataFrame
        Features. Categorical columns must have known categories.
    y : Dask array or Series
        Labels, with the partitions of ``X``.
    num_boost_round : int, default 100
    loss : Loss
    sample_weight : Dask array or Series, optional
    eval_X, eval_y, eval_sample_weight : sequences of Dask collections, optional
        Evaluation sets, which may have any partitions. If they are the same objects as ``X``, ``y`` and
        ``sample_weight``, the training rows are not copied.
    eval_names : sequence of str, optional
        Default: ``valid_0``, ``valid_1``, and so on.
    feval : callable or list of callables, optional
        Metrics, which receive raw scores that include the init score, and the rows of one worker. Default:
        ``Metric(loss)``, unless ``params`` contains a metric. The value is the mean over all rows; for a metric that is not
        a mean over rows, it is the weighted mean of the values of the workers, and a warning is issued.
    init_model : Booster, LGBMModel or path, optional
        A model to continue, trained with the same loss.
    evals_result : dict, optional
        Receives the metrics of every round.
    callbacks : sequence of callables, optional
        Callbacks of LightGBM, such as ``lightgbm.early_stopping(10)``. They run on every worker.
    client : distributed.Client, optional
        Default: Dask's default client.

    Returns
    -------
    Booster
        Like that of ``train`` on one machine: the leaves contain the init score.

    Raises
    ------
    TypeError, ValueError
        Before the first round, if the data are invalid for the loss, or if a parameter would be ignored or give wrong
        results.
    RuntimeError
        If a worker leaves the cluster during training. The message names the workers that are still busy: they wait in
        native code of LightGBM, until they are restarted.
    """
    check_storable(loss)
    client = _dask.checked_client(client)
    settings, port = network_settings(own_settings(params, loss))
    names = _names(eval_X, eval_y, eval_sample_weight, eval_names)
    parts, found = _placed(client, loss, "X", X, y, sample_weight)
    previous = None if init_model is None else continued_model(init_model, loss)
    if previous is None:
        init_score = np.atleast_1d(
            loss.init_score(*found.totals.rows(settings.get("num_class")), settings.get("num_class"))
        )
        if not switch("boost_from_average", settings.get("boost_from_average", True)):
            init_score = 0.0 * init_score
    else:
        init_score = np.zeros(previous.num_model_per_iteration())
        check_values(loss, *found.totals.rows(len(init_score)), len(init_score))
    workers = list(parts)
    evaluation: list[Mapping[str, Sequence[Any]] | None] = []
    for name, *data in zip(names, eval_X, eval_y, eval_sample_weight or [None] * len(names), strict=True):
        if data[0] is X and data[1] is y and data[2] is sample_weight:
            evaluation.append(None)
            continue
        held, evaluated = _placed(client, loss, f"eval_X {name!r}", *data)
        _dask.check_evaluation(found, evaluated, f"eval_X {name!r}", len(init_score))
        evaluation.append(_moved(held, workers))
    _warn_of_no_means(feval, settings["metric"])
    plan = Plan(
        loss, settings, num_boost_round, init_score, previous, names, feval, list(callbacks or ()), len(workers), port
    )
    with distributed.MultiLock(workers, client):  # LightGBM's network is global in a process
        exchange = client.submit(Exchange, actor=True, workers=workers[:1], pure=False).result()
        futures = {
            worker: client.submit(
                train_share,
                plan,
                exchange,
                rank,
                parts[worker],
                [None if held is None else held.get(worker, []) for held in evaluation],
                workers=[worker],
                pure=False,
            )
            for rank, worker in enumerate(workers)
        }
        booster: lgb.Booster
        booster, history = _dask.results(client, futures)[workers[0]]
    if evals_result is not None:
        evals_result.clear()
        evals_result.update(history)
    return booster


def raw_score(model: Model, X: Any, *, rounds: int | None = None, **options: Any) -> Any:
    """Return the raw scores of a Dask collection, including the init score.

    Parameters
    ----------
    model : Booster or LGBMModel
    X : Dask array or DataFrame
    rounds : int, optional
        Number of rounds to use, starting with the first. Default: up to the best round for an early-stopped model, otherwise
        all rounds.
    **options
        Other options of ``Booster.predict``, such as ``validate_features`` and ``num_threads``.

    Returns
    -------
    Dask array, Series or DataFrame
        Of shape (n,) or (n, K), float64, lazy; a Series or DataFrame if ``X`` is a DataFrame.

    Raises
    ------
    TypeError, ValueError
        If ``rounds`` is not an integer from 1 to the number of rounds of the model.
    """
    booster = booster_of(model)
    refuse_ranges(options, "num_iteration", "start_iteration")
    if rounds is not None:
        rounds = checked_rounds(rounds, booster.current_iteration())
    scores = partial(raw_score_of_rows, model, rounds=rounds, **options)
    return _dask.mapped(scores, X, booster.num_model_per_iteration())


def predict_proba(model: Model, X: Any, loss: Loss | None = None, *, rounds: int | None = None, **options: Any) -> Any:
    """Return class probabilities of a Dask collection: the posterior that the raw scores imply under the training loss.

    Parameters
    ----------
    model, X, rounds, **options
        As for :func:`raw_score`.
    loss : Loss, optional
        Required only if the model carries no loss, such as a LightGBM model loaded from a file. Default: the loss that the
        model carries.

    Returns
    -------
    Dask array or DataFrame of shape (n, K), float64
        Lazy; a binary loss gives two columns.

    Raises
    ------
    TypeError, ValueError
        If the model carries no loss and none is given, if the given loss differs from the model's, or if ``rounds`` is
        invalid (see :func:`raw_score`).
    """
    return _dask.posterior_of(loss_of(model, loss), raw_score(model, X, rounds=rounds, **options))


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
        Whether the settings are for the constructor of ``DaskLGBMClassifier`` (True) or for ``lightgbm.train`` (False).

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


def global_metrics(client: Any = None) -> GlobalMetrics:
    """Return a callback for ``fit`` of a ``DaskLGBMClassifier`` that makes its metrics those of the rows of all workers.

    With ``callbacks=[global_metrics(client), lightgbm.early_stopping(10)]``, all workers stop in the same round. If a worker
    has no rows of an evaluation set, pass ``eval_names``, because LightGBM numbers the evaluation sets of each worker.

    Parameters
    ----------
    client : distributed.Client, optional
        Default: Dask's default client.

    Returns
    -------
    callable
    """
    return GlobalMetrics(_dask.checked_client(client).submit(Exchange, actor=True, pure=False).result())


def _placed(
    client: Any, loss: Loss, name: str, X: Any, y: Any, sample_weight: Any
) -> tuple[dict[str, list[Any]], _dask.Summary]:
    """Return the partitions that have weight, by worker, and the summary of their rows."""
    parts = _dask.placed(client, data=X, label=y, weight=sample_weight)
    found = _dask.summaries(client, parts, name, multiclass=loss.multiclass)
    whole = _dask.total(name, found)
    if whole.totals.soft:
        raise ValueError(f"{name} must have class codes (n,) as labels for LightGBM, got soft labels (n, K)")
    held = {
        worker: [
            part for part, summary in zip(parts[worker], found[worker], strict=True) if summary.totals.weight.any()
        ]
        for worker in parts
    }
    return {worker: kept for worker, kept in held.items() if kept}, whole


def _moved(parts: Mapping[str, Sequence[Any]], workers: Sequence[str]) -> dict[str, list[Any]]:
    """Return partitions by the workers that train; those that other workers hold are distributed evenly."""
    held = {worker: list(parts.get(worker, ())) for worker in workers}
    others = [part for worker, kept in parts.items() if worker not in held for part in kept]
    for number, part in enumerate(others):
        held[workers[number % len(workers)]].append(part)
    return held


def _names(eval_X: Any, eval_y: Any, eval_sample_weight: Any, eval_names: Sequence[str] | None) -> list[str]:
    """Return the names of the evaluation sets; raise an error unless each set has features, labels and one name."""
    for argument, values in {"eval_X": eval_X, "eval_y": eval_y, "eval_sample_weight": eval_sample_weight}.items():
        if is_dask_collection(values):
            raise TypeError(f"{argument} must be a list of Dask collections, one per set, got {type(values).__name__}")
    names = [f"valid_{number}" for number in range(len(eval_X))] if eval_names is None else list(eval_names)
    given = {"eval_y": eval_y, "eval_sample_weight": eval_sample_weight, "eval_names": names}
    for argument, values in given.items():
        if values is not None and len(values) != len(eval_X):
            raise ValueError(f"{argument} must have one entry per set in eval_X, got {len(values)} for {len(eval_X)}")
    if len(set(names)) != len(names):
        raise ValueError(f"eval_names must be different, got {names}")
    return names


def _warn_of_no_means(feval: Any, metric: Any) -> None:
    """Warn of metrics that are not known to be means over rows."""
    for function in [] if feval is None else [feval] if callable(feval) else feval:
        if not (isinstance(function, MetricBase) and function.is_mean):
            warn_of_no_mean(getattr(function, "label", getattr(function, "__name__", repr(function))))
    if metric != "None":
        warn_of_no_mean(str(metric))
