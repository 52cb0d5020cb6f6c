"""Integer codes for the categories of slices and groups, whose texts are read block by block."""

from __future__ import annotations

import contextlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .files import FileError

Codes = npt.NDArray[np.intp]


class Categories:
    """The distinct texts of a column, numbered in the order of their first occurrence."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def names(self) -> list[str]:
        """The texts in the order of their codes."""
        return list(self._codes)

    def add(self, texts: npt.NDArray[np.object_]) -> Codes:
        """Return the code of each text; new texts get the next codes."""
        encoded = pa.array(texts, pa.string()).dictionary_encode()
        codes = [self._codes.setdefault(name, len(self._codes)) for name in encoded.dictionary.to_pylist()]
        own: Codes = np.array(codes, dtype=np.intp)[encoded.indices.to_numpy()]
        return own

    def known(self, texts: npt.NDArray[np.object_]) -> Codes:
        """Return the code of each text; raise FileError if a text is new."""
        n = len(self)
        codes = Categories.add(self, texts)
        if len(self) > n:
            raise FileError(
                f"the rows must not change while they are read, got {self.names[n]!r} in the second pass only"
            )
        return codes

    def ranks(self, *, as_numbers: bool) -> Codes:
        """Return the rank of each code in the sorted texts.

        If ``as_numbers`` and all texts are integers, they are sorted as numbers.
        """
        names = self.names
        keys: list[int] | list[str] = names
        if as_numbers:
            with contextlib.suppress(ValueError):
                keys = [int(name) for name in names]
        ranks = np.empty(len(names), dtype=np.intp)
        ranks[sorted(range(len(names)), key=keys.__getitem__)] = np.arange(len(names))
        return ranks


class Groups(Categories):
    """Groups of rows, with a check whether the rows of each group are contiguous."""

    def __init__(self) -> None:
        super().__init__()
        self.together = True  #: whether the rows of each group are contiguous so far
        self._last = 0

    def add(self, texts: npt.NDArray[np.object_]) -> Codes:
        codes = super().add(texts)
        if len(codes):  # codes decrease only if an earlier group returns
            self.together &= bool((np.diff(codes, prepend=self._last) >= 0).all())
            self._last = int(codes[-1])
        return codes
