"""Where the number of threads comes from, and which source wins."""

import asyncio
import threading

import numpy as np
import pytest

import boosting_losses
from boosting_losses import LogLoss, _threads, get_num_threads, num_threads, set_num_threads
from boosting_losses._threads import _number
from boosting_losses.adapters._parameters import thread_count

VARIABLE = "BOOSTING_LOSSES_NUM_THREADS"


@pytest.fixture(autouse=True)
def groups(monkeypatch, tmp_path):
    """Simulate a machine with 16 CPUs and nothing set; return the folder of the control groups, which is empty."""
    for variable in (VARIABLE, "OMP_NUM_THREADS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(_number.os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.setattr(_number, "Path", lambda folder: tmp_path)
    _number._quota.cache_clear()
    yield tmp_path
    set_num_threads(None)
    _number._quota.cache_clear()


def test_the_nearest_setting_wins(monkeypatch):
    assert get_num_threads() == 16
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert get_num_threads() == 8
    monkeypatch.setattr(_number, "_of_dask_worker", lambda: 7)
    assert get_num_threads() == 7
    monkeypatch.setenv(VARIABLE, "6")
    assert get_num_threads() == 6
    set_num_threads(5)
    assert get_num_threads() == 5
    with num_threads(4):
        assert get_num_threads() == 4
        with num_threads(None):
            assert get_num_threads() == 4
        with num_threads(3):
            assert get_num_threads() == 3
        assert get_num_threads() == 4
        set_num_threads(9)
        assert get_num_threads() == 4
    assert get_num_threads() == 9
    set_num_threads(None)
    assert get_num_threads() == 6


def test_a_library_counts_unless_the_user_has_set_a_number(monkeypatch):
    def of(n):
        with _threads.threads_of_library(n):
            return get_num_threads()

    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setattr(_number, "_of_dask_worker", lambda: 7)
    assert (of(3), of(None)) == (3, 7)
    with num_threads(2):
        assert (of(3), of(None)) == (2, 2)
    monkeypatch.setenv(VARIABLE, "6")
    assert (of(3), of(None)) == (6, 6)
    set_num_threads(5)
    assert (of(3), of(None)) == (5, 5)


@pytest.mark.parametrize(
    ("n", "error", "message"),
    [
        (0, ValueError, "n must be >= 1, got 0"),
        (-1, ValueError, "n must be >= 1, got -1"),
        (True, TypeError, "n must be an integer >= 1 or None, got True"),
        (2.0, TypeError, "n must be an integer >= 1 or None, got 2.0"),
        ("2", TypeError, "n must be an integer >= 1 or None, got '2'"),
    ],
)
def test_other_numbers_are_refused(n, error, message):
    for setting in (set_num_threads, lambda n: num_threads(n).__enter__()):
        with pytest.raises(error) as raised:
            setting(n)
        assert str(raised.value) == message
    assert get_num_threads() == 16


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16])
def test_integers_of_numpy_are_numbers(dtype):
    set_num_threads(dtype(3))
    assert get_num_threads() == 3
    with num_threads(dtype(2)):
        assert type(get_num_threads()) is int


@pytest.mark.parametrize("text", ["0", "-2", "two", "2.5", "4,2"])
def test_an_invalid_variable_of_this_package_is_an_error(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"{VARIABLE} must be an integer >= 1, got '{text}'"):
        get_num_threads()
    set_num_threads(2)
    assert get_num_threads() == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [("4,2", 4), (" 3 ", 3), ("100", 16), ("0", 16), ("-1", 16), ("", 16), ("many", 16), (",2", 16), ("²", 16)],
)
def test_openmp_has_a_list_and_ignores_invalid_numbers(monkeypatch, text, number):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert get_num_threads() == number


@pytest.mark.parametrize("text", ["", " ", " 2 "])
def test_blanks_in_the_variable_of_this_package_are_ignored(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    assert get_num_threads() == (2 if text.strip() else 16)


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ({}, 16),
        ({"cpu.max": "max 100000\n"}, 16),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "10000 100000"}, 1),
        ({"cpu.max": "9900000 100000"}, 16),
        ({"cpu.max": "1000 0"}, 16),
        ({"cpu.max": ""}, 16),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 16),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "400000\n"}, 16),
    ],
)
def test_a_container_limits_the_number_of_cpus(groups, files, number):
    for name, text in files.items():
        (groups / name).parent.mkdir(exist_ok=True)
        (groups / name).write_text(text)
    assert get_num_threads() == number


def test_affinity_may_change(monkeypatch):
    monkeypatch.setattr(_number.os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert get_num_threads() == 2
    monkeypatch.delattr(_number.os, "sched_getaffinity")
    monkeypatch.setattr(_number.os, "cpu_count", lambda: None)
    assert get_num_threads() == 1


def test_a_block_concerns_its_own_thread_and_task():
    barrier, seen = threading.Barrier(3), {}

    def in_thread(n):
        with num_threads(n):
            barrier.wait(30)
            seen[n] = get_num_threads()
            barrier.wait(30)

    threads = [threading.Thread(target=in_thread, args=(n,)) for n in (2, 3, None)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == {2: 2, 3: 3, None: 16}

    async def in_task(n):
        with num_threads(n):
            await asyncio.sleep(0)
            return get_num_threads(), await asyncio.to_thread(get_num_threads)

    async def tasks():
        return await asyncio.gather(*map(in_task, (2, 3, 4)))

    assert asyncio.run(tasks()) == [(n, n) for n in (2, 3, 4)]
    assert get_num_threads() == 16


def test_a_block_may_decorate_a_function_and_ends_with_an_error():
    @num_threads(3)
    def number():
        return get_num_threads()

    assert (number(), number(), get_num_threads()) == (3, 3, 16)
    with pytest.raises(KeyError), num_threads(2):
        raise KeyError
    assert get_num_threads() == 16


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3), ("3", 3), (np.int32(3), 3), (0, None), (-1, None), ("-1", None), ("0", None), ("auto", None)],
)
def test_numbers_in_the_parameters_of_a_library(value, number):
    assert thread_count({"n_jobs": value}, "nthread", "n_jobs") == number
    assert thread_count({"nthread": value, "n_jobs": 9}, "nthread", "n_jobs") == number
    assert thread_count({}, "nthread") is None


def test_public_names():
    assert {"set_num_threads", "get_num_threads", "num_threads"} <= set(boosting_losses.__all__)


@pytest.mark.slow
def test_tasks_of_dask_use_the_threads_of_their_worker():
    distributed = pytest.importorskip("distributed")

    def in_task():
        from boosting_losses import _threads
        from boosting_losses._threads import _chunks

        before = get_num_threads()
        with num_threads(2):
            inside = get_num_threads()
        seen = []
        n = 4 * _chunks.FEWEST * 5  # cross-entropy takes a quarter of the work
        each = _threads.each
        _threads.each = lambda task, items: seen.append(get_num_threads()) or each(task, items)
        try:
            y = np.arange(n) % 2
            value = LogLoss()(y, np.where(y == 1, 1.0, -1.0))
        finally:
            _threads.each = each
        return before, inside, seen, value

    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=3, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        before, inside, seen, value = client.submit(in_task).result(timeout=60)
    assert (before, inside, seen) == (3, 2, [3])
    assert value == pytest.approx(np.log1p(np.exp(-1.0)))
    assert get_num_threads() == 16


@pytest.mark.slow
def test_joblib_limits_the_threads_of_its_processes(monkeypatch):
    joblib = pytest.importorskip("joblib")
    monkeypatch.undo()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(get_num_threads)() for _ in range(2)) == [1, 1]
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True)
