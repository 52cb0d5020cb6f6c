"""What runs on the workers of distributed training with LightGBM: an exchange of values, global metrics, and training.

LightGBM adds up the histograms of all workers, but evaluates metrics on the rows of each worker alone. Workers that disagree
about early stopping wait for each other forever. Here they exchange their values in every round, and see the same ones.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from traceback import clear_frames
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlparse

import lightgbm as lgb
import numpy as np

from ..._types import Array
from ...losses import Loss
from .._dask import FailedElsewhereError, Part, column
from .._extra import requires_dask
from ._data import labels_and_weights
from ._objects import Feval
from ._training import boost

with requires_dask():
    import distributed
    import pandas as pd

#: LightGBM's parameters of the connection, which a trained model does not need.
_NETWORK = ("machines", "num_machines", "local_listen_port", "time_out")


class Exchange:
    """A Dask actor with which the workers of a training gather a value of each, like ``MPI_Allgather``."""

    def __init__(self) -> None:
        self._topics: dict[Any, _Topic] = {}
        self._failed: str | None = None

    async def gather(self, key: Any, size: int, rank: int, value: Any, keep: bool = False) -> list[Any]:
        """Return the values of all ranks in their order, as soon as ``size`` workers have called with this key.

        A topic with ``keep`` stays complete, so that a worker that was restarted cannot wait for the others.
        """
        topic = self._topics.setdefault(key, _Topic())
        self._check()
        if rank in topic.values:
            raise RuntimeError("training stopped because a worker was restarted")
        topic.values[rank] = value
        if len(topic.values) == size:
            topic.complete.set()
            if not keep:
                del self._topics[key]
        await topic.complete.wait()
        self._check()
        return [topic.values[rank] for rank in range(size)]

    def fail(self, worker: str) -> str:
        """Raise an error in all workers that wait, or will wait, for another one; return the worker that failed first."""
        self._failed = self._failed or worker
        for topic in self._topics.values():
            topic.complete.set()
        return self._failed

    def _check(self) -> None:
        if self._failed is not None:
            raise FailedElsewhereError(self._failed)


@dataclass
class _Topic:
    values: dict[int, Any] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class GlobalMetrics:
    """Callback that replaces the metrics of one worker by the weighted means over the rows of all workers.

    All workers then have the same metrics, also of evaluation sets of which they have no rows.

    Parameters
    ----------
    exchange : Exchange
        An actor, which all workers of a training share.
    names : sequence of str, optional
        The evaluation sets in the order in which callbacks should receive their metrics.
    """

    order = -10_000  # before callbacks that read metrics

    def __init__(self, exchange: Any, names: Sequence[str] = ()) -> None:
        self.exchange = exchange
        self.names = list(names)
        self._weights: dict[str, float] = {}

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Exchange the metrics of a round; does nothing if there is a single worker."""
        size = int(env.params.get("num_machines", 1))
        if size == 1:
            return
        if env.iteration == env.begin_iteration:
            booster: Any = env.model
            self._weights = dict(zip(booster.name_valid_sets, map(_total_weight, booster.valid_sets), strict=True))
            self._weights.setdefault(booster._train_data_name, _total_weight(booster.train_set))  # noqa: SLF001
        machines = env.params["machines"]
        rank = machines.split(",").index(f"{_host()}:{env.params['local_listen_port']}")
        shown: list[Any] = env.evaluation_result_list  # type: ignore[assignment]  # a list after the update
        own = [(result, self._weights[result[0]]) for result in shown]
        everywhere = self.exchange.gather((machines, env.iteration), size, rank, own).result()
        shown[:] = self._means([pair for pairs in everywhere for pair in pairs])

    def _means(self, results: Sequence[tuple[Any, float]]) -> list[Any]:
        """Return the weighted mean of the results of each evaluation set and metric."""
        groups: dict[tuple[str, str], list[tuple[Any, float]]] = {}
        for result, weight in results:
            groups.setdefault((result[0], result[1]), []).append((result, weight))
        means = [
            _with_value(group[0][0], sum(weight * result[2] for result, weight in group) / sum(w for _, w in group))
            for group in groups.values()
        ]
        return sorted(means, key=lambda mean: self.names.index(mean[0]) if mean[0] in self.names else len(self.names))


def _with_value(result: Any, value: float) -> Any:
    """Return a result with another value; results are plain tuples before LightGBM 4.7."""
    fields = (*result[:2], value, *result[3:])
    return type(result)(*fields) if hasattr(result, "_fields") else fields


def _total_weight(data: lgb.Dataset) -> float:
    labels, weight = labels_and_weights(data)
    return float(len(labels) if weight is None else np.sum(weight, dtype=np.float64))


def _host() -> str:
    return str(urlparse(distributed.get_worker().address).hostname)


@dataclass(frozen=True)
class Plan:
    """What all workers of a training have in common; ``names`` are those of the evaluation sets."""

    loss: Loss
    settings: dict[str, Any]
    rounds: int
    init_score: Array
    previous: lgb.Booster | None
    names: Sequence[str]
    feval: Feval | Sequence[Feval] | None
    callbacks: Sequence[Callable[..., Any]]
    workers: int
    port: int


def train_share(
    plan: Plan, exchange: Any, rank: int, parts: Sequence[Part], evaluation: Sequence[Sequence[Part] | None]
) -> tuple[lgb.Booster, dict[str, Any]] | None:
    """Train on the rows of one worker together with the other workers; the first returns the booster and its history.

    An evaluation set is None if it consists of the training rows.
    """
    train_set = _dataset(parts)
    evaluated = [
        (train_set if held is None else _dataset(held, train_set), name)
        for held, name in zip(evaluation, plan.names, strict=True)
        if held is None or held
    ]
    history: dict[str, Any] = {}
    with _Network(exchange, plan, rank) as network:
        booster = boost(
            {"num_threads": distributed.get_worker().state.nthreads, **plan.settings, **network.settings},
            train_set,
            plan.rounds,
            loss=plan.loss,
            init_score=plan.init_score,
            previous=plan.previous,
            evaluated=evaluated,
            feval=plan.feval,
            callbacks=[network, GlobalMetrics(exchange, plan.names), lgb.record_evaluation(history), *plan.callbacks],
        )
    return (_without_network(booster), history) if rank == 0 else None


class _Network:
    """The connection of a worker to the others, which ends with its training, whether that succeeds or fails.

    Its end releases the workers that wait for this one in the exchange, and most that wait in native code.
    """

    before_iteration = True
    order = -10_000

    def __init__(self, exchange: Any, plan: Plan, rank: int) -> None:
        self.exchange = exchange
        self.settings = _network(plan, exchange, rank) if plan.workers > 1 else {}
        self.booster: lgb.Booster | None = None

    def __call__(self, env: lgb.callback.CallbackEnv) -> None:
        """Keep the booster: LightGBM has no other public function that closes the network."""
        self.booster = env.model  # type: ignore[assignment]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        # If LightGBM fails before the first round, only the frames of the error hold its booster. The booster closes the
        # network when it is deleted, which must not happen during a later training.
        clear_frames(traceback)
        first = own = distributed.get_worker().address
        if error is not None:
            with suppress(Exception):  # the worker with the exchange may be lost
                first = self.exchange.fail(own).result(timeout=10)
        if self.booster is not None and self.settings:
            self.booster.free_network()
        if first != own:
            raise FailedElsewhereError(first) from error


def _network(plan: Plan, exchange: Any, rank: int) -> dict[str, Any]:
    """Return LightGBM's parameters for the addresses of all workers, as soon as all have started."""
    with socket.socket() as reserved:  # a free port, unless one is given
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("", plan.port))
        port = reserved.getsockname()[1]
        machines = exchange.gather("machines", plan.workers, rank, f"{_host()}:{port}", keep=True).result()
    return {"machines": ",".join(machines), "num_machines": plan.workers, "local_listen_port": port}


def _dataset(parts: Sequence[Part], reference: lgb.Dataset | None = None) -> lgb.Dataset:
    weight = np.concatenate([column(part["weight"]) for part in parts]) if "weight" in parts[0] else None
    labels = np.concatenate([column(part["label"]) for part in parts])
    return lgb.Dataset(_stacked([part["data"] for part in parts]), labels, weight=weight, reference=reference)


def _stacked(parts: Sequence[Any]) -> Any:
    """Return the rows of all parts: of a DataFrame, a sparse matrix or an array."""
    if len(parts) == 1:
        return parts[0]
    if hasattr(parts[0], "iloc"):
        return pd.concat(parts)
    if hasattr(parts[0], "tocsr"):
        from scipy.sparse import vstack  # noqa: PLC0415  (installed, because the parts are sparse)

        return vstack(parts, format="csr")
    return np.concatenate(parts)


def _without_network(booster: lgb.Booster) -> lgb.Booster:
    """Return the booster without the addresses of the workers in its text and parameters."""
    text = booster.model_to_string(num_iteration=-1)
    best = booster.best_iteration
    booster.model_from_string(re.sub(rf"^\[({'|'.join(_NETWORK)}): .*\]\n", "", text, flags=re.MULTILINE))
    booster.best_iteration = best
    for name in _NETWORK:
        booster.params.pop(name, None)
    return booster
