"""Tasks that several threads compute: who takes part, errors, interrupts, and systems that start no thread."""

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import pytest

from boosting_losses import FocalLoss, SoftmaxCrossEntropy, _threads, get_num_threads, num_threads
from boosting_losses._threads import _chunks
from boosting_losses._threads._pool import Pool
from boosting_losses.calibration import PlattScaling
from boosting_losses.metrics import calibration_error, log_loss


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """Give each test a pool of its own, and end its threads."""
    own = Pool()
    monkeypatch.setattr(_chunks, "pool", own)
    yield own
    if own._executor is not None:
        own._executor.shutdown()


def together(threads):
    """Return a task whose first call in a thread waits until that many threads take part."""
    everyone, own = threading.Barrier(threads), threading.local()

    def task(item):
        if not hasattr(own, "waited"):
            own.waited = True
            everyone.wait(timeout=30)
        return item, threading.get_ident()

    return task


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_as_many_threads_as_asked_take_part_and_results_are_in_order(threads):
    with num_threads(threads):
        items, idents = zip(*_threads.each(together(threads), range(50)), strict=True)
    assert items == tuple(range(50))
    assert len(set(idents)) == threads


@pytest.mark.parametrize(("items", "threads"), [(0, 1), (1, 1), (3, 3), (20, 16)])
def test_there_are_no_more_threads_than_items(items, threads):
    with num_threads(16):
        results = _threads.each(together(threads), range(items))
        assert len({ident for _, ident in results}) == min(threads, items)
        assert len({ident for _, ident in _threads.each(together(1), range(items), several=False)}) == min(items, 1)


def test_threads_of_a_pool_serve_several_callers():
    def compute(k):
        with num_threads(3):
            return [item for item, _ in _threads.each(lambda i: (k * i, time.sleep(1e-4)), range(40))]

    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(compute, range(16))) == [[k * i for i in range(40)] for k in range(16)]
    assert sum("boosting_losses" in thread.name for thread in threading.enumerate()) <= 2


def test_tasks_may_have_tasks():
    def outer(i):
        return sum(_threads.each(lambda j: i * j, range(20)))

    with num_threads(3):
        assert _threads.each(outer, range(20)) == [190 * i for i in range(20)]


def test_tasks_have_the_settings_of_the_caller():
    def seen(item):
        del item
        together_(None)
        return get_num_threads(), np.geterr()["over"]

    together_ = together(2)
    with num_threads(2), np.errstate(over="raise"):
        assert set(_threads.each(seen, range(8))) == {(2, "raise")}


@pytest.mark.parametrize("in_caller", [True, False])
@pytest.mark.parametrize("error", [ValueError("odd"), KeyboardInterrupt(), SystemExit(3)])
def test_an_error_is_raised_once_and_ends_all_work(in_caller, error):
    caller, done, start = threading.get_ident(), [], together(3)

    def task(item):
        start(item)
        if (threading.get_ident() == caller) == in_caller:
            raise error
        time.sleep(0.01)
        done.append(item)

    with num_threads(3):
        with pytest.raises(type(error)) as raised:
            _threads.each(task, range(1000))
        assert raised.value is error
        count = len(done)
        assert count < 1000
        time.sleep(0.05)
        assert len(done) == count  # no helper goes on
        assert len(_threads.each(together(3), range(9))) == 9


def test_ctrl_c_while_the_caller_waits_lets_the_helpers_end(monkeypatch):
    """A helper must not write to arrays that the caller uses again after the interrupt."""
    interrupts, running, ended = iter([KeyboardInterrupt, KeyboardInterrupt]), threading.Event(), threading.Event()

    class Interrupted(SimpleQueue):
        def get(self):
            for interrupt in interrupts:
                raise interrupt
            return super().get()

    def task(item):
        if threading.get_ident() == caller:
            running.wait(30)
            return
        running.set()
        time.sleep(0.1)
        ended.set()

    caller = threading.get_ident()
    monkeypatch.setattr(_chunks, "SimpleQueue", Interrupted)
    with num_threads(2), pytest.raises(KeyboardInterrupt):
        _threads.each(task, range(4))
    assert ended.is_set()


def test_ctrl_c_while_threads_start_ends_them(monkeypatch, pool):
    submit, submitted = ThreadPoolExecutor.submit, []

    def interrupted(self, *work):
        submitted.append(submit(self, *work))
        if len(submitted) == 2:
            raise KeyboardInterrupt
        return submitted[-1]

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    done = []
    with num_threads(4), pytest.raises(KeyboardInterrupt):
        _threads.each(done.append, range(100))
    assert pool.size == 0
    count = len(done)
    time.sleep(0.05)
    assert len(done) == count
    with num_threads(2):
        assert len(_threads.each(together(2), range(8))) == 8


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_system_that_starts_no_thread_gets_the_same_results(monkeypatch, failing):
    start, started = threading.Thread.start, []

    def fail_later(thread):
        started.append(thread)
        if len(started) > failing:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_later)
    for _ in range(3):
        with num_threads(5):
            assert _threads.each(lambda i: 2 * i, range(30)) == [2 * i for i in range(30)]


def test_work_that_no_thread_takes_does_not_keep_its_data(monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    data = np.zeros(10)
    alive = weakref.ref(data)
    with num_threads(2):
        _threads.each(lambda i, data=data: data[i], range(10))
    del data
    gc.collect()
    assert alive() is None


def test_a_helper_that_comes_too_late_does_nothing(monkeypatch):
    late = []
    monkeypatch.setattr(ThreadPoolExecutor, "submit", lambda self, *work: late.append(work))
    results = []
    with num_threads(3):
        _threads.each(results.append, range(10))
    for run, *work in late:
        run(*work)
    assert len(late) == 2
    assert results == list(range(10))


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_small_data_start_no_thread(pool, n):
    rng = np.random.default_rng(0)
    y, raw = rng.integers(0, 2, n), rng.standard_normal((n, 10))
    with num_threads(8):
        for loss, scores in ((FocalLoss(), raw[:, 0]), (SoftmaxCrossEntropy(), raw)):
            loss.gradient_hessian(y, scores)
            loss(y, scores)
            loss.posterior(scores)
            proba = loss.activation(scores)
            log_loss(y, proba)
            calibration_error(y, proba)
        PlattScaling().fit(raw[:, 0], y)
    assert pool.size == 0


def test_no_thread_takes_part_without_need_of_the_pool(pool):
    """The pool starts with the first large data, and grows with the number of threads."""
    threads = threading.active_count()
    with num_threads(1):
        _threads.each(abs, range(100))
    assert pool.size == 0
    for count in (2, 4, 3):
        with num_threads(count):
            _threads.each(together(count), range(100))
    assert pool.size == 3
    assert threading.active_count() <= threads + 4
