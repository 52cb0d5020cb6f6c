"""A comparison of two JSON files of the same command, which detects rows that have become slower.

Figures are ratios to a reference measured in alternation, so files from one machine are comparable even if its load differed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from .measure import Row
from .report import read
from .screen import console, table


def run(arguments: argparse.Namespace) -> int:
    """Print both files side by side; return 1 if ``is_regression`` holds for any row, else 0."""
    (old_facts, old), (new_facts, new) = read(arguments.old), read(arguments.new)
    threshold = arguments.threshold
    lines, worse = [], 0
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            lines.append(
                (name, _figure(before), _figure(after), "", "only in new" if before is None else "only in old")
            )
            continue
        regressed = is_regression(before, after, threshold)
        worse += regressed
        change = f"{after.figure / before.figure - 1.0:+.1%}" if before.figure else ""
        lines.append((name, _figure(before), _figure(after), change, "[red]WORSE[/]" if regressed else ""))
    screen = console()
    screen.print(table(("", "old", "new", "change", ""), lines))
    screen.print(f"{worse} of {len(old.keys() & new.keys())} rows are worse by more than {threshold:.0%}.")
    for difference in differences(old_facts, new_facts):
        screen.print(f"[yellow]Different:[/] {difference}")
    return int(worse > 0)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the differences other than the code that may have changed the figures."""
    before, after = ({"cpu": facts["cpu"], **facts["versions"], **facts["settings"]} for facts in (old, new))
    return [
        f"{name} {before.get(name)} and {after.get(name)}"
        for name in {**before, **after}
        if name != "boosting-losses" and before.get(name) != after.get(name)
    ]


def is_regression(old: Row, new: Row, threshold: float) -> bool:
    """Return whether the new figure is worse by more than the threshold, and the intervals do not overlap."""
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return False
    if new.higher_is_better:
        return new.figure < old.figure * (1.0 - threshold) and new.high < old.low
    return new.figure > old.figure * (1.0 + threshold) and new.low > old.high


def _figure(row: Row | None) -> str:
    if row is None:
        return ""
    interval = "" if row.low is None or row.high is None else f" ({row.low:.3g} to {row.high:.3g})"
    return f"{row.figure:.3g}{interval}"
