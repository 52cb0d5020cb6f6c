"""The figures of a page with their captions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...metrics._scores import SCORES
from .._results import Results
from . import figures_compared
from .figures import histogram, loss_by_decile, reliability_diagram
from .looks import BAND, EDGE, INK, LESSER, look
from .svg import Picture, drawing, inline, sign
from .words import capital, minus, number, pair_labels

#: The width of a figure in inches, chosen so that text keeps its size on a telephone.
WIDTH = 3.7
#: Only this many of the most frequent classes get a figure.
MOST_CLASSES = 24


def of_models(report: Results) -> list[Picture]:
    """Draw a reliability diagram above a histogram for each model."""
    found = []
    for i, model in enumerate(report.models):
        with drawing():
            figure = Figure(figsize=(WIDTH, 4.7), layout="constrained")
            top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.1, 1.0])
            reliability_diagram(top, model, report, i)
            histogram(below, model, report, i)
        some = model.curve.weight > 0.0
        points = zip(model.curve.predicted[some], model.curve.observed[some], strict=True)
        words = ", ".join(f"{number(predicted)} and {number(observed)}" for predicted, observed in points)
        what = f"Reliability diagram of {model.name}, above a histogram of its probabilities."
        label = f"{what} Predicted and observed: {words}."
        found.append(Picture(inline(figure, label, f"m{i}"), model.name, "", _swatch(i, "of")))
    return found


def of_all(report: Results) -> list[Picture]:
    """Draw the figures that show all models."""
    several = len(report.models) > 1
    found = [
        _picture(
            lambda axes: loss_by_decile(axes, report),
            "Loss by tenths of the rows",
            "Mean log loss of each tenth of the rows." + (_expected(report) if not several else ""),
            "deciles",
            "; ".join(f"{model.name}: {', '.join(map(number, model.deciles.loss))}" for model in report.models),
        )
    ]
    for score in _compared(report):
        labels = pair_labels(report)
        words = [f"{labels[pair]}: {number(s[score].value)}" for pair, s in report.differences.items()]
        better = {"lower": "Left of the line is better.", "higher": "Right of the line is better."}
        found.append(
            _picture(
                lambda axes, score=score: figures_compared.differences(axes, report, score),  # type: ignore[misc]
                f"Differences in {SCORES[score].title}",
                f"{capital(minus(report, 'each model '))}, with {report.level:.0%} intervals."
                f" {better.get(SCORES[score].better, '')}",
                f"difference-{score}",
                "; ".join(words),
                height=0.55 + figures_compared.height_of_differences(report),
            )
        )
    if report.models[0].thresholds:
        band = f" Band: {report.level:.0%} interval." if not several and len(report.models[0].thresholds) > 1 else ""
        words = [
            f"{model.name}: {', '.join(number(row.net_benefit.value) for row in model.thresholds)}"
            for model in report.models
        ]
        found.append(
            _picture(
                lambda axes: figures_compared.net_benefit(axes, report),
                "Net benefit by threshold",
                f"Grey: class {report.classes[1]} predicted for every row. Line at zero: for no row.{band}",
                "benefit",
                "; ".join(words),
            )
        )
    return found


def shown_classes(report: Results) -> list[int]:
    """Return the most frequent classes if there are more than two, in the order of their codes."""
    if not report.models[0].class_curves:
        return []
    commonest = np.argsort(-report.base_rates, kind="stable")[:MOST_CLASSES]
    return sorted(int(k) for k in commonest)


def of_classes(report: Results) -> list[Picture]:
    """Draw observed against predicted frequency for each shown class."""
    return [
        _picture(
            lambda axes, k=k: figures_compared.class_reliability(axes, report, k),  # type: ignore[misc]
            f"Class {report.classes[k]}",
            f"Share {number(float(report.base_rates[k]))}.",
            f"class-{k}",
            "; ".join(
                f"{model.name}: {number(float(model.class_proba[k]))} predicted on average" for model in report.models
            ),
            height=2.7,
        )
        for k in shown_classes(report)
    ]


def legend(report: Results, prefix: str) -> list[tuple[Markup, str]]:
    """Draw the style of each model; return nothing for a single model."""
    several = len(report.models) > 1
    return [(_swatch(i, prefix), model.name) for i, model in enumerate(report.models) if several]


def signs() -> dict[str, Markup]:
    """Draw samples of the lines and bands of reliability diagrams, for a legend."""
    return {
        "calibrated": sign("calibrated", color=INK, linewidth=0.8),
        "band": sign("band", color=BAND, linewidth=8.0),
        "isotonic": sign("isotonic", color=LESSER, linewidth=1.2, linestyle=":"),
        "flexible": sign("flexible", color=look(0)["color"], linewidth=1.2),
    }


def _compared(report: Results) -> list[str]:
    """Return the scores whose differences are drawn."""
    if not report.differences:
        return []
    scores = list(report.models[0].scores)
    usual: list[str] = [name for name in ("log_loss", "brier_score") if name in scores] or scores[:1]
    return usual if report.primary is None else list(dict.fromkeys([report.primary, *usual]))


def _expected(report: Results) -> str:
    known = np.isfinite(report.models[0].deciles.expected).any()
    return " Dotted: expected loss if the model were calibrated." if known else ""


def _picture(
    draw: Callable[[Axes], None], title: str, text: str, prefix: str, words: str, *, height: float = 3.1
) -> Picture:
    with drawing():
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure.add_subplot())
    return Picture(inline(figure, f"{title}. {words}.", prefix), title, text)


def _swatch(i: int, prefix: str) -> Markup:
    return sign(f"{prefix}{i}", markersize=7, **EDGE, **look(i))
