"""Served predictions and their labels from files, as the arguments of ``Monitor.record`` and ``Monitor.label``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...monitor._time import times_of
from ..columns import Columns
from ..files import FileError
from ..inputs import Input

#: A date of ISO 8601 without hyphens, which is not a number of seconds.
_BASIC_DATE = "^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"

Moments = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Roles:
    """The columns of a file of predictions, of labels or of both.

    Ids are texts: an integer id of a Parquet file is the same as its text in a CSV file.
    """

    id: str
    time: str | None
    #: The columns of the probabilities of each model.
    models: dict[str, tuple[str, ...]]
    label: str | None = None
    label_time: str | None = None
    classes: tuple[str, ...] | None = None
    weight: str | None = None
    group: str | None = None
    slices: tuple[str, ...] = ()

    @property
    def n_classes(self) -> int | None:
        """The number of classes, or None if the file has no predictions."""
        widths = [len(columns) for columns in self.models.values()]
        return max(2, widths[0]) if widths else None


@dataclass
class Labels:
    """The labels of a block, without rows whose label is not known yet.

    Times are those of the labels or, if the file has none, of the predictions; None if it has neither.
    """

    ids: list[str]
    y: npt.NDArray[np.float64]
    time: Moments | None


def predictions(source: Input, roles: Roles) -> Iterator[list[dict[str, Any]]]:
    """Return for each block, and for each model, the arguments of ``Monitor.record``."""
    numbers = [column for columns in roles.models.values() for column in columns]
    numbers += [] if roles.weight is None else [roles.weight]
    texts = [roles.id, roles.time, roles.group, *roles.slices]
    for block in _blocks(source, [*texts, *numbers], numbers):
        shared = {
            "ids": _ids(block, roles.id),
            "time": _times(block, str(roles.time)),
            "weight": None if roles.weight is None else block.numbers(roles.weight),
            "group": None if roles.group is None else block.texts(roles.group, may_miss=False).tolist(),
            "slices": {name: block.texts(name).tolist() for name in roles.slices},
        }
        yield [{"model": model, "proba": _proba(block, columns), **shared} for model, columns in roles.models.items()]


def labels(source: Input, roles: Roles) -> Iterator[tuple[int, Labels]]:
    """Return for each block its number of rows and its labels."""
    label, at = str(roles.label), roles.label_time or roles.time
    for block in _blocks(source, [roles.id, label, at], []):
        known = block.where(block.batch.column(label).is_valid().to_numpy(zero_copy_only=False))
        count = known.batch.num_rows
        time = None if at is None else _times(known, at) if count else np.empty(0, "datetime64[us]")
        y = known.labels(label, roles.classes) if count else np.empty(0)
        yield block.batch.num_rows, Labels(_ids(known, roles.id), y, time)


def _proba(block: Columns, columns: tuple[str, ...]) -> npt.NDArray[np.float64]:
    values = [block.numbers(column, may_miss=True) for column in columns]
    return values[0] if len(values) == 1 else np.stack(values, axis=1)


def _blocks(source: Input, columns: Sequence[str | None], numbers: Sequence[str]) -> Iterator[Columns]:
    wanted = list(dict.fromkeys(column for column in columns if column is not None))
    for part in source.parts:
        start = 0
        for batch in part.batches(wanted, numbers):
            if batch.num_rows:
                yield Columns(part, batch, range(start, start + batch.num_rows))
                start += batch.num_rows


def _ids(block: Columns, name: str) -> list[str]:
    return list(block.texts(name, may_miss=False))


def _times(block: Columns, name: str) -> Moments:
    """Return times; texts are in ISO 8601 or numbers of seconds since 1970."""
    values = block.whole(name)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = _numbers_or_texts(values)
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.timestamp("us"), safe=False)
    try:
        times = times_of(f"the column {name!r}", values.to_numpy(zero_copy_only=False), len(values))
        return times.astype("datetime64[us]")
    except (TypeError, ValueError) as error:
        raise FileError(f"{block.part.file.name}: {error}") from None


def _numbers_or_texts(texts: pa.Array) -> pa.Array:
    if pc.all(pc.match_substring_regex(texts, _BASIC_DATE)).as_py():
        return texts
    try:
        return pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return texts
