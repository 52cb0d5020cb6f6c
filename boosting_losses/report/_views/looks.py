"""The looks of models in the pictures of a report: colour, marker and line, on white and on black.

The seven colours were found by a search: they lie as far apart as possible for normal and colour-blind eyes, with a
contrast of at least 3.4 to the ground. A marker comes back after twelve models and a look after 420.
"""

from __future__ import annotations

import unicodedata
from typing import Any, TypedDict


class Look(TypedDict):
    """Options of a line."""

    color: str
    linestyle: str | tuple[int, tuple[int, ...]]
    marker: str


#: On white, and what stands for each on black.
ON_BLACK = {
    "#2539b9": "#5d74f0",
    "#db5322": "#ebb184",
    "#1b9a97": "#60fafd",
    "#410058": "#b8579a",
    "#9d6df8": "#c099ff",
    "#023700": "#8ba12a",
    "#7e4463": "#f5f10a",
}
COLORS = tuple(ON_BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "*", ">", "p", "H")
LINES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))

#: What is no model's: lines and letters, the ground, bands, lesser curves, and grids.
INK, PAPER, BAND, LESSER, GRID = "#1d2733", "#ffffff", "#c9d3dd", "#555b61", "#d9dde1"
ON_BLACK |= {INK: "#e3e8ee", PAPER: "#12181f", BAND: "#3c4a59", LESSER: "#b4bcc4", GRID: "#333d48"}

#: Around markers that stand alone.
EDGE: dict[str, Any] = {"markeredgecolor": PAPER, "markeredgewidth": 0.5}

#: Looks of the first twelve models, no two with the same marker.
STYLES: tuple[Look, ...] = tuple(
    {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "marker": MARKERS[i]}
    for i in range(len(MARKERS))
)


def look(i: int) -> Look:
    """Return the look of the model with this number."""
    return {
        "color": COLORS[i % len(COLORS)],
        "linestyle": LINES[i % len(LINES)],
        "marker": MARKERS[i % len(MARKERS)],
    }


def printable(name: str) -> str:
    """Return a name without what no picture can hold: control characters and halves of letters."""
    odd = ("Cc", "Cs", "Cn", "Zl", "Zp")
    name = name.translate({ord(space): " " for space in "\t\n\r"})
    return "".join("\ufffd" if unicodedata.category(letter) in odd else letter for letter in name)


def wrapped(name: str, width: int, lines: int = 2) -> str:
    """Wrap a name into so many lines of so many letters at most, at spaces if no line is left half empty."""
    rest = " ".join(printable(name).split())
    parts = []
    while rest:
        part = _first(rest, width)
        at = part.rfind(" ")
        if len(part) < len(rest) and rest[len(part)] != " " and _width(part[: max(at, 0)]) > width / 2:
            part = part[:at]
        parts.append(part.rstrip())
        rest = rest[len(part) :].lstrip()
    if len(parts) > lines:
        parts = [*parts[: lines - 1], _first(parts[lines - 1], width - 1) + "…"]
    return "\n".join(parts)


def _width(text: str) -> int:
    """Return the number of letters, of which some are as wide as two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _first(text: str, width: int) -> str:
    """Return as much as there is room for, and one letter at least."""
    end = 1
    while end < len(text) and _width(text[: end + 1]) <= width:
        end += 1
    return text[:end]
