"""Rows deleted by id: as if never recorded, in memory, in other processes and in the files of a store."""

import copy
import pickle
import struct
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
#: A probability whose bytes occur nowhere else.
MARKED = 0.123456789012345
KEY = "a secret of sixteen bytes or more"


def days(n_classes=2, count=16, rows=120, seed=0, shift=1.0):
    """Yield the calls of each day: what `record` and `label` take."""
    random = np.random.default_rng(seed)
    for day in range(count):
        z = random.normal(-1.0, 1.5, (rows, n_classes if n_classes > 2 else 1))
        if n_classes == 2:
            proba, moved = (1.0 / (1.0 + np.exp(-z[:, 0] - by)) for by in (0.0, shift if day >= 8 else 0.0))
            y = (random.random(rows) < moved).astype(int)
        else:
            proba, moved = (np.exp(one) / np.exp(one).sum(axis=1)[:, None] for one in (z, z * (1.0 - 0.2 * (day >= 8))))
            y = (moved.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
        yield {
            "ids": np.array([f"{day}-{row}" for row in range(rows)], object),
            "proba": proba,
            "time": day * DAY + random.integers(0, DAY, rows) + 0.0,
            "weight": random.uniform(0.5, 1.0, rows),
            "slices": random.choice(["DE", "FR"], rows),
            "group": random.choice([None, "g1", "g2", "g3"], rows),
            "y": np.minimum(y, n_classes - 1),
        }


def play(monitor, calls, without=()):
    for call in calls:
        keep = ~np.isin(call["ids"].astype(str), list(without))
        one = {name: values[keep] for name, values in call.items()}
        for model in ("a", "b"):
            monitor.record(
                one["ids"],
                one["proba"],
                one["time"],
                model=model,
                weight=one["weight"],
                slices={"country": one["slices"]},
                group=one["group"],
            )
        monitor.label(one["ids"], one["y"], call["time"].max())
        monitor.advance(call["time"].max())  # also without labels


def results(monitor):
    """Return all that a monitor tells except its counts of calls."""
    found = [str(alert) for alert in monitor.alerts()]
    for model in ("a", "b"):
        for slice_ in (None, "country=DE", "country=FR"):
            for window in ("3d", 100):
                curve = monitor.curve(window, model=model, slice=slice_)
                found += [
                    np.nan_to_num(values).tolist() for values in curve.to_dict().values() if values.dtype.kind in "fib"
                ]
            found.append(monitor.evidence(model=model, slice=slice_).nats.tolist())
    return found, [str(stream) for stream in monitor.status().streams]


def files(store):
    """Return the content of all files of a store."""
    return b"".join(path.read_bytes() for path in sorted(Path(store).parent.glob(Path(store).name + "*")))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_deleted_before_they_are_mature_were_never_there(tmp_path, n_classes):
    calls = list(days(n_classes))
    gone = [f"{day}-{row}" for day in range(9, 12) for row in range(60)] + [f"11-{row}" for row in range(120)]
    settings = {
        "label_delay": "3d",
        "n_classes": n_classes,
        "clock": None,
        "rule": ThresholdRule(0.3),
        "min_labels": 10,
    }
    monitor, wanted = Monitor(**settings, store=tmp_path / "monitor.db"), Monitor(**settings)
    play(monitor, calls[:12])
    play(wanted, calls[:12], gone)
    assert monitor.delete([*gone, "unknown", 7]) == len(set(gone))
    assert monitor.delete(gone) == 0
    for _ in range(2):
        assert results(monitor) == results(wanted)
        play(monitor, calls[12:], gone)
        play(wanted, calls[12:], gone)
    assert results(monitor) == results(wanted)
    assert monitor.alerts()
    assert monitor.status().counts["deleted_by_id"] == len(set(gone))
    monitor.close()
    assert results(Monitor.open(tmp_path / "monitor.db", clock=None)) == results(wanted)


def test_rows_deleted_later_leave_curves_and_not_the_evidence():
    calls = list(days())
    gone = [f"{day}-{row}" for day in range(0, 16, 2) for row in range(60)]
    monitor, wanted = (Monitor(label_delay="1d", clock=None) for _ in range(2))
    play(monitor, calls)
    play(wanted, calls, gone)
    before = monitor.evidence(model="a").nats.tolist(), monitor.alerts()
    monitor.delete(gone)
    assert (monitor.evidence(model="a").nats.tolist(), monitor.alerts()) == before
    for slice_ in (None, "country=FR"):
        for window in ("2d", 70):
            now, then = (one.curve(window, model="b", slice=slice_) for one in (monitor, wanted))
            assert now.log_loss.tolist() == then.log_loss.tolist()
            assert now.rows.tolist() == then.rows.tolist()
    # The ids are new again.
    play(monitor, calls)
    assert monitor.status().streams[0].rows == 16 * 120


def test_all_may_be_deleted(store):
    monitor = Monitor(label_delay="1d", clock=None, store=store)
    assert monitor.delete([]) == monitor.delete(["a"]) == 0
    monitor.record(["a", 1, "1"], [0.5, 0.6, np.nan], 0, slices={"s": "x"})
    monitor.label(["a", "early"], [1, 0], 5)
    assert monitor.delete(iter(["a", 1, "1", "early"])) == 4
    assert monitor.status().streams[0].rows == 0
    assert len(monitor.curve("1d")) == len(monitor.curve(1)) == 0
    monitor.advance(5 * DAY)
    assert monitor.status().streams[0].looks == 0
    monitor.record(["early", "1"], [0.5, 0.5], 6 * DAY)
    assert monitor.status().streams[0].labelled == 0
    monitor.close()
    again = Monitor.open(store, clock=None)
    assert str(again.status()) == str(monitor.status())
    with pytest.raises(TypeError, match="ids must be a sequence with one entry for each row, got the text 'a'"):
        again.delete("a")
    with pytest.raises(ValueError, match="the store must be open, got a closed one"):
        monitor.delete(["early"])


def test_names_of_groups_go_with_their_last_row():
    monitor = Monitor(label_delay="1d", clock=None)
    monitor.record(["a", "b", "c"], [0.5] * 3, 0, group=["patient 1", "patient 2", "patient 2"])
    monitor.delete(["a", "b"])
    assert list(monitor._ledger.models["default"]._group_codes) == ["patient 2"]


def test_groups_stay_apart_when_others_go():
    """Codes of rows without a group, and of new groups, do not meet those of older rows."""
    evidence = []
    for delete in (False, True):
        monitor = Monitor(label_delay="1d", clock=None)
        random = np.random.default_rng(0)
        z = random.normal(size=(2, 300))
        for part in range(2):
            ids = [f"{part}-{row}" for row in range(300)]
            group = [None if row % 3 else f"{part}-{row % 5}" for row in range(300)]
            extra = [f"extra {part}-{row}" for row in range(77 if delete else 0)]
            if delete:
                monitor.record(extra, [0.5] * 77, 0, group=[None if row % 2 else f"x{row}" for row in range(77)])
            monitor.record(ids, 1.0 / (1.0 + np.exp(-z[part])), 0, group=group)
            monitor.label(ids, random.random(300) < 1.0 / (1.0 + np.exp(-z[part] - 0.7)), 0)
            monitor.delete(extra)
        monitor.advance(3 * DAY)
        evidence.append(monitor.evidence().nats[0])
    assert evidence[0] == pytest.approx(evidence[1], rel=1e-12)
    assert evidence[0] > 1.0


def test_rows_without_a_group_stay_apart_after_forget():
    monitor = Monitor(label_delay="0d", clock=None)
    monitor.record([f"old {row}" for row in range(50)], [0.5] * 50, 0)
    monitor.record([f"a{row}" for row in range(50)], [0.5] * 50, DAY)
    monitor.advance(DAY)
    monitor.forget(DAY)
    monitor.record([f"b{row}" for row in range(50)], [0.5] * 50, DAY)
    assert len(set(monitor._ledger.models["default"].group.tolist())) == 100


def test_the_files_of_a_store_contain_nothing_of_a_deleted_row(tmp_path):
    store = tmp_path / "monitor.db"
    monitor = Monitor(label_delay="1d", clock=None, store=store)
    reader = Monitor.open(store, clock=None)
    marks = [b"id of somebody", b"label of somebody", b"patient 17", b"nan of somebody", struct.pack("<d", MARKED)]
    for batch in range(40):
        monitor.record([f"{batch}-{row}" for row in range(50)], np.random.default_rng(batch).random(50), 0)
        if batch % 10 == 3:
            many = [f"id of somebody {batch}-{row}" for row in range(1000)]  # more pages than the snapshot needs
            monitor.record(many, [MARKED] * 1000, 0, group=[f"patient 17 {batch}"] * 1000)
            monitor.record([f"nan of somebody {batch}"], [np.nan], 0)
            monitor.label([f"label of somebody {batch}"], [1], 10)
            reader.refresh()
    content = files(store)
    assert all(mark in content for mark in marks)
    ids = [f"{which} of somebody {batch}" for which in ("nan", "label") for batch in range(40)]
    ids += [f"id of somebody {batch}-{row}" for batch in range(40) for row in range(1000)]
    assert monitor.delete(ids) == 4008
    content = files(store)
    assert not any(mark in content for mark in marks)
    assert b"7-33" in content
    reader.refresh()
    assert str(reader.status()) == str(monitor.status())
    assert reader.status().streams[0].rows == 2000


@pytest.mark.slow
def test_postgresql_keeps_nothing_of_a_deleted_row_in_its_tables(postgres, tmp_path):
    engine = sa.create_engine(postgres)
    log_module._TABLES.drop_all(engine)
    monitor = Monitor(label_delay="1d", clock=None, store=postgres)
    folder = Path(postgres.partition("host=")[2]) / "data" / "base"

    def content():
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("ANALYZE"))
            connection.execute(sa.text("CHECKPOINT"))
        return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    for batch in range(20):
        monitor.record([f"somebody {batch}"], [MARKED], 0)
        monitor.record([f"{batch}"], [0.5], 0)
    marks = [b"somebody", struct.pack("<d", MARKED)]
    before = content()
    assert all(mark in before for mark in marks)
    assert monitor.delete([f"somebody {batch}" for batch in range(20)]) == 20
    after = content()
    assert not any(mark in after for mark in marks)
    engine.dispose()
    assert Monitor.open(postgres, clock=None).status().streams[0].rows == 20


@pytest.mark.slow
@pytest.mark.parametrize("step", ["replace", "erase"])
def test_a_process_that_dies_while_it_deletes_leaves_a_store_that_is_right(tmp_path, step):
    """Before the commit, nothing is deleted; after it, the next opening erases what is left in the files."""
    store = tmp_path / "monitor.db"
    program = (
        "import os, sys\nfrom boosting_losses.monitor import Monitor\nfrom boosting_losses.monitor._log import Log\n"
        "monitor = Monitor(label_delay='1d', clock=None, store=sys.argv[1])\n"
        "for batch in range(50):\n"
        f"    monitor.record([f'somebody {{batch}}-{{row}}' for row in range(100)], [{MARKED}] * 100, 0)\n"
        "monitor.record(['a'], [0.5], 0)\n"
        "die = lambda *_: os._exit(9)\n"
        f"Log.{step} = die\n"
        "monitor.delete([f'somebody {batch}-{row}' for batch in range(50) for row in range(100)])\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(store)], cwd=ROOT, check=False).returncode == 9
    assert b"somebody" in files(store)
    monitor = Monitor.open(store, clock=None)
    assert monitor.status().streams[0].rows == (5001 if step == "replace" else 1)
    assert (b"somebody" in files(store)) == (step == "replace")


@pytest.mark.slow
def test_deletion_ends_while_others_write(store):
    program = (
        "import sys\nfrom boosting_losses.monitor import Monitor\n"
        "monitor = Monitor(label_delay='1d', clock=None, store=sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "for batch in range(60):\n"
        "    ids = [f'{sys.argv[2]}-{batch}-{row}' for row in range(20)]\n"
        "    monitor.record([*ids, f'somebody {sys.argv[2]}-{batch}'], [0.5] * 21, batch)\n"
        "    if batch % 5 == 4: monitor.delete([f'somebody {sys.argv[2]}-{k}' for k in range(batch - 4, batch + 1)])\n"
        "    monitor.label(ids, [1] * 20, batch)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, store, str(k)], cwd=ROOT, stdout=subprocess.PIPE)
        for k in range(2)
    ]
    for writer in writers:
        writer.stdout.readline()
    monitor = Monitor.open(store, clock=None)
    deleted = sum(monitor.delete([f"{k}-{batch}-7"]) for k in range(2) for batch in range(20))
    for writer in writers:
        assert writer.wait(120) == 0
        writer.stdout.close()
    deleted += sum(monitor.delete([f"{k}-{batch}-7"]) for k in range(2) for batch in range(20))
    again = Monitor.open(store, clock=None)
    for one in (monitor, again):
        counts = one.status().counts
        assert counts["recorded"] == 2 * 60 * 21
        assert counts["deleted_by_id"] == 2 * 60 + deleted
        assert one.status().streams[0].rows == 2 * 60 * 20 - 40
    assert str(again.status()) == str(monitor.status())
    if "://" not in store:
        assert b"somebody" not in files(store)


def test_hashed_ids_give_the_same_results_and_reach_no_file(tmp_path):
    calls = list(days())
    plain = Monitor(label_delay="1d", clock=None)
    hashed = Monitor(label_delay="1d", clock=None, store=tmp_path / "monitor.db", id_key=KEY)
    play(plain, calls)
    play(hashed, calls)
    assert results(hashed) == results(plain)
    content = files(tmp_path / "monitor.db")
    for text in (b"3-17", b'"g2"', KEY.encode(), b"15-119"):
        assert text not in content
    again = Monitor.open(tmp_path / "monitor.db", clock=None, id_key=KEY.encode())
    for monitor in (plain, again):
        assert monitor.delete([f"15-{row}" for row in range(50)]) == 50
        monitor.label(["14-3"], [0], 20 * DAY)
    assert results(again) == results(plain)
    assert again.status().counts == plain.status().counts


def test_keys_of_hashes_are_compared(tmp_path):
    store = tmp_path / "monitor.db"
    Monitor(label_delay="1d", store=store, id_key=KEY).close()
    Monitor(label_delay="1d", store=tmp_path / "plain.db").close()
    wrong = r"id_key must be that of the store, the key with fingerprint \w{32}, got"
    with pytest.raises(ValueError, match=wrong + r" the key with fingerprint \w{32}"):
        Monitor.open(store, id_key=KEY + "x")
    with pytest.raises(ValueError, match=wrong + " no key"):
        Monitor.open(store)
    with pytest.raises(ValueError, match=wrong + " no key"):
        Monitor(label_delay="1d", store=store)
    with pytest.raises(ValueError, match="id_key must be that of the store, no key, got the key with"):
        Monitor.open(tmp_path / "plain.db", id_key=KEY)
    assert Monitor.open(store, id_key=KEY).status().counts == {}


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("short", ValueError, "id_key must have at least 16 bytes, got 5"),
        (b"", ValueError, "id_key must have at least 16 bytes, got 0"),
        (17, TypeError, "id_key must be a text or bytes, got int"),
    ],
)
def test_keys_that_are_none(key, error, message):
    with pytest.raises(error, match=message):
        Monitor(label_delay="1d", id_key=key)


def test_hashes_tell_numbers_from_texts():
    monitor = Monitor(label_delay="1d", clock=None, id_key=KEY * 5)
    ids = [1, "1", -1, "-1", "i1", "s1", "", 10**30, "ä", "a\u0308", "\ud800"]
    monitor.record(ids, [0.5] * len(ids), 0, group=[*ids[:-2], None, float("nan")])
    assert monitor.status().counts == {"recorded": len(ids)}
    assert len(set(monitor._ledger.models["default"].group.tolist())) == len(ids)
    monitor.label(np.array([1, -1]), [1, 0], 0)
    assert monitor.status().counts["labelled"] == 2
    for wrong in ([1.0], [True], [None], [("a",)]):
        with pytest.raises(TypeError, match="ids must be texts or integers with id_key"):
            monitor.record(wrong, [0.5], 0)
    with pytest.raises(TypeError, match=r"group must be texts or integers with id_key, got 1\.5"):
        monitor.record(["new"], [0.5], 0, group=[1.5])


def test_copies_of_a_monitor_have_its_key():
    monitor = Monitor(label_delay="1d", clock=None, id_key=KEY)
    monitor.record(["a"], [0.5], 0)
    for other in (
        copy.deepcopy(monitor),
        pickle.loads(pickle.dumps(Monitor(label_delay="1d", clock=None, id_key=KEY))),
    ):
        other.record(["a"], [0.5], 0)
        assert other.status().counts["recorded"] == 1
        assert other.delete(["a"]) == 1
