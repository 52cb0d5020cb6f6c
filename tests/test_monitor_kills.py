"""What a monitor has acknowledged survives the death of its process, and what it has deleted stays deleted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from boosting_losses.monitor import Monitor

from . import monitor_kills

ROOT = Path(__file__).parents[1]
#: 20 kills take ten seconds. BOOSTING_LOSSES_KILLS=100 repeats the figure of docs/monitoring.md.
KILLS = int(os.environ.get("BOOSTING_LOSSES_KILLS", "20"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked")
@pytest.mark.parametrize("writers", [1, 3])
def test_what_is_acknowledged_survives_kills(store, writers):
    program = [sys.executable, "-m", "tests.monitor_kills", store, str(KILLS), str(writers)]
    printed = subprocess.run(program, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=600).stdout
    reported = json.loads(printed)
    monitor = Monitor.open(store, clock=None)
    rows = monitor._ledger.models["default"]
    deleted = set(reported["deleted"])
    wanted = [key for batch in reported["batches"] for key in monitor_kills.ids_of(batch)]
    there = dict(zip(wanted, (rows.row_numbers(wanted) >= 0).tolist(), strict=True))
    assert len(reported["batches"]) > KILLS
    assert not any(there[key] for key in deleted)
    # Each writer may have committed one more batch, or deleted one more row, than it has reported.
    missing = {key for key, found in there.items() if not found} - deleted
    assert all(key.endswith("-7") for key in missing)
    assert len(missing) <= KILLS
    counts = monitor.status().counts
    assert 0 <= counts["recorded"] - len(wanted) <= monitor_kills.ROWS * KILLS
    assert counts["deleted_by_id"] == len(deleted) + len(missing)
    assert monitor.status().streams[0].rows == counts["recorded"] - counts["deleted_by_id"]
    assert set(counts) == {"recorded", "labelled", "deleted_by_id"}
    monitor.close()
    if "://" not in store:
        content = b"".join(path.read_bytes() for path in Path(store).parent.glob("monitor.db*"))
        assert not any(f'"{key}"'.encode() in content for key in deleted)
    print(f"{KILLS} kills of {writers} writers: {len(reported['batches'])} batches, {len(deleted)} deletions")
