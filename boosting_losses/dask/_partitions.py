"""Partitions of Dask collections with the same rows, and the reduction of the results of partitions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
from dask.base import compute, get_scheduler, is_dask_collection
from dask.delayed import delayed

from .._threads import num_threads

#: The columns of a partition by name; None for an argument that was not given.
Columns = dict[str, Any]

#: The number of rows that are processed together within a partition.
BLOCK = 2**17
#: The number of results that one task merges.
_FAN_IN = 8
#: Weights outside this range would have to be rescaled before they are summed.
_LEAST_WEIGHT = 1e-100

_Result = TypeVar("_Result")


class Partitions:
    """The partitions of collections, of which the first determines the number of rows of each partition.

    Parameters
    ----------
    collections : mapping of str to Dask array, series, frame or None
        The names appear in error messages.

    Raises
    ------
    TypeError
        If an argument is not a Dask collection.
    ValueError
        If the collections cannot have the same rows, or there are none.
    """

    def __init__(self, collections: Mapping[str, Any]) -> None:
        given = {name: checked(name, value) for name, value in collections.items() if value is not None}
        self._first, first = next(iter(given.items()))
        self.lengths = _known_lengths(first) or _computed_lengths(first)
        self.n_rows = sum(self.lengths)
        if not self.n_rows:
            raise ValueError(f"{self._first} must have at least one row, got none")
        aligned = {name: self._parts(name, value) for name, value in given.items()}
        self._parts_by_name = {name: aligned.get(name) for name in collections}
        #: The number of rows before each partition.
        self.starts = np.cumsum([0, *self.lengths[:-1]]).tolist()

    def map(
        self, function: Callable[..., _Result], *shared: Any, each: Sequence[Sequence[Any]] | None = None
    ) -> list[Any]:
        """Return the delayed results of ``function(columns, start, *shared, *own)`` for each partition.

        ``start`` is the number of rows before the partition, ``shared`` are the same for all partitions and are sent once to
        each worker, and ``each`` contains the own arguments of each partition.
        """
        task = delayed(_applied, pure=False)
        common = _sent(shared)
        tasks = []
        for i, start in enumerate(self.starts):
            parts = {name: None if parts is None else parts[i] for name, parts in self._parts_by_name.items()}
            own = () if each is None else tuple(each[i])
            tasks.append(task(function, i, list(parts), list(parts.values()), start, common, own))
        return tasks

    def _parts(self, name: str, collection: Any) -> list[Any]:
        """Return the delayed partitions of a collection with the rows of the first collection."""
        known = _known_lengths(collection)
        if known is not None and known != self.lengths:
            if sum(known) != self.n_rows:
                raise ValueError(f"{name} must have the {self.n_rows} rows of {self._first}, got {sum(known)}")
            collection = collection.rechunk({0: tuple(self.lengths)})
        parts = _delayed(collection)
        if len(parts) != len(self.lengths):
            raise ValueError(
                f"{name} must have the {len(self.lengths)} partitions of {self._first} if the number of its rows is unknown,"
                f" got {len(parts)}: repartition it, or call compute_chunk_sizes() on the array"
            )
        return parts


class Mergeable(Protocol):
    """Sums to which the sums of later rows can be added."""

    def merge(self, later: Self, /) -> None:
        """Add the sums of later rows."""


def merged(parts: Sequence[Any]) -> Any:
    """Compute delayed sums, and merge them in order by a tree of tasks."""
    merge = delayed(_merged, pure=False)
    level = list(parts)
    while len(level) > 1:
        level = [merge(level[i : i + _FAN_IN]) for i in range(0, len(level), _FAN_IN)]
    return computed(level)[0]


def computed(tasks: Sequence[Any]) -> Sequence[Any]:
    """Compute delayed objects with the current scheduler."""
    results: Sequence[Any] = compute(*tasks)
    return results


def blocks(columns: Columns, start: int) -> Iterator[tuple[Columns, npt.NDArray[np.intp]]]:
    """Yield blocks of the rows of a partition, and the numbers of their rows."""
    n = next(len(column) for column in columns.values() if column is not None)
    for first in range(0, n, BLOCK):
        rows = slice(first, min(first + BLOCK, n))
        yield (
            {name: None if column is None else column[rows] for name, column in columns.items()},
            np.arange(start + rows.start, start + rows.stop),
        )


def checked(name: str, value: Any) -> Any:
    """Return a collection with all columns in each partition; raise an error if it is no Dask array, series or frame."""
    if not is_dask_collection(value) or not isinstance(getattr(value, "ndim", None), int):  # a bag or a delayed object
        raise TypeError(
            f"{name} must be a Dask array, series or frame, got {type(value).__module__}.{type(value).__name__}"
        )
    if not 1 <= value.ndim <= 2:
        raise ValueError(f"{name} must have one or two dimensions, got {value.ndim}")
    if hasattr(value, "chunks") and value.ndim == 2 and value.numblocks[1] > 1:
        return value.rechunk({1: -1})
    return value


def refuse_odd_scale(weight: npt.NDArray[Any]) -> None:
    """Raise ValueError if the weights of a partition would have to be rescaled before they are summed."""
    top = float(weight.max(initial=0.0))
    if 0.0 < top < _LEAST_WEIGHT or 1.0 / _LEAST_WEIGHT < top < np.inf:
        raise ValueError(
            f"the largest sample_weight of a partition must lie in [{_LEAST_WEIGHT:g}, {1.0 / _LEAST_WEIGHT:g}], got {top:g}:"
            " multiply all weights by a constant"
        )


# ---- parts ----------------------------------------------------------------------------------------------------------


def _sent(shared: tuple[Any, ...]) -> Any:
    """Return an argument that is sent once to each worker; in the graph itself, it would also pass through the scheduler."""
    client = getattr(get_scheduler(), "__self__", None)
    if client is not None and hasattr(client, "scatter"):
        return client.scatter([shared], broadcast=True, hash=False)[0]
    return delayed(shared, traverse=False)


def _applied(
    function: Callable[..., _Result],
    number: int,
    names: Sequence[str],
    parts: Sequence[Any],
    start: int,
    shared: tuple[Any, ...],
    own: tuple[Any, ...],
) -> _Result:
    columns: Columns = {
        name: None if part is None else np.asarray(part) for name, part in zip(names, parts, strict=True)
    }
    first = names[0]
    n = len(columns[first])
    for name, column in columns.items():
        if column is not None and len(column) != n:
            raise ValueError(
                f"{name} must have the rows of {first} in each partition, got {len(column)} rows instead of {n} in"
                f" partition {number}"
            )
    with num_threads(1):  # the workers compute partitions side by side
        return function(columns, start, *shared, *own)


def _merged(parts: Sequence[Mergeable]) -> Mergeable:
    whole = copy.deepcopy(parts[0])  # a scheduler may run a task again with the same inputs
    for part in parts[1:]:
        whole.merge(part)
    return whole


def _known_lengths(collection: Any) -> list[int] | None:
    """Return the number of rows of each partition, or None if it is unknown."""
    chunks = getattr(collection, "chunks", None)
    if chunks is None or any(np.isnan(size) for size in chunks[0]):
        return None
    return [int(size) for size in chunks[0]]


def _computed_lengths(collection: Any) -> list[int]:
    return list(computed([delayed(len)(part) for part in _delayed(collection)]))


def _delayed(collection: Any) -> list[Any]:
    if hasattr(collection, "chunks"):
        # Without optimisation, arrays that are computed from the same array share its tasks.
        return list(collection.to_delayed(optimize_graph=False).ravel())
    return list(collection.to_delayed())
