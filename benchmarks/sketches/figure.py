"""A figure of held-out log loss against training time, for the shipped method and both builtin strategies."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from boosting_losses.report._views.figures import STYLES

from .methods import BUILTIN, SHIPPED
from .results import Results

#: The number of panels; the data sets with the most classes come first.
_PANELS = 4


def draw(results: Results, file: Path) -> None:
    """Draw the first seed: for each method, the learning rate with the lowest validation loss, and its best round."""
    names = sorted(results.sets, key=lambda name: -results.best(name, SHIPPED, 0).answer["n_classes"])[:_PANELS]
    figure = Figure(figsize=(3.6 * len(names), 3.6), layout="constrained")
    for index, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), index + 1)
        lowest = []
        for style, method in zip(STYLES, (*BUILTIN, SHIPPED), strict=False):
            best = results.best(name, method, 0)
            axes.plot(
                best.answer["seconds"],
                best.answer["test"],
                color=style["color"],
                linestyle=style["linestyle"],
                label=method,
            )
            axes.plot(best.at("seconds"), best.at("test"), color=style["color"], marker=style["marker"])
            lowest.append(best.at("test"))
        axes.set_ylim(min(lowest) * 0.97, max(lowest) * 1.25)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_xlabel("training time in seconds, one thread")
        axes.spines[["top", "right"]].set_visible(False)
        if index == 0:
            axes.set_ylabel("log loss on held-out rows")
            axes.legend(frameon=False)
    figure.savefig(file, dpi=160)
