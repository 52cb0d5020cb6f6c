"""The input of an evaluation: a file, a folder of files, a partitioned data set or a pipe."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from .files import CsvFile, FileError, ParquetFile

#: The file formats, keyed by extension.
KINDS = {".csv": "csv", ".txt": "csv", ".tsv": "tsv", ".parquet": "parquet", ".pq": "parquet"}

_COMPRESSED = (".gz", ".bz2", ".zst")

#: Log folders of table formats, in which the log determines which files are part of the table.
_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi"}


@dataclass(frozen=True)
class Part:
    """A file, and the columns encoded in the names of its folders, such as ``date=2026-01-01``."""

    file: CsvFile | ParquetFile
    folders: tuple[tuple[str, str | None], ...] = ()

    def columns(self) -> list[str]:
        """Return the names of the columns of the file, then those of the folders that the file does not contain."""
        names = self.file.columns()
        return names + [key for key, _ in self.folders if key not in names]

    def batches(self, columns: Sequence[str], numbers: Collection[str]) -> Iterator[pa.RecordBatch]:
        """Return the given columns; ``numbers`` in CSV files and folder names are converted to float64."""
        names, folders = self.file.columns(), dict(self.folders)
        here = names + [key for key, _ in self.folders if key not in names]
        for column in columns:
            if here.count(column) != 1:
                shown = ", ".join(here[:20]) + (", ..." if len(here) > 20 else "") + self.file.hint(names)
                rule = f"the file must contain the column {column!r} exactly once"
                raise FileError(f"{self.file.name}: {rule}, got {shown}")
        for batch in self.file.batches([column for column in columns if column in names], numbers):
            whole = batch
            for key in columns:
                if key not in names:
                    whole = whole.append_column(key, self._of_folder(key, batch.num_rows, key in numbers))
                elif key in folders and not _agree(batch.column(key), folders[key]):
                    rule = f"the column {key!r} must equal the value in the folder's name"
                    raise FileError(f"{self.file.name}: {rule}, got other values than {folders[key]!r}")
            yield whole

    def _of_folder(self, key: str, n_rows: int, is_number: bool) -> pa.Array:
        text = pa.scalar(dict(self.folders)[key], pa.string())
        try:
            return pa.repeat(text.cast(pa.float64()) if is_number else text, n_rows)
        except pa.ArrowInvalid:
            raise FileError(f"{self.file.name}: the column {key!r} must hold numbers, got {text.as_py()!r}") from None


@dataclass(frozen=True)
class Input:
    """The files that are evaluated, in order."""

    name: str
    parts: tuple[Part, ...]

    def columns(self) -> list[str]:
        """Return the names of all columns of the first part."""
        return self.parts[0].columns()

    def rows(self) -> int | None:
        """Return the number of rows, or None if a file does not store it."""
        known = [count for part in self.parts if (count := part.file.rows()) is not None]
        return sum(known) if len(known) == len(self.parts) else None


def name_of(path: Path) -> str:
    """Return the name of a path for use in messages."""
    return "standard input" if str(path) == "-" else str(path)


@contextlib.contextmanager
def opened(path: Path, kind: str | None, delimiter: str | None, decimal: str | None) -> Iterator[Input]:
    """Open a file, a folder or a pipe; a pipe can be read only once, so it is copied to a temporary file.

    ``kind`` is csv, tsv or parquet; if it is None, the extension determines it.
    """
    name = name_of(path)
    with contextlib.ExitStack() as stack:
        try:
            if path.is_dir():
                found = list(_found(path, ()))
            elif path.is_file() and name == str(path):
                found = [path]
            else:
                kind = kind or KINDS.get(path.suffix.lower(), "csv")
                found = [stack.enter_context(_spooled(path, name))]
        except OSError as error:
            raise FileError(f"{error.filename or name}: the input cannot be read, {error.strerror or error}") from None
        if path.is_dir():
            kind = kind or _common_kind(path, found)
            parts = [Part(_file(part, str(part), kind, delimiter, decimal), _keys(part, path)) for part in found]
        else:
            parts = [Part(_file(found[0], name, kind or _kind(path), delimiter, decimal))]
        yield Input(name, tuple(parts))


def _file(path: Path, name: str, kind: str, delimiter: str | None, decimal: str | None) -> CsvFile | ParquetFile:
    if kind == "parquet":
        if delimiter is not None or decimal is not None:
            option = "--delimiter" if delimiter is not None else "--decimal"
            raise FileError(f"{name}: {option} must be given for CSV only, got Parquet")
        return ParquetFile(path, name)
    mark = "\t" if delimiter == "tab" else delimiter
    if mark is not None and (len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in '"\r\n\0'):
        raise FileError(f"{name}: --delimiter must be tab or one character such as ; or |, got {mark!r}")
    return CsvFile(path, name, mark or ("\t" if kind == "tsv" else ","), decimal or ".")


def _ending(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() + suffix if suffix in _COMPRESSED else suffix


def _kind(path: Path) -> str:
    ending = _ending(path)
    text = ending.removesuffix(path.suffix.lower()) if path.suffix.lower() in _COMPRESSED else ending
    kind = KINDS.get(text)
    if kind is None or (kind == "parquet" and text != ending):
        got = ending or "no extension"
        raise FileError(f"{path}: the file must be .csv, .tsv or .parquet, got {got} (set --format)")
    return kind


def _common_kind(folder: Path, files: Sequence[Path]) -> str:
    examples = {_ending(path) or "no extension": path for path in reversed(files)}
    if len(examples) > 1:
        got = ", ".join(f"{ending} ({path.relative_to(folder)})" for ending, path in sorted(examples.items())[:5])
        raise FileError(f"{folder}: the files of a folder must have the same extension, got {got}")
    return _kind(files[0])


def _found(folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """Return all files in a folder and its subfolders, in the order of their names, without hidden files."""
    real = folder.resolve()
    if real in above:
        raise FileError(f"{folder}: a folder must not contain itself, got a link to {real}")
    empty = True
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name in _LOGS:
            raise FileError(f"{folder}: the folder must contain plain files, got a {_LOGS[path.name]} table")
        if path.name.startswith(".") or (path.name.startswith("_") and "=" not in path.name):
            continue
        if path.is_dir():
            for file in _found(path, (*above, real)):
                empty = False
                yield file
        elif path.is_file():
            empty = False
            yield path
        else:
            raise FileError(f"{path}: a folder must contain only files and folders, got something else")
    if empty and not above:
        raise FileError(f"{folder}: the folder must contain .csv, .tsv or .parquet files, got none")


def _keys(path: Path, root: Path) -> tuple[tuple[str, str | None], ...]:
    """Return the columns and values encoded in the folder names of a Hive-partitioned data set."""
    pairs = [folder.split("=", 1) for folder in path.relative_to(root).parts[:-1] if "=" in folder]
    return tuple((unquote(key), None if text == "__HIVE_DEFAULT_PARTITION__" else unquote(text)) for key, text in pairs)


def _agree(values: pa.Array, text: str | None) -> bool:
    if text is None:
        return bool(values.null_count == len(values))
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        return pc.all(pc.equal(values, pa.scalar(text).cast(values.type)), skip_nulls=False).as_py() is True
    except pa.ArrowException:
        return False


@contextlib.contextmanager
def _spooled(path: Path, name: str) -> Iterator[Path]:
    """Copy a pipe to a temporary file, because rows are read twice."""
    with tempfile.TemporaryDirectory(prefix="boosting-losses-") as folder:
        copy = Path(folder, "stdin" if str(path) == "-" else path.name)
        with contextlib.ExitStack() as stack, copy.open("wb") as out:
            shutil.copyfileobj(_standard_input() if str(path) == "-" else stack.enter_context(path.open("rb")), out)
        yield copy


def _standard_input() -> BinaryIO:
    if sys.stdin is None or sys.stdin.closed:  # a service may have no standard input
        raise FileError("standard input: the stream must be open, got a closed stream")
    return sys.stdin.buffer
