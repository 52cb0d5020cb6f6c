"""Calibration and refinement of the log loss of K classes, by temperature scaling, as functions of sums."""

from __future__ import annotations

import numpy as np

from ... import _newton_fit
from ..._labelled_scores import Rows
from .._base_rate import entropy
from .._predictions import Numbers, Predictions, class_columns
from .._raw_scores import logits
from .base import (
    Estimate,
    Sampled,
    Source,
    Statistic,
    minus,
    normal_quantile,
    percentiles,
    within,
    without_cells,
)
from .bootstrap import Columns, Totals


class Tempered(Source):
    """Log losses before and after scaling by the best inverse temperature of a sample, their derivatives, and labels."""

    def __init__(self, sample: Predictions) -> None:
        self.n_values = 4 + sample.classes
        scores = np.ascontiguousarray(logits(sample.proba), np.float64)
        self.inverse = _newton_fit.temperature(Rows(sample.y, scores, sample.weight))

    def columns(self, data: Predictions) -> Columns:
        scores = np.asarray(logits(data.proba), dtype=np.float64)
        own = scores[np.arange(len(scores)), data.y.astype(np.intp)]
        as_is = np.log(np.exp(scores).sum(axis=1)) - own
        cooled = self.inverse * scores
        top = cooled.max(axis=1, keepdims=True)
        proba = np.exp(cooled - top)
        total = proba.sum(axis=1, keepdims=True)
        best = np.log(total[:, 0]) + top[:, 0] - self.inverse * own
        proba /= total
        mean = (proba * scores).sum(axis=1)
        spread = (proba * scores * scores).sum(axis=1) - mean * mean
        return without_cells(np.column_stack([as_is, best, mean - own, spread, class_columns(data)]))

    def move(self, totals: Totals) -> Numbers:
        """Return the best inverse temperature of each replicate minus that of the sample, by one Newton step."""
        with np.errstate(invalid="ignore", divide="ignore"):
            step: Numbers = np.where(totals.values[3] > 0.0, -totals.values[2] / totals.values[3], 0.0)
        return step

    def recalibrated(self, totals: Totals) -> Numbers:
        """Return the log loss at the best inverse temperature of each replicate."""
        move = self.move(totals)
        gain = 0.5 * move * move * totals.values[3]
        loss: Numbers = (totals.values[1] - gain) / totals.weight
        return loss


class MiscalibrationOfClasses(Statistic):
    """The part of the log loss that the best inverse temperature removes."""

    range = (0.0, np.inf)
    is_inflated = True

    def __init__(self, source: Tempered) -> None:
        self.source: Tempered = source

    def of(self, totals: Totals) -> Numbers:
        return minus(totals.values[0] / totals.weight, self.source.recalibrated(totals))

    def estimate(self, sampled: Sampled) -> Estimate:
        """Return the interval from that of the distance to the best inverse temperature, which is approximately normal.

        The loss grows with the square of this distance, and noise adds its variance to the square. Far from 0, the
        variation of the mean loss over rows dominates.
        """
        value, observed, replicates, level = sampled.value, sampled.observed, sampled.replicates, sampled.wide_level
        error = float(self.source.move(replicates).std())
        distance = 1.0 - (self.source.inverse + float(self.source.move(observed)[0]))
        half = normal_quantile(level) * error
        per_square = 0.5 * float(observed.values[3, 0] / observed.weight[0])
        if abs(distance) <= half:
            found = max(value - per_square * error**2, 0.0)
            return within(self.range, found, 0.0, max(per_square * (abs(distance) + half) ** 2, found))
        linear = minus(*(part / totals.weight for part, totals in _gains(observed, replicates)))
        low, high = percentiles(linear, level)
        found = max(value - per_square * error**2, 0.0)
        return within(self.range, found, found + low, found + high)


class DiscriminationOfClasses(Statistic):
    """The part of the uncertainty that the probabilities at the best inverse temperature remove."""

    range = (0.0, np.inf)
    is_inflated = True

    def __init__(self, source: Tempered) -> None:
        self.source: Tempered = source

    def of(self, totals: Totals) -> Numbers:
        shares = (totals.values[4:] / totals.weight).T
        return minus(entropy(shares, "log_loss"), self.source.recalibrated(totals))

    def estimate(self, sampled: Sampled) -> Estimate:
        error, curvature = float(self.source.move(sampled.replicates).std()), sampled.observed.values[3, 0]
        found = max(sampled.value - 0.5 * float(curvature / sampled.observed.weight[0]) * error**2, 0.0)
        low, high = percentiles(sampled.change, sampled.wide_level)
        return within(self.range, found, found + low, found + high)


def _gains(observed: Totals, replicates: Totals) -> tuple[tuple[Numbers, Totals], tuple[Numbers, Totals]]:
    """Return the reduction of the losses by the inverse temperature of the sample, in the replicates and in the data."""
    return (replicates.values[0] - replicates.values[1], replicates), (
        observed.values[0] - observed.values[1],
        observed,
    )
