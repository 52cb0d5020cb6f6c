"""The panels of one stream: log loss, evidence, labels, event rate and drift over time, and reliability."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.dates import UTC, AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..._types import Doubles
from ...report._views.figures import square
from ...report._views.looks import BAND, COLORS, EDGE, GRID, INK, LESSER, look, wrapped
from .words import moment, name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .data import Period, StreamOverview

    Panel = Callable[[Axes, StreamOverview], None]

#: The styles of observed values, of what is expected of right probabilities, and of alerts.
OBSERVED: dict[str, Any] = {"color": COLORS[0], "linewidth": 1.4}
EXPECTED: dict[str, Any] = {"color": LESSER, "linewidth": 1.2, "linestyle": ":"}
PROVISIONAL: dict[str, Any] = {**OBSERVED, "linestyle": (0, (3, 1.5)), "linewidth": 1.1}
LIMIT: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": "--"}
FOUND: dict[str, Any] = {"color": COLORS[1], "linewidth": 0.9}
SINCE: dict[str, Any] = {**FOUND, "linestyle": ":"}
RULE: dict[str, Any] = {**FOUND, "linestyle": (0, (6, 2, 1, 2))}

#: Points of a line of evidence, alerts that are marked, and classes that are drawn.
MOST_LOOKS, MOST_ALERTS, MOST_CLASSES = 300, 30, 5
#: A band is cut off above this quantile, since the windows of the first rows have very wide ones.
_SHOWN_OF_BAND = 0.9
_Z = 1.959964


def overview(stream: StreamOverview) -> Figure:
    """Draw all panels of a stream: on the left those that need labels, on the right drift and reliability."""
    figure = Figure(figsize=(12.0, 10.0), layout="constrained")
    figure.suptitle(wrapped(name(stream.status), 90, lines=3), parse_math=False)
    grid = figure.add_gridspec(4, 2)
    first = figure.add_subplot(grid[0, 0])
    panels: list[tuple[Panel, Any]] = [(difference, (1, 0)), (evidence, (2, 0)), (coverage, (3, 0))]
    panels += [(rates, (0, 1)), (drift, (1, 1))]
    below = slice(2, 4)
    if has_shares(stream):
        panels.append((shares, (2, 1)))
        below = slice(3, 4)
    log_loss(first, stream)
    drawn = [first]
    for panel, (row, column) in panels:
        drawn.append(figure.add_subplot(grid[row, column], sharex=first))
        panel(drawn[-1], stream)
    time_axes(drawn, stream)
    last = figure.add_subplot(grid[below, 1])
    reliability(last, stream)
    for axes in drawn:
        if axes.get_legend() is None:
            _legend(axes)
    return figure


def time_axes(panels: list[Axes], stream: StreamOverview) -> None:
    """Give panels of the same times their limits, and mark what is provisional and the alerts."""
    start, end = _limits(stream)
    until = -np.inf if stream.mature_until is None else _number(stream.mature_until)
    for axes in panels:
        axes.set_xlim(start, end)
        locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
        axes.grid(axis="y", linewidth=0.4, color=GRID)
        if until < end:
            axes.axvspan(max(until, start), end, color=BAND, alpha=0.35, linewidth=0.0, zorder=0)
        alerts = stream.alerts[-MOST_ALERTS:]
        for times, style in (
            ({alert.since for alert in alerts if alert.since is not None}, SINCE),
            ({alert.time for alert in alerts if alert.kind == "threshold"}, RULE),
            ({alert.time for alert in alerts if alert.kind != "threshold"}, FOUND),
        ):
            x = [_number(time) for time in sorted(times)]
            axes.vlines(x, 0.0, 1.0, transform=axes.get_xaxis_transform(), zorder=1, **style)
    _number_alerts(panels[0], stream, (start, end))


def log_loss(axes: Axes, stream: StreamOverview) -> None:
    """Draw the observed log loss and its expectation."""
    curve = stream.curve
    x = _days(curve.end)
    _line(axes, x, curve.expected_log_loss, EXPECTED, "expected")
    _observed(axes, x, curve.log_loss, curve.provisional, "observed")
    _limit_to(axes, curve.provisional, curve.log_loss, curve.expected_log_loss)
    axes.set_ylabel("log loss, nats")


def difference(axes: Axes, stream: StreamOverview) -> None:
    """Draw observed minus expected log loss with its confidence sequence."""
    curve = stream.curve
    x = _days(curve.end)
    axes.axhline(0.0, **EXPECTED)
    axes.fill_between(x, curve.low, curve.high, color=OBSERVED["color"], alpha=0.15, linewidth=0.0, label="95 %")
    _observed(axes, x, curve.difference, curve.provisional, "observed minus expected")
    mature = ~curve.provisional & np.isfinite(curve.low)
    if mature.any():
        half = np.quantile((curve.high - curve.low)[mature], _SHOWN_OF_BAND) / 2.0
        _limit_to(axes, curve.provisional, curve.difference - half, curve.difference + half)
    else:
        _limit_to(axes, curve.provisional, curve.difference, 0.0 * curve.difference)
    axes.set_ylabel("difference, nats")


def evidence(axes: Axes, stream: StreamOverview) -> None:
    """Draw the evidence after each look, and the evidence that an alert requires."""
    found = stream.evidence
    axes.axhline(found.needed, **LIMIT, label="needed for an alert")
    # The largest value of each group of looks, so that no peak disappears.
    starts = np.arange(0, len(found.nats), -(-len(found.nats) // MOST_LOOKS) or 1)
    if len(starts):
        nats = np.maximum.reduceat(found.nats, starts)
        x = _days(found.end[starts])
        axes.step(x, nats, where="post", **OBSERVED, label="evidence")
        if len(x) == 1:
            axes.plot(x, nats, marker="o", markersize=3, **OBSERVED)
    else:
        _note(axes, "no mature labels yet")
    low = max(float(found.nats.min(initial=0.0)), -found.needed)
    axes.set_ylim(low - 0.3, max(1.15 * found.needed, 1.05 * float(found.nats.max(initial=0.0))))
    axes.set_ylabel("evidence, nats")


def coverage(axes: Axes, stream: StreamOverview) -> None:
    """Draw the share of labelled rows of each cohort."""
    looks = stream.looks
    edges = np.append(_days(looks.start), _days(looks.end[-1:]))
    if len(looks):
        with np.errstate(invalid="ignore"):
            labelled = looks.labelled / looks.rows
        axes.stairs(labelled, edges, fill=True, color=OBSERVED["color"], alpha=0.25, label="share of labelled rows")
        axes.stairs(labelled, edges, baseline=None, **OBSERVED)
    axes.set_ylim(0.0, 1.05)
    axes.yaxis.set_major_formatter(_PER_CENT)
    axes.set_ylabel("labelled")


def rates(axes: Axes, stream: StreamOverview) -> None:
    """Draw event rate and mean prediction; for K classes, the differences of the classes that differ most."""
    curve = stream.curve
    x = _days(curve.end)
    if curve.mean_label.ndim == 1:
        _line(axes, x, curve.mean_proba, EXPECTED, "mean prediction")
        _observed(axes, x, curve.mean_label, curve.provisional, "event rate")
        _limit_to(axes, curve.provisional, curve.mean_label, curve.mean_proba)
        axes.set_ylabel("event rate")
        return
    gaps = curve.mean_label - curve.mean_proba
    axes.axhline(0.0, **EXPECTED)
    for i, k in enumerate(classes(stream)):
        style: dict[str, Any] = {"color": look(i)["color"], "linestyle": look(i)["linestyle"], "linewidth": 1.2}
        _line(axes, x, np.where(curve.provisional, np.nan, gaps[:, k]), style, f"class {k}")
    _legend(axes)
    axes.set_ylabel("rate − mean prediction")


def classes(stream: StreamOverview) -> list[int]:
    """Return the classes whose rates differ most from their mean predictions in the last mature window."""
    gaps = np.abs(stream.curve.mean_label - stream.curve.mean_proba)[~stream.curve.provisional]
    gaps = gaps[np.isfinite(gaps).all(axis=1)]
    if not len(gaps):
        return []
    return sorted(int(k) for k in np.argsort(-gaps[-1], kind="stable")[:MOST_CLASSES])


def drift(axes: Axes, stream: StreamOverview) -> None:
    """Draw the population stability index with its expectation and its 95 % quantile without a change."""
    found = stream.drift
    if found is None or not np.isfinite(found.psi).any():
        _note(axes, "no rows after the reference")
        axes.set_yticks([])
    else:
        x = _days(found.end)
        axes.fill_between(x, 0.0, found.high, color=BAND, linewidth=0.0, label="95 % without a change")
        _line(axes, x, found.expected_psi, EXPECTED, "expected without a change")
        _line(axes, x, found.psi, OBSERVED, "PSI")
        quantile = float(np.nanquantile(found.high, _SHOWN_OF_BAND))
        axes.set_ylim(0.0, 1.1 * max(quantile, float(np.nanmax(found.psi))) or 1.0)
    axes.set_ylabel("PSI")


def has_shares(stream: StreamOverview) -> bool:
    """Tell whether there are probabilities that are exactly 0 or 1, or invalid."""
    found = stream.drift
    return found is not None and any(np.nansum(values) > 0.0 for _, values in _shares(stream))


def shares(axes: Axes, stream: StreamOverview) -> None:
    """Draw the shares of probabilities that are exactly 0 or 1, or invalid."""
    found = stream.drift
    if found is None:
        return
    for i, (label, values) in enumerate(_shares(stream)):
        if np.nansum(values) > 0.0:
            style: dict[str, Any] = {"color": look(i)["color"], "linestyle": look(i)["linestyle"], "linewidth": 1.2}
            _line(axes, _days(found.end), values, style, label)
    _legend(axes)
    axes.yaxis.set_major_formatter(_PER_CENT)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("share of rows")


def reliability(axes: Axes, stream: StreamOverview) -> None:
    """Draw the reliability curves of the first half of the mature period and of its last window."""
    axes.plot([0.0, 1.0], [0.0, 1.0], color=INK, linewidth=0.8)
    top = 0.0
    for period, style in ((stream.before, _BEFORE), (stream.now, _NOW)):
        if period is None:
            continue
        x, y, low, high = points(period)
        label = f"{moment(period.start)} to {moment(period.end)}"
        if style is _NOW:
            axes.vlines(x, low, high, color=OBSERVED["color"], linewidth=0.9)
        axes.plot(x, y, label=label, clip_on=False, **style)
        top = max(top, float(np.max(x, initial=0.0)), float(np.max(y, initial=0.0)))
    if top == 0.0:
        _note(axes, "no mature labels yet")
    _legend(axes)
    square(axes, min(1.0, 1.1 * top) or 1.0)
    binary = stream.curve.mean_label.ndim == 1
    axes.set_xlabel("predicted frequency" if binary else "largest probability")
    axes.set_ylabel("observed frequency" if binary else "share of right classes")


def points(period: Period) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Return predicted and observed frequencies with their 95 % intervals (Wilson 1927)."""
    some = period.curve.weight > 0.0
    predicted, observed, n = (part[some] for part in period.curve[3:])
    center = (observed + _Z**2 / (2.0 * n)) / (1.0 + _Z**2 / n)
    half = _Z / (1.0 + _Z**2 / n) * np.sqrt(observed * (1.0 - observed) / n + (_Z / (2.0 * n)) ** 2)
    return predicted, observed, center - half, center + half


# ---- parts ----------------------------------------------------------------------------------------------------------

_PER_CENT = FuncFormatter(lambda value, _: f"{100 * value:g} %")
_BEFORE: dict[str, Any] = {"color": LESSER, "marker": "s", "linestyle": ":", "markersize": 4}
_NOW: dict[str, Any] = {"color": COLORS[0], "marker": "o", "linestyle": "none", "markersize": 6, **EDGE}


def _days(times: Any) -> Doubles:
    """Return times as matplotlib counts them."""
    found: Doubles = date2num(times)  # type: ignore[no-untyped-call]
    return found


def _number(time: datetime) -> float:
    return float(_days(time))


def _limits(stream: StreamOverview) -> tuple[float, float]:
    """Return the first and the last time that are shown."""
    looks = stream.looks
    if not len(looks):
        return 0.0, 1.0
    start, end = float(_days(looks.start[0])), float(_days(looks.end[-1]))
    margin = 0.01 * (end - start)
    return start - margin, end + margin


def _line(axes: Axes, x: Doubles, y: Doubles, style: dict[str, Any], label: str) -> None:
    """Draw a line, and markers where a value has no neighbours."""
    known = np.concatenate([[False], np.isfinite(y), [False]])
    alone = known[1:-1] & ~known[:-2] & ~known[2:]
    axes.plot(x, y, label=label, **style)
    if alone.any():
        axes.plot(x[alone], y[alone], color=style["color"], marker="o", markersize=3, linestyle="none")


def _observed(axes: Axes, x: Doubles, y: Doubles, provisional: npt.NDArray[np.bool_], label: str) -> None:
    """Draw observed values, dashed where they are provisional."""
    # The dashes begin at the last final value.
    after = provisional | np.append(provisional[1:], False)
    _line(axes, x, np.where(provisional, np.nan, y), OBSERVED, label)
    if provisional.any():
        _line(axes, x, np.where(after, y, np.nan), PROVISIONAL, "provisional")


def _limit_to(axes: Axes, provisional: npt.NDArray[np.bool_], *values: Doubles) -> None:
    """Limit the axis to the final values, if there are any; few labels would determine it otherwise."""
    shown = np.concatenate([part[~provisional] for part in values])
    if not np.isfinite(shown).any():
        shown = np.concatenate(values)
    shown = shown[np.isfinite(shown)]
    if not len(shown):
        _note(axes, "no labels yet")
        return
    low, high = float(shown.min()), float(shown.max())
    margin = 0.1 * (high - low) or 0.1 * abs(high) or 0.1
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _shares(stream: StreamOverview) -> list[tuple[str, Doubles]]:
    found = stream.drift
    if found is None:
        return []
    parts = (found.share_of_zeros, found.share_of_ones, found.share_of_invalid)
    return list(zip(("exactly 0", "exactly 1", "invalid"), parts, strict=True))


def _number_alerts(axes: Axes, stream: StreamOverview, limits: tuple[float, float]) -> None:
    """Write the numbers of alerts above their lines, except where they would overlap."""
    start, end = limits
    last = -np.inf
    for alert in stream.alerts[-MOST_ALERTS:]:
        x = _number(alert.time)
        if start <= x <= end and x - last > 0.06 * (end - start):
            axes.annotate(
                f"{alert.number}",
                (x, 1.0),
                xycoords=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize="small",
                color=FOUND["color"],
            )
            last = x


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize="small", frameon=False)


def _note(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=LESSER)
