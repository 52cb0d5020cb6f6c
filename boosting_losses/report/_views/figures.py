"""The figures of single models: reliability diagrams, histograms of the probabilities, and loss by tenths of the rows.

Models differ in line style and marker as well as in colour, so that figures are readable in black and white.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from .._results import ModelResult
from .looks import BAND, EDGE, GRID, INK, LESSER, STYLES, look, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .._results import Results

__all__ = ["STYLES", "histogram", "loss_by_decile", "overview", "reliability_diagram", "save"]

#: The largest number of diagrams side by side.
COLUMNS = 4


def overview(report: Results) -> Figure:
    """Draw a reliability diagram above a histogram for each model, then the loss by tenths of the rows."""
    n = len(report.models)
    rows = -(-n // COLUMNS)
    columns = -(-n // rows)
    names = [wrapped(model.name, 38, lines=3) for model in report.models]
    below = 2.9 if n == 1 else max(2.9, 0.7 + 0.18 * sum(1 + name.count("\n") for name in names))
    figure = Figure(figsize=(4.5 * columns + 0.4, 6.2 * rows + below), layout="constrained")
    grid = figure.add_gridspec(2 * rows + 1, columns, height_ratios=[4.7, 1.5] * rows + [below])
    for i, model in enumerate(report.models):
        row, column = divmod(i, columns)
        top = figure.add_subplot(grid[2 * row, column])
        reliability_diagram(top, model, report, i)
        top.set_title(names[i], parse_math=False)
        if i == 0:
            top.legend(loc="upper left", fontsize=8, frameon=False)
        histogram(figure.add_subplot(grid[2 * row + 1, column], sharex=top), model, report, i)
    last = figure.add_subplot(grid[-1, :-1] if columns > 1 else grid[-1, :])
    loss_by_decile(last, report)
    handles, _ = last.get_legend_handles_labels()
    if n > 1:
        beside = last.legend(handles, names, fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        beside.set_in_layout(False)  # a column is reserved for it
        for name in beside.get_texts():
            name.set_parse_math(False)
    elif len(handles) > 1:
        last.legend(handles, ["observed", "if calibrated"], fontsize=8, frameon=False)
    return figure


def save(figure: Figure, target: str | Path | IO[Any], **options: Any) -> None:
    """Write a figure, without warnings about characters that the font lacks; such characters are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        figure.savefig(target, **options)


def reliability_diagram(axes: Axes, model: ModelResult, report: Results, i: int = 0) -> None:
    """Draw observed against predicted frequency in bins of equal weight, consistency bands, and curves without bins."""
    axes.plot([0.0, 1.0], [0.0, 1.0], color=INK, linewidth=0.8, label="calibrated")
    some = model.curve.weight > 0.0
    predicted = model.curve.predicted[some]
    low, high = model.band_low[some], model.band_high[some]
    axes.fill_between(predicted, low, high, color=BAND, label=f"{report.level:.0%} band if calibrated")
    corners = _ends_of_steps(model.isotonic_frequency)
    axes.step(
        model.isotonic_proba[corners],
        model.isotonic_frequency[corners],
        where="mid",
        color=LESSER,
        linewidth=1.0,
        linestyle=":",
        label="isotonic (CORP)",
    )
    flexible = model.flexible.curve
    axes.fill_between(
        flexible.predicted, flexible.low, flexible.high, color=look(i)["color"], alpha=0.15, linewidth=0.0
    )
    axes.plot(
        flexible.predicted, flexible.observed, color=look(i)["color"], linewidth=1.2, label="flexible curve (lowess)"
    )
    axes.plot(
        predicted,
        model.curve.observed[some],
        color=look(i)["color"],
        marker=look(i)["marker"],
        linestyle="none",
        markersize=7,
        clip_on=False,
        label=f"{some.sum()} bins of equal weight",
        **EDGE,
    )
    square(axes, model.shown_up_to)
    axes.set_ylabel("observed frequency" if len(report.classes) == 2 else "share of right classes")
    axes.tick_params(labelbottom=False)


def square(axes: Axes, top: float) -> None:
    """Set the same scale for the predicted and the observed axis."""
    axes.set(xlim=(0.0, top), ylim=(0.0, top))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))


def _ends_of_steps(values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return where a value differs from a neighbour; the other points do not affect a step line."""
    differs = np.concatenate([[True], values[1:] != values[:-1], [True]])
    ends: npt.NDArray[np.bool_] = differs[1:] | differs[:-1]
    return ends


def histogram(axes: Axes, model: ModelResult, report: Results, i: int = 0) -> None:
    """Draw the share of rows by probability, on a log scale that also shows rare probabilities."""
    shares = model.histogram / model.histogram.sum()
    axes.stairs(shares, model.histogram_edges, fill=True, color=look(i)["color"], alpha=0.75)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=max(shares[shares > 0.0].min() / 2.0, 1e-7), top=2.0)
    of = f"probability of class {report.classes[1]}" if len(report.classes) == 2 else "largest probability"
    axes.set_xlabel(wrapped(of, 44), parse_math=False)
    axes.set_ylabel("share of rows")


def loss_by_decile(axes: Axes, report: Results) -> None:
    """Draw the mean log loss of each tenth of the rows, ordered by probability."""
    for i, model in enumerate(report.models):
        tenth = np.arange(1, len(model.deciles.loss) + 1)
        axes.plot(tenth, model.deciles.loss, label=f"model {i}", markersize=5, **look(i))
        if len(report.models) == 1 and np.isfinite(model.deciles.expected).any():
            axes.plot(tenth, model.deciles.expected, color=INK, linewidth=1.0, linestyle=":", label="if calibrated")
    ranked = "probability" if len(report.classes) == 2 else "largest probability"
    axes.set(xlabel=f"tenth of the rows, by rising {ranked}", ylabel="mean log loss", ylim=(0.0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", linewidth=0.4, color=GRID)
