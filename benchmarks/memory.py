"""Child of ``training``: how far memory rises above its level before a training run, in bytes, as JSON."""

from __future__ import annotations

import gc
import json
import resource
import sys
from dataclasses import replace
from pathlib import Path

from .training_cases import Case, pair

_STATUS = Path("/proc/self/status")


def main(case: Case, threads: int, side: str) -> None:
    """Train once on small data, so that libraries and compiled code are in memory, then on the case's."""
    for train in pair(replace(case, rows=10 * case.classes, rounds=1), threads):
        train()
    train = pair(case, threads)[0 if side == "ours" else 1]
    gc.collect()
    before = _reset_peak()
    train()
    json.dump(_peak() - before, sys.stdout)


def _reset_peak() -> int:
    """Forget the peak of making the data, where the system can, and return the memory in use."""
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _peak()
    return 0


def _peak() -> int:
    """The largest resident memory so far.

    Linux's ``ru_maxrss`` will not do: a process inherits the peak of the one that started it.
    """
    if not _STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(Case(**json.loads(sys.argv[1])), int(sys.argv[2]), sys.argv[3])
