"""A CSV or Parquet file of predictions: its columns, and its rows in batches."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

#: The number of rows in a batch, and the number of bytes for a CSV file.
ROWS, BYTES = 2**17, 2**23


class FileError(ValueError):
    """A file or folder that cannot be read as predictions; the message names it."""


@dataclass(frozen=True)
class CsvFile:
    """A text file, possibly compressed, whose first line contains the names of the columns."""

    path: Path
    name: str
    delimiter: str = ","
    decimal: str = "."

    def columns(self) -> list[str]:
        """Return the names of all columns in order."""
        try:
            with self.path.open("rb") as file:
                first = file.read(4)
            if first == b"PAR1":
                raise FileError(f"{self.name}: the file must be CSV, got Parquet (--format parquet)")
            if first[:2] == b"\x1f\x8b" and self.path.suffix.lower() != ".gz":
                raise FileError(f"{self.name}: the file must be CSV, got gzip (unpack it first)")
            with self._opened(pa.csv.ConvertOptions()) as reader:
                return list(reader.schema.names)
        except (pa.ArrowException, OSError) as error:
            raise self._error(error, []) from None
        except UnicodeDecodeError:
            raise FileError(f"{self.name}: the names of the columns must be UTF-8 text, got other bytes") from None

    def rows(self) -> int | None:
        """Return None, because a CSV file does not store its number of rows."""
        return None

    def batches(self, columns: Sequence[str], numbers: Collection[str]) -> Iterator[pa.RecordBatch]:
        """Return the given columns, ``numbers`` as float64 and the other columns as strings."""
        options = pa.csv.ConvertOptions(
            include_columns=columns,
            column_types={name: pa.float64() if name in numbers else pa.string() for name in columns},
            strings_can_be_null=True,
            null_values=["", "NA", "NaN", "nan", "null", "None"],
            decimal_point=self.decimal,
        )
        try:
            with self._opened(options) as reader:
                yield from reader
        except (pa.ArrowException, OSError) as error:
            raise self._error(error, self.columns()) from None

    def hint(self, names: Sequence[str]) -> str:
        """Return a likely reason why the file lacks an expected column."""
        return self._other_delimiter(names[0]) if len(names) == 1 else ""

    def _error(self, error: Exception, names: Sequence[str]) -> FileError:
        row = re.search("Expected 1 columns, got (.*)", str(error))
        hint = self._other_delimiter(row[1]) if row else ""
        return FileError(f"{self.name}: {_in_words(error, names)}{hint}")

    def _other_delimiter(self, line: str) -> str:
        other = next((mark for mark in ";\t|," if mark in line and mark != self.delimiter), None)
        if other is None:
            return ""
        return f" (to change the delimiter: --delimiter {'tab' if other == chr(9) else repr(other)})"

    def _opened(self, convert: pa.csv.ConvertOptions) -> pa.csv.CSVStreamingReader:
        return pa.csv.open_csv(
            self.path,
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=BYTES),
            parse_options=pa.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            convert_options=convert,
        )


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file."""

    path: Path
    name: str
    decimal: ClassVar[str] = "."

    def columns(self) -> list[str]:
        """Return the names of all columns in order."""
        with self._opened() as file:
            return list(file.schema_arrow.names)

    def rows(self) -> int | None:
        """Return the number of rows."""
        with self._opened() as file:
            return int(file.metadata.num_rows)

    def batches(self, columns: Sequence[str], numbers: Collection[str]) -> Iterator[pa.RecordBatch]:
        """Return the given columns unchanged."""
        try:
            with self._opened() as file:
                yield from file.iter_batches(batch_size=ROWS, columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"{self.name}: {_in_words(error, columns)}") from None

    def hint(self, names: Sequence[str]) -> str:
        """Return an empty string, because a Parquet file names its columns unambiguously."""
        return ""

    def _opened(self) -> pa.parquet.ParquetFile:
        try:
            return pa.parquet.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise FileError(f"{self.name}: the file must be complete Parquet, {_one_line(error)}") from None


def _in_words(error: Exception, names: Sequence[str]) -> str:
    text = _one_line(error)
    if "straddling object" in text:
        return f"each line must be shorter than {BYTES >> 20} MiB, got a longer line or an unclosed quote"
    line, column = re.search(r"Row #(\d+)", text), re.search(r"column #(\d+)", text)
    place = f" in line {line[1]}" if line else ""
    whose = f" {names[int(column[1])]!r}" if column and int(column[1]) < len(names) else ""
    if "invalid UTF8" in text:
        return f"the column{whose} must hold UTF-8 text, got other bytes{place}"
    wrong = re.search(r"CSV conversion error to double: invalid value '(.*)'", text)
    if wrong:
        comma = " (--decimal ',')" if re.fullmatch(r"[-+]?\d*,\d+", wrong[1].strip()) else ""
        return f"the column{whose} must hold numbers, got {wrong[1]!r}{place}{comma}"
    return f"the file cannot be read, {text}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
