"""Stores that cannot be opened, read or written: one error in words each; a full disk loses nothing."""

import errno
import itertools
import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest
import sqlalchemy as sa

from boosting_losses.monitor import Monitor


def monitor_of(store):
    return Monitor(label_delay="1d", clock=None, store=store)


@pytest.mark.parametrize(
    ("store", "error", "message"),
    [
        ("{0}", IsADirectoryError, "store must be a file, got a folder: '{0}'"),
        ("{0}/none/a.db", FileNotFoundError, "store must be in a folder that exists: '{0}/none/a.db'"),
        ("sqlite:///{0}/none/a.db", FileNotFoundError, "store must be in a folder that exists: '{0}/none/a.db'"),
        ("{0}/text", ValueError, "store must be an SQLite database, got another file: {0}/text"),
        (":memory:", ValueError, "store must be a file, got an SQLite database in memory; omit store"),
        ("sqlite://", ValueError, "store must be a file, got an SQLite database in memory; omit store"),
        ("mysql://me:secret@host/db", ValueError, "or a URL of SQLite or PostgreSQL such as .* the scheme 'mysql'"),
        ("postgres://me:secret@host/db", ValueError, "got the scheme 'postgres'"),
        ("nonsense://me:secret@host/db", ValueError, "got the scheme 'nonsense'"),
        ("sqlite+nonsense:///a.db", ValueError, r"got the scheme 'sqlite\+nonsense'"),
        ("postgresql+psycopg://me:secret@host:port/db", ValueError, r"text that starts with 'postgresql\+psycopg'"),
    ],
)
def test_stores_that_are_none_are_refused_in_words(tmp_path, store, error, message):
    (tmp_path / "text").write_text("no database\n" * 1000)
    with pytest.raises(error, match=message.format(tmp_path)) as caught:
        monitor_of(store.format(tmp_path))
    assert "secret" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text"]


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(ImportError, match=r"the driver of postgresql\+psycopg2:// must be installed, got: .*psycopg2"):
        monitor_of("postgresql+psycopg2://me@host/database")


def test_a_server_that_does_not_answer(unused_port):
    pytest.importorskip("psycopg", exc_type=ImportError, reason="psycopg finds no libpq")
    with pytest.raises(ConnectionError, match="the server of the store must answer, got: connection failed") as caught:
        monitor_of(f"postgresql+psycopg://me:secret@127.0.0.1:{unused_port}/database")
    assert "me:***@127.0.0.1" in str(caught.value)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as one:  # bound, but it does not listen
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


def test_a_store_may_be_read_and_not_written(tmp_path):
    monitor = monitor_of(tmp_path / "monitor.db")
    monitor.record(["a"], [0.5], 0)
    reader = Monitor.open(f"sqlite:///file:{tmp_path}/monitor.db?mode=ro&uri=true", clock=None)
    monitor.record(["b"], [0.5], 0)
    reader.refresh()
    assert reader.status().counts == {"recorded": 2}
    for call in (lambda: reader.record(["c"], [0.5], 0), lambda: reader.delete(["a"]), lambda: reader.advance(5)):
        with pytest.raises(PermissionError, match="store must be writable, got: attempt to write a readonly database"):
            call()
    assert reader.status().counts == {"recorded": 2}
    assert reader.status().clock is None
    assert reader.status().streams[0].rows == 2


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write to all files")
def test_a_read_only_file_is_refused(tmp_path):
    monitor_of(tmp_path / "monitor.db").close()
    (tmp_path / "monitor.db").chmod(stat.S_IREAD)
    with pytest.raises(PermissionError, match="store must be writable"):
        monitor_of(tmp_path / "monitor.db").record(["a"], [0.5], 0)


@pytest.mark.parametrize("name", ["a?b#c%20.db", "späte Labels.db", "a b&c=d.db", "'.db"])
def test_names_of_files_may_hold_anything(tmp_path, name):
    monitor_of(tmp_path / name).record(["a"], [0.5], 0)
    assert (tmp_path / name).exists()
    assert Monitor.open(tmp_path / name, clock=None).status().counts == {"recorded": 1}


def test_errors_do_not_quote_rows(tmp_path):
    monitor = monitor_of(tmp_path / "monitor.db")
    engine = sa.create_engine(f"sqlite:///{tmp_path}/monitor.db")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE monitor_calls"))
    engine.dispose()
    with pytest.raises(
        OSError, match="store must be a database that can be read and written, got: no such table"
    ) as caught:
        monitor.record(["somebody"], [0.5], 0)
    assert caught.value.__suppress_context__
    assert "somebody" not in repr(caught.value) + repr(caught.value.__cause__)


# ---- a full disk ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine does not allow to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def is_refused(call):
    """Tell whether a call fails because the disk is full."""
    try:
        call()
    except OSError as error:
        found = error
    else:
        return False
    assert found.errno == errno.ENOSPC
    assert "the disk of the store is full; free space and repeat the call" in str(found)
    return True


def fill(monitor, prefix, size):
    """Record batches until the disk is full, and return the number of acknowledged rows."""
    random, batches = np.random.default_rng(0), itertools.count()

    def record():
        batch = next(batches)
        monitor.record([f"{prefix}-{batch}-{row}" for row in range(size)], random.random(size), 0)

    while not is_refused(record):
        pass
    return (next(batches) - 1) * size


@pytest.mark.parametrize("size", [1, 500])
def test_a_full_disk_loses_nothing(small_disk, size):
    store, ballast = small_disk / "monitor.db", small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    monitor = monitor_of(store)
    rows = fill(monitor, "a", size)
    assert rows > 0
    status = str(monitor.status())
    assert monitor.status().counts == {"recorded": rows}
    for _ in range(2):
        assert monitor.status().counts["recorded"] == rows + fill(monitor, "b", size)
        rows = monitor.status().counts["recorded"]
    assert str(Monitor.open(store, clock=None).status()) == str(monitor.status()) >= status
    # It goes on when there is room, and a process that opens the store has all of it.
    ballast.unlink()
    monitor.record(["c"], [0.5], 0)
    monitor.label(["c"], [1], 5)
    for again in (monitor, Monitor.open(store, clock=None)):
        assert again.status().counts == {"recorded": rows + 1, "labelled": 1}
    monitor.close()
    assert str(Monitor.open(store, clock=None).status()) == str(again.status())


@pytest.mark.parametrize("way", ["delete", "forget"])
def test_a_full_disk_deletes_all_or_nothing(small_disk, way):
    """With little room the transaction fails; with more, the erasure of the files after it; then nothing."""
    failures = []
    for room in range(0, 240_000, 20_000):
        store, ballast = small_disk / f"{room}.db", small_disk / "ballast"
        monitor = monitor_of(store)
        for batch in range(20):
            monitor.record([f"{batch}-{row}" for row in range(60)], [0.5] * 60, batch // 10 * 86_400)
        monitor.advance(3 * 86_400)
        status = str(monitor.status())
        call = (lambda one: one.delete(["3-3"])) if way == "delete" else (lambda one: one.forget(86_400))
        ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - room))
        if is_refused(lambda: call(monitor)):  # noqa: B023  (called at once)
            failures.append("transaction" if str(monitor.status()) == status else "erasure")
            again = Monitor.open(store, clock=None)
            assert str(again.status()) == str(monitor.status())
            again.close()
            ballast.unlink()
            call(monitor)
        else:
            failures.append("")
            ballast.unlink()
        content = b"".join(path.read_bytes() for path in small_disk.iterdir())
        assert (b'"3-3"' in content, b'"13-3"' in content) == (False, True)
        monitor.record(["new"], [0.5], 3 * 86_400)
        again = Monitor.open(store, clock=None)
        assert str(again.status()) == str(monitor.status())
        for one in (again, monitor):
            one.close()
        store.unlink()
    assert [failure for failure, _ in itertools.groupby(failures)] == ["transaction", "erasure", ""]
