"""The additional memory of a call in this process, where the system reports it (Linux)."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_STATUS = Path("/proc/self/status")
_Result = TypeVar("_Result")


def measured(call: Callable[[], _Result]) -> tuple[_Result, int | None]:
    """Return the result of a call, and its peak memory in bytes above the memory in use before, None if unknown.

    Memory freed by earlier calls is first returned to the system: otherwise the call would reuse it and its memory would
    not be counted. ``ru_maxrss`` of Linux is unsuitable, because a process inherits the peak of its parent.
    """
    if not _STATUS.exists():
        return call(), None
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak
    before = _peak()
    result = call()
    return result, max(0, _peak() - before)  # the kernel updates the counters of several threads with a delay


def peak() -> int | None:
    """Return the peak memory of this process in bytes since the last measured call began, None if unknown."""
    return _peak() if _STATUS.exists() else None


def _peak() -> int:
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
