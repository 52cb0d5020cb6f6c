"""Computations of chunks of rows by several threads, whose results are combined in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from ._number import get_num_threads
from ._pool import pool

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: The fewest and the most numbers in a chunk. The fewest take about a millisecond, so that starting a thread is cheap in
#: comparison. The most bound the memory for conversions.
FEWEST, MOST = 1 << 18, 1 << 20

#: The number of chunks of larger data: enough for an even distribution over many threads.
CHUNKS = 128

#: The boundaries of chunks are multiples of this number of rows. Kernels that process blocks of rows are slower for a part of
#: a block.
ALIGNMENT = 256


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


def each(task: Callable[[_Item], _Result], items: Sequence[_Item], *, several: bool = True) -> list[_Result]:
    """Return the results of a task for all items, in order, computed by several threads unless ``several`` is false.

    The calling thread takes part, and never waits for a thread that has not started. If a task raises an error, no further
    task starts, and the error is raised.
    """
    count = len(items)
    helpers = min(get_num_threads(), count) - 1 if several and count > 1 else 0
    if helpers < 1:
        return [task(item) for item in items]
    results: list[Any] = [None] * count
    waiting = deque(range(count))
    permits = deque(range(helpers))  # a helper that gets none is too late
    ended: list[BaseException | None] = []
    news: SimpleQueue[None] = SimpleQueue()
    errors: Any = np.geterr()

    def work() -> None:
        while (i := _taken(waiting)) is not None:
            results[i] = task(items[i])

    def help_out() -> None:
        if _taken(permits) is None:
            return
        error = None
        try:
            with np.errstate(**errors):  # before NumPy 2, these settings belong to a thread
                work()
        except BaseException as raised:  # noqa: BLE001  (the calling thread raises it)
            waiting.clear()
            error = raised
        ended.append(error)
        news.put(None)

    try:
        pool.start(help_out, helpers)
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
