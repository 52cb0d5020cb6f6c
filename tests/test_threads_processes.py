"""Threads around forks, exits and interrupts: no process hangs or crashes, and all compute the same numbers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the programs use fork and signals"),
]
ROOT = Path(__file__).parent.parent


def run(*arguments, **environment):
    """Run a program, which must end in time."""
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.threads_program", *arguments]
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["done"]), done.stderr
    return done.stderr


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "os.fork", "threads", "joblib-threads", "loky"])
def test_processes_and_threads(way, when):
    if way in ("joblib-threads", "loky"):
        pytest.importorskip("joblib")
    run("matrix", way, when)


@pytest.mark.parametrize("way", ["fork", "os.fork"])
def test_a_fork_while_other_threads_compute(way):
    run("matrix", way, "during")


def test_a_fork_of_a_child():
    run("fork_of_a_child")


@pytest.mark.parametrize("arguments", [["idle_at_exit"], ["at_exit"], ["at_exit", "used"], ["thread_at_exit"]])
def test_the_end_of_a_process(arguments):
    assert not run(*arguments)


def test_the_end_of_a_process_while_daemon_threads_compute():
    for _ in range(5):
        assert not run("daemon_at_exit")


def test_interrupts():
    assert not run("interrupts")


def test_computations_in_signal_handlers():
    assert not run("handlers")


def test_idle_threads_use_no_cpu_time():
    assert not run("idle")


def test_without_compilation():
    assert not run("at_exit", "used", NUMBA_DISABLE_JIT="1")
