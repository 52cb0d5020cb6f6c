"""Ranking scores as functions of the labels in narrow cells of the probability."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._predictions import Numbers
from .base import Estimate, Sampled, Statistic, normal_quantile, within
from .bootstrap import Totals
from .cells import Cells, EachClass

#: Scores of replicates are clipped to at least this distance from 0 and 1.
_INSIDE = 1e-4


class Ranking(Statistic):
    """A ranking score; for K classes, the mean of the one-vs-rest scores."""

    range = (0.0, 1.0)

    def __init__(self, source: Cells | EachClass, of_two: Callable[[Totals], Numbers]) -> None:
        self.source: Cells | EachClass = source
        self._of_two = of_two

    def of(self, totals: Totals) -> Numbers:
        if isinstance(self.source, Cells):
            return self._of_two(totals)
        mean: Numbers = np.mean([self._of_two(part) for part in self.source.apart(totals)], axis=0)
        return mean

    def estimate(self, sampled: Sampled) -> Estimate:
        """Return an interval symmetric in log odds, whose variance hardly depends on the score (Pepe 2003, section 5.2.5).

        The variance is that of the replicates, or that of redrawn labels if it is larger: with few events, the variance
        of the replicates is too small if, by chance, no event has an improbable rank.
        """
        value, spread = sampled.value, _spread_of_log_odds(sampled.in_replicates)
        if not 0.0 < value < 1.0 or not spread > 0.0:
            return super().estimate(sampled)
        level = sampled.wide_level
        if isinstance(self.source, Cells):
            again = self.of(self.source.redrawn(sampled.observed, sampled.replicates))
            spread, level = max(spread, _spread_of_log_odds(again)), sampled.level
        odds, half = np.log(value / (1.0 - value)), normal_quantile(level) * spread
        low, high = (1.0 / (1.0 + np.exp(-(odds + side))) for side in (-half, half))
        return within(self.range, value, float(low), float(high))


def _spread_of_log_odds(scores: Numbers) -> float:
    some = np.clip(scores[np.isfinite(scores)], _INSIDE, 1.0 - _INSIDE)
    return float(np.log(some / (1.0 - some)).std()) if len(some) else 0.0


def roc_auc(totals: Totals) -> Numbers:
    """Return the chance that an event has a larger probability than a row without the event."""
    positive = totals.cell_amounts
    negative = totals.cell_weight - positive
    below = np.cumsum(negative, axis=0) - 0.5 * negative  # ties count half
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Numbers = (positive * below).sum(axis=0) / (positive.sum(axis=0) * negative.sum(axis=0))
    return area


def average_precision(totals: Totals) -> Numbers:
    """Return the mean precision over the events, with the probability of each event as the threshold."""
    positive, weight = totals.cell_amounts[::-1], totals.cell_weight[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.cumsum(positive, axis=0) / np.cumsum(weight, axis=0)
        average: Numbers = np.where(weight > 0.0, positive * precision, 0.0).sum(axis=0) / positive.sum(axis=0)
    return average
