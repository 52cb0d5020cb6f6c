"""A disk cache of compiled kernels that is never stale, and in which one process compiles while the others wait.

Numba reuses a compiled function while the size and date of its source file are unchanged. But loops inline functions of
other files, and all files of a container image may have the same date. The cache therefore uses a digest of all sources.

Numba also lets several processes compile the same function at the same time and write to files of the same name. Locks
prevent this here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core import caching as _caching
from numba.core import config as _config

from ._source import digest_of, name_of

caching: Any = _caching  # Numba does not annotate these modules
config: Any = _config

#: The number of seconds that a process waits for another process to compile the same function before it compiles itself.
PATIENCE = 180.0
_PAUSE = 0.02


def keep(dispatcher: Any, formula: Callable[..., object] | None = None) -> None:
    """Store the compiled code of a function on disk; raise RuntimeError if no cache folder is available.

    A loop that closes over a formula has files of its own for the name and the digest of the formula. No index of another
    loss mentions them.
    """
    dispatcher._cache = _KernelCache(dispatcher.py_func, formula)  # noqa: SLF001  (as dispatcher.enable_caching does)


def folder() -> Path | None:
    """Return the folder of the compiled kernels, or None if no folder is writable or compilation is disabled."""
    if config.DISABLE_JIT:
        return None
    try:
        return Path(_KernelCache(keep).cache_path)
    except RuntimeError:
        return None


@cache
def digest() -> str:
    """Return a digest of the sources of all kernels and of Numba's version.

    The version is included because each version of Numba overwrites the cache files of the others.
    """
    of_all = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        of_all.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return of_all.hexdigest()[:16]


class _KernelCache(_caching.FunctionCache):
    """Numba's cache of one function, with separate file names for each state of the sources."""

    def __init__(self, function: Callable[..., object], formula: Callable[..., object] | None = None) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        name, self._digest = self._impl.filename_base, digest()
        if formula is not None:
            name += "-" + name_of(formula)
            self._digest = hashlib.sha256((self._digest + digest_of(formula)).encode()).hexdigest()[:16]
        self._cache_file = caching.IndexDataCacheFile(
            cache_path=self._cache_path, filename_base=f"{name}.{self._digest}", source_stamp=self._digest
        )
        self._lock = _Lock(Path(self._cache_path) / "compiling.lock", name)
        self._function_files = f"{name}.*.nb[ic]"

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        """Return the key of a variant; the file name has the digest of all that a loop closes over except numbers."""
        numbers = [
            cell.cell_contents for cell in self._py_func.__closure__ or () if isinstance(cell.cell_contents, int)
        ]
        return signature, codegen.magic_tuple(), tuple(numbers)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Load the compiled function; if another process is compiling it, wait for the result."""
        found = self._loaded(signature, target)
        if found is None:
            self._impl.locator.ensure_cache_path()
            if self._lock.acquire():
                found = self._loaded(signature, target)
                if found is not None:
                    self._lock.release()
        return found

    def _loaded(self, signature: Any, target: Any) -> Any:
        """Load the compiled function; ignore a file that refers to something that cannot be imported."""
        try:
            return super().load_overload(signature, target)  # type: ignore[no-untyped-call]
        except (ImportError, AttributeError):
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Save the compiled code, and remove the files that were compiled from earlier sources."""
        try:
            super().save_overload(signature, compiled)  # type: ignore[no-untyped-call]
            for path in Path(self._cache_path).glob(self._function_files):
                if f".{self._digest}." not in path.name:
                    path.unlink(missing_ok=True)
        finally:
            self._lock.release()


class _Lock:
    """A lock on one byte of a file, held by one process at a time; the system releases it when the process ends.

    No deadlock is possible: processes wait only in the direction in which functions call each other, which has no cycles.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._byte = path, zlib.crc32(name.encode()) & 0x3FFFFFFF
        self._held = False

    def acquire(self) -> bool:
        """Wait for the lock; return False if it was not acquired, for example on a file system without locks."""
        end = time.monotonic() + PATIENCE
        try:
            file = _opened(str(self._path), os.getpid())
            while not (taken := _take(file, self._byte)) and time.monotonic() < end:
                time.sleep(_PAUSE)
        except OSError:
            return False
        self._held = taken
        return taken

    def release(self) -> None:
        """Release the lock if it is held."""
        if self._held:
            self._held = False
            with contextlib.suppress(OSError):
                _give_back(_opened(str(self._path), os.getpid()), self._byte)


@cache
def _opened(path: str, process: int) -> int:
    """Open a file and never close it, because a process that closes a file loses all its locks on that file."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)


if sys.platform == "win32":
    import msvcrt

    def _take(file: int, byte: int) -> bool:
        os.lseek(file, byte, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _give_back(file: int, byte: int) -> None:
        os.lseek(file, byte, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: int, byte: int) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _give_back(file: int, byte: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, byte)
