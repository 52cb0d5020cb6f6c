"""The parts of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..metrics import Estimate, FlexibleCurve, FlexibleErrors, ReliabilityCurve
from ..metrics._bootstrap import Numbers


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


def quiet_ratio(numerator: Numbers, denominator: Numbers | float) -> Numbers:
    """NaN where there is nothing to divide by."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return numerator / denominator
