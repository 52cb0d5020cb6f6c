"""Keyed hashes that replace ids and groups, so that neither memory nor a store contains them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence

from ._rows import is_missing

#: Enough for no two ids of a monitor to have the same hash.
_BYTES = 16
_SHORTEST_KEY = 16


class KeyedHash:
    """BLAKE2b with a secret key.

    Parameters
    ----------
    key : str or bytes
        At least 16 bytes. A text is encoded as UTF-8.

    Raises
    ------
    TypeError, ValueError
        If it is no text or bytes, or too short.
    """

    def __init__(self, key: str | bytes) -> None:
        if not isinstance(key, (str, bytes)):
            raise TypeError(f"id_key must be a text or bytes, got {type(key).__name__}")
        secret = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
        if len(secret) < _SHORTEST_KEY:
            raise ValueError(f"id_key must have at least {_SHORTEST_KEY} bytes, got {len(secret)}")
        self._key = hashlib.blake2b(secret).digest()  # keys of BLAKE2b have at most 64 bytes

    @property
    def fingerprint(self) -> str:
        """A text that tells keys apart and does not reveal them."""
        return self._hasher(b"fingerprint")(b"")

    def ids(self, values: Sequence[Hashable]) -> list[Hashable]:
        """Return the hashes of ids."""
        hash_of = self._hasher(b"id")
        return [hash_of(_encoded("ids", value)) for value in values]

    def groups(self, values: Sequence[Hashable]) -> list[Hashable]:
        """Return the hashes of groups; a missing group stays missing."""
        hash_of = self._hasher(b"group")
        return [None if is_missing(value) else hash_of(_encoded("group", value)) for value in values]

    def _hasher(self, purpose: bytes) -> Callable[[bytes], str]:
        start = hashlib.blake2b(key=self._key, digest_size=_BYTES, person=purpose)

        def hash_of(content: bytes) -> str:
            one = start.copy()  # the key is hashed once
            one.update(content)
            return one.hexdigest()

        return hash_of


def _encoded(name: str, value: Hashable) -> bytes:
    if type(value) is str:
        return b"s" + value.encode("utf-8", "surrogatepass")
    if type(value) is int:
        return b"i%d" % value
    raise TypeError(f"{name} must be texts or integers with id_key, got {value!r}")
