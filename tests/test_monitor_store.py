"""The durable store: the same state after a restart, a kill, and in another process; SQLite and PostgreSQL."""

import subprocess
import sys
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


@pytest.mark.slow
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


def test_refused_times_are_counted_alike_after_a_restart(store):
    monitor = Monitor(label_delay="2d", clock=lambda: 10.0 * DAY, store=store)
    monitor.record(["a", "b", "c"], [0.5] * 3, [DAY, 12 * DAY, 13 * DAY])
    monitor.label(["a", "b"], [1, 0], [2 * DAY, 14 * DAY])
    monitor.advance(15 * DAY)
    wanted = {"recorded": 1, "labelled": 1, "from_the_future": 4}
    assert monitor.status().counts == wanted
    with pytest.raises(ValueError, match="y must hold class codes"):
        monitor.label(["a"], [7], 14 * DAY)
    assert Monitor.open(store).status().counts == wanted
    monitor.forget(0)
    assert Monitor.open(store).status().counts == wanted


def test_missing_groups_are_stored(store):
    monitor = Monitor(label_delay="0d", clock=None, store=store)
    monitor.record(["a", "b", "c", "d"], [0.5] * 4, 0, group=["g", None, float("nan"), "g"])
    assert len(set(Monitor.open(store, clock=None)._ledger.models["default"].group.tolist())) == 3
    with pytest.raises(TypeError, match=r"group must be texts or integers in a store, got 1\.5"):
        monitor.record(["e"], [0.5], 0, group=[1.5])
