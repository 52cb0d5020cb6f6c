"""The figures of a page with their captions and their descriptions for screen readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.figure import Figure

from ..._types import Doubles
from ...report._views.looks import BAND, COLORS
from ...report._views.svg import Picture, drawing, inline, sign
from ...report._views.words import number
from . import figures
from .words import duration, moment, name, nats, share

if TYPE_CHECKING:
    from .data import StreamOverview

#: The size of a figure of two panels in inches; text is readable on a telephone and on a wide page.
WIDTH, HEIGHT = 4.5, 3.9
#: The place of the label of the vertical axis, in the units of the axes.
_LABEL = (-0.155, 0.5)
#: The style of samples of bands.
_WIDE: dict[str, Any] = {"linewidth": 9.0, "solid_capstyle": "butt"}


def of_stream(stream: StreamOverview, prefix: str) -> list[Picture]:
    """Draw the figures of a stream; ``prefix`` must be unique on the page."""
    window = duration(stream.window)
    return [
        _over_time(
            stream,
            (figures.log_loss, figures.difference),
            "Log loss",
            f"Above: the log loss of windows of {window}, observed and expected. Below: observed minus expected, with a 95 %"
            " confidence sequence. It is 0 if the probabilities are right, for any mix of rows.",
            _loss_in_words(stream),
            f"{prefix}-loss",
        ),
        _over_time(
            stream,
            (figures.evidence, figures.coverage),
            "Evidence and labels",
            "Above: the evidence that the probabilities are wrong. Below: the share of labelled rows by time of prediction.",
            _evidence_in_words(stream),
            f"{prefix}-evidence",
        ),
        _drift(stream, window, f"{prefix}-drift"),
        _reliability(stream, f"{prefix}-reliability"),
    ]


def signs(kinds: set[str]) -> list[tuple[Markup, str]]:
    """Draw samples of the lines that figures have in common, for a legend; ``kinds`` are those of the alerts."""
    found = [
        (sign("observed", **figures.OBSERVED), "observed"),
        (sign("provisional", **figures.PROVISIONAL), "provisional"),
        (sign("expected", **figures.EXPECTED), "expected if the probabilities are right, or without a change"),
        (sign("final", color=BAND, alpha=0.5, **_WIDE), "labels are not final yet, or range without a change"),
        (sign("sequence", color=COLORS[0], alpha=0.15, **_WIDE), "95 % confidence sequence"),
        (sign("needed", **figures.LIMIT), "evidence that an alert requires"),
    ]
    if kinds - {"threshold"}:
        found.append((sign("since", **figures.SINCE), "estimated time of a change"))
        found.append((sign("found", **figures.FOUND), "last look before an alert, with the number of the alert"))
    if "threshold" in kinds:
        found.append((sign("rule", **figures.RULE), "last look before an alert of the threshold rule"))
    return found


def _over_time(
    stream: StreamOverview, panels: Sequence[figures.Panel], title: str, text: str, words: str, prefix: str
) -> Picture:
    with drawing():
        height = HEIGHT / 2.0 * max(len(panels), 2)
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.subplots(len(panels), 1, sharex=True, gridspec_kw=_margins(height))
        for panel, place in zip(panels, axes, strict=True):
            panel(place, stream)
            place.yaxis.set_label_coords(*_LABEL)
        figures.time_axes(list(axes), stream)
        return Picture(inline(figure, f"{title} of {name(stream.status)}. {words}", prefix), title, text)


def _drift(stream: StreamOverview, window: str, prefix: str) -> Picture:
    binary = stream.curve.mean_label.ndim == 1
    panels = [figures.rates, figures.drift, *([figures.shares] if figures.has_shares(stream) else [])]
    text = (
        "Above: the event rate and the mean prediction (dotted)."
        if binary
        else "Above: event rate minus mean prediction of the classes that differ most in the last final window."
    )
    words = "No rows."
    if stream.drift is not None:
        start, end = (moment(edge) for edge in (stream.drift.reference_start, stream.drift.reference_end))
        text += (
            f" Below: the population stability index (PSI) of windows of {window} against {start} to {end}, with its"
            " expectation and its 95 % range without a change; it needs no labels."
        )
        words = f"The latest PSI is {_last(stream.drift.psi)}, {_last(stream.drift.expected_psi)} expected by chance."
    if len(panels) > 2:
        text += " At the bottom: the shares of probabilities that are exactly 0 or 1, or invalid."
    return _over_time(stream, panels, "Rates and drift", text, words, prefix)


def _reliability(stream: StreamOverview, prefix: str) -> Picture:
    height = HEIGHT * (1.5 if figures.has_shares(stream) else 1.0)  # as that of the figure beside it
    with drawing():
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.subplots(gridspec_kw=_margins(height))
        figures.reliability(axes, stream)
        axes.yaxis.set_label_coords(*_LABEL)
        words = "No labels."
        if stream.now is not None:
            x, y, _, _ = figures.points(stream.now)
            pairs = ", ".join(f"{number(a)} and {number(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
            words = f"Predicted and observed, {moment(stream.now.start)} to {moment(stream.now.end)}: {pairs}."
        svg = inline(figure, f"Reliability of {name(stream.status)}. {words}", prefix)
    text = "Observed against predicted frequency in bins of equal weight"
    if stream.curve.mean_label.ndim == 2:
        text = "How often the most probable class was right, against its probability, in bins of equal weight"
    return Picture(
        svg,
        "Reliability, then and now",
        f"{text}. Squares: the first half of the period with final labels. Circles: the last window, with 95 % intervals.",
    )


def _margins(height: float) -> dict[str, float]:
    """Return fixed margins; the layout engines of matplotlib take most of the time of a page."""
    return {"left": 0.155, "right": 0.985, "bottom": 0.48 / height, "top": 1.0 - 0.2 / height, "hspace": 0.1}


def _loss_in_words(stream: StreamOverview) -> str:
    final = ~stream.curve.provisional
    curve = stream.curve
    if not np.isfinite(curve.log_loss[final]).any():
        return "No mature labels yet."
    return (
        f"In the last final window, the log loss is {_last(curve.log_loss, final)},"
        f" {_last(curve.expected_log_loss, final)} expected."
    )


def _evidence_in_words(stream: StreamOverview) -> str:
    status = stream.status
    covered = f" {share(status.coverage)} of the rows with final labels are labelled." if status.looks else ""
    return f"The evidence is {nats(status.evidence)} of {nats(status.needed)} nats.{covered}"


def _last(values: Doubles, among: npt.NDArray[np.bool_] | None = None) -> str:
    """Return the last finite value as text."""
    shown = values if among is None else values[among]
    shown = shown[np.isfinite(shown)]
    return number(float(shown[-1])) if len(shown) else "unknown"
