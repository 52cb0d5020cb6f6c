"""How many threads a computation uses."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from numbers import Integral
from pathlib import Path

_VARIABLE = "BOOSTING_LOSSES_NUM_THREADS"
_in_context: ContextVar[int | None] = ContextVar("boosting_losses_num_threads", default=None)
_of_process: int | None = None


def set_num_threads(n: int | None) -> None:
    """Set the number of threads of all computations of this package in this process.

    The default is the environment variable ``BOOSTING_LOSSES_NUM_THREADS``; otherwise, in a task of a Dask worker, the
    worker's number of threads; otherwise the number of CPUs that the process may use (affinity, container quota), at most
    ``OMP_NUM_THREADS``. Training uses the number of threads that the boosting library uses. Small data are computed by one
    thread. Results do not depend on the number of threads.

    Parameters
    ----------
    n : int or None
        At least 1. None restores the default.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is neither None nor an integer >= 1.
    """
    global _of_process  # noqa: PLW0603  (a setting of the process)
    _of_process = None if n is None else _checked("n", n)


def get_num_threads() -> int:
    """Return the number of threads that a computation of this package may use here.

    Raises
    ------
    ValueError
        If the environment variable ``BOOSTING_LOSSES_NUM_THREADS`` is not an integer >= 1.
    """
    for number in (_chosen(), _of_dask_worker()):
        if number is not None:
            return number
    return min(_of_openmp() or sys.maxsize, cpu_count())


@contextmanager
def num_threads(n: int | None) -> Iterator[None]:
    """Set the number of threads for the computations of a ``with`` block, in the current Python thread.

    Parameters
    ----------
    n : int or None
        At least 1. None keeps the number.

    Raises
    ------
    TypeError, ValueError
        If ``n`` is neither None nor an integer >= 1.
    """
    before = _in_context.set(_in_context.get() if n is None else _checked("n", n))
    try:
        yield
    finally:
        _in_context.reset(before)


def threads_of_library(n: int | None) -> AbstractContextManager[None]:
    """Use the number of threads of a boosting library in a ``with`` block, unless the user has set a number.

    None stands for the library's default, which is that of this package, too.
    """
    return num_threads(n if _chosen() is None else None)


def cpu_count() -> int:
    """Return the number of CPUs that this process may use: those of its affinity, at most the quota of its container."""
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(math.ceil(min(available, _quota())), 1)


@cache
def _quota() -> float:
    """Return the number of CPUs of the Linux control group, versions 2 and 1, or infinity."""
    groups = Path("/sys/fs/cgroup")
    for texts in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # no such file, or "max"
            quota, period = map(float, " ".join((groups / text).read_text(encoding="ascii") for text in texts).split())
            return quota / period if min(quota, period) > 0.0 else math.inf
    return math.inf


def _checked(name: str, n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, Integral):
        raise TypeError(f"{name} must be an integer >= 1 or None, got {n!r}")
    if n < 1:
        raise ValueError(f"{name} must be >= 1, got {n}")
    return int(n)


def _chosen() -> int | None:
    """Return the number that the user has set: for a block, for the process or in the environment."""
    for number in (_in_context.get(), _of_process):
        if number is not None:
            return number
    text = os.environ.get(_VARIABLE, "").strip()
    if text and not _is_count(text):
        raise ValueError(f"{_VARIABLE} must be an integer >= 1, got {text!r}")
    return int(text) if text else None


def _of_openmp() -> int | None:
    """Return the first number of OpenMP's list; like OpenMP, ignore an invalid one."""
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(text) if _is_count(text) else None


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _of_dask_worker() -> int | None:
    """Return the number of threads of the Dask worker whose task runs in this thread."""
    worker = sys.modules.get("distributed.worker")
    running = getattr(getattr(worker, "thread_state", None), "execution_state", None)
    return None if running is None else int(running["worker"].state.nthreads)
