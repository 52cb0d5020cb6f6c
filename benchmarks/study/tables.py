"""The user's CSV and Parquet files as data sets, with columns for labels, weights, times and features."""

from __future__ import annotations

import datetime as dt
import re
import warnings
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from boosting_losses._types import Array

from . import TableError
from .data_sets import DataSet, Maker

#: The minimum rows of a class, which give two rows in the smallest of the training, calibration and test parts.
LEAST_OF_A_CLASS = 12
#: The category of missing values.
MISSING = "(missing)"
_DATE = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?"
)


@dataclass(frozen=True)
class Table:
    """A file, its label, weight and time columns, the columns to drop, and the minimum number of rows of a class."""

    path: Path
    label: str
    weight: str | None = None
    drop: tuple[str, ...] = ()
    least: int = LEAST_OF_A_CLASS
    time: str | None = None

    @property
    def no_features(self) -> tuple[str, ...]:
        """The columns that contain labels, weights or times, or are dropped."""
        named = (self.label, self.weight, self.time, *self.drop)
        return tuple(dict.fromkeys(name for name in named if name is not None))


def read(table: Table) -> DataSet:
    """Read the rows of a file.

    Numbers, Booleans and times are converted to floats; times are days since 1970. All other features become categorical,
    and missing values form a separate category. Features are renamed f0, f1, ..., because each library rejects different
    characters in names.

    Raises
    ------
    TableError
        If the file cannot be read; if a column is missing or duplicated; if labels, weights or times are missing or
        invalid; if there is no feature, an infinite value, only one class, or a class with fewer than ``table.least`` rows.
    """
    frame = load(table)
    labels = _labels(table, frame[table.label])
    weight = None if table.weight is None else _weights(table, frame[table.weight])
    time = None if table.time is None else _times(table, frame[table.time])
    columns = features_of(table, frame)
    X = pd.DataFrame({f"f{i}": column for i, column in enumerate(columns.values())})
    return DataSet(X, labels, weight=weight, time=time)


def how_read(table: Table, features: dict[str, Any]) -> str:
    """Return a sentence on the categorical columns, since a single text makes a numerical column categorical."""
    found = [f"{name} ({len(column.categories)})" for name, column in features.items() if hasattr(column, "categories")]
    numbers = len(features) - len(found)
    shown = ", ".join(found[:20]) + (", ..." if len(found) > 20 else "")
    return f"{table.path.name}: {numbers} columns of numbers or times" + (f", categories: {shown}" if found else "")


def load(table: Table) -> pd.DataFrame:
    """Load a file without conversion; the labels of a CSV stay text, so that 01 and 1 differ and NA is a class.

    Raises
    ------
    TableError
        If the file cannot be read, or a column is missing or duplicated.
    """
    try:
        if table.path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(table.path).rename(columns=str)
        else:
            header = pd.read_csv(table.path, header=None, nrows=1, dtype=str).iloc[0]
            if header.duplicated().any():
                raise ValueError(f"the column {header[header.duplicated()].iloc[0]!r} twice")
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # a row is longer than the header
                frame = pd.read_csv(table.path, index_col=False, low_memory=False)
            if table.label in frame:
                labels = pd.read_csv(table.path, usecols=[table.label], dtype=str, keep_default_na=False)
                frame[table.label] = labels[table.label]
    except (OSError, ValueError, pd.errors.ParserWarning) as error:  # includes the errors of pyarrow and pandas
        raise TableError(f"{table.path} must be a CSV or Parquet file, got {_first_line(error)}") from None
    for column in table.no_features:
        if column not in frame:
            found = ", ".join(map(str, frame.columns[:10]))
            hint = "; columns must be separated by commas" if len(frame.columns) == 1 else ""
            raise TableError(f"{table.path} must have the column {column!r}, got {found}{hint}")
    if table.weight == table.label:
        raise TableError(f"{table.path}: weights and labels must be in different columns, got {table.label!r} for both")
    if table.time is not None and table.time in (table.label, table.weight):
        raise TableError(f"{table.path}: times must be in a separate column, got {table.time!r} for two uses")
    return frame


def features_of(table: Table, frame: pd.DataFrame) -> dict[str, Any]:
    """Return the features by name, as arrays of numbers or as categoricals."""
    others = frame.drop(columns=list(table.no_features))
    if not len(others.columns):
        raise TableError(f"{table.path} must have a feature column in addition to {table.label!r}, got none")
    features = {str(name): _feature(table, others.iloc[:, i]) for i, name in enumerate(others.columns)}
    for name, column in features.items():
        if isinstance(column, np.ndarray) and np.isinf(column).any():
            row = int(np.argmax(np.isinf(column)))
            raise TableError(
                f"{table.path}: the column {name!r} must contain finite or missing numbers, got inf in row {row}"
            )
    return features


def maker(file: Path, label: str, least: int = LEAST_OF_A_CLASS) -> Maker:
    """Read a file, with categories as codes, and return a function that ignores the seed and returns the data."""
    data = read(Table(file, label, least=least))
    columns = [column.cat.codes if hasattr(column, "cat") else column for _, column in data.X.items()]
    numbers = DataSet(np.column_stack(columns).astype(np.float64), data.y)
    return lambda _seed: numbers


def _labels(table: Table, column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    missing = column.isna() | (column == "")
    if missing.any():
        row = int(np.argmax(missing))
        raise TableError(
            f"{table.path}: the column {table.label!r} must have a label in every row, got none in row {row}"
        )
    labels: np.ndarray[Any, Any] = column.to_numpy()
    labels = labels.astype(str) if labels.dtype == object else labels
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise TableError(
            f"{table.path}: the column {table.label!r} must contain at least 2 classes, got {len(classes)}"
        )
    if counts.min() < table.least:
        rarest = classes[counts.argmin()].item()
        raise TableError(
            f"{table.path}: every class in the column {table.label!r} must have at least {table.least} rows, got"
            f" {counts.min()} of {rarest!r} ({len(classes)} classes)"
        )
    return labels


def _weights(table: Table, column: pd.Series[Any]) -> Array:
    numbers: Array = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0.0))
    if wrong.any():
        row = int(np.argmax(wrong))
        got = column.iloc[row]
        raise TableError(
            f"{table.path}: the column {table.weight!r} must contain finite weights >= 0, got {got!r} in row {row}"
        )
    if not numbers.any():
        raise TableError(f"{table.path}: the column {table.weight!r} must have a sum > 0, got only zeros")
    return numbers


def _times(table: Table, column: pd.Series[Any]) -> Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    times = _feature(table, column)
    if not isinstance(times, np.ndarray):
        wrong, rule = ~column.map(_is_date).to_numpy(bool), "ISO 8601 dates (2020-01-31) or numbers in every row"
    else:
        wrong, rule = ~np.isfinite(times), "a finite time in every row"
    if wrong.any():
        row = int(np.argmax(wrong))
        got = "none" if pd.isna(column.iloc[row]) else repr(column.iloc[row])
        raise TableError(f"{table.path}: the column {table.time!r} must contain {rule}, got {got} in row {row}")
    found: Array = times
    return found


def holds_times(column: pd.Series[Any]) -> bool:
    """Return whether a column has a datetime type, or all its known values are dates or times."""
    kinds = pd.api.types
    if kinds.is_datetime64_any_dtype(column.dtype):
        return True
    if kinds.is_numeric_dtype(column.dtype) or kinds.is_timedelta64_dtype(column.dtype):
        return False
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    known = column.dropna()
    return len(known) > 0 and all(map(_is_date, known))


def _feature(table: Table, column: pd.Series[Any]) -> Any:
    kinds, day = pd.api.types, pd.Timedelta(days=1)
    if kinds.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    if kinds.is_timedelta64_dtype(column.dtype):
        return (column / day).to_numpy(np.float64)
    if not kinds.is_datetime64_any_dtype(column.dtype) and not isinstance(column.dtype, pd.CategoricalDtype):
        known = column.dropna()
        if known.map(lambda value: isinstance(value, list | dict | np.ndarray)).any():
            raise TableError(
                f"{table.path}: the column {column.name!r} must contain scalars, got lists; exclude it with --drop"
            )
        if len(known) and known.map(lambda value: isinstance(value, Decimal)).all():
            return column.map(float, na_action="ignore").to_numpy(np.float64, na_value=np.nan)
        if holds_times(column):
            column = pd.to_datetime(column, format="ISO8601", utc=True)
    if kinds.is_datetime64_any_dtype(column.dtype):
        return ((pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")) / day).to_numpy(np.float64)
    return pd.Categorical(column.astype(object).where(column.notna(), MISSING).astype(str))


def _is_date(value: object) -> bool:
    """Return whether a value is a date, or a text with an ISO 8601 date and optionally a time."""
    return isinstance(value, dt.date) or (isinstance(value, str) and _DATE.fullmatch(value) is not None)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
