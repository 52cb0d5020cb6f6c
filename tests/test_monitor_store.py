"""The durable store: the same state after a restart, a kill, and in another process; SQLite and PostgreSQL."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from boosting_losses.monitor import Monitor, ThresholdRule
from boosting_losses.monitor import _log as log_module

DAY = 86_400
ROOT = Path(__file__).parents[1]


def served(random, rows=200):
    z = -1.0 + 1.5 * random.normal(size=rows)
    return 1.0 / (1.0 + np.exp(-z)), z


def fill(monitor, days=16, shift=1.0, seed=0):
    random = np.random.default_rng(seed)
    for day in range(days):
        proba, z = served(random)
        ids = [f"{seed}-{day}-{row}" for row in range(len(z))]
        slices = {"country": random.choice(["DE", "FR"], len(z))}
        monitor.record(ids, proba, day * DAY, slices=slices, weight=random.uniform(0.5, 1.0, len(z)))
        y = random.random(len(z)) < 1.0 / (1.0 + np.exp(-z - (shift if day >= 10 else 0.0)))
        monitor.label(ids, y, day * DAY + 100)


def state(monitor):
    curve = monitor.curve("7d")
    return (
        str(monitor.status()),
        [str(alert) for alert in monitor.alerts()],
        curve.log_loss.tolist(),
        curve.low.tolist(),
    )


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """Start a server of our own; Debian keeps the programs of PostgreSQL out of PATH."""
    found = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("postgres")
    data, binaries = folder / "data", Path(found).resolve().parent
    user = "nobody" if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    if user:
        for part in (folder, *folder.parents[:3]):
            part.chmod(0o755)
        shutil.chown(folder, user)

    def run(program, *arguments):
        return subprocess.run(
            [binaries / program, *arguments], user=user, check=True, capture_output=True, cwd=folder, timeout=60
        )

    try:
        run("initdb", "-D", data, "-U", "monitor", "-A", "trust", "--no-sync")
        run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", f"-c listen_addresses='' -k {folder}", "start")
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"PostgreSQL does not start here: {error}")
    yield f"postgresql+psycopg://monitor@/postgres?host={folder}"
    server = int((data / "postmaster.pid").read_text().split()[0])
    os.kill(server, signal.SIGQUIT)  # an immediate shutdown; nothing of the data is needed any more


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request, tmp_path):
    if request.param == "sqlite":
        return str(tmp_path / "monitor.db")
    pytest.importorskip("psycopg", exc_type=ImportError, reason="psycopg finds no libpq")
    url = request.getfixturevalue("postgres")
    engine = sa.create_engine(url)
    log_module._TABLES.drop_all(engine)
    engine.dispose()
    return url


def test_a_restart_gives_the_same_state(store):
    monitor = Monitor(label_delay="2d", clock=None, store=store, rule=ThresholdRule(0.5))
    fill(monitor)
    monitor.acknowledge(1)
    memory = Monitor(label_delay="2d", clock=None, rule=ThresholdRule(0.5))
    fill(memory)
    memory.acknowledge(1)
    assert state(monitor) == state(memory)
    monitor.close()
    again = Monitor.open(store, clock=None)
    assert state(again) == state(memory)
    assert [alert.state for alert in again.alerts()] == [alert.state for alert in memory.alerts()]
    fill(again, seed=1)
    fill(memory, seed=1)
    assert state(again) == state(memory)


def test_forgotten_rows_become_sums_and_curves_stay(store):
    monitor = Monitor(label_delay="2d", clock=None, store=store)
    fill(monitor)
    curves = {slice_: monitor.curve("7d", slice=slice_) for slice_ in (None, "country=DE")}
    before = monitor.status(), monitor.alerts()
    other = Monitor.open(store, clock=None)
    with pytest.raises(ValueError, match=r"before must be a time whose cohorts are mature \(those before 1970-01-14"):
        monitor.forget(15 * DAY)
    monitor.forget(6 * DAY)
    monitor.forget(9 * DAY)
    other.refresh()
    again = Monitor.open(store, clock=None)
    for one in (monitor, other, again):
        assert len(one._ledger.models["default"]) == 7 * 200
        assert one.alerts() == before[1]
        assert one.status().streams[0].evidence == pytest.approx(before[0].streams[0].evidence)
        for slice_, curve in curves.items():
            now = one.curve("7d", slice=slice_)
            for name, values in curve.to_dict().items():
                if values.dtype.kind == "f":
                    np.testing.assert_allclose(getattr(now, name), values, rtol=1e-9, err_msg=name)
                else:
                    np.testing.assert_array_equal(getattr(now, name), values, err_msg=name)
        with pytest.raises(ValueError, match="window and step must be multiples of the look"):
            one.curve("7d", step="6h")
    # All of them go on alike, with labels for rows that are gone, and with these rows again.
    rows = monitor.curve("7d").rows.tolist()
    monitor.record(["0-0-0", "0-1-0"], [0.5, 0.5], [0, DAY])
    assert monitor.status().counts["deleted"] == 2
    assert monitor.curve("7d").rows.tolist() == rows
    monitor.label(["0-0-0"], [1], 16 * DAY)
    fill(again, days=20, seed=1)
    for one in (monitor, other):
        one.refresh()
        assert state(one) == state(again)
    assert len(list(again._log.read())) == 43  # a snapshot, and what came after it


def test_two_monitors_of_one_store_have_one_state(store):
    one = Monitor(label_delay="2d", clock=None, store=store)
    other = Monitor(label_delay="2d", clock=None, store=store)
    one.record(["a", "b"], [0.2, 0.3], 0)
    other.record(["b", "c"], [0.4, 0.5], 0)
    one.label(["a", "b", "c"], [0, 1, 1], 50)
    other.refresh()
    assert str(one.status()) == str(other.status())
    assert one.status().counts == {"recorded": 3, "conflicting": 1, "labelled": 3}


def test_several_processes_write_to_one_store(store):
    """Every row is there once, whoever wrote it."""
    program = (
        "import sys\nfrom boosting_losses.monitor import Monitor\n"
        "monitor = Monitor(label_delay='1d', clock=None, store=sys.argv[1])\n"
        "for batch in range(10):\n"
        "    ids = [f'{sys.argv[2]}-{batch}-{row}' for row in range(20)]\n"
        "    monitor.record(ids, [0.5] * 20, batch)\n"
        "    monitor.label(ids, [1] * 20, batch)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, store, str(k)], cwd=ROOT) for k in range(3)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert Monitor.open(store, clock=None).status().counts == {"recorded": 600, "labelled": 600}


test_several_processes_write_to_one_store = pytest.mark.slow(test_several_processes_write_to_one_store)


@pytest.mark.slow
def test_what_is_acknowledged_survives_a_kill(tmp_path):
    """A writer is killed at random moments; every batch that it has reported is there, none is there twice."""
    program = (
        "import sys\nfrom boosting_losses.monitor import Monitor\n"
        "monitor = Monitor(label_delay='1d', clock=None, store=sys.argv[1])\n"
        "batch = int(sys.argv[2])\n"
        "while True:\n"
        "    monitor.record([f'{batch}-{row}' for row in range(50)], [0.5] * 50, batch)\n"
        "    print(batch, flush=True)\n"
        "    batch += 1\n"
    )
    store, random, first = str(tmp_path / "monitor.db"), np.random.default_rng(0), 0
    reported = []
    for _ in range(8):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, store, str(first)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        reported.append(int(writer.stdout.readline()))
        time.sleep(random.uniform(0.0, 0.3))
        writer.send_signal(signal.SIGKILL)
        reported += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
        writer.stdout.close()
        writer.wait()
        first = reported[-1] + 2  # one batch may be committed and not reported
    monitor = Monitor.open(store, clock=None)
    rows = monitor._ledger.models["default"]
    assert (rows.row_numbers([f"{batch}-{row}" for batch in reported for row in (0, 49)]) >= 0).all()
    counts = monitor.status().counts
    assert set(counts) == {"recorded"}
    assert 0 <= counts["recorded"] - 50 * len(reported) <= 50 * 8


def test_other_settings_are_refused(store):
    Monitor(label_delay="2d", clock=None, store=store).close()
    with pytest.raises(ValueError, match=r"label_delay must be that of the store, 172800.0, got 86400.0"):
        Monitor(label_delay="1d", clock=None, store=store)


def test_an_empty_store_has_no_settings(tmp_path):
    with pytest.raises(ValueError, match=r"label_delay must be given for a new store"):
        Monitor.open(tmp_path / "monitor.db")


def test_a_newer_schema_is_refused(tmp_path):
    store = str(tmp_path / "monitor.db")
    Monitor(label_delay="2d", store=store).close()
    engine = sa.create_engine(f"sqlite:///{store}")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE monitor_version SET version = 99"))
    engine.dispose()
    with pytest.raises(ValueError, match="schema version 1 or older, got 99; update the package"):
        Monitor.open(store)


def test_an_older_schema_is_migrated(tmp_path, monkeypatch):
    store = str(tmp_path / "monitor.db")
    monitor = Monitor(label_delay="2d", clock=None, store=store)
    monitor.record(["a"], [0.5], 0)
    monitor.close()
    monkeypatch.setattr(log_module, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(log_module, "_MIGRATIONS", {1: ("CREATE TABLE made_by_migration (x INTEGER)",)})
    assert Monitor.open(store, clock=None).status().counts == {"recorded": 1}
    engine = sa.create_engine(f"sqlite:///{store}")
    assert sa.inspect(engine).has_table("made_by_migration")
    engine.dispose()


def test_ids_that_a_store_cannot_keep_are_refused(store):
    monitor = Monitor(label_delay="2d", clock=None, store=store)
    with pytest.raises(TypeError, match=r"ids must be texts or integers in a store, got \(1, 2\)"):
        monitor.record([(1, 2)], [0.5], 0)
    monitor.record(["ä\x00'", "b" * 500], [0.5, 0.6], 0)
    monitor.record([7], [0.5], 0)
    monitor.close()
    assert Monitor.open(store, clock=None).status().counts == {"recorded": 3}


def test_a_full_disk_acknowledges_nothing(tmp_path, monkeypatch):
    monitor = Monitor(label_delay="2d", clock=None, store=str(tmp_path / "monitor.db"))
    monitor.record(["a"], [0.5], 0)

    def full(*_):
        raise sa.exc.OperationalError("INSERT", {}, OSError("database or disk is full"))

    monkeypatch.setattr(monitor._log, "append", full)
    with pytest.raises(sa.exc.OperationalError, match="disk is full"):
        monitor.record(["b"], [0.5], 0)
    assert monitor.status().counts == {"recorded": 1}
