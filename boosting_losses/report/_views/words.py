"""Wording and number formats that the text, the page and its figures share."""

from __future__ import annotations

import math

from ...metrics import Estimate
from .._results import Results

#: Column titles of the table of thresholds, keyed by field of ``ThresholdRow``.
THRESHOLD_COLUMNS = {
    "flagged": "share of rows",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "net_benefit": "net benefit",
}


def number(value: float | None) -> str:
    """Return a number with the digits that are significant."""
    if value is not None and abs(value) < 1e-12:
        value = 0.0  # rounding error
    if value is None or math.isnan(value):
        return ""
    return f"{value:.4f}" if math.isinf(value) or abs(value) >= 1e-3 or value == 0.0 else f"{value:.1e}"


def interval(estimate: Estimate) -> str:
    """Return the interval in brackets, or an empty string if there is none."""
    return "" if math.isnan(estimate.low) else f"[{number(estimate.low)}, {number(estimate.high)}]"


def title(report: Results) -> str:
    """Return one line with the number of rows, the base rates and the confidence level."""
    rates = ", ".join(
        f"{label}: {rate:.2%}" for label, rate in zip(report.classes[:10], report.base_rates[:10], strict=True)
    )
    more = ", ..." if len(report.classes) > 10 else ""
    return f"{report.rows:,} rows; classes {rates}{more}; {report.level:.0%} intervals"


def slice_columns(report: Results) -> dict[str, str]:
    """Return the column titles of the tables by slice, keyed by field of ``SliceRow``."""
    two = len(report.classes) == 2
    balanced = {"balanced_log_loss": "balanced log loss"} if "balanced_log_loss" in report.models[0].scores else {}
    return {
        "observed": f"share of class {report.classes[1]}" if two else "share of right classes",
        "predicted": "mean probability" if two else "mean largest probability",
        "observed_over_expected": "observed / expected",
        "log_loss": "log loss",
        "brier_score": "Brier score",
        **balanced,
    }


def pair_labels(report: Results) -> dict[tuple[str, str], str]:
    """Return a label of each difference: the name of the model, or of both models if they differ in the second."""
    same = len({there for _, there in report.differences}) == 1
    return {(here, there): here if same else f"{here} minus {there}" for here, there in report.differences}


def minus(report: Results, subject: str = "") -> str:
    """Return a phrase that names the model that is subtracted, unless the labels of the differences name it."""
    subtracted = {there for _, there in report.differences}
    what = f"{subject}minus {subtracted.pop()}" if len(subtracted) == 1 else "differences"
    return f"{what}, on the same rows"


def capital(text: str) -> str:
    """Return a text that starts with a capital letter."""
    return text[0].upper() + text[1:]


def differences_note(report: Results) -> str:
    """Return a note that explains the p-values."""
    n = len(report.differences)
    what = "models" if len({there for _, there in report.differences}) == 1 else "differences"
    return "p: p-value of no difference" + (f", corrected for {n} {what} (Holm)" if n > 1 else "")


def p_value(p: float) -> str:
    """Return the p-value as text."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
