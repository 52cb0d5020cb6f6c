"""The threads that compute chunks of rows, and how many of them a call uses.

The chunks depend on the shape of the data only, and their results are combined in order. So results do not depend on the
number of threads, not even in the last bit. The kernels release the GIL, so plain Python threads compute side by side.
Numba's own threads would compete with those of the boosting libraries (``_kernels/_jit.py``). Idle threads sleep.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar, copy_context
from functools import cache
from numbers import Integral
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: The fewest and the most numbers in a chunk. The fewest take long enough, some tenths of a millisecond, that starting a
#: thread is cheap in comparison. The most bound the memory for conversions.
FEWEST, MOST = 1 << 17, 1 << 20

#: The number of chunks of larger data: enough for an even distribution over many threads.
CHUNKS = 128

#: The boundaries of chunks are multiples of this number of rows, so that vectors start at cache lines.
ALIGNMENT = 64

#: A thread computes at least this number of chunks. For less work, starting it would not pay.
LEAST_PER_THREAD = 2

# ---- the number of threads ------------------------------------------------------------------------------------------

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


# ---- chunks of rows -------------------------------------------------------------------------------------------------


def chunks(rows: int, width: float = 1.0) -> list[slice]:
    """Return consecutive slices of rows.

    Parameters
    ----------
    rows : int
    width : float
        The work for one row, in numbers: that of a raw score whose loss needs exponentials and logarithms is 1.
    """
    if rows * width <= FEWEST:
        return [slice(0, rows)]
    size = max(int(min(max(rows / CHUNKS, FEWEST / width), MOST / max(width, 1.0))), 1)
    count = -(-rows // size)
    count += count % 2  # two threads then finish at the same time
    step = -(-rows // (count * ALIGNMENT)) * ALIGNMENT
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def each(
    task: Callable[[_Item], _Result], items: Sequence[_Item], least_per_thread: int = LEAST_PER_THREAD
) -> list[_Result]:
    """Return the results of a task for all items, in order, computed by several threads if there are enough items.

    The calling thread takes part, and never waits for a thread that has not started. If a task raises an error, no further
    task starts, and the error is raised.
    """
    count = len(items)
    if count == 1:
        return [task(items[0])]
    helpers = min(get_num_threads(), count // least_per_thread) - 1 if count >= 2 * least_per_thread else 0
    if helpers < 1:
        return [task(item) for item in items]
    results: list[Any] = [None] * count
    waiting = deque(range(count))
    permits = deque(range(helpers))  # a helper that gets none is too late
    ended: list[BaseException | None] = []
    news: SimpleQueue[None] = SimpleQueue()

    def work() -> None:
        while (i := _taken(waiting)) is not None:
            results[i] = task(items[i])

    def help_out() -> None:
        if _taken(permits) is None:
            return
        error = None
        try:
            work()
        except BaseException as raised:  # noqa: BLE001  (the calling thread raises it)
            waiting.clear()
            error = raised
        ended.append(error)
        news.put(None)

    try:
        _start(help_out, helpers)
        work()
    finally:
        waiting.clear()  # after an error or an interrupt
        while _taken(permits) is not None:
            helpers -= 1
        _wait(lambda: len(ended) == helpers, news)
    for error in ended:
        if error is not None:
            raise error
    return results


def _wait(is_over: Callable[[], bool], news: SimpleQueue[None]) -> None:
    """Wait until the helpers have ended, even after Ctrl-C: they write to arrays that the caller may use again."""
    interrupt = None
    while not is_over():
        try:
            news.get()
        except BaseException as raised:  # noqa: BLE001  (raised below)
            interrupt = raised
    if interrupt is not None:
        raise interrupt


def each_part(task: Callable[[slice], _Result], rows: int, width: float = 1.0) -> list[_Result]:
    """Return the results of a task for consecutive slices of rows; see :func:`chunks` and :func:`each`."""
    return each(task, chunks(rows, width))


def _taken(numbers: deque[int]) -> int | None:
    """Return the next number, which no other thread gets, or None."""
    try:
        return numbers.popleft()
    except IndexError:
        return None


# ---- the pool -------------------------------------------------------------------------------------------------------

_lock = threading.RLock()
_starter: int | None = None  # the thread that has the lock
_pool: ThreadPoolExecutor | None = None
_size = 0


def _start(work: Callable[[], None], helpers: int) -> None:
    """Start the work in other threads, if possible. All callers share one pool, as large as the most helpers of a call."""
    global _pool, _size, _starter  # noqa: PLW0603  (the pool of the process)
    if _starter == threading.get_ident():  # a signal handler interrupted this function, and the pool's locks are taken
        return
    with _lock, suppress(RuntimeError):  # the interpreter is shutting down, or the system starts no further thread
        _starter = threading.get_ident()
        try:
            if _pool is None or _size < helpers:
                if _pool is not None:
                    _pool.shutdown(wait=False)
                _pool, _size = ThreadPoolExecutor(helpers, "boosting_losses"), helpers
            for _ in range(helpers):
                _pool.submit(copy_context().run, work)
        except BaseException:
            # Work that no thread takes would keep its data alive, and a thread whose start was interrupted would never end.
            if _pool is not None:
                _pool.shutdown(wait=False, cancel_futures=True)
            _pool, _size = None, 0
            raise
        finally:
            _starter = None


def _forget_pool() -> None:
    """Forget the threads of the parent process, which do not exist after a fork."""
    global _pool, _size, _lock, _starter
    _pool, _size, _lock, _starter = None, 0, threading.RLock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
