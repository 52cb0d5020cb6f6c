"""Stores that earlier versions made; ``data/monitor_1.json`` contains what the code of schema version 1 found in them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
sa = pytest.importorskip("sqlalchemy")

from boosting_losses.monitor import Monitor, ThresholdRule  # noqa: E402

DATA = Path(__file__).parent / "data"
DAY = 86_400
#: Settings, calls, a call of ``forget``, calls; or a snapshot instead of all until ``forget``.
KINDS = ["calls", "snapshot"]


def old_store(kind, store):
    """Copy a store of schema version 1 to the place of a test."""
    file = DATA / f"monitor_1_{kind}.db"
    if "://" not in store:
        shutil.copyfile(file, store)
        return store
    source, target = sa.create_engine(f"sqlite:///file:{file}?mode=ro&immutable=1&uri=true"), sa.create_engine(store)
    with source.connect() as old, target.begin() as new:
        new.execute(sa.text("CREATE TABLE monitor_version (version INTEGER NOT NULL)"))
        new.execute(sa.text("INSERT INTO monitor_version VALUES (1)"))
        new.execute(
            sa.text(
                "CREATE TABLE monitor_calls (number BIGSERIAL PRIMARY KEY, kind VARCHAR(16) NOT NULL, payload BYTEA NOT NULL)"
            )
        )
        for row in old.execute(sa.text("SELECT kind, payload FROM monitor_calls ORDER BY number")):
            new.execute(sa.text("INSERT INTO monitor_calls (kind, payload) VALUES (:kind, :payload)"), row._asdict())
    with target.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE monitor_calls"))
    source.dispose()
    target.dispose()
    return store


def two_more_days(monitor):
    for day in (12, 13):
        random = np.random.default_rng(day)
        ids = [f"{day}-{i}" for i in range(30)]
        groups = [None if i % 3 else f"g{i % 5}" for i in range(30)]
        monitor.record(ids, random.random(30), day * DAY, slices={"country": ["DE", "FR"] * 15}, group=groups)
        monitor.label(ids, random.integers(0, 2, 30), day * DAY + 100)
    monitor.advance(20 * DAY)
    groups = monitor._ledger.models["default"].group
    assert len(np.unique(groups[:107])) == 9 * 4  # four groups a day
    assert not set(groups[:107]) & set(groups[107:])
    return monitor.evidence(slice="country=DE").nats, str(monitor.status())


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_store_has_the_same_content(kind, store):
    wanted = json.loads((DATA / "monitor_1.json").read_text())
    path = old_store(kind, store)
    for _ in range(2):  # migrated, and migrated already
        monitor = Monitor.open(path, clock=None, label_delay="2d")
        assert str(monitor.status()) == wanted["status"]
        found = monitor.curve("2d").to_dict()
        for name, values in wanted["curve"].items():
            np.testing.assert_allclose(found[name], np.array(values, float), rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(monitor.evidence(slice="country=DE").nats, wanted["evidence"], rtol=1e-9)
        assert monitor._settings["rule"]["balanced"] is False
        monitor.close()
    with pytest.raises(ValueError, match="id_key must be that of the store, no key, got the key with fingerprint"):
        Monitor.open(path, clock=None, id_key="k" * 16)
    rule = ThresholdRule(0.5, rolling_window=20, min_samples_for_alert=10)
    Monitor(label_delay="2d", store=path, clock=None, rule=rule).close()


def test_older_stores_are_continued_alike(tmp_path):
    found = [two_more_days(Monitor.open(old_store(kind, str(tmp_path / kind)), clock=None)) for kind in KINDS]
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-9)
    assert found[0][1] == found[1][1]


def test_rows_of_older_stores_can_be_deleted(store):
    monitor = Monitor.open(old_store("snapshot", store), clock=None)
    assert monitor.delete(["11-0", "0-0"]) == 1
    assert monitor.status().streams[0].rows == 106
    monitor.close()
    assert Monitor.open(store, clock=None).status().streams[0].rows == 106
    if "://" in store:
        engine = sa.create_engine(store)
        with engine.connect() as connection:
            samples = "SELECT count(*) FROM pg_stats WHERE tablename = 'monitor_calls' AND attname = 'payload'"
            assert connection.execute(sa.text(samples)).scalar_one() == 0
        engine.dispose()
