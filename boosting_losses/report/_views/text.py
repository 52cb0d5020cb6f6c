"""A report as tables in a terminal."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...metrics import Estimate
from ...metrics._scores import SCORES
from .._results import FLEXIBLE_ERRORS
from .words import (
    THRESHOLD_COLUMNS,
    differences_note,
    interval,
    minus,
    number,
    p_value,
    pair_labels,
    slice_columns,
    title,
)

if TYPE_CHECKING:
    from .._results import ModelResult, Results, SliceTable


def tables(report: Results) -> RenderableType:
    """Return the scores, differences, thresholds, slices and findings."""
    parts: list[RenderableType] = [_scores(report)]
    parts += [Text(line, style="dim") for line in uncorrected(report)]
    if report.differences:
        parts.append(_differences(report))
    for model in report.models:
        whose = f" of {model.name}" if len(report.models) > 1 else ""
        if model.thresholds:
            parts.append(_thresholds(model, whose))
        parts += [_slices(table, whose, report) for table in model.slices]
    for finding in report.findings:
        whom = f"{finding.model}: " if finding.model and len(report.models) > 1 else ""
        parts.append(Text(f"! {whom}{finding.text}", style="yellow"))
    return Group(*parts)


def uncorrected(report: Results) -> list[str]:
    """Return one line per model with its scores without correction for label noise."""
    lines = []
    for model in report.models:
        titled = {SCORES[name].title: value for name, value in model.uncorrected.items()}
        titled |= {name: getattr(model.flexible.uncorrected, key) for key, (name, _) in FLEXIBLE_ERRORS.items()}
        values = ", ".join(f"{title_} {number(value)}" for title_, value in titled.items())
        whose = f"{model.name}: " if len(report.models) > 1 else ""
        lines.append(f"{whose}without correction for label noise, as in other packages: {values}")
    return lines


def _table(title_: str, first: str) -> Table:
    table = Table(title=Text(title_), title_justify="left", header_style="bold")
    table.add_column(Text(first))
    return table


def _with_interval(estimate: Estimate) -> str:
    return f"{number(estimate.value)} {interval(estimate)}".strip()


def _scores(report: Results) -> Table:
    table = _table(title(report), "score")
    for model in report.models:
        table.add_column(Text(model.name), justify="right")
    for baseline in report.baselines:
        table.add_column(Text(baseline.name), justify="right", style="dim")
    for name in report.models[0].scores:
        cells = [_with_interval(model.scores[name]) for model in report.models]
        others = [number(baseline.scores[name]) for baseline in report.baselines]
        table.add_row(f"{SCORES[name].title} {SCORES[name].mark}", *cells, *others)
    for key, (name, _) in FLEXIBLE_ERRORS.items():
        table.add_row(f"{name} (flexible curve) ↓", *(_with_interval(m.flexible.errors[key]) for m in report.models))
    return table


def _differences(report: Results) -> Table:
    table = _table(minus(report), "score")
    for label in pair_labels(report).values():
        table.add_column(Text(label), justify="right")
    for name in report.models[0].scores:
        cells = []
        for pair, scores in report.differences.items():
            p = report.p_values[pair][name]
            cells.append(f"{_with_interval(scores[name])}{'' if math.isnan(p) else f' {p_value(p)}'}")
        table.add_row(SCORES[name].title, *cells)
    table.caption = differences_note(report)
    return table


def _thresholds(model: ModelResult, whose: str) -> Table:
    table = _table(f"at thresholds{whose}", "probability >=")
    for column in THRESHOLD_COLUMNS.values():
        table.add_column(column, justify="right")
    for row in model.thresholds:
        cells = [_with_interval(getattr(row, key)) for key in THRESHOLD_COLUMNS]
        table.add_row(f"{row.threshold:g}", *cells)
    return table


def _slices(slices: SliceTable, whose: str, report: Results) -> Table:
    table = _table(f"by {slices.variable}{whose}", slices.variable)
    columns = slice_columns(report)
    for column in ("rows", "events", *columns.values()):
        table.add_column(column, justify="right")
    for row in slices.rows:
        values = [getattr(row, key) for key in columns]
        cells = [_with_interval(value) if isinstance(value, Estimate) else number(value) for value in values]
        table.add_row(Text(row.value), f"{row.rows:,}", f"{row.events:,.0f}", *cells)
    return table


def as_text(report: Results) -> str:
    """Return the tables as plain text, for logs and ``repr``."""
    out = io.StringIO()
    width = 60 + 30 * max(len(report.models), 4)
    # In a notebook, a console would display its output instead of writing it to the file.
    Console(file=out, width=width, no_color=True, highlight=False, force_jupyter=False).print(tables(report))
    return out.getvalue().rstrip("\n")
