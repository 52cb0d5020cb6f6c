"""The terminal: progress, lines and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

_Item = TypeVar("_Item")


def console() -> Console:
    """Return a console that is wide enough for the table when the output goes to a file."""
    return Console(width=None if sys.stdout.isatty() else 180)


def progress(items: Sequence[_Item], title: str) -> Iterable[_Item]:
    """Go through items under a bar that disappears at the end."""
    return track(items, title, console=console(), transient=True, disable=not items)


def say(words: str, screen: Console) -> None:
    """Print a line without markup or line breaks, since it may hold names from the user."""
    screen.print(words, markup=False, highlight=False, soft_wrap=True)


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> Table:
    """Make a table of which all columns but the first hold figures."""
    made = Table()
    for index, heading in enumerate(headings):
        made.add_column(heading, justify="right" if index else "left", overflow="fold")
    for line in lines:
        made.add_row(*line)
    return made
