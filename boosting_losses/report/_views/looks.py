"""The plot styles of models in the figures of a report: colour, marker and line style, on white and on black.

The seven colours were found by a search. They are as far apart as possible for normal and colour-blind vision, with a
contrast of at least 3.4 to the background. Markers repeat after twelve models, styles after 420.
"""

from __future__ import annotations

import unicodedata
from typing import Any, TypedDict


class Look(TypedDict):
    """The options of a line in matplotlib."""

    color: str
    linestyle: str | tuple[int, tuple[int, ...]]
    marker: str


#: The colours on a white background, with the colour that replaces each on black.
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

#: Colours for everything except models: lines and text, background, bands, secondary curves, and grids.
INK, PAPER, BAND, LESSER, GRID = "#1d2733", "#ffffff", "#c9d3dd", "#555b61", "#d9dde1"
ON_BLACK |= {INK: "#e3e8ee", PAPER: "#12181f", BAND: "#3c4a59", LESSER: "#b4bcc4", GRID: "#333d48"}

#: The edge of isolated markers.
EDGE: dict[str, Any] = {"markeredgecolor": PAPER, "markeredgewidth": 0.5}

#: The styles of the first twelve models, each with a different marker.
STYLES: tuple[Look, ...] = tuple(
    {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "marker": MARKERS[i]}
    for i in range(len(MARKERS))
)


def look(i: int) -> Look:
    """Return the plot style of the model with this index."""
    return {
        "color": COLORS[i % len(COLORS)],
        "linestyle": LINES[i % len(LINES)],
        "marker": MARKERS[i % len(MARKERS)],
    }


def printable(name: str) -> str:
    """Return a name in which characters that figures cannot show, such as control characters, are replaced."""
    odd = ("Cc", "Cs", "Cn", "Zl", "Zp")
    name = name.translate({ord(space): " " for space in "\t\n\r"})
    return "".join("\ufffd" if unicodedata.category(letter) in odd else letter for letter in name)


def wrapped(name: str, width: int, lines: int = 2) -> str:
    """Wrap a name into at most ``lines`` lines of ``width`` characters, at spaces unless a line stays half empty."""
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
    """Return the width in characters; wide East Asian characters count twice."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _first(text: str, width: int) -> str:
    """Return the longest prefix that fits, of at least one character."""
    end = 1
    while end < len(text) and _width(text[: end + 1]) <= width:
        end += 1
    return text[:end]
