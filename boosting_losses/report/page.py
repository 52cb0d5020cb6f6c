"""A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from ._scores import SCORES
from .text import interval, number, title

if TYPE_CHECKING:
    from .report import ProbabilityReport

_ENVIRONMENT = Environment(
    loader=PackageLoader("boosting_losses.report", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"number": number, "interval": interval}


def page(report: ProbabilityReport) -> str:
    """The whole page, with pictures."""
    return _ENVIRONMENT.get_template("page.html").render(
        report=report, scores=SCORES, title=title(report), picture=_picture(report)
    )


def fragment(report: ProbabilityReport) -> str:
    """Tables and findings, for a notebook."""
    return _ENVIRONMENT.get_template("tables.html").render(report=report, scores=SCORES, title=title(report))


def _picture(report: ProbabilityReport) -> str:
    """As a data URL."""
    from .figures import save  # noqa: PLC0415  (tables need no matplotlib)

    out = io.BytesIO()
    save(report.plot(), out, format="png", dpi=160)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode("ascii")
