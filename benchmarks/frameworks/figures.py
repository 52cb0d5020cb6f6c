"""Figures of a comparison. Libraries and calibrations differ in marker or fill style, not only in colour."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, ScalarFormatter

from boosting_losses.report._views.figures import STYLES

from .comparison import Comparison
from .scoring import AUTO, NONE
from .text import WAYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The names of all figures.
PICTURES = ("losses", "sets", "costs")


def pictures(comparison: Comparison) -> Mapping[str, Figure]:
    """Return all figures that can be drawn from the finished runs, by name."""
    made: dict[str, Figure] = {}
    if comparison.losses:
        made["losses"] = losses(comparison)
    if comparison.sets:
        made["sets"] = sets(comparison)
        made["costs"] = costs(comparison)
    return made


def losses(comparison: Comparison) -> Figure:
    """Draw the points that each loss adds to the log loss, over all sets and libraries, with intervals."""
    names = list(dict.fromkeys(loss for loss, _ in comparison.losses))
    figure = Figure(figsize=(8.0, 1.2 + 0.75 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    ends: list[float] = [0.0]
    for offset, style, (calibration, words) in zip((-0.22, 0.0, 0.22), STYLES, WAYS.items(), strict=False):
        some = [(i, comparison.losses.get((loss, calibration))) for i, loss in enumerate(names)]
        for i, one in some:
            if one is None:
                continue
            mean = one.mean
            ends += [end for end in (mean.value, mean.low, mean.high) if end is not None]
            if mean.low is not None and mean.high is not None:
                axes.plot([mean.low, mean.high], [i + offset] * 2, color=style["color"], linewidth=1.5)
            axes.plot(mean.value, i + offset, marker=style["marker"], color=style["color"], linestyle="")
        axes.plot([], [], marker=style["marker"], color=style["color"], linestyle="", label=words)
    axes.axvline(0.0, color="black", linewidth=0.8)
    if max(map(abs, ends)) > 10.0:
        axes.set_xscale("symlog", linthresh=1.0)
        axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    known = "negative is better; with 95 % intervals"
    axes.set_xlabel(
        f"log loss minus that of the uncalibrated {comparison.baseline} loss, in per cent of the log loss of the base rates\n"
        f"({known if comparison.has_intervals else 'one seed: no difference can be distinguished from chance'})"
    )
    axes.legend(frameon=False, loc="best")
    _bare(axes)
    return figure


def sets(comparison: Comparison) -> Figure:
    """Draw the log loss of every library and loss on each set, uncalibrated and calibrated, and the lowest possible one."""
    columns = min(3, len(comparison.sets))
    rows = math.ceil(len(comparison.sets) / columns)
    libraries = list(dict.fromkeys(comparison.runs["library"]))
    names = list(dict.fromkeys(comparison.runs["loss"]))
    height = 1.1 + 0.3 * len(names)
    figure = Figure(figsize=(4.6 * columns + 0.4, height * rows + 0.6), layout="constrained")
    for index, (name, summary) in enumerate(comparison.sets.items()):
        axes = figure.add_subplot(rows, columns, index + 1)
        for style, library in zip(STYLES, libraries, strict=False):
            _dots(axes, summary, library, names, style)
        _lowest(axes, summary)
        axes.set_title(_shortened(name), fontsize=10, loc="left", parse_math=False)
        axes.set_yticks(range(len(names)), names if index % columns == 0 else [""] * len(names))
        axes.set_ylim(len(names) - 0.5, -0.5)
        if _is_wide(summary["log_loss"]):
            _logarithmic(axes)
        _bare(axes)
    handles = [
        Line2D([], [], color=style["color"], marker=style["marker"], linestyle="", label=library)
        for style, library in zip(STYLES, libraries, strict=False)
    ]
    handles += [
        Line2D([], [], color="black", marker="o", markerfacecolor="none", linestyle="", label="uncalibrated"),
        Line2D([], [], color="black", marker="o", linestyle="", label="calibrated by auto"),
        Line2D([], [], color="black", linestyle=":", label="lowest possible"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3 if columns == 1 else 6, frameon=False)
    seeds = "one seed" if len(comparison.of_one_seed) == len(comparison.sets) else "mean over seeds"
    figure.supxlabel(f"log loss on held-out rows, {seeds}", fontsize=10)
    return figure


def _shortened(name: str) -> str:
    """Return the title, shortened to the width of a panel."""
    return name if len(name) <= 40 else name[:39] + "…"


def _dots(axes: Axes, summary: pd.DataFrame, library: str, names: list[str], style: Mapping[str, Any]) -> None:
    for calibration, filling in ((NONE, "none"), (AUTO, style["color"])):
        known = [(i, (library, loss, calibration)) for i, loss in enumerate(names)]
        known = [(i, key) for i, key in known if key in summary.index]
        values = [summary.loc[key, "log_loss"] for _, key in known]
        axes.plot(
            values,
            [i for i, _ in known],
            linestyle="",
            marker=style["marker"],
            markersize=5,
            color=style["color"],
            markerfacecolor=filling,
        )


def _lowest(axes: Axes, summary: pd.DataFrame) -> None:
    """Draw a line at the lowest possible log loss, if the true probabilities are known."""
    lowest = (summary["log_loss"] - summary["excess_log_loss"]).iloc[0]
    if not math.isnan(lowest):
        axes.axvline(lowest, color="black", linestyle=":", linewidth=1.0)


def costs(comparison: Comparison) -> Figure:
    """Draw the log loss of calibrated probabilities against training time, with a point for each library and loss."""
    together = pd.concat(comparison.sets.values(), keys=comparison.sets, names=["data"])
    groups = together.groupby(["library", "loss", "calibration"], sort=False)
    means = groups[["nce"]].mean().assign(fit_seconds=groups["fit_seconds"].median())
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for style, library in zip(STYLES, dict.fromkeys(comparison.runs["library"]), strict=False):
        for (name, loss, calibration), row in means.iterrows():
            if name == library and calibration == AUTO:
                axes.plot(
                    row["fit_seconds"], 100.0 * row["nce"], marker=style["marker"], color=style["color"], linestyle=""
                )
                axes.annotate(
                    loss, (row["fit_seconds"], 100.0 * row["nce"]), (5, 3), textcoords="offset points", fontsize=8
                )
        axes.plot([], [], marker=style["marker"], color=style["color"], linestyle="", label=library)
    _logarithmic(axes)
    axes.set_xlabel("training time in seconds, median over sets")
    axes.set_ylabel("log loss in per cent of that of the base rates,\nmean over sets, calibrated by auto")
    axes.legend(frameon=False)
    _bare(axes)
    return figure


def _is_wide(values: pd.Series[float]) -> bool:
    return bool(values.max() > 4.0 * values.min() > 0.0)


def _logarithmic(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, with labels in decimal notation."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#dfe4ea", linewidth=0.7)
    axes.set_axisbelow(True)
