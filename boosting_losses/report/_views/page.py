"""A report as a self-contained HTML page, without external scripts, fonts or images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...metrics._scores import SCORES
from .._results import FLEXIBLE_ERRORS
from . import page_tables
from .html import environment, writable
from .words import THRESHOLD_COLUMNS, slice_columns, title

if TYPE_CHECKING:
    from .._results import Results

_ENVIRONMENT = environment()

_MEANINGS = {
    "flagged": "the share of rows for which the second class is predicted",
    "precision": "of the rows for which the second class is predicted, the share that belong to it",
    "recall": "of the rows of the second class, the share for which it is predicted",
    "specificity": "of the rows of the first class, the share for which the first class is predicted",
    "f1": "harmonic mean of precision and recall",
    "net_benefit": "true positives minus false positives times the odds of the threshold, per row; predicting the second"
    " class for no row has a net benefit of 0",
}


def page(report: Results) -> str:
    """Return the whole page, with figures."""
    from . import page_pictures  # noqa: PLC0415  (tables do not require matplotlib)
    from .svg import variables  # noqa: PLC0415

    text = _ENVIRONMENT.get_template("page.html").render(
        report=report,
        scores=SCORES,
        title=title(report),
        level=f"{report.level:.0%}",
        summary=page_tables.summary(report),
        details=page_tables.details(report),
        by_class=page_tables.by_class(report),
        worst_rows=page_tables.worst_rows(report),
        meanings=_meanings(report),
        of_models=page_pictures.of_models(report),
        of_all=page_pictures.of_all(report),
        of_classes=page_pictures.of_classes(report),
        legends=[page_pictures.legend(report, key) for key in ("all", "class")],
        signs=page_pictures.signs(),
        day=variables(black=False),
        night=variables(black=True),
    )
    return writable(text)


def fragment(report: Results) -> str:
    """Return the tables and findings as HTML for a notebook."""
    text = _ENVIRONMENT.get_template("tables.html").render(
        report=report, title=title(report), summary=page_tables.summary(report), details=page_tables.details(report)
    )
    return writable(text)


def _meanings(report: Results) -> list[tuple[str, str]]:
    """Return the definitions of flexible-curve errors, of table columns that are not scores, and of p."""
    found = [(f"{name} ↓", meaning) for name, meaning in FLEXIBLE_ERRORS.values()]
    if report.models[0].thresholds:
        found += [(THRESHOLD_COLUMNS[key], meaning) for key, meaning in _MEANINGS.items()]
        found.append(("net benefit of all", "net benefit of predicting the second class for every row"))
    if report.models[0].slices:
        columns = slice_columns(report)
        label = "rows of the second class" if len(report.classes) == 2 else "right predictions"
        found += [
            ("events", f"effective number of {label}"),
            (columns["observed"], "observed frequency"),
            (columns["predicted"], "mean prediction; equal to the observed frequency if the model is calibrated"),
            (
                columns["observed_over_expected"],
                "ratio of the two: 1 if the model is calibrated, above 1 if its predictions are too low",
            ),
        ]
    if report.differences:
        found.append(("p", "probability of a difference at least this large if the true difference were 0"))
    return found
