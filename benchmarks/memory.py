"""The child process of ``training`` that measures the additional peak memory of a run in bytes, and prints JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from .resident import measured
from .training_cases import Case, pair


def main(case: Case, threads: int, side: str) -> None:
    """Train once on small data, so that libraries and compiled code are in memory, then measure the case."""
    for train in pair(replace(case, rows=10 * case.classes, rounds=1), threads):
        train()
    train = pair(case, threads)[0 if side == "ours" else 1]
    json.dump(measured(train)[1], sys.stdout)


if __name__ == "__main__":
    main(Case(**json.loads(sys.argv[1])), int(sys.argv[2]), sys.argv[3])
