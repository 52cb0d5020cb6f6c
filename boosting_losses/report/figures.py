"""The pictures of a report: reliability diagrams, histograms of the probabilities, loss by tenths of the rows.

Everything is told apart by line style and marker as well as by brightness, so that a print in black and white says the same.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from .results import ModelResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .report import ProbabilityReport

#: One look for each model, the first four told apart without colour.
STYLES = (
    {"color": "#1b3a5c", "linestyle": "-", "marker": "o"},
    {"color": "#c2571a", "linestyle": "--", "marker": "s"},
    {"color": "#5b8c5a", "linestyle": "-.", "marker": "^"},
    {"color": "#8a6fa8", "linestyle": ":", "marker": "D"},
)
BAND, ISOTONIC = "#c9d3dd", "#555555"


def overview(report: ProbabilityReport) -> Figure:
    """All pictures in one: a reliability diagram over a histogram for each model, then the loss by deciles."""
    columns = len(report.models)
    figure = Figure(figsize=(4.5 * columns + 0.4, 9.0), layout="constrained")
    grid = figure.add_gridspec(3, columns, height_ratios=[4.0, 1.2, 2.4])
    for i, model in enumerate(report.models):
        top = figure.add_subplot(grid[0, i])
        reliability_diagram(top, model, report, i)
        histogram(figure.add_subplot(grid[1, i], sharex=top), model, report, i)
    loss_by_decile(figure.add_subplot(grid[2, :]), report)
    return figure


def save(figure: Figure, target: str | Path | IO[bytes], **options: Any) -> None:
    """Write a picture; names in letters that the font lacks come out as boxes, without a word."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.savefig(target, **options)


def reliability_diagram(axes: Axes, model: ModelResult, report: ProbabilityReport, i: int = 0) -> None:
    """Observed against predicted frequency by bins of equal weight, with consistency bands, and the isotonic curve."""
    top = model.shown_up_to
    axes.plot([0.0, 1.0], [0.0, 1.0], color="black", linewidth=0.8, label="calibrated")
    some = model.curve.weight > 0.0
    predicted = model.curve.predicted[some]
    axes.fill_between(
        predicted,
        model.band_low[some],
        model.band_high[some],
        color=BAND,
        label=f"{report.level:.0%} band if calibrated",
    )
    axes.step(
        model.isotonic_proba,
        model.isotonic_frequency,
        where="mid",
        color=ISOTONIC,
        linewidth=1.0,
        linestyle=":",
        label="isotonic (CORP)",
    )
    style = STYLES[i % len(STYLES)]
    axes.plot(
        predicted,
        model.curve.observed[some],
        color=style["color"],
        marker=style["marker"],
        linestyle="none",
        markersize=6,
        markeredgecolor="white",
        clip_on=False,
        label=f"{some.sum()} bins of equal weight",
    )
    frequency = "observed frequency" if len(report.classes) == 2 else "share of right classes"
    axes.set(xlim=(0.0, top), ylim=(0.0, top), ylabel=frequency)
    axes.set_title(model.name, parse_math=False)
    axes.tick_params(labelbottom=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    axes.legend(loc="upper left", fontsize=8, frameon=False)


def histogram(axes: Axes, model: ModelResult, report: ProbabilityReport, i: int = 0) -> None:
    """Shares of the rows by probability, on a scale that shows rare ones too."""
    shares = model.histogram / model.histogram.sum()
    axes.stairs(shares, model.histogram_edges, fill=True, color=STYLES[i % len(STYLES)]["color"], alpha=0.75)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=max(shares[shares > 0.0].min() / 2.0, 1e-7), top=2.0)
    of = f"probability of class {report.classes[1]}" if len(report.classes) == 2 else "largest probability"
    axes.set_xlabel(of, parse_math=False)
    axes.set_ylabel("share of rows")


def loss_by_decile(axes: Axes, report: ProbabilityReport) -> None:
    """Mean log loss of each tenth of the rows in the order of their probability."""
    for i, model in enumerate(report.models):
        tenth = np.arange(1, len(model.deciles.loss) + 1)
        axes.plot(tenth, model.deciles.loss, label=model.name, markersize=5, **STYLES[i % len(STYLES)])  # type: ignore[arg-type]
        if len(report.models) == 1 and np.isfinite(model.deciles.expected).any():
            axes.plot(tenth, model.deciles.expected, color="black", linewidth=1.0, linestyle=":", label="if calibrated")
    ranked = "probability" if len(report.classes) == 2 else "largest probability"
    axes.set(xlabel=f"tenth of the rows, by rising {ranked}", ylabel="mean log loss", ylim=(0.0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", linewidth=0.4, color="#dddddd")
    for name in axes.legend(fontsize=8, frameon=False).get_texts():
        name.set_parse_math(False)
