"""Integer codes of the categories of slices and of groups, whose texts come block by block."""

from __future__ import annotations

import contextlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .files import FileError

Codes = npt.NDArray[np.intp]


class Categories:
    """The different texts of a column, numbered in the order in which they are met."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def names(self) -> list[str]:
        """The texts in the order of their codes."""
        return list(self._codes)

    def add(self, texts: npt.NDArray[np.object_]) -> Codes:
        """Return the code of each text; new ones get the next numbers."""
        encoded = pa.array(texts, pa.string()).dictionary_encode()
        codes = [self._codes.setdefault(name, len(self._codes)) for name in encoded.dictionary.to_pylist()]
        own: Codes = np.array(codes, dtype=np.intp)[encoded.indices.to_numpy()]
        return own

    def known(self, texts: npt.NDArray[np.object_]) -> Codes:
        """Return the code of each text, all of which have been met before."""
        n = len(self)
        codes = Categories.add(self, texts)
        if len(self) > n:
            raise FileError(
                f"the rows must stay the same while they are read, got {self.names[n]!r} the second time only"
            )
        return codes

    def ranks(self, *, as_numbers: bool) -> Codes:
        """Return the rank of each code among the sorted texts or, ``as_numbers`` and if all are integers, by their size."""
        names = self.names
        keys: list[int] | list[str] = names
        if as_numbers:
            with contextlib.suppress(ValueError):
                keys = [int(name) for name in names]
        ranks = np.empty(len(names), dtype=np.intp)
        ranks[sorted(range(len(names)), key=keys.__getitem__)] = np.arange(len(names))
        return ranks


class Groups(Categories):
    """Categories whose rows should come together."""

    def __init__(self) -> None:
        super().__init__()
        self.together = True  #: whether no group has come back after another one
        self._last = 0

    def add(self, texts: npt.NDArray[np.object_]) -> Codes:
        codes = super().add(texts)
        if len(codes):  # a new group has a code above all others
            self.together &= bool((np.diff(codes, prepend=self._last) >= 0).all())
            self._last = int(codes[-1])
        return codes
