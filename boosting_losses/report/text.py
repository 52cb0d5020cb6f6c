"""A report in a terminal."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..metrics import Estimate
from ._scores import SCORES

if TYPE_CHECKING:
    from .report import ProbabilityReport


def number(value: float | None) -> str:
    """With as many digits as tell something."""
    if value is not None and abs(value) < 1e-12:
        value = 0.0  # rounding, not news
    if value is None or math.isnan(value):
        return ""
    return f"{value:.4f}" if math.isinf(value) or abs(value) >= 1e-3 or value == 0.0 else f"{value:.1e}"


def interval(estimate: Estimate) -> str:
    """In brackets, where there is one."""
    return "" if math.isnan(estimate.low) else f"[{number(estimate.low)}, {number(estimate.high)}]"


def title(report: ProbabilityReport) -> str:
    """Of what this is a report."""
    rates = ", ".join(
        f"{label}: {rate:.2%}" for label, rate in zip(report.classes[:10], report.base_rates[:10], strict=True)
    )
    more = ", ..." if len(report.classes) > 10 else ""
    return f"{report.rows:,} rows; classes {rates}{more}; {report.level:.0%} intervals"


def tables(report: ProbabilityReport) -> RenderableType:
    """Scores by model, differences, and findings."""
    names = list(report.models[0].scores)
    scores = Table(title=Text(title(report)), title_justify="left", header_style="bold")
    scores.add_column("score")
    for model in report.models:
        scores.add_column(Text(model.name), justify="right")
    for baseline in report.baselines:
        scores.add_column(Text(baseline.name), justify="right", style="dim")
    for name in names:
        cells = [f"{number(m.scores[name].value)} {interval(m.scores[name])}".strip() for m in report.models]
        others = [number(baseline.scores[name]) for baseline in report.baselines]
        arrow = "↓" if SCORES[name].better == "lower" else "↑"
        scores.add_row(f"{SCORES[name].title} {arrow}", *cells, *others)
    parts: list[RenderableType] = [scores]
    if report.differences:
        table = Table(title=Text("differences, on the same rows"), title_justify="left", header_style="bold")
        table.add_column("score")
        for here, there in report.differences:
            table.add_column(Text(f"{here} - {there}"), justify="right")
        for name in names:
            pairs = [pair[name] for pair in report.differences.values()]
            table.add_row(SCORES[name].title, *(f"{number(e.value)} {interval(e)}".strip() for e in pairs))
        parts.append(table)
    for finding in report.findings:
        whom = f"{finding.model}: " if finding.model and len(report.models) > 1 else ""
        parts.append(Text(f"! {whom}{finding.text}", style="yellow"))
    return Group(*parts)


def as_text(report: ProbabilityReport) -> str:
    """The same without colours, for logs and ``repr``."""
    out = io.StringIO()
    width = 60 + 30 * max(len(report.models), 2)
    Console(file=out, width=width, no_color=True, highlight=False).print(tables(report))
    return out.getvalue().rstrip("\n")
