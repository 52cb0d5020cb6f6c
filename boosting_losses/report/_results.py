"""The data classes that make up a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..metrics import Estimate, FlexibleCurve, FlexibleErrors, ReliabilityCurve
from ..metrics._predictions import Numbers


@dataclass(frozen=True)
class Finding:
    """A fact that a reader should know before relying on the scores."""

    model: str | None  #: the model that the finding concerns; None for all models
    kind: str
    text: str
    rows: tuple[int, ...] = ()  #: the rows that the finding concerns, counted from 0, worst first


@dataclass(frozen=True)
class Baseline:
    """The scores of a forecast that requires no model."""

    name: str
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class LossByDecile:
    """Mean log loss of each tenth of the rows, ordered by probability; each field has shape ``(D,)``."""

    lower: Numbers  #: the decile contains rows with lower < p <= upper
    upper: Numbers
    weight: Numbers
    loss: Numbers
    expected: Numbers  #: the expected loss if the model were calibrated; NaN for K classes


@dataclass(frozen=True)
class SliceRow:
    """Results for one category. For K classes, ``observed`` is the share of rows whose most probable class is right."""

    value: str
    rows: int
    weight: float
    events: float  #: effective number of rows with label 1; for K classes, of right predictions
    observed: Estimate
    predicted: float
    observed_over_expected: Estimate
    log_loss: Estimate
    brier_score: Estimate
    balanced_log_loss: Estimate | None  #: None unless it is among the scores of the report


@dataclass(frozen=True)
class SliceTable:
    """Results for each category of a variable."""

    variable: str
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True)
class ThresholdRow:
    """Scores if the second class is predicted for probabilities at or above a threshold."""

    threshold: float
    flagged: Estimate  #: share of rows for which the second class is predicted
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    f1: Estimate
    #: True positives minus false positives times the odds of the threshold, per row (Vickers and Elkin 2006)
    net_benefit: Estimate
    net_benefit_of_all: float  #: net benefit of predicting the second class for every row


@dataclass(frozen=True)
class FlexibleResult:
    """The flexible (lowess) calibration curve, and the distances of the probabilities from the curve.

    The keys of ``errors`` are the fields of :class:`~boosting_losses.metrics.FlexibleErrors`.
    """

    curve: FlexibleCurve
    errors: Mapping[str, Estimate]
    uncorrected: FlexibleErrors  #: errors without correction, inflated by label noise


@dataclass(frozen=True)
class ModelResult:
    """All results of one model."""

    name: str
    scores: Mapping[str, Estimate]
    #: Scores without correction for label noise, where they differ from the estimates
    uncorrected: Mapping[str, float]
    curve: ReliabilityCurve  #: with bins of equal weight
    band_low: Numbers  #: consistency band: the range of each bin's frequency if the model were calibrated
    band_high: Numbers
    isotonic_proba: Numbers  #: isotonic regression of the labels on the probability (CORP)
    isotonic_frequency: Numbers
    flexible: FlexibleResult
    shown_up_to: float  #: upper limit of the axes of a diagram
    histogram_edges: Numbers
    histogram: Numbers  #: sums of weights
    deciles: LossByDecile
    class_share: Numbers  #: (K,)
    class_proba: Numbers  #: (K,): mean probabilities
    class_loss: Numbers  #: (K,): mean log loss of the rows of each class
    worst_rows: tuple[tuple[int, float, float], ...]  #: (row, label, share of the loss), worst first
    clipped_rows: int
    class_curves: tuple[ReliabilityCurve, ...]  #: for K classes, the curve of each class against the others
    slices: tuple[SliceTable, ...]
    thresholds: tuple[ThresholdRow, ...]


#: Errors of the flexible curve, by the fields of ``FlexibleErrors``: their names in R's ``val.prob``, and their meanings.
FLEXIBLE_ERRORS = {
    "mean": ("Eavg", "mean distance of the probabilities from the flexible (lowess) curve, corrected for label noise"),
    "e50": ("E50", "the median of these distances"),
    "e90": ("E90", "the 0.9 quantile of these distances"),
    "largest": ("Emax", "the largest of these distances"),
}


@dataclass(frozen=True, repr=False)
class Results:
    """All results of one or several models on the same rows."""

    rows: int
    weight: float
    classes: tuple[str, ...]
    base_rates: Numbers  #: weighted shares of the classes, (K,)
    level: float
    eps: float | None
    models: tuple[ModelResult, ...]
    baselines: tuple[Baseline, ...]
    #: effective number of rows with the rarer label; for K classes, of the rarer of right and wrong predictions
    events: float
    primary: str | None  #: the score that is shown first, if the settings name one
    reference: str  #: the model with which the other models are compared, unless the settings name another
    #: (model, other): the scores of the model minus those of the other, usually the reference, on the same rows
    differences: Mapping[tuple[str, str], Mapping[str, Estimate]]
    #: For the same pairs: p-values of the hypothesis of no difference, corrected for the number of pairs (Holm)
    p_values: Mapping[tuple[str, str], Mapping[str, float]]
    findings: tuple[Finding, ...]
    #: False for more than a million rows: calibration errors and diagrams then use cells of probabilities that differ by
    #: less than 0.4 %
    is_exact: bool


def quiet_ratio(numerator: Numbers, denominator: Numbers | float) -> Numbers:
    """Return the ratio without warnings; 0 / 0 is NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return numerator / denominator
