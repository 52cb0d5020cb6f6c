"""A comparison as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..study.intervals import interval, number, points
from . import text
from .comparison import RANKING, Comparison
from .data import INNER, TEST
from .plan import Budget
from .remarks import Remarks
from .scoring import CALIBRATIONS

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"number": number, "points": points, "interval": interval, "typical": text.typical}


def page(
    comparison: Comparison,
    budget: Budget,
    facts: Mapping[str, Any],
    pictures: Mapping[str, Path],
    remarks: Remarks | None = None,
) -> str:
    """Return the page, in which the given PNG files are embedded."""
    runs = comparison.runs
    shown = [c for c in CALIBRATIONS if (runs["calibration"] == c).any()]
    return _ENVIRONMENT.get_template("page.html").render(
        comparison=comparison,
        remarks=remarks or Remarks(),
        alone=len(comparison.of_one_seed) == len(comparison.sets),
        by_set=text.by_set,
        calibrations=shown,
        ranking=list(RANKING.values()),
        losses=list(dict.fromkeys(runs["loss"])),
        findings=list(text.findings(comparison)),
        what_ran=text.what_ran(comparison),
        failed=text.failures(comparison),
        sizes={name: text.size(runs[(runs["data"] == name) & runs["error"].isna()]) for name in comparison.sets},
        known={name: summary["excess_log_loss"].notna().any() for name, summary in comparison.sets.items()},
        budget=text.budget(budget),
        shares=f"{TEST:.0%} test rows, {(1 - TEST) * INNER:.1%} inner rows, {(1 - TEST) * (1 - INNER):.1%} training rows",
        threads=budget.threads,
        facts=facts,
        pictures={name: _data_url(file) for name, file in pictures.items()},
    )


def _data_url(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii")
