"""Figures as SVG elements of a page, with the font of the page and its light and dark colours."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .figures import save
from .looks import COLORS, INK, ON_BLACK, printable

#: The settings of matplotlib for figures of a page; they replace the settings of the user.
RC: dict[Any, Any] = {
    **{
        key: value
        for key, value in mpl.rcParamsDefault.items()
        if key.split(".")[0] not in ("backend", "date", "webagg")
    },
    "font.size": 9.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}
#: The settings of matplotlib are global, so only one thread draws at a time.
_DRAWING = threading.RLock()
_NAMES = {color: f"var(--m{i})" for i, color in enumerate(COLORS)}
_NAMES |= {color: f"var(--c{color[1:]})" for color in ON_BLACK if color not in COLORS} | {INK: "currentColor"}


class Picture(NamedTuple):
    """An SVG element with its title and its caption."""

    svg: Markup
    title: str
    text: str
    swatch: Markup | None = None


@contextmanager
def drawing() -> Iterator[None]:
    """Draw under ``RC``."""
    with _DRAWING, mpl.rc_context(RC):
        yield


def variables(*, black: bool) -> Markup:
    """Return the colours of all figures as CSS custom properties."""
    by_name = {name[4:-1]: (ON_BLACK[color] if black else color) for color, name in _NAMES.items() if color != INK}
    return Markup(" ".join(f"{name}: {color};" for name, color in by_name.items()))


def inline(figure: Figure, label: str, prefix: str) -> Markup:
    """Return a figure as an SVG element of a page.

    Parameters
    ----------
    figure : Figure
        A figure made under ``drawing``.
    label : str
        A description of the figure, for screen readers.
    prefix : str
        The prefix of identifiers, which must be unique on the page.
    """
    out = io.BytesIO()
    with drawing():
        save(figure, out, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(out.getvalue())
    used = {name for element in root.iter() for value in element.attrib.values() for name in _REFERENCE.findall(value)}
    new = {name: f"{prefix}-{i}" for i, name in enumerate(sorted(used))}
    _clean(root, new)
    width, height = root.attrib["viewBox"].split()[2:]
    root.attrib |= {"width": f"{float(width) / 0.75:g}", "height": f"{float(height) / 0.75:g}"}
    root.attrib |= {"role": "img", "aria-label": printable(label)}
    return Markup(ET.tostring(root, encoding="unicode"))  # ElementTree escapes the names


def sign(prefix: str, **options: Any) -> Markup:
    """Return a sample of a line, for a legend."""
    with drawing():
        figure = Figure(figsize=(0.5, 0.18))
        figure.add_artist(Line2D([0.04, 0.5, 0.96], [0.5] * 3, markevery=[1], **options))
    return inline(figure, "", f"sign-{prefix}")


#: A reference to another element in an attribute.
_REFERENCE = re.compile(r"(?<=#)[A-Za-z][\w.]*(?=$|\))")
_NOT_NEEDED = ("version", "width", "height")
_COLOR = re.compile(r"#[0-9a-f]{6}\b")
_LONG = re.compile(r"-?\d+\.\d{3,}")


def _clean(element: ET.Element, new: dict[str, str]) -> None:
    """Remove what the page does not need, and replace colours and identifiers by those of the page."""
    element.tag = element.tag.rpartition("}")[2]
    element.tail = None
    if element.tag != "text":
        element.text = None
    attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    element.attrib.clear()
    for key, value in attributes.items():
        if key == "id":
            if value in new:
                element.set(key, new[value])
        elif key == "style":
            element.set(key, _style(value))
        elif key == "href" or value.startswith("url("):
            element.set(key, _REFERENCE.sub(lambda found: new[found[0]], value))
        elif (key not in _NOT_NEEDED or element.tag == "rect") and not value.startswith("rotate(-0 "):
            element.set(key, _LONG.sub(lambda found: f"{float(found[0]):.2f}", " ".join(value.split())))
    for child in list(element):
        if child.tag.rpartition("}")[2] in ("metadata", "style"):
            element.remove(child)
            continue
        _clean(child, new)
        if child.tag in ("g", "defs") and not len(child):
            element.remove(child)


def _style(value: str) -> str:
    """Return a style with the colours of the page and without a font, which the page sets."""
    parts = [part for part in value.split("; ") if not part.startswith("font-family:")]
    return _COLOR.sub(lambda found: _NAMES.get(found[0], found[0]), "; ".join(parts))
