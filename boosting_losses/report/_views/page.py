"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from ...metrics._scores import SCORES
from .._results import FLEXIBLE_ERRORS
from . import page_tables
from .words import THRESHOLD_COLUMNS, slice_columns, title

if TYPE_CHECKING:
    from .._results import Results

_ENVIRONMENT = Environment(
    loader=PackageLoader("boosting_losses.report._views", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_MEANINGS = {
    "flagged": "the share of rows for which the second class is predicted",
    "precision": "of these, the share that are of the second class",
    "recall": "of the rows of the second class, the share for which it is predicted",
    "specificity": "of the rows of the first class, the share for which the second is not predicted",
    "f1": "harmonic mean of precision and recall",
    "net_benefit": "true positives less false positives at the odds of the threshold, per row; that of predicting the second"
    " class for no row is 0",
}


def page(report: Results) -> str:
    """Return the whole page, with pictures."""
    from . import page_pictures  # noqa: PLC0415  (tables need no matplotlib)
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
    return _writable(text)


def fragment(report: Results) -> str:
    """Return tables and findings, for a notebook."""
    text = _ENVIRONMENT.get_template("tables.html").render(
        report=report, title=title(report), summary=page_tables.summary(report), details=page_tables.details(report)
    )
    return _writable(text)


def _writable(text: str) -> str:
    """Replace halves of letters, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _meanings(report: Results) -> list[tuple[str, str]]:
    """Return the meanings of errors of the flexible curve, of columns that are no scores, and of p."""
    found = [(f"{name} ↓", meaning) for name, meaning in FLEXIBLE_ERRORS.values()]
    if report.models[0].thresholds:
        found += [(THRESHOLD_COLUMNS[key], meaning) for key, meaning in _MEANINGS.items()]
        found.append(("net benefit of all", "that of predicting the second class for every row"))
    if report.models[0].slices:
        columns = slice_columns(report)
        label = "the second class" if len(report.classes) == 2 else "right predictions"
        found += [
            ("events", f"how many independent rows those of {label} are worth"),
            (columns["observed"], "observed frequency"),
            (columns["predicted"], "what was predicted on average: equal to the observed frequency if calibrated"),
            (
                columns["observed_over_expected"],
                "the one over the other: 1 if calibrated, above 1 if predicted too low",
            ),
        ]
    if report.differences:
        found.append(("p", "how likely a difference at least as large would be if there were none"))
    return found
