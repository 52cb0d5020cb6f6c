"""Terminal output: progress bars, lines and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

_Item = TypeVar("_Item")


def console() -> Console:
    """Return a console that is wide enough for the tables if the output is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 180)


def progress(items: Sequence[_Item], title: str) -> Iterable[_Item]:
    """Iterate over items with a progress bar that disappears at the end."""
    return track(items, title, console=console(), transient=True, disable=not items)


def say(words: str, screen: Console) -> None:
    """Print a line without interpreting markup or wrapping, since it may contain names from the user."""
    screen.print(words, markup=False, highlight=False, soft_wrap=True)


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    """Return a table in which all columns but the first contain figures."""
    made = Table()
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index else "left", overflow="fold")
    for line in lines:
        made.add_row(*line)
    return made
