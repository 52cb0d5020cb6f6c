"""Figures that compare the models of a report: differences with intervals, net benefit, reliability by class."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from ...metrics._scores import SCORES
from .._results import Results
from .figures import square
from .looks import EDGE, GRID, INK, LESSER, look, wrapped
from .words import pair_labels

#: The heights in inches of a line of text, and of an interval with its margins.
LINE, SLOT = 0.165, 0.3


def labels_of_differences(report: Results) -> list[str]:
    """Return the labels of the differences, wrapped to the width of a figure."""
    return [wrapped(label, 42, lines=3) for label in pair_labels(report).values()]


def height_of_differences(report: Results) -> float:
    """Return the height of the axes, in inches."""
    return sum(SLOT + LINE * (1 + label.count("\n")) for label in labels_of_differences(report))


def differences(axes: Axes, report: Results, score: str) -> None:
    """Draw the differences in a score, with intervals, each below the name of its model."""
    order = [model.name for model in report.models]
    top = 0.0
    for label, ((here, _), scores) in zip(labels_of_differences(report), report.differences.items(), strict=True):
        value, low, high = scores[score]
        style = look(order.index(here))
        text = label if np.isfinite(value) else f"{label}: no value"
        axes.text(0.0, top + 0.06, text, transform=axes.get_yaxis_transform(), va="top", parse_math=False)
        top += SLOT + LINE * (1 + label.count("\n"))
        at = top - 0.15
        # One short line per model, so that no line crosses a name.
        axes.plot([0.0, 0.0], [at - 0.11, at + 0.11], color=INK, linewidth=1.0)
        if np.isfinite(value):
            if np.isfinite(low) and np.isfinite(high):
                axes.plot([low, high], [at, at], color=style["color"], linewidth=1.6, solid_capstyle="butt")
            axes.plot(value, at, color=style["color"], marker=style["marker"], markersize=7, **EDGE)
    axes.set_ylim(top, 0.0)
    axes.set_yticks([])
    axes.margins(x=0.08)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x", linewidth=0.4, color=GRID)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.set_xlabel(f"difference in {SCORES[score].title}")


def net_benefit(axes: Axes, report: Results) -> None:
    """Draw net benefit by threshold for the models, and for predicting the second class for every row and for no row."""
    first = report.models[0].thresholds
    x = np.array([row.threshold for row in first])
    of_all = np.array([row.net_benefit_of_all for row in first])
    axes.plot(x, of_all, color=LESSER, linewidth=1.2, marker="|" if len(x) == 1 else "", label="all rows")
    axes.axhline(0.0, color=INK, linewidth=0.8, label="no row")
    lowest = highest = 0.0
    for i, model in enumerate(report.models):
        estimates = np.array([row.net_benefit for row in model.thresholds], dtype=np.float64)
        value, low, high = estimates.T
        if len(report.models) == 1 and len(x) > 1:
            axes.fill_between(x, low, high, color=look(i)["color"], alpha=0.2, linewidth=0.0)
            lowest, highest = np.nanmin([lowest, *low]), np.nanmax([highest, *high])
        every = max(1, len(x) // 8)
        axes.plot(x, value, markersize=5, markevery=every, label=f"model {i}", **look(i))
        lowest, highest = np.nanmin([lowest, *value]), np.nanmax([highest, *value, *of_all])
    room = 0.08 * max(highest - lowest, 1e-6)
    # A net benefit far below zero is useless, so its exact value need not be visible.
    axes.set_ylim(max(lowest, -0.5 * max(highest, 1e-6)) - room, highest + room)
    axes.set(xlabel="threshold of the probability", ylabel="net benefit per row")
    axes.grid(axis="y", linewidth=0.4, color=GRID)


def class_reliability(axes: Axes, report: Results, k: int) -> None:
    """Draw observed against predicted frequency of one class for all models."""
    axes.plot([0.0, 1.0], [0.0, 1.0], color=INK, linewidth=0.8)
    farthest = 0.0
    for i, model in enumerate(report.models):
        curve = model.class_curves[k]
        some = curve.weight > 0.0
        predicted, observed = curve.predicted[some], curve.observed[some]
        axes.plot(predicted, observed, linewidth=0.9, markersize=4.5, **look(i))
        farthest = max([farthest, *predicted, *observed])
    square(axes, 1.0 if farthest > 0.5 else 1.15 * farthest or 1.0)
    axes.set(xlabel="mean probability", ylabel="observed frequency")
