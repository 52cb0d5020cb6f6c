"""What the Dask interfaces of all libraries share: labels and weights of partitions, predictions, and lost workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial, reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np

from .._types import Array
from ..losses import Loss
from ._class_totals import ClassTotals, class_totals
from ._extra import requires_dask
from ._loss import naming
from ._prediction import probabilities

with requires_dask():
    import dask.array as da
    import dask.dataframe as dd
    import distributed
    import pandas as pd
    from dask.delayed import delayed

#: The rows of a partition by name ("data", "label", "weight", ...), as DaskDMatrix stores them on its worker.
Part = Mapping[str, Any]
#: The arguments of callers that become the parts, as error messages name them.
_ARGUMENTS = {"data": "X", "label": "y", "weight": "sample_weight"}


class Summary(NamedTuple):
    """What must be known of rows before training; it is small, whatever their number."""

    rows: int
    totals: ClassTotals
    has_margins: bool
    #: The categories of each categorical column.
    categories: Mapping[str, tuple[Any, ...]]


def summaries(
    client: distributed.Client, parts: Mapping[str, Sequence[Any]], name: str, *, multiclass: bool
) -> dict[str, list[Summary]]:
    """Return a summary of each partition; ``parts`` are the futures of the partitions that each worker holds.

    Each worker reads the labels and weights of its partitions once. The call raises an error if they are invalid.
    """
    futures = {
        worker: [
            client.submit(
                _summary, part, f"{name}, partition {number} of {worker}", multiclass, workers=[worker], pure=False
            )
            for number, part in enumerate(held)
        ]
        for worker, held in parts.items()
    }
    found: dict[str, list[Summary]] = client.gather(futures)
    return found


def total(name: str, found: Mapping[str, Sequence[Summary]]) -> Summary:
    """Return the summary of all rows; raise ValueError if there are none, or if categories differ between partitions."""
    full = [summary for held in found.values() for summary in held if summary.rows]
    if not full:
        raise ValueError(f"{name} must have rows, got none")
    for summary in full:
        _check_categories(name, full[0].categories, summary.categories)
    return Summary(
        sum(summary.rows for summary in full),
        reduce(add, (summary.totals for summary in full)),
        any(summary.has_margins for summary in full),
        full[0].categories,
    )


def check_evaluation(trained: Summary, found: Summary, name: str, n_classes: int) -> None:
    """Raise ValueError if evaluation data do not fit the training data."""
    _check_categories(name, trained.categories, found.categories)
    if not found.totals.weight.any():
        raise ValueError(f"{name} must have rows of weight > 0, got none")
    if found.totals.soft != trained.totals.soft:
        kinds = {True: "soft labels (n, K)", False: "class codes (n,)"}
        raise ValueError(
            f"{name} must have {kinds[trained.totals.soft]}, as the training data do, got {kinds[found.totals.soft]}"
        )
    if found.totals.weight.size > max(n_classes, 2):
        raise ValueError(
            f"{name} must hold class codes 0..{n_classes - 1}, as the training data do, got {found.totals.weight.size - 1}"
        )


def _check_categories(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    for feature in {**first, **second}:
        if first.get(feature) != second.get(feature):
            raise ValueError(
                f"{name} must have the same categories in all partitions and data sets, because the libraries train on the"
                f" codes of categories, got {_shown(first.get(feature))} and {_shown(second.get(feature))} in column"
                f" {feature!r}; use categorize() of the Dask DataFrame"
            )


def _summary(part: Part, name: str, multiclass: bool) -> Summary:
    with naming(name):
        if part.get("label") is None:
            raise ValueError("the data must have labels, got none")
        labels, weight = column(part["label"]), None if part.get("weight") is None else column(part["weight"])
        if "data" in part and part["data"].shape[0] != len(labels):
            raise ValueError(f"X and y must have the same rows, got {part['data'].shape[0]} and {len(labels)}")
        return Summary(
            len(labels),
            class_totals(labels, weight, multiclass=multiclass),
            part.get("base_margin") is not None,
            _categories(part.get("data")),
        )


def column(values: Any) -> Array:
    """Return labels or weights of a partition as an array; a column becomes one-dimensional."""
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _categories(data: Any) -> dict[str, tuple[Any, ...]]:
    types = getattr(data, "dtypes", {})
    return {
        str(name): tuple(kind.categories)
        for name, kind in (types.items() if hasattr(types, "items") else ())
        if hasattr(kind, "categories")
    }


def _shown(categories: tuple[Any, ...] | None) -> str:
    shown = list(categories or ())
    return str(shown) if len(shown) <= 5 else f"{str(shown[:5])[:-1]}, ...] ({len(shown)})"


def init_rows(client: distributed.Client, y_true: Any, sample_weight: Any, *, multiclass: bool) -> tuple[Array, Array]:
    """Return labels and weights, one row per class, with the init score of all rows of Dask collections."""
    parts = placed(client, label=y_true, weight=sample_weight)
    return total("y_true", summaries(client, parts, "y_true", multiclass=multiclass)).totals.rows()


def placed(client: distributed.Client, **collections: Any) -> dict[str, list[Any]]:
    """Compute Dask collections that have the same partitions; return the futures of the parts that each worker holds."""
    given = {name: values for name, values in collections.items() if values is not None}
    columns = {name: _partitions(_ARGUMENTS[name], values) for name, values in given.items()}
    sizes = {_ARGUMENTS[name]: len(parts) for name, parts in columns.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the Dask collections must have the same number of partitions, got {sizes}")
    parts = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    futures = client.compute([delayed(part) for part in parts])
    distributed.wait(futures)
    for future in futures:
        if future.status == "error":
            future.result()  # raises the error of the computation
    where = client.who_has(futures)
    held: dict[str, list[Any]] = {}
    for future in futures:
        held.setdefault(next(iter(where[future.key])), []).append(future)
    return held


def _partitions(name: str, values: Any) -> list[Any]:
    """Return the delayed partitions of a collection, each with all columns."""
    if not isinstance(values, da.Array | dd.DataFrame | dd.Series):
        raise TypeError(f"{name} must be a Dask array, DataFrame or Series, got {type(values).__name__}")
    if isinstance(values, da.Array) and values.ndim == 2:
        values = values.rechunk({1: -1})
    return list(np.ravel(values.to_delayed()))


def mapped(function: Callable[[Any], Array], rows: Any, width: int) -> Any:
    """Return scores of the rows of a Dask collection, lazily: ``(n,)``, or ``(n, width)`` for several scores per row.

    ``function`` returns the scores of a partition. An array gives an array; a DataFrame or Series gives a Series or DataFrame
    with the same index.
    """
    if isinstance(rows, da.Array):
        blocks = partial(_scores, function, width)
        if rows.ndim == 2:
            rows = rows.rechunk({1: -1})
        if width == 1:
            return rows.map_blocks(blocks, dtype=np.float64, drop_axis=list(range(1, rows.ndim)))
        new = {"new_axis": 1} if rows.ndim == 1 else {}
        return rows.map_blocks(blocks, dtype=np.float64, chunks=(rows.chunks[0], (width,)), **new)
    frames: Any = (dd.DataFrame, dd.Series)
    if not isinstance(rows, frames):
        raise TypeError(f"X must be a Dask array or DataFrame, got {type(rows).__name__}")
    empty = pd.DataFrame(np.empty((0, width)), index=rows._meta.index)  # noqa: SLF001  as map_partitions documents it
    return rows.map_partitions(partial(_framed, function, width), meta=empty[0].rename(None) if width == 1 else empty)


def _scores(function: Callable[[Any], Array], width: int, part: Any) -> Array:
    if not part.shape[0]:  # the libraries refuse data without rows
        return np.empty(0) if width == 1 else np.empty((0, width))
    return np.asarray(function(part), np.float64)


def _framed(function: Callable[[Any], Array], width: int, part: Any) -> Any:
    kind = pd.Series if width == 1 else pd.DataFrame
    return kind(_scores(function, width, part), index=part.index)


def posterior_of(loss: Loss, raw: Any) -> Any:
    """Return the class probabilities of a Dask collection of raw scores; a binary loss gives two columns."""
    width = raw.shape[1] if loss.multiclass else 2
    return mapped(lambda part: probabilities(loss, np.asarray(part)), raw, width)


def checked_client(client: distributed.Client | None) -> distributed.Client:
    """Return the client, or Dask's default client."""
    client = distributed.default_client() if client is None else client
    if not isinstance(client, distributed.Client) or client.asynchronous:
        kind = "an asynchronous Client" if isinstance(client, distributed.Client) else type(client).__name__
        raise TypeError(f"client must be a synchronous distributed.Client, got {kind}")
    return client


class FailedElsewhereError(RuntimeError):
    """The error of a task whose training failed because of another worker."""

    def __init__(self, worker: str) -> None:
        super().__init__(f"training failed on the worker {worker}")
        self.worker = worker

    def __reduce__(self) -> Any:
        return type(self), (self.worker,)


def results(client: distributed.Client, futures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the task of each worker; raise an error as soon as a task fails or a worker is lost.

    The other tasks may never end then, because they wait for the lost worker in native code.
    """
    pending = set(futures.values())
    try:
        with naming_lost_workers(client, futures):
            while pending:
                with suppress(TimeoutError):
                    pending = distributed.wait(pending, timeout=2, return_when="FIRST_COMPLETED").not_done
                _raise_cause(futures)
                if _lost(client, futures):
                    raise RuntimeError("a worker left the cluster")
            found: dict[str, Any] = client.gather(dict(futures))
            return found
    finally:
        client.cancel(list(futures.values()))


def _raise_cause(futures: Mapping[str, Any]) -> None:
    """Raise the error of a failed task; of several, that of the worker that failed first."""
    failed = [future for future in futures.values() if future.status == "error"]
    if not failed:
        return
    error = failed[0].exception()
    if isinstance(error, FailedElsewhereError):
        first = futures[error.worker]
        with suppress(TimeoutError):
            distributed.wait(first, timeout=10)
        error = first.exception() if first.status == "error" else error
    raise error


@contextmanager
def naming_lost_workers(client: distributed.Client, workers: Iterable[str]) -> Iterator[None]:
    """Raise RuntimeError with the names of the workers that are lost and still busy if training failed because of a loss."""
    try:
        yield
    except Exception as error:
        lost = _lost(client, workers)
        busy = _busy(client, set(workers) - set(lost))
        state = f"still busy: {', '.join(busy)}; client.restart_workers({busy}) stops them" if busy else "none is busy"
        if lost:
            raise RuntimeError(
                f"training failed because workers left the cluster: {', '.join(lost)}; of the others, {state}"
            ) from error
        if busy:
            error.add_note(f"of the workers, {state}")
        raise


def _lost(client: distributed.Client, workers: Iterable[str]) -> list[str]:
    return sorted(set(workers) - set(client.ncores()))


def _busy(client: distributed.Client, workers: Iterable[str], patience: float = 3.0) -> list[str]:
    """Return the workers that still have tasks, after some seconds in which they may notice the failure."""
    end = time.monotonic() + patience
    while True:
        busy = sorted(worker for worker, tasks in client.processing(list(workers)).items() if tasks)
        if not busy or time.monotonic() > end:
            return busy
        time.sleep(0.1)
