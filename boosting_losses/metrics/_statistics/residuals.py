"""Calibration errors from residuals in narrow cells of the probability, smoothed by a kernel or by local lines."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .._lowess import Lowess
from .._predictions import Numbers, Predictions, one_column
from .base import Estimate, Sampled, Source, cell_means, normal_quantile, within
from .bootstrap import Columns, Totals
from .cells import Cells, rows_of_cells
from .gaps import CLEARLY, Curves, OfGaps, gaps_of_curve


class Residuals(Source):
    """The residuals in narrow cells of the probability."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.n_cells = cells.n_cells

    def columns(self, data: Predictions) -> Columns:
        rows = one_column(data)
        own = self.cells.columns(data)
        return Columns(own.values, own.cells, (rows.proba - rows.y)[:, None].astype(np.float64))

    def calibrated(self, observed: Totals) -> Numbers:
        """Return the sums of residuals expected from the beta-calibrated frequencies of the cells, ``(C, 1)``."""
        weight = observed.cell_weight[:, 0]
        gaps = gaps_of_curve(self.cells.proba, cell_means(observed)[:, 0], weight)
        return (gaps * weight)[:, None]

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        """Return the noise of replicates in the sums, scaled to that of labels with beta-calibrated frequencies.

        Bootstrap replicates of a cell with no observed events vary too little, and replicates of the other cells vary
        too much. If the observed frequency of a cell clearly differs, by more than one label, it is used instead.
        """
        added = replicates.cell_amounts - observed.cell_amounts
        weight = observed.cell_weight
        some = weight[:, 0] > 0.0
        weight, rows = weight[some], rows_of_cells(weight[some], replicates.cell_weight[some])
        proba, seen = self.cells.proba[some, None], cell_means(observed)[some]
        gap = self.calibrated(observed)[some] / weight
        rate = np.clip(proba - gap, 0.0, 1.0)
        clear = np.abs(seen - gap) > CLEARLY * np.sqrt(rate * (1.0 - rate) / rows) + 1.0 / rows
        gap = np.where(clear, seen, gap)
        rate = np.clip(proba - gap, 0.0, 1.0)
        expected = weight * np.sqrt((gap * gap + rate * (1.0 - rate)) / rows)
        spread = added[some].std(axis=1, keepdims=True)
        added[some] *= np.where(spread > 0.0, expected / np.where(spread > 0.0, spread, 1.0), 1.0)
        return added


class SmoothCalibrationError(OfGaps):
    """The smooth calibration error, for the kernel width determined from the data."""

    def __init__(self, source: Residuals, width: float) -> None:
        self.source: Residuals = source
        self._width = width

    @cached_property
    def _smooth(self) -> Numbers:
        """The kernel of each cell, reflected at 0 and 1, at points between 0 and 1, ``(P, C)``.

        The spacing of the points suits the kernel width, which is small for rare events. Points that no kernel reaches
        are omitted.
        """
        proba, width = self.source.cells.proba, self._width
        n = max(round(3.0 / width), 200)
        points = (np.arange(n) + 0.5) / n
        after = np.clip(np.searchsorted(proba, points), 1, len(proba) - 1) if len(proba) > 1 else np.zeros(n, np.intp)
        nearest = np.minimum(np.abs(points - proba[after]), np.abs(points - proba[after - 1]))
        points = points[nearest < 6.0 * width, None]
        distances = [np.abs(points - image) for image in (proba, -proba, 2.0 - proba)]
        # The kernel of the score ends at a distance of 1/2.
        kernel: Numbers = np.sum([np.where(d <= 0.5, np.exp(-0.5 * (d / width) ** 2), 0.0) for d in distances], axis=0)
        return kernel

    def gaps(self, totals: Totals) -> Numbers:
        smoothed: Numbers = self._smooth @ (totals.cell_amounts / totals.weight)
        return smoothed

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        smoothed: Numbers = self._smooth @ (self.source.noise(observed, replicates) / observed.weight)
        return smoothed

    def smoothed(self, observed: Totals) -> Numbers:
        smoothed: Numbers = self._smooth @ (self.source.calibrated(observed) / observed.weight)
        return smoothed

    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        mass = self._smooth.sum(axis=0) @ observed.cell_weight / observed.weight
        integral: Numbers = np.abs(gaps).sum(axis=0) / mass
        return integral


class FlexibleGaps:
    """The gaps between a lowess curve and the diagonal, which are linear in the labels and shared by several errors."""

    def __init__(self, source: Residuals) -> None:
        self.source = source
        self._last: tuple[Totals, Totals, Curves] | None = None

    def curve(self, weight: Numbers, amounts: Numbers) -> Numbers:
        """Return the lowess curve of the residuals, from their sums and the weights by cell."""
        some = np.flatnonzero(weight > 0.0)
        curve = np.zeros_like(amounts)
        mean = amounts[some] / weight[some, None]
        curve[some] = Lowess(self.source.cells.proba[some], weight[some]).apply(mean)
        return curve

    def curves(self, observed: Totals, replicates: Totals) -> Curves:
        """Return the smoothed gaps, noise and beta-calibrated gaps, using the weights of the data."""
        if self._last is not None and self._last[0] is observed and self._last[1] is replicates:
            return self._last[2]
        added = self.source.noise(observed, replicates)
        parts = np.concatenate([observed.cell_amounts, self.source.calibrated(observed), added], axis=1)
        smooth = self.curve(observed.cell_weight[:, 0], parts)
        found = Curves(smooth[:, :1], smooth[:, 2:], smooth[:, 1:2])
        self._last = observed, replicates, found
        return found


class FlexibleError(OfGaps):
    """The mean or a quantile of the distances of the lowess curve from the diagonal."""

    def __init__(self, of_curve: FlexibleGaps, share: float | None) -> None:
        self.source: Residuals = of_curve.source
        self._of_curve = of_curve
        self._share = share  # the quantile of the distances; None for their mean

    def gaps(self, totals: Totals) -> Numbers:
        return self._of_curve.curve(totals.cell_weight.mean(axis=1), totals.cell_amounts)

    def smoothed(self, observed: Totals) -> Numbers:
        return self._of_curve.curve(observed.cell_weight[:, 0], self.source.calibrated(observed))

    def curves(self, observed: Totals, replicates: Totals) -> Curves:
        return self._of_curve.curves(observed, replicates)

    def estimate(self, sampled: Sampled) -> Estimate:
        """Return the interval; for the largest distance, it includes the pointwise upper limit at every probability."""
        estimate = super().estimate(sampled)
        if self._share != 1.0:
            return estimate
        gaps, noise, _ = self.curves(sampled.observed, sampled.replicates)
        reach = np.abs(gaps[:, 0]) + normal_quantile(sampled.wide_level) * noise.std(axis=1)
        return within(self.range, estimate.value, estimate.low, max(estimate.high, float(reach.max())))

    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        weight, distance = observed.cell_weight[:, 0], np.abs(gaps)
        if self._share is None:
            mean: Numbers = weight @ distance / weight.sum()
            return mean
        if self._share == 1.0:
            largest: Numbers = distance[weight > 0.0].max(axis=0)
            return largest
        rows = np.ascontiguousarray(distance.T)
        order = np.argsort(rows, axis=1)
        reached = np.cumsum(weight[order], axis=1)
        at = np.argmax(reached >= self._share * weight.sum() * (1.0 - 1e-12), axis=1)
        each_row = np.arange(len(rows))
        reached_there: Numbers = rows[each_row, order[each_row, at]]
        return reached_there
