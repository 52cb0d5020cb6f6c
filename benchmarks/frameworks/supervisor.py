"""The sequence of trainings in worker processes, with progress, estimated time left, failures and Ctrl-C."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..screen import say
from ..study.store import Store
from .plan import Fit

_ROOT = Path(__file__).parents[2]


def run(plan: Sequence[Fit], store: Store, console: Console, *, time_limit: float | None, retry_failed: bool) -> None:
    """Run all trainings without a result; each result is saved before the next training begins.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C, after the workers have ended; finished trainings are kept.
    """
    pace = _Pace()
    todo, failed = [], 0
    for fit in plan:
        answer = store.answer(fit)
        if answer is None or (retry_failed and answer["error"]):
            todo.append(fit)
        elif answer["error"]:
            failed += 1
        else:
            pace.learn(fit, answer["seconds"])
    if len(todo) < len(plan):
        words = f"{len(plan) - len(todo)} of {len(plan)} trainings are already finished, in {store.folder}"
        if failed:
            words += f"; {failed} of them failed, and --retry-failed repeats these"
        say(words, console)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[left]}"))
    with (
        Progress(*columns, TextColumn("{task.description}", markup=False), console=console) as progress,
        _Workers(store.folder, time_limit) as workers,
    ):
        task = progress.add_task("", total=len(plan), completed=len(plan) - len(todo), left="")
        for index, fit in enumerate(todo):
            progress.update(task, description=str(fit), left=pace.left(todo[index:]))
            start = time.perf_counter()
            answer = workers.ask(fit)
            answer["seconds"] = time.perf_counter() - start
            store.keep(fit, answer)
            if answer["error"]:
                say(f"failed: {fit}: {answer['error']}", console)
            else:
                pace.learn(fit, answer["seconds"])
            progress.advance(task)
        progress.update(task, description="", left="")


class _Pace:
    """An estimate of the time left, from the same training with other seeds, or from similar trainings."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = {}

    def learn(self, fit: Fit, seconds: float) -> None:
        for kind in self._kinds(fit):
            self._seconds.setdefault(kind, []).append(seconds)

    def left(self, todo: Sequence[Fit]) -> str:
        """Return the estimated time left, as text; empty before the first training is finished."""
        if not self._seconds:
            return ""
        seconds = sum(self._expected(fit) for fit in todo)
        return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"

    def _expected(self, fit: Fit) -> float:
        return next(statistics.fmean(self._seconds[kind]) for kind in self._kinds(fit) if kind in self._seconds)

    def _kinds(self, fit: Fit) -> list[tuple[str, ...]]:
        name, library = fit.source.name, fit.library
        return [(name, library, fit.loss), (name, library), (name,), ()]


class _Limit:
    """A context manager that kills the process if the block exceeds the time limit."""

    def __init__(self, seconds: float | None, process: subprocess.Popen[str]) -> None:
        self.is_over = False
        self._process = process
        self._timer = threading.Timer(seconds, self._kill) if seconds else None

    def _kill(self) -> None:
        self.is_over = True
        self._process.kill()

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()


class _Workers:
    """Worker processes, one per library, which are started at the first request and after a crash."""

    def __init__(self, folder: Path, time_limit: float | None) -> None:
        self._folder, self._time_limit = folder, time_limit
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._log: IO[str]

    def __enter__(self) -> Self:
        self._log = (self._folder / "log.txt").open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.kill()
            process.communicate()  # wait and close the pipes
        self._log.close()

    def ask(self, fit: Fit) -> dict[str, Any]:
        """Return the answer of the library's worker, or an error if the worker has died."""
        process = self._running.get(fit.library) or self._start(fit.library)
        assert process.stdin is not None
        assert process.stdout is not None
        self._log.write(f"--- {fit}\n")
        self._log.flush()
        request = {name: getattr(fit, name) for name in ("seed", "library", "loss")}
        request |= {"source": asdict(fit.source), "budget": asdict(fit.budget)}
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line == "{}\n":
            with _Limit(self._time_limit, process) as limit:
                line = process.stdout.readline()
            if limit.is_over:  # even if an answer arrived before the kill
                self._end(fit.library)
                return {"error": f"stopped after the time limit of {self._time_limit:g} s"}
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        code = self._end(fit.library)
        why = (
            f"was killed by signal {-code}, possibly because memory ran out" if code < 0 else f"ended with code {code}"
        )
        return {"error": f"the process {why}; see {self._folder / 'log.txt'}"}

    def _end(self, library: str) -> int:
        """Wait for a process that is ending, close its pipes and return its exit code."""
        process = self._running.pop(library)
        process.communicate()
        return process.returncode

    def _start(self, library: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.frameworks.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            cwd=_ROOT,
            # Only the supervisor must receive Ctrl-C; it ends its workers.
            start_new_session=sys.platform != "win32",
        )
        self._running[library] = process
        return process
