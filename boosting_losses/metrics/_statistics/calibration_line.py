"""The calibration slope and intercept as functions of sums."""

from __future__ import annotations

import numpy as np

from .._predictions import Numbers
from .base import Statistic, cell_means
from .bootstrap import Totals
from .cells import Cells

#: The number of Newton steps; a line that needs more has no finite slope.
_STEPS = 25
#: A larger slope means that a threshold separates the labels.
_FARTHEST = 1e6


class CalibrationSlope(Statistic):
    """The slope of the logistic regression of the labels on the log odds of the cells."""

    def __init__(self, source: Cells) -> None:
        self.source: Cells = source

    def of(self, totals: Totals) -> Numbers:
        return _fitted(self.source.log_odds, totals, with_slope=True)[1]


class CalibrationIntercept(Statistic):
    """The shift of the log odds that equates the mean prediction and the mean label."""

    def __init__(self, source: Cells) -> None:
        self.source: Cells = source

    def of(self, totals: Totals) -> Numbers:
        return _fitted(self.source.log_odds, totals, with_slope=False)[0]


def _fitted(log_odds: Numbers, totals: Totals, *, with_slope: bool) -> tuple[Numbers, Numbers]:
    """Return the intercepts and slopes of all replicates, by Newton's method; NaN if there is no finite solution."""
    weight, label = totals.cell_weight, cell_means(totals)
    x = log_odds[:, None]
    n = weight.shape[1]
    intercept, slope = np.zeros(n), np.ones(n)
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            odds = np.clip(intercept + slope * x, -700.0, 700.0)
            p = 1.0 / (1.0 + np.exp(-odds))
            residual, curvature = weight * (p - label), weight * p * (1.0 - p)
            g0, h00 = residual.sum(axis=0), curvature.sum(axis=0)
            if with_slope:
                g1, h01, h11 = (residual * x).sum(axis=0), (curvature * x).sum(axis=0), (curvature * x * x).sum(axis=0)
                determinant = h00 * h11 - h01 * h01
                step = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
            else:
                step = g0 / h00, np.zeros(n)
            longest = np.maximum(np.abs(step[0]) / 5.0, np.abs(step[1]))
            share = np.minimum(1.0, 1.0 / longest)
            intercept, slope = intercept - share * step[0], slope - share * step[1]
            if not (longest > 1e-10).any():
                break
    lost = ~(np.abs(slope) < _FARTHEST) | ~np.isfinite(intercept) | ~(longest < 1e-3)
    return np.where(lost, np.nan, intercept), np.where(lost, np.nan, slope)
