"""Programs that compute in several threads around forks, exits and interrupts; each must end, with the right numbers.

``python -m tests.threads_program NAME`` runs one; ``tests/test_threads_processes.py`` runs all.
"""

import atexit
import hashlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from boosting_losses import FocalLoss, num_threads, set_num_threads
from boosting_losses._threads import _chunks
from boosting_losses._threads._pool import pool
from boosting_losses.metrics import log_loss

#: Without compilation, fewer rows take as long.
ROWS = 200_000 if os.environ.get("NUMBA_DISABLE_JIT", "0") == "0" else 4_000
LOSS = FocalLoss()


def numbers(_=None):
    """Return a digest of results that at least two threads compute."""
    y = np.arange(ROWS) % 2
    raw = np.random.default_rng(0).standard_normal(ROWS)
    gradient, hessian = LOSS.gradient_hessian(y, raw)
    more = np.array([LOSS(y, raw), log_loss(y, LOSS.posterior(raw))])
    return hashlib.sha256(gradient.tobytes() + hessian.tobytes() + more.tobytes()).hexdigest()


def numbers_with_help(_=None):
    """Return the numbers, after checking that this process has threads of its own."""
    found = numbers()
    assert any(thread.name.startswith("boosting_losses") for thread in threading.enumerate())
    return found


def endless():
    while True:
        numbers()


# ---- processes and threads ------------------------------------------------------------------------------------------


def _processes(method):
    with multiprocessing.get_context(method).Pool(2, set_up) as pool:
        return pool.map_async(numbers_with_help, range(4)).get(120)


def _os_fork():
    children = []
    for _ in range(2):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, numbers_with_help().encode())
            os._exit(0)
        os.close(write)
        children.append((child, read))
    results = []
    for child, read in children:
        with os.fdopen(read) as file:
            results.append(file.read())
        assert os.waitpid(child, 0)[1] == 0
    return results


def _threads_():
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(numbers, range(8)))


def _joblib(backend):
    import joblib

    return joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(_set_up_numbers)() for _ in range(4))


def _set_up_numbers():
    set_up()
    return numbers_with_help()


WAYS = {
    "fork": lambda: _processes("fork"),
    "spawn": lambda: _processes("spawn"),
    "forkserver": lambda: _processes("forkserver"),
    "os.fork": _os_fork,
    "threads": _threads_,
    "joblib-threads": lambda: _joblib("threading"),
    "loky": lambda: _joblib("loky"),
}


def set_up():
    """Use chunks of this many numbers, and three threads."""
    _chunks.FEWEST, _chunks.ALIGNMENT = ROWS // 40, 64
    set_num_threads(3)


def matrix(way, when):
    """Compute in other processes or threads, before, after or during a computation of this process."""
    with num_threads(1):
        expected = numbers()
    if when == "after":
        assert numbers() == expected
        assert pool.size == 2
    if when == "during":
        for _ in range(2):
            threading.Thread(target=endless, daemon=True).start()
        time.sleep(0.2)
    for _ in range(3 if way in ("fork", "os.fork") else 1):
        assert set(WAYS[way]()) == {expected}
    assert numbers() == expected
    print("done", flush=True)
    if when == "during":
        os._exit(0)


def fork_of_a_child():
    """Fork, compute, fork again: each process has threads of its own."""
    expected = numbers()
    if (child := os.fork()) == 0:
        fine = numbers_with_help() == expected
        if (grandchild := os.fork()) == 0:
            os._exit(0 if numbers_with_help() == expected else 1)
        os._exit(os.waitpid(grandchild, 0)[1] + (not fine))
    assert os.waitpid(child, 0)[1] == 0
    assert numbers() == expected
    print("done")


# ---- the end of a process -------------------------------------------------------------------------------------------


def idle_at_exit():
    numbers()
    print("done")


def at_exit():
    """Compute in functions that run at exit, with a pool and without one."""
    with num_threads(1):
        expected = numbers()
    if len(sys.argv) > 2:
        assert numbers() == expected

    def last():
        assert numbers() == expected
        print("done")

    atexit.register(last)


def daemon_at_exit():
    """End the process while daemon threads compute."""
    for _ in range(3):
        threading.Thread(target=endless, daemon=True).start()
    time.sleep(0.3)
    print("done")


def thread_at_exit():
    """Compute in a thread that outlives the main thread."""

    def later():
        threading.main_thread().join()
        time.sleep(0.1)
        numbers()
        print("done")

    threading.Thread(target=later).start()


# ---- interrupts and idleness ----------------------------------------------------------------------------------------


def interrupts():
    """Interrupt computations at many times; later ones give the same numbers, and nobody writes to results."""
    expected = numbers()
    caught = 0
    y, raw = np.arange(ROWS) % 2, np.random.default_rng(0).standard_normal(ROWS)
    gradient, hessian = np.empty((2, ROWS))
    for k in range(60):
        signal.setitimer(signal.ITIMER_REAL, 2e-4 * (k + 1))
        try:
            while True:
                LOSS.write_gradient_hessian(y, raw, None, gradient, hessian)
        except KeyboardInterrupt:
            caught += 1
        gradient[:] = 7.0
        time.sleep(0.005)
        assert (gradient == 7.0).all()
    assert caught == 60
    assert numbers() == expected
    print("done")


def handlers():
    """Compute in a signal handler, which may interrupt a computation anywhere."""
    expected = numbers()
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(numbers()))
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.03)
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        assert numbers() == expected
        pool.__init__()
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    assert seen
    assert set(seen) == {expected}
    print("done")


def idle():
    """Threads without work use no CPU time."""
    numbers()
    assert pool.size == 2
    time.sleep(0.2)
    before = resource.getrusage(resource.RUSAGE_SELF)
    time.sleep(0.5)
    after = resource.getrusage(resource.RUSAGE_SELF)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 0.1, used
    print("done")


def main():
    name, *arguments = sys.argv[1:]
    set_up()
    if name == "interrupts":

        def interrupt(*_):
            raise KeyboardInterrupt

        signal.signal(signal.SIGALRM, interrupt)
    globals()[name](*arguments if name == "matrix" else ())


if __name__ == "__main__":
    main()
