"""The pool of threads of this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context


class Pool:
    """Threads that all callers share, as many as the most helpers of a call. Idle threads sleep."""

    def __init__(self) -> None:
        self.size = 0
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.RLock()
        self._starter: int | None = None  # the thread that has the lock

    def start(self, work: Callable[[], None], helpers: int) -> None:
        """Start the work in other threads, with the settings of this one, if the system permits."""
        if self._starter == threading.get_ident():  # a signal handler interrupted this method, and locks are taken
            return
        with self._lock, suppress(RuntimeError):  # the interpreter is shutting down, or the system has no more threads
            self._starter = threading.get_ident()
            try:
                executor = self._of_size(helpers)
                for _ in range(helpers):
                    executor.submit(copy_context().run, work)
            except BaseException:
                # Work that no thread takes would keep its data alive, and a thread whose start was interrupted never ends.
                self.close()
                raise
            finally:
                self._starter = None

    def close(self) -> None:
        """Let the threads end after their current work."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor, self.size = None, 0

    def _of_size(self, helpers: int) -> ThreadPoolExecutor:
        """Return an executor with at least this number of threads; an older one ends after its work."""
        if self._executor is None or self.size < helpers:
            if self._executor is not None:
                self._executor.shutdown(wait=False)
            self._executor, self.size = ThreadPoolExecutor(helpers, "boosting_losses"), helpers
        return self._executor


pool = Pool()

if hasattr(os, "register_at_fork"):
    # The threads and the owner of the lock do not exist in the child.
    os.register_at_fork(after_in_child=pool.__init__)  # type: ignore[misc]
