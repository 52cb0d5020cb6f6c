"""The parts of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..metrics import Estimate, FlexibleCurve, FlexibleErrors, ReliabilityCurve
from ..metrics._predictions import Numbers


@dataclass(frozen=True)
class Finding:
    """Something that a reader should know before believing the scores."""

    model: str | None  #: whom it concerns; None for all
    kind: str
    text: str
    rows: tuple[int, ...] = ()  #: the rows it is about, counted from 0, the worst first


@dataclass(frozen=True)
class Baseline:
    """A forecast that needs no model, and its scores."""

    name: str
    scores: Mapping[str, float | None]


@dataclass(frozen=True)
class LossByDecile:
    """Mean log loss over tenths of the rows, ordered by their probability; each field ``(D,)``."""

    lower: Numbers  #: the decile holds lower < p <= upper
    upper: Numbers
    weight: Numbers
    loss: Numbers
    expected: Numbers  #: what the loss would be if the probabilities were right; NaN for K classes


@dataclass(frozen=True)
class SliceRow:
    """The rows of one category. Of K classes "observed" is how often the likeliest class was the label's."""

    value: str
    rows: int
    weight: float
    events: float  #: how many independent rows the label 1 is worth
    observed: Estimate
    predicted: float
    observed_over_expected: Estimate
    log_loss: Estimate
    brier_score: Estimate


@dataclass(frozen=True)
class SliceTable:
    """The rows in parts, by the categories of a variable."""

    variable: str
    rows: tuple[SliceRow, ...]


@dataclass(frozen=True)
class ThresholdRow:
    """Predictions of the second class for probabilities from a threshold on."""

    threshold: float
    flagged: Estimate  #: the share of the rows
    precision: Estimate
    recall: Estimate
    specificity: Estimate
    f1: Estimate
    #: True positives less false positives at the odds of the threshold, per row (Vickers and Elkin 2006)
    net_benefit: Estimate
    net_benefit_of_all: float  #: that of predicting the second class for every row


@dataclass(frozen=True)
class FlexibleResult:
    """The flexible (lowess) calibration curve, and how far it is from the probabilities.

    The errors have the names of the fields of :class:`~boosting_losses.metrics.FlexibleErrors`.
    """

    curve: FlexibleCurve
    errors: Mapping[str, Estimate]
    uncorrected: FlexibleErrors  #: of the data as they are, which noise makes too large


@dataclass(frozen=True)
class ModelResult:
    """What a report says of one model."""

    name: str
    scores: Mapping[str, Estimate]
    #: The scores of the data as they are, where noise makes them larger than the estimates
    uncorrected: Mapping[str, float]
    curve: ReliabilityCurve  #: by bins of equal weight
    band_low: Numbers  #: where a bin's frequency would lie, with the report's confidence, if the model were calibrated
    band_high: Numbers
    isotonic_proba: Numbers  #: the frequency as a rising function of the probability (CORP)
    isotonic_frequency: Numbers
    flexible: FlexibleResult
    shown_up_to: float  #: where a diagram may end
    histogram_edges: Numbers
    histogram: Numbers  #: sums of weights
    deciles: LossByDecile
    class_share: Numbers  #: (K,)
    class_proba: Numbers  #: (K,): mean probabilities
    class_loss: Numbers  #: (K,): mean log loss of each class's rows
    worst_rows: tuple[tuple[int, float, float], ...]  #: (row, label, share of the loss), the worst first
    clipped_rows: int
    class_curves: tuple[ReliabilityCurve, ...]  #: of K classes, each against the others, by bins of equal weight
    slices: tuple[SliceTable, ...]
    thresholds: tuple[ThresholdRow, ...]


#: Errors of the flexible curve, by the fields of ``FlexibleErrors``: what R's ``val.prob`` calls them, and what they are.
FLEXIBLE_ERRORS = {
    "mean": ("Eavg", "mean distance of the probabilities from the flexible (lowess) curve, less what noise adds to it"),
    "e50": ("E50", "the median of these distances"),
    "e90": ("E90", "of nine rows in ten the distance is smaller"),
    "largest": ("Emax", "the largest of these distances"),
}


@dataclass(frozen=True, repr=False)
class Results:
    """All results of one or several models of the same rows."""

    rows: int
    weight: float
    classes: tuple[str, ...]
    base_rates: Numbers  #: weighted shares of the classes, (K,)
    level: float
    eps: float | None
    models: tuple[ModelResult, ...]
    baselines: tuple[Baseline, ...]
    events: float  #: how many independent rows the rarer label is worth; of K classes, of right and wrong predictions
    reference: str  #: the model with which the others are compared
    #: (a model, the reference): its scores minus those of the reference, on the same rows
    differences: Mapping[tuple[str, str], Mapping[str, Estimate]]
    #: of the same pairs: how likely such a difference is where there is none, corrected for the number of pairs (Holm)
    p_values: Mapping[tuple[str, str], Mapping[str, float]]
    findings: tuple[Finding, ...]
    #: False where there were more than a million rows: diagrams and what is made of them then look at cells of probabilities
    #: that differ by less than 0.4 %
    is_exact: bool


def quiet_ratio(numerator: Numbers, denominator: Numbers | float) -> Numbers:
    """Return the ratio; NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return numerator / denominator
