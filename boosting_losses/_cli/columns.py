"""Tables: labels, numbers and texts from the evaluated columns, in blocks of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from . import files
from .files import FileError
from .inputs import Input, Part

#: The text that represents a missing value.
MISSING = "missing"


@dataclass(frozen=True)
class Block:
    """A block of rows: labels, as numbers or class codes, and the other columns by name."""

    labels: npt.NDArray[np.float64]
    numbers: dict[str, npt.NDArray[np.float64]]
    texts: dict[str, npt.NDArray[np.object_]]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: slice) -> Block:
        """Return a copy of some of the rows; a view would keep all rows in memory."""
        numbers = {name: np.ascontiguousarray(values[rows]) for name, values in self.numbers.items()}
        texts = {name: np.ascontiguousarray(values[rows]) for name, values in self.texts.items()}
        return Block(np.ascontiguousarray(self.labels[rows]), numbers, texts)

    @staticmethod
    def joined(blocks: Sequence[Block]) -> Block:
        """Return the rows of all blocks in order."""
        if len(blocks) == 1:
            return blocks[0]
        return Block(
            np.concatenate([block.labels for block in blocks]),
            {name: np.concatenate([block.numbers[name] for block in blocks]) for name in blocks[0].numbers},
            {name: np.concatenate([block.texts[name] for block in blocks]) for name in blocks[0].texts},
        )


@dataclass(frozen=True)
class Table:
    """The columns that are read: labels, which are numbers or among ``classes``, numbers, and texts.

    Columns in ``texts`` may have any type, and may also be the label or in ``numbers``. Columns in ``complete`` must have
    no missing values.
    """

    source: Input
    label: str
    numbers: tuple[str, ...]
    classes: tuple[str, ...] | None
    texts: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()

    def blocks(self) -> Iterator[Block]:
        """Return the rows of all files in blocks; small files share a block."""
        kept: list[Block] = []
        for block in self._blocks():
            kept.append(block)
            if sum(map(len, kept)) >= files.ROWS:
                yield Block.joined(kept)
                kept = []
        if kept:
            yield Block.joined(kept)

    def _blocks(self) -> Iterator[Block]:
        wanted = list(dict.fromkeys((self.label, *self.numbers, *self.texts)))
        empty = True
        for part in self.source.parts:
            start = 0
            for batch in part.batches(wanted, self.numbers):
                if batch.num_rows:
                    yield self._block(Columns(part, batch, range(start, start + batch.num_rows)))
                    empty = False
                    start += batch.num_rows
        if empty:
            rule = "the file must contain" if len(self.source.parts) == 1 else "the files must contain"
            raise FileError(f"{self.source.name}: {rule} at least one row, got none")

    def _block(self, columns: Columns) -> Block:
        return Block(
            columns.labels(self.label, self.classes),
            {name: columns.numbers(name) for name in self.numbers},
            {name: columns.texts(name, may_miss=name not in self.complete) for name in self.texts},
        )


@dataclass(frozen=True)
class Columns:
    """The columns of a batch of a file, and the number of each row in the file."""

    part: Part
    batch: pa.RecordBatch
    rows: Sequence[int] | npt.NDArray[np.intp]

    def where(self, chosen: npt.NDArray[np.bool_]) -> Columns:
        """Return the chosen rows."""
        return Columns(self.part, self.batch.filter(pa.array(chosen)), np.asarray(self.rows)[chosen])

    def error(self, name: str, rule: str, got: str) -> FileError:
        return FileError(f"{self.part.file.name}: the column {name!r} must {rule}, got {got}")

    def numbers(self, name: str, *, may_miss: bool = False) -> npt.NDArray[np.float64]:
        """Return numbers; missing ones are NaN, or refused."""
        values = _decoded(self.batch.column(name)) if may_miss else self.whole(name)
        kinds = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        if pa.types.is_null(values.type):
            return np.full(len(values), np.nan)
        if not any(is_kind(values.type) for is_kind in kinds):
            raise self.error(name, "hold numbers", f"{values.type}, such as {values[0].as_py()!r}")
        return _as_float(values)

    def labels(self, name: str, classes: tuple[str, ...] | None) -> npt.NDArray[np.float64]:
        values = self.whole(name)
        if pa.types.is_boolean(values.type):
            values = pc.if_else(values, "True", "False")
        is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        if classes is not None:
            if not is_text and not pa.types.is_integer(values.type):
                raise self.error(name, "hold texts or integers", str(values.type))
            return self._codes(name, pc.cast(values, pa.string()), classes)
        if not is_text:
            return self.numbers(name)
        if pc.all(pc.is_in(pc.utf8_lower(values), value_set=pa.array(["true", "false"]))).as_py():
            return self._codes(name, pc.utf8_lower(values), ("false", "true"))
        plain = values if self.part.file.decimal == "." else pc.replace_substring(values, self.part.file.decimal, ".")
        try:
            return _as_float(plain)
        except pa.ArrowInvalid:
            row = next(i for i, text in enumerate(plain.to_pylist()) if not _is_number(text))
            got = f"{values[row].as_py()!r} in row {self.rows[row]} (texts require --classes)"
            raise self.error(name, "hold numbers", got) from None

    def texts(self, name: str, *, may_miss: bool = True) -> npt.NDArray[np.object_]:
        """Return values of any type as texts; equal texts share one object."""
        values = _decoded(self.batch.column(name))
        kind = values.type
        if pa.types.is_boolean(kind):
            values = pc.if_else(values, "True", "False")
        elif pa.types.is_floating(kind):
            values = pc.if_else(pc.is_nan(values), None, values)
        try:
            texts = pc.cast(values, pa.string())
        except pa.ArrowException:
            raise self.error(name, "hold texts, numbers, booleans or dates", str(kind)) from None
        if pa.types.is_timestamp(kind):  # remove the time of midnight and zero fractions of seconds
            texts = pc.replace_substring_regex(texts, r"( 00:00:00)?(\.0+)?$", "")
        texts = pc.if_else(pc.equal(texts, ""), None, texts)
        if not may_miss:
            self._refuse_missing(name, texts)
        codes = pc.fill_null(texts, MISSING).dictionary_encode()
        names = np.array(codes.dictionary.to_pylist(), dtype=object)
        taken: npt.NDArray[np.object_] = names[codes.indices.to_numpy(zero_copy_only=False)]
        return taken

    def _codes(self, name: str, texts: pa.Array, classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
        if {name.lower() for name in classes} == {"true", "false"}:
            texts, classes = pc.utf8_lower(texts), tuple(name.lower() for name in classes)
        elif set(classes) == {"0", "1"} and texts[0].as_py() in ("True", "False"):
            texts = pc.if_else(pc.equal(texts, "True"), "1", "0")
        codes = pc.index_in(texts, value_set=pa.array(list(classes), pa.string()))
        if codes.null_count:
            row = int(np.argmax(codes.is_null().to_numpy(zero_copy_only=False)))
            got = f"{texts[row].as_py()!r} in row {self.rows[row]}"
            raise self.error(name, f"hold one of {', '.join(classes)}", got)
        return _as_float(codes)

    def whole(self, name: str) -> pa.Array:
        """Return the values; raise FileError if one is missing."""
        values = _decoded(self.batch.column(name))
        self._refuse_missing(name, values)
        return values

    def _refuse_missing(self, name: str, values: pa.Array) -> None:
        if values.null_count:
            row = int(np.argmax(values.is_null().to_numpy(zero_copy_only=False)))
            raise self.error(name, "have no missing values", f"one in row {self.rows[row]}")


def _decoded(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _as_float(values: pa.Array) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
