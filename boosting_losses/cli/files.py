"""Columns of predictions from CSV and Parquet files, a block of rows at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

#: Rows that are read at a time, and bytes of a CSV file.
ROWS, BYTES = 2**17, 2**23


class FileError(ValueError):
    """A file that is not what it should be."""


@dataclass(frozen=True)
class Table:
    """A file and the columns that are wanted of it: numbers, but for a label that is one of ``classes``."""

    path: Path
    numbers: tuple[str, ...]
    label: str
    classes: tuple[str, ...] | None

    @property
    def columns(self) -> list[str]:
        return [self.label, *self.numbers]

    def rows(self) -> int | None:
        """How many there are, where the file tells."""
        return int(self._parquet().metadata.num_rows) if self._is_parquet() else None

    def blocks(self) -> Iterator[tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]]:
        """Labels, as numbers or codes of the classes, and the other columns, of one block after the other."""
        start = 0
        try:
            for batch in self._batches():
                if batch.num_rows:
                    data = {name: self._numbers(batch, name, start) for name in dict.fromkeys(self.numbers)}
                    yield self._labels(batch, start), data
                    start += batch.num_rows
        except pa.ArrowInvalid as error:
            raise FileError(f"{self.path}: {self._in_words(error)}") from None
        except OSError as error:
            raise FileError(f"{self.path}: the file cannot be read, {_one_line(error)}") from None
        if start == 0:
            raise FileError(f"{self.path}: the file must hold at least one row, got none")

    def _is_parquet(self) -> bool:
        return self.path.suffix.lower() in (".parquet", ".pq")

    def _parquet(self) -> pa.parquet.ParquetFile:
        try:
            return pa.parquet.ParquetFile(self.path)
        except (pa.ArrowInvalid, OSError) as error:
            raise FileError(f"{self.path}: the file must be whole Parquet, {_one_line(error)}") from None

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._is_parquet():
            parquet = self._parquet()
            self._refuse_missing(parquet.schema_arrow.names)
            yield from parquet.iter_batches(batch_size=ROWS, columns=list(dict.fromkeys(self.columns)))
            return
        name = self.path.name.lower().removesuffix(".gz").removesuffix(".bz2").removesuffix(".zst")
        if not name.endswith((".csv", ".tsv", ".txt")):
            raise FileError(
                f"{self.path}: the file must be .csv, .tsv or .parquet, got {self.path.suffix or 'no ending'}"
            )
        types = dict.fromkeys(self.numbers, pa.float64())
        types[self.label] = pa.float64() if self.classes is None else pa.string()
        reader = pa.csv.open_csv(
            self.path,
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=BYTES),
            parse_options=pa.csv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ","),
            convert_options=pa.csv.ConvertOptions(
                column_types=types, true_values=["true", "True", "TRUE"], false_values=["false", "False", "FALSE"]
            ),
        )
        with reader:
            self._refuse_missing(reader.schema.names)
            yield from reader

    def _refuse_missing(self, names: Sequence[str]) -> None:
        for column in self.columns:
            if column not in names:
                shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
                raise FileError(f"{self.path}: the file must have the column {column!r}, got {shown}")

    def _refuse_nulls(self, values: pa.Array, name: str, start: int) -> None:
        if values.null_count:
            row = start + int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            raise FileError(f"{self.path}: the column {name!r} must have no missing values, got one in row {row}")

    def _numbers(self, batch: pa.RecordBatch, name: str, start: int) -> npt.NDArray[np.float64]:
        values = batch.column(name)
        self._refuse_nulls(values, name, start)
        kind = values.type
        if pa.types.is_dictionary(kind):
            values = values.dictionary_decode()
            kind = values.type
        if not (
            pa.types.is_boolean(kind)
            or pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_decimal(kind)
        ):
            first = repr(values[0].as_py())
            raise FileError(f"{self.path}: the column {name!r} must hold numbers, got {kind}, such as {first}")
        numbers: npt.NDArray[np.float64] = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        return numbers

    def _labels(self, batch: pa.RecordBatch, start: int) -> npt.NDArray[np.float64]:
        if self.classes is None:
            return self._numbers(batch, self.label, start)
        values = batch.column(self.label)
        self._refuse_nulls(values, self.label, start)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        texts = pc.cast(values, pa.string())
        codes = pc.index_in(texts, value_set=pa.array(list(self.classes), pa.string()))
        if codes.null_count:
            at = int(np.argmax(codes.is_null().to_numpy(zero_copy_only=False)))
            known = ", ".join(self.classes)
            got = f"got {texts[at].as_py()!r} in row {start + at}"
            raise FileError(f"{self.path}: the column {self.label!r} must hold one of {known}, {got}")
        labels: npt.NDArray[np.float64] = codes.to_numpy(zero_copy_only=False).astype(np.float64)
        return labels

    def _in_words(self, error: pa.ArrowInvalid) -> str:
        text = _one_line(error)
        wrong = re.search(r"CSV conversion error to double: invalid value '(.*)'", text)
        if wrong:
            row = re.search(r"Row #(\d+)", text)
            column = re.search(r"column #(\d+)", text)
            line = f" in line {row[1]}" if row else ""
            whose = f" ({self._name(int(column[1]))!r})" if column else ""
            return f"a number column{whose} must hold numbers, got {wrong[1]!r}{line}"
        return f"the file cannot be read, {text}"

    def _name(self, position: int) -> str:
        with self.path.open(encoding="utf-8", errors="replace") as lines:
            names = next(lines, "").strip().split("\t" if ".tsv" in self.path.name else ",")
        return names[position].strip('"') if position < len(names) else f"number {position}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
