"""Tables of the caller's as data sets: CSV and Parquet, numbers and texts, a column of labels and perhaps one of weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .data_sets import DataSet, Maker

if TYPE_CHECKING:
    import pandas as pd

#: So many rows of a class leave two in the smallest of three parts: to train on, to calibrate on and to test on.
LEAST_OF_A_CLASS = 12
_MISSING = "(missing)"


class TableError(ValueError):
    """A table that is not what it should be."""


@dataclass(frozen=True)
class Table:
    """A file, the column of its labels, that of its weights, and columns that are no features."""

    path: Path
    label: str
    weight: str | None = None
    drop: tuple[str, ...] = ()


def read(table: Table) -> DataSet:
    """The rows of a file.

    Numbers, truth values and times become numbers, times as days since 1970. All else becomes categories, where a missing
    value is one of its own. Features are renamed f0, f1, ... since the libraries refuse different characters in names.

    Raises
    ------
    TableError
        If the file cannot be read or a column is not there; if labels or weights are missing or have no meaning; if there is
        no feature, only one class, or a class of fewer than ``LEAST_OF_A_CLASS`` rows.
    """
    import pandas as pd  # noqa: PLC0415  (heavy, and only for files)

    try:
        is_parquet = table.path.suffix.lower() in (".parquet", ".pq")
        frame = pd.read_parquet(table.path) if is_parquet else pd.read_csv(table.path)
    except (OSError, ValueError) as error:  # pyarrow's and pandas' own are of these kinds
        raise TableError(f"{table.path} must be a CSV or Parquet file, got {_first_line(error)}") from None
    for column in (table.label, *([table.weight] if table.weight else []), *table.drop):
        if column not in frame:
            raise TableError(
                f"{table.path} must have the column {column!r}, got {', '.join(map(str, frame.columns[:10]))}"
            )
    labels = _labels(table, frame[table.label])
    weight = None if table.weight is None else _weights(table, frame[table.weight])
    features = frame.drop(columns=list({table.label, *table.drop, *([table.weight] if table.weight else [])}))
    if not len(features.columns):
        raise TableError(f"{table.path} must have a column of features beside {table.label!r}, got none")
    columns = {f"f{i}": _feature(features.iloc[:, i]) for i in range(len(features.columns))}
    return DataSet(pd.DataFrame(columns), labels, weight=weight)


def makers(files: list[Path], label: str) -> dict[str, Maker]:
    """Files as the made sets come: a function of a seed, which changes nothing here, with codes for categories."""
    return {file.stem: partial(_as_numbers, Table(file, label)) for file in files}


def _as_numbers(table: Table, seed: int) -> DataSet:
    del seed
    data = read(table)
    columns = [column.cat.codes if hasattr(column, "cat") else column for _, column in data.X.items()]
    return DataSet(np.column_stack(columns).astype(np.float64), data.y, weight=data.weight)


def _labels(table: Table, column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    if column.isna().any():
        row = int(np.argmax(column.isna()))
        raise TableError(
            f"{table.path}: the column {table.label!r} must have a label in every row, got none in row {row}"
        )
    labels: np.ndarray[Any, Any] = column.to_numpy()
    labels = labels.astype(str) if labels.dtype == object else labels
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise TableError(f"{table.path}: the column {table.label!r} must hold at least 2 classes, got {len(classes)}")
    if counts.min() < LEAST_OF_A_CLASS:
        rarest = classes[counts.argmin()].item()
        raise TableError(
            f"{table.path}: every class in the column {table.label!r} must have at least {LEAST_OF_A_CLASS} rows, got"
            f" {counts.min()} of {rarest!r} ({len(classes)} classes)"
        )
    return labels


def _weights(table: Table, column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    import pandas as pd  # noqa: PLC0415

    numbers: np.ndarray[Any, np.dtype[np.float64]] = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        got = column.iloc[row]
        raise TableError(
            f"{table.path}: the column {table.weight!r} must hold finite weights >= 0, got {got!r} in row {row}"
        )
    if not numbers.any():
        raise TableError(f"{table.path}: the column {table.weight!r} must have a sum > 0, got only zeros")
    return numbers


def _feature(column: pd.Series[Any]) -> Any:
    import pandas as pd  # noqa: PLC0415

    kinds = pd.api.types
    if kinds.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    if kinds.is_datetime64_any_dtype(column.dtype):
        utc = pd.to_datetime(column, utc=True)
        return ((utc - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy(np.float64)
    return pd.Categorical(column.astype(object).where(column.notna(), _MISSING).astype(str))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
