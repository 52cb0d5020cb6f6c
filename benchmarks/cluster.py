"""Training runs on a local Dask cluster with a loss of this package and with the builtin loss, on the same cluster.

Both evaluate the training rows in every round: this package over all workers, LightGBM's own interface on each worker alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from .measure import Bar, Budget, Pair, Row, chosen, interleave
from .screen import progress
from .training_cases import Case, ratio_row, rows_of

_BAR = Bar(1.08, at_least=False)


def run(arguments: argparse.Namespace) -> list[Row]:
    """Measure the cases whose names match ``--only``."""
    cases = [
        Case(library, arguments.rows, 20, classes, 10) for library in ("XGBoost", "LightGBM") for classes in (2, 5)
    ]
    with _cluster(arguments.workers) as client:
        wanted = chosen(cases, lambda case: case.name, arguments.only)
        return [_row(case, client, Budget.of(arguments)) for case in progress(wanted, "dask")]


@contextmanager
def _cluster(workers: int) -> Iterator[Any]:
    threads = max((os.cpu_count() or 1) // workers, 1)
    options = {"dashboard_address": ":0", "silence_logs": 50, "host": "127.0.0.1"}
    with LocalCluster(workers, threads_per_worker=threads, **options) as cluster, Client(cluster) as client:
        yield client


def _row(case: Case, client: Any, budget: Budget) -> Row:
    X, y = rows_of(case)
    pair = _xgboost if case.library == "XGBoost" else _lightgbm
    timings = interleave(*pair(case, client, _spread(client, X), _spread(client, y)), budget)
    return ratio_row(f"{case.name}, {len(client.ncores())} workers", case, timings, _BAR)


def _spread(client: Any, values: Any) -> Any:
    """Return a Dask array with one chunk on each worker."""
    workers = sorted(client.ncores())
    parts = [
        da.from_delayed(client.scatter(part, workers=[worker], hash=False), part.shape, part.dtype)
        for worker, part in zip(workers, np.array_split(values, len(workers)), strict=True)
    ]
    return da.concatenate(parts)


def _xgboost(case: Case, client: Any, X: Any, y: Any) -> Pair:
    import xgboost.dask as xgb_dask  # noqa: PLC0415

    from boosting_losses.adapters.xgboost import dask as adapter  # noqa: PLC0415

    data = xgb_dask.DaskDMatrix(client, X, y)
    settings = {"max_depth": 6, "eta": 0.1, "tree_method": "hist"}
    options = {"evals": [(data, "train")], "verbose_eval": False}
    builtin = {**settings, **adapter.params(case.loss, y, client=client), "disable_default_eval_metric": False}
    return (
        partial(adapter.train, client, settings, data, case.rounds, loss=case.loss, **options),
        partial(xgb_dask.train, client, builtin, data, case.rounds, **options),
    )


def _lightgbm(case: Case, client: Any, X: Any, y: Any) -> Pair:
    import lightgbm as lgb  # noqa: PLC0415

    from boosting_losses.adapters.lightgbm import dask as adapter  # noqa: PLC0415

    settings = {"num_leaves": 31, "learning_rate": 0.1, "force_col_wise": True, "verbosity": -1}
    objective: dict[str, Any] = {"objective": "binary"}
    if case.classes > 2:
        objective = {"objective": "multiclass", "num_class": case.classes}
    # The regressor takes the labels as they are; the classifier would encode them first.
    builtin = lgb.DaskLGBMRegressor(client=client, n_estimators=case.rounds, **settings, **objective)
    return (
        partial(adapter.train, settings, X, y, case.rounds, loss=case.loss, eval_X=[X], eval_y=[y], client=client),
        partial(builtin.fit, X, y, eval_X=(X,), eval_y=(y,)),
    )
