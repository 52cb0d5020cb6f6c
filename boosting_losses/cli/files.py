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
    label: str
    numbers: tuple[str, ...]
    classes: tuple[str, ...] | None

    def rows(self) -> int | None:
        """How many there are, where the file tells."""
        return int(_parquet(self.path).metadata.num_rows) if _is_parquet(self.path) else None

    def blocks(self) -> Iterator[tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]]:
        """Labels, as numbers or codes of the classes, and the other columns, of one block after the other."""
        start = 0
        for batch in self._batches():
            if batch.num_rows:
                labels = self._labels(batch.column(self.label), start)
                yield labels, {name: self._numbers(batch.column(name), name, start) for name in self.numbers}
                start += batch.num_rows
        if start == 0:
            raise FileError(f"{self.path}: the file must hold at least one row, got none")

    def _batches(self) -> Iterator[pa.RecordBatch]:
        columns = list(dict.fromkeys((self.label, *self.numbers)))
        names = column_names(self.path)
        for column in columns:
            if names.count(column) != 1:
                shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
                raise FileError(f"{self.path}: the file must have the column {column!r} once, got {shown}")
        try:
            if _is_parquet(self.path):
                yield from _parquet(self.path).iter_batches(batch_size=ROWS, columns=columns)
                return
            options = pa.csv.ConvertOptions(
                include_columns=columns,
                column_types={**dict.fromkeys(self.numbers, pa.float64()), self.label: pa.string()},
                strings_can_be_null=True,
                null_values=["", "NA", "NaN", "nan", "null", "None"],
            )
            with _csv(self.path, options) as reader:
                yield from reader
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"{self.path}: {_in_words(error, names)}") from None

    def _numbers(self, values: pa.Array, name: str, start: int) -> npt.NDArray[np.float64]:
        values = self._whole(values, name, start)
        kinds = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        if not any(is_kind(values.type) for is_kind in kinds):
            first = f"{values.type}, such as {values[0].as_py()!r}"
            raise FileError(f"{self.path}: the column {name!r} must hold numbers, got {first}")
        numbers: npt.NDArray[np.float64] = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        return numbers

    def _labels(self, values: pa.Array, start: int) -> npt.NDArray[np.float64]:
        values = self._whole(values, self.label, start)
        if pa.types.is_boolean(values.type):
            values = pc.if_else(values, "True", "False")
        is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        if self.classes is not None:
            if not is_text and not pa.types.is_integer(values.type):
                raise FileError(
                    f"{self.path}: the column {self.label!r} must hold texts or integers, got {values.type}"
                )
            return self._codes(pc.cast(values, pa.string()), self.classes, start)
        if not is_text:
            return self._numbers(values, self.label, start)
        if pc.all(pc.is_in(pc.utf8_lower(values), value_set=pa.array(["true", "false"]))).as_py():
            return self._codes(pc.utf8_lower(values), ("false", "true"), start)
        try:
            numbers: npt.NDArray[np.float64] = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            row = next(i for i, text in enumerate(values.to_pylist()) if not _is_number(text))
            got = f"{values[row].as_py()!r} in row {start + row} (texts need --classes)"
            raise FileError(f"{self.path}: the column {self.label!r} must hold numbers, got {got}") from None
        return numbers

    def _codes(self, texts: pa.Array, classes: tuple[str, ...], start: int) -> npt.NDArray[np.float64]:
        if {name.lower() for name in classes} == {"true", "false"}:
            texts, classes = pc.utf8_lower(texts), tuple(name.lower() for name in classes)
        elif set(classes) == {"0", "1"} and texts[0].as_py() in ("True", "False"):
            texts = pc.if_else(pc.equal(texts, "True"), "1", "0")
        codes = pc.index_in(texts, value_set=pa.array(list(classes), pa.string()))
        if codes.null_count:
            row = int(np.argmax(codes.is_null().to_numpy(zero_copy_only=False)))
            got = f"got {texts[row].as_py()!r} in row {start + row}"
            raise FileError(f"{self.path}: the column {self.label!r} must hold one of {', '.join(classes)}, {got}")
        labels: npt.NDArray[np.float64] = codes.to_numpy(zero_copy_only=False).astype(np.float64)
        return labels

    def _whole(self, values: pa.Array, name: str, start: int) -> pa.Array:
        """The values themselves, none of which is missing."""
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if values.null_count:
            row = start + int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            raise FileError(f"{self.path}: the column {name!r} must have no missing values, got one in row {row}")
        return values


def column_names(path: Path) -> list[str]:
    """The names of all columns of a file, in their order."""
    if _is_parquet(path):
        return list(_parquet(path).schema_arrow.names)
    try:
        with _csv(path, pa.csv.ConvertOptions()) as reader:
            return list(reader.schema.names)
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{path}: {_in_words(error, [])}") from None


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in (".parquet", ".pq")


def _parquet(path: Path) -> pa.parquet.ParquetFile:
    try:
        return pa.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{path}: the file must be whole Parquet, {_one_line(error)}") from None


def _csv(path: Path, options: pa.csv.ConvertOptions) -> pa.csv.CSVStreamingReader:
    name = path.name.lower().removesuffix(".gz").removesuffix(".bz2").removesuffix(".zst")
    if not name.endswith((".csv", ".tsv", ".txt")):
        raise FileError(f"{path}: the file must be .csv, .tsv or .parquet, got {path.suffix or 'no ending'}")
    return pa.csv.open_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=BYTES),
        parse_options=pa.csv.ParseOptions(delimiter="\t" if name.endswith(".tsv") else ","),
        convert_options=options,
    )


def _in_words(error: Exception, names: Sequence[str]) -> str:
    text = _one_line(error)
    wrong = re.search(r"CSV conversion error to double: invalid value '(.*)'", text)
    if not wrong:
        return f"the file cannot be read, {text}"
    line = re.search(r"Row #(\d+)", text)
    column = re.search(r"column #(\d+)", text)
    whose = f" {names[int(column[1])]!r}" if column and int(column[1]) < len(names) else ""
    return f"the column{whose} must hold numbers, got {wrong[1]!r}" + (f" in line {line[1]}" if line else "")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
