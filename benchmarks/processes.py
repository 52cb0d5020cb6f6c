"""Independent processes that run the same work at the same time, each on its own data and on one thread.

What they gain over one process is the limit that the hardware sets: cores may share caches, memory bandwidth and clock speed.
"""

from __future__ import annotations

from multiprocessing import get_context
from typing import Any, Self

from .measure import Timed, one_thread
from .workloads import WORKLOADS


class Processes:
    """Spawned processes; a context manager that ends them."""

    def __init__(self, count: int) -> None:
        self._context = get_context("spawn")  # a fork would copy the locks of other threads
        self._barrier = self._context.Barrier(count)
        self._connections: list[Any] = []
        self._processes: list[Any] = []
        self._count = count

    def __enter__(self) -> Self:
        for _ in range(self._count):
            connection, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs, self._barrier), daemon=True)
            process.start()
            theirs.close()  # so that reading fails, instead of waiting, if the process has died
            self._connections.append(connection)
            self._processes.append(process)
        return self

    def __exit__(self, *error: object) -> None:
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.terminate()
            process.join()
            connection.close()

    def load(self, name: str, rows: int) -> None:
        """Draw the data of a workload in every process."""
        self._call(self._connections, "load", name, rows)

    def alone(self, calls: int) -> None:
        """Run the work in one process."""
        self._call(self._connections[:1], "alone", calls)

    def together(self, calls: int) -> None:
        """Run the work in all processes at the same time, and wait for the last one."""
        self._call(self._connections, "together", calls)

    @staticmethod
    def _call(connections: list[Any], *order: Any) -> None:
        for connection in connections:
            connection.send(order)
        for connection in connections:
            connection.recv()


def _serve(connection: Any, barrier: Any) -> None:
    work: Timed = _no_work
    with one_thread():
        while True:
            match connection.recv():
                case ("load", name, rows):
                    work = _no_work  # frees its data first
                    work = WORKLOADS[name](rows)
                    work()  # compiles the code
                case (how, calls):
                    if how == "together":
                        barrier.wait()
                    for _ in range(calls):
                        work()
            connection.send(None)


def _no_work() -> None:
    raise RuntimeError("load must be called first")
