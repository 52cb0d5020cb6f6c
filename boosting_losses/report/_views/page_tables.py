"""The tables of a page. One or two models are shown as columns; more models are shown as rows of narrow tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ...metrics import Estimate
from ...metrics._scores import SCORES
from .._results import FLEXIBLE_ERRORS, ModelResult, Results, SliceRow, ThresholdRow
from .words import (
    THRESHOLD_COLUMNS,
    capital,
    differences_note,
    interval,
    minus,
    number,
    p_value,
    pair_labels,
    slice_columns,
)

#: Up to this many models are shown side by side.
SIDE_BY_SIDE = 2
#: The number of scores side by side for more models; more would not fit on paper.
MOST_COLUMNS = 4
#: The prefix that distinguishes errors of the flexible curve from scores, whose keys are names of functions.
_PREFIX = "flexible curve: "
_FLEXIBLE = {_PREFIX + key: f"{name} (flexible curve)\N{NO-BREAK SPACE}↓" for key, (name, _) in FLEXIBLE_ERRORS.items()}
#: The headings under which scores are grouped.
_TOPICS = ("losses", "ranking", "calibration", "flexible calibration curve", "direction of miscalibration", "others")
#: The number of rows with the largest losses that are shown.
MOST_ROWS = 10


class Head(NamedTuple):
    """The header of a row or a column; names may be of any length."""

    text: str
    is_name: bool = False
    is_lesser: bool = False
    link: str = ""  #: the identifier of an element of the page


class Cell(NamedTuple):
    """A number with its interval and p-value, or a name."""

    text: str
    interval: str = ""
    p: str = ""
    is_name: bool = False


class Rows(NamedTuple):
    """Rows with an optional common heading."""

    head: str
    rows: tuple[tuple[Head, tuple[Cell, ...]], ...]


class Table(NamedTuple):
    """One table of a page."""

    title: str  #: empty if the heading of the section suffices
    corner: str  #: the header of the column of row headers
    columns: tuple[Head, ...]
    parts: tuple[Rows, ...]


class Section(NamedTuple):
    """Tables under one heading."""

    key: str
    title: str
    tables: tuple[Table, ...]
    note: str = ""


Line = tuple[Head, Mapping[str, Cell]]


def summary(report: Results) -> list[Section]:
    """Return the tables of scores, and of differences between models."""
    names = list(report.models[0].scores)
    heads = {name: f"{SCORES[name].title}\N{NO-BREAK SPACE}{SCORES[name].mark}".strip() for name in names}
    lines: list[Line] = [
        (Head(model.name, is_name=True), {name: _estimate(e) for name, e in _estimates(model).items()})
        for model in report.models
    ]
    lines += [
        (Head(baseline.name, is_lesser=True), {name: Cell(number(value)) for name, value in baseline.scores.items()})
        for baseline in report.baselines
    ]
    n = len(report.models)
    noisy = [name for name in names if any(name in model.uncorrected for model in report.models)]
    uncorrected: list[Line] = [
        (Head(model.name, is_name=True), {name: Cell(number(value)) for name, value in _uncorrected(model).items()})
        for model in report.models
    ]
    tables = _by_score(heads | _FLEXIBLE, lines, n)
    title = "Without correction for label noise, as in other packages"
    if n <= SIDE_BY_SIDE:
        tables += _by_score({name: heads[name] for name in noisy} | _FLEXIBLE, uncorrected, n, title)
    else:
        tables += _by_score({name: heads[name] for name in noisy}, uncorrected, n, title) if noisy else []
        tables += _by_score(_FLEXIBLE, uncorrected, n, f"Flexible calibration curve, {title[0].lower()}{title[1:]}")
    sections = [Section("scores", "Scores", tuple(tables))]
    if report.differences:
        labels = pair_labels(report)
        lines = [
            (
                Head(labels[pair], is_name=True),
                {name: _estimate(e, report.p_values[pair][name]) for name, e in scores.items()},
            )
            for pair, scores in report.differences.items()
        ]
        tables = _by_score({name: SCORES[name].title for name in names}, lines, n)
        note = f"{capital(minus(report))}; {differences_note(report)}."
        sections.append(Section("differences", "Differences", tuple(tables), note))
    return sections


def details(report: Results) -> list[Section]:
    """Return the tables by threshold and by slice."""
    sections = []
    first = report.models[0]
    if first.thresholds:
        columns = {**THRESHOLD_COLUMNS, "net_benefit_of_all": "net benefit of all"}
        values = [f"{row.threshold:g}" for row in first.thresholds]
        rows = [[_fields(row, columns) for row in model.thresholds] for model in report.models]
        table = _by_part(report, "", "probability ≥", values, columns.values(), rows)
        sections.append(Section("thresholds", "Thresholds", (table,)))
    if first.slices:
        columns = {"rows": "rows", "events": "events", **slice_columns(report)}
        tables = []
        for j, shown in enumerate(first.slices):
            values = [row.value for row in shown.rows]
            rows = [[_fields(row, columns) for row in model.slices[j].rows] for model in report.models]
            tables.append(_by_part(report, f"By {shown.variable}", shown.variable, values, columns.values(), rows))
        sections.append(Section("slices", "Slices", tuple(tables)))
    return sections


def by_class(report: Results) -> Section:
    """Return the share, the mean probability and the mean log loss of each class."""
    rows = [
        [
            (Cell(number(share)), Cell(number(proba)), Cell(number(loss)))
            for share, proba, loss in zip(model.class_share, model.class_proba, model.class_loss, strict=True)
        ]
        for model in report.models
    ]
    columns = ("share", "mean probability", "log loss")
    return Section("classes", "Classes", (_by_part(report, "", "class", report.classes, columns, rows),))


def worst_rows(report: Results) -> Section:
    """Return the rows with the largest losses."""
    columns = (Head("class"), Head("share of the loss"))

    def table(model: ModelResult) -> Table:
        rows = tuple(
            (
                Head(f"{row}"),
                (Cell(_label(report, label), is_name=True), Cell("" if math.isnan(share) else f"{share:.2%}")),
            )
            for row, label, share in model.worst_rows[:MOST_ROWS]
        )
        return Table(model.name, "row", columns, (Rows("", rows),))

    note = "Rows are counted from 0. Such rows often have wrong labels."
    return Section("rows", "Rows with the largest losses", tuple(table(model) for model in report.models), note)


# ---- parts ----------------------------------------------------------------------------------------------------------


def _estimates(model: ModelResult) -> dict[str, Estimate]:
    """Return the scores and the errors of the flexible curve."""
    return {**model.scores, **{_PREFIX + key: estimate for key, estimate in model.flexible.errors.items()}}


def _uncorrected(model: ModelResult) -> dict[str, float]:
    return {
        **model.uncorrected,
        **{_PREFIX + key: value for key, value in model.flexible.uncorrected._asdict().items()},
    }


def _by_score(scores: Mapping[str, str], lines: Sequence[Line], n_models: int, title: str = "") -> list[Table]:
    """Return a table with one column per line or, for many models, tables of a few scores with one row per line."""
    if n_models <= SIDE_BY_SIDE:
        rows = tuple(
            (Head(text), tuple(cells.get(name, Cell("")) for _, cells in lines)) for name, text in scores.items()
        )
        return [Table(title, "score", tuple(head for head, _ in lines), (Rows("", rows),))]
    found = []
    for group, names in [(title, list(scores))] if title else _groups(scores):
        parts = -(-len(names) // MOST_COLUMNS)
        each = -(-len(names) // parts)
        for start in range(0, len(names), each):
            shown = names[start : start + each]
            rows = tuple(
                (head, tuple(cells.get(name, Cell("")) for name in shown))
                for head, cells in lines
                if any(cells.get(name, Cell("")).text for name in shown)
            )
            heads = tuple(Head(scores[name]) for name in shown)
            found.append(Table(group, "model", heads, (Rows("", rows),)))
    return found


def _groups(scores: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Return the scores grouped by topic."""
    topics: dict[str, list[str]] = {topic: [] for topic in _TOPICS}
    for name in scores:
        topics["flexible calibration curve" if name in _FLEXIBLE else SCORES[name].topic].append(name)
    return [(topic.capitalize(), names) for topic, names in topics.items() if names]


def _by_part(
    report: Results,
    title: str,
    what: str,
    values: Sequence[str],
    columns: Iterable[str],
    rows: Sequence[Sequence[tuple[Cell, ...]]],
) -> Table:
    """Return a table with one row per part; for several models, one row per model for each part."""
    heads = tuple(Head(column, is_name=report.classes[-1] in column) for column in columns)
    if len(rows) == 1:
        return Table(
            title,
            what,
            heads,
            (Rows("", tuple(zip((Head(value, is_name=True) for value in values), rows[0], strict=True))),),
        )
    names = [Head(model.name, is_name=True) for model in report.models]
    parts = tuple(
        Rows(f"{what} {value}", tuple((name, own[i]) for name, own in zip(names, rows, strict=True)))
        for i, value in enumerate(values)
    )
    return Table(title, "model", heads, parts)


def _estimate(estimate: Estimate, p: float = math.nan) -> Cell:
    return Cell(number(estimate.value), interval(estimate), "" if math.isnan(p) else p_value(p))


def _fields(row: ThresholdRow | SliceRow, columns: Iterable[str]) -> tuple[Cell, ...]:
    cells = []
    for key in columns:
        value = getattr(row, key)
        if isinstance(value, Estimate):
            cells.append(_estimate(value))
        else:
            cells.append(Cell(f"{value:,.0f}" if key in ("rows", "events") else number(value)))
    return tuple(cells)


def _label(report: Results, label: float) -> str:
    return report.classes[int(label)] if label == int(label) else number(label)
