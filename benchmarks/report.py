"""The output of a benchmark: a table in the terminal, JSON for ``compare``, and Markdown for a page."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .measure import Bar, Row
from .screen import console, say, table

_LIBRARIES = ("numpy", "numba", "llvmlite", "xgboost", "lightgbm", "catboost", "scikit-learn", "boosting-losses")
_HEADINGS = ("", "figure", "95 % interval", "of what", "ours", "reference", "rate", "bar")


@dataclass(frozen=True)
class Output:
    """The settings of the measurement, and the files to write in addition to the terminal output."""

    settings: Mapping[str, Any]
    json: Path | None = None
    markdown: Path | None = None


@dataclass(frozen=True)
class Table:
    """A table in addition to the rows: a sentence about it, headings, and lines of cells."""

    title: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]


def publish(rows: Sequence[Row], output: Output, tables: Sequence[Table] = ()) -> None:
    """Print the rows and the additional tables, and write the requested files."""
    screen = console()
    screen.print(table(_HEADINGS, [_cells(row) for row in rows]))
    for extra in tables:
        say(extra.title, screen)
        screen.print(table(extra.headings, extra.lines))
    missed = [row.name for row in rows if row.met is False]
    if missed:
        screen.print(f"[red]{len(missed)} of {sum(row.bar is not None for row in rows)} bars are not met.[/]")
    if output.json is not None:
        document = {
            "environment": environment(output.settings),
            "rows": [_as_dict(row) for row in rows],
            "tables": [vars(extra) for extra in tables],
        }
        output.json.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if output.markdown is not None:
        output.markdown.write_text(markdown(rows, environment(output.settings), tables), encoding="utf-8")


def markdown(rows: Sequence[Row], facts: Mapping[str, Any], tables: Sequence[Table] = ()) -> str:
    """Return the rows and the additional tables in Markdown, preceded by a line on how they were measured."""
    parts = [measured(facts), markdown_table(_HEADINGS, [_cells(row) for row in rows])]
    for extra in tables:
        parts += [extra.title, markdown_table(extra.headings, extra.lines)]
    return "\n\n".join(parts) + "\n"


def measured(facts: Mapping[str, Any]) -> str:
    """Return the command, date, processor and versions as a line of Markdown."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return f"`{facts['command']}` on {facts['date']}, {facts['cpu']}, {versions}."


def markdown_table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table in which all columns but the first contain figures; cells are escaped."""
    rows = [headings, ["---", *["---:"] * (len(headings) - 1)], *lines]
    return "\n".join("| " + " | ".join(map(_escaped, row)) + " |" for row in rows)


def _escaped(words: str) -> str:
    return escape(" ".join(words.split()), quote=False).replace("|", r"\|")


def environment(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the conditions that affect the figures: date, command, settings, processor and versions."""
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
        "settings": dict(settings),
        "cpu": _cpu(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
    }


def read(path: Path) -> tuple[dict[str, Any], dict[str, Row]]:
    """Return the environment of a JSON file, and its rows by name."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return document["environment"], {row["name"]: _from_dict(row) for row in document["rows"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} must be a file written with --json, got {error!r}") from error


def _as_dict(row: Row) -> dict[str, Any]:
    bar = None if row.bar is None else {"limit": row.bar.limit, "at_least": row.bar.at_least}
    return {**vars(row), "bar": bar, "met": row.met}


def _from_dict(fields: dict[str, Any]) -> Row:
    fields = {name: value for name, value in fields.items() if name != "met"}
    return Row(**{**fields, "bar": None if fields["bar"] is None else Bar(**fields["bar"])})


def _cells(row: Row) -> tuple[str, ...]:
    interval = "" if row.low is None or row.high is None else f"{row.low:.3g} to {row.high:.3g}"
    rate = "" if row.rate is None else f"{row.rate:.3g} {row.rate_unit}"
    verdict = "" if row.bar is None else f"{row.bar} {'met' if row.met else 'MISSED'}"
    return row.name, f"{row.figure:.3g}", interval, row.measure, _time(row.ours), _time(row.reference), rate, verdict


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1e3:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    """Return the name of the processor, which ``platform`` provides only on some systems."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
