"""The memory that a call adds to this process, where the system tells it (Linux)."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_STATUS = Path("/proc/self/status")
_Result = TypeVar("_Result")


def measured(call: Callable[[], _Result]) -> tuple[_Result, int | None]:
    """Return the result of a call, and the bytes of its peak above the memory in use before, None where unknown.

    Memory that earlier calls have freed goes back to the system first: the call would use it again and seem to take none.
    ``ru_maxrss`` of Linux does not help: a process inherits the peak of the one that started it.
    """
    if not _STATUS.exists():
        return call(), None
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    before = _peak()
    result = call()
    return result, max(0, _peak() - before)  # the system counts pages of several threads a little late


def _peak() -> int:
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
