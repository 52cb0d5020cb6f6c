"""Errors of calibration: norms of gaps between predicted and observed frequencies, and what noise adds to them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .. import _scaling as scaling
from ..kernels import binning
from . import reliability
from ._bootstrap import Columns, Numbers, Totals
from ._by_probability import Cells, rows_of_cells
from ._lowess import Lowess
from ._predictions import Predictions
from ._statistics import (
    Estimate,
    Sampled,
    Source,
    Statistic,
    cell_means,
    independent_rows,
    normal_quantile,
    quantile,
    tails,
    within,
)
from .means import logits

#: Gaps that differ from a smooth curve by more standard errors than this are no noise.
_CLEARLY = 3.0
#: How precisely the size of gaps is found.
_PRECISE = 1e-3
#: What replicates differ by where all rows say the same: rounding.
_NO_NOISE = 1e-12


class Curves(NamedTuple):
    """Gaps ``(G, 1)``, what replicates add to them ``(G, R)``, and the gaps with little noise ``(G, 1)``."""

    gaps: Numbers
    noise: Numbers
    smoothed: Numbers


class OfGaps(Statistic):
    """A norm of gaps, which are linear in sums by cell of the weighted p - y.

    A norm of noisy gaps is too large, and that of resampled gaps even more so: percentiles may exclude the estimate itself,
    and where the model is calibrated they never cover its error of 0. Here the gaps are first smoothed to those that beta
    calibration sees, and those that are clearly others. The interval holds the errors ``|c gaps|`` of all c >= 0 at which
    the error observed is no extreme one among norms of ``c gaps`` plus the noise of the replicates, and the estimate is
    that at which it is their median.
    """

    range = (0.0, 1.0)
    is_inflated = True
    # Norms of replicates share the noise that the estimates are free of.
    errs_like_replicates = False

    @abstractmethod
    def gaps(self, totals: Totals) -> Numbers:
        """``(G, R)``"""

    @abstractmethod
    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        """``(R,)``"""

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        """What replicates add to the gaps, ``(G, R)``."""
        return self.gaps(replicates) - self.gaps(observed)

    @abstractmethod
    def smoothed(self, observed: Totals) -> Numbers:
        """The gaps with little noise, ``(G, 1)``."""

    def curves(self, observed: Totals, replicates: Totals) -> Curves:
        """All three."""
        return Curves(self.gaps(observed), self.noise(observed, replicates), self.smoothed(observed))

    def of(self, totals: Totals) -> Numbers:
        return self.norm(self.gaps(totals), totals)

    def estimate(self, sampled: Sampled) -> Estimate:
        observed, replicates, level = sampled.observed, sampled.replicates, sampled.wide_level
        gaps, noise, shape = self.curves(observed, replicates)
        size = float(self.norm(gaps, observed)[0])
        if not np.abs(noise).max(initial=0.0) > _NO_NOISE:
            return _without_noise(size, observed, replicates, level)
        clear = np.abs(gaps - shape) > _CLEARLY * noise.std(axis=1, keepdims=True)
        shape = np.where(clear, gaps, shape)
        if not shape.any():
            shape = np.ones_like(gaps)
        unit = float(self.norm(shape, observed)[0])

        def error_where(tail: float, reached: float) -> float:
            return unit * _root(lambda c: quantile(self.norm(c * shape + noise, observed), tail) - reached)

        lower_tail, upper_tail = tails(level)
        # An error that is small by luck, less than half of all calibrated models would show, proves nothing.
        lucky = float(np.median(self.norm(noise, observed)))
        low, middle, high = (
            error_where(tail, reached)
            for tail, reached in ((upper_tail, size), (0.5, size), (lower_tail, max(size, lucky)))
        )
        return within(self.range, min(middle, 1.0), low, max(high, middle))


class Bins(Source):
    """The gaps in bins with these edges, one array of them for each class that is looked at."""

    def __init__(self, sample: Sequence[Predictions], edges: list[Numbers], *, class_wise: bool) -> None:
        self.edges, self.class_wise = edges, class_wise
        self.sizes = [len(e) - 1 for e in edges]
        self.n_cells = sum(self.sizes)
        #: The mean probability in each bin.
        self.proba = np.concatenate([_means(rows, bins) for rows, bins in zip(sample, edges, strict=True)])

    def columns(self, data: Predictions) -> Columns:
        parts = reliability.each_class(data) if self.class_wise else [reliability.one_column(data)]
        starts = np.cumsum([0, *self.sizes])
        cells = [
            reliability.cells_between(rows.proba, edges) + np.int32(start)
            for rows, edges, start in zip(parts, self.edges, starts, strict=False)
        ]
        return Columns(
            np.empty((len(data.y), 0)),
            np.stack(cells, axis=1).astype(np.int32),
            np.stack([rows.proba - rows.y for rows in parts], axis=1),
        )


class CalibrationError(OfGaps):
    """The error over bins."""

    def __init__(self, source: Bins, norm: reliability.Norm) -> None:
        self.source: Bins = source
        self.norm_ = norm

    def gaps(self, totals: Totals) -> Numbers:
        return cell_means(totals)

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        """Of a bin's mean, whose rows' distances from it vary less than those from the truth, by (n - 1) / n.

        A bin worth a single row has no distances: the size of its own gap tells as much as there is to know.
        """
        weight = observed.cell_weight
        variance = replicates.cell_weight.var(axis=1, keepdims=True)
        rows = weight * weight / np.where(variance > 0.0, variance, 1.0)
        several = rows > 1.5
        factor = np.sqrt(rows / np.where(several, rows - 1.0, 1.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            around = factor * (replicates.cell_amounts - self.gaps(observed) * replicates.cell_weight) / weight
            alone = (replicates.cell_amounts - observed.cell_amounts) / weight
        return np.where(weight > 0.0, np.where(several, around, alone), 0.0)

    def smoothed(self, observed: Totals) -> Numbers:
        gaps, weight = self.gaps(observed)[:, 0], observed.cell_weight[:, 0]
        return np.concatenate(
            [_gaps_of_curve(self.source.proba[bins], gaps[bins], weight[bins]) for bins in self._bins()]
        )[:, None]

    def _bins(self) -> list[slice]:
        """The bins of each class that is looked at."""
        ends = np.cumsum(self.source.sizes)
        return [slice(end - size, end) for end, size in zip(ends.tolist(), self.source.sizes, strict=True)]

    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        errors = []
        for bins in self._bins():
            weight = observed.cell_weight[bins]
            errors.append(reliability.norm_of(weight, gaps[bins] * weight, self.norm_))
        if len(errors) == 1:
            return errors[0]
        return np.array([reliability.over_classes(row, self.norm_) for row in np.array(errors).T])


class Residuals(Source):
    """The residuals in narrow cells of the probability."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.n_cells = cells.n_cells

    def columns(self, data: Predictions) -> Columns:
        rows = reliability.one_column(data)
        own = self.cells.columns(data)
        return Columns(own.values, own.cells, (rows.proba - rows.y)[:, None].astype(np.float64))

    def calibrated(self, observed: Totals) -> Numbers:
        """The sums that beta calibration of the cells' frequencies expects, ``(C, 1)``."""
        weight = observed.cell_weight[:, 0]
        gaps = _gaps_of_curve(self.cells.proba, cell_means(observed)[:, 0], weight)
        return (gaps * weight)[:, None]

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        """What replicates add to the sums, made as large as labels with the frequencies of beta calibration would make it.

        Replicates of a cell in which by chance no event was seen vary too little, and those of the others too much. Where
        the frequencies are clearly others, by more than one label, they are those seen.
        """
        added = replicates.cell_amounts - observed.cell_amounts
        weight = observed.cell_weight
        some = weight[:, 0] > 0.0
        weight, rows = weight[some], rows_of_cells(weight[some], replicates.cell_weight[some])
        proba, seen = self.cells.proba[some, None], cell_means(observed)[some]
        gap = self.calibrated(observed)[some] / weight
        rate = np.clip(proba - gap, 0.0, 1.0)
        clear = np.abs(seen - gap) > _CLEARLY * np.sqrt(rate * (1.0 - rate) / rows) + 1.0 / rows
        gap = np.where(clear, seen, gap)
        rate = np.clip(proba - gap, 0.0, 1.0)
        expected = weight * np.sqrt((gap * gap + rate * (1.0 - rate)) / rows)
        spread = added[some].std(axis=1, keepdims=True)
        added[some] *= np.where(spread > 0.0, expected / np.where(spread > 0.0, spread, 1.0), 1.0)
        return added


class SmoothCalibrationError(OfGaps):
    """The error of smoothed residuals, at the width that the data gave."""

    def __init__(self, source: Residuals, width: float) -> None:
        self.source: Residuals = source
        self._width = width

    @cached_property
    def _smooth(self) -> Numbers:
        """The kernel of each cell at points between 0 and 1, where it is mirrored, ``(P, C)``.

        The points are near enough for its width, since rare events need a narrow one, and lie where some kernel reaches.
        """
        proba, width = self.source.cells.proba, self._width
        n = max(round(3.0 / width), 200)
        points = (np.arange(n) + 0.5) / n
        after = np.clip(np.searchsorted(proba, points), 1, len(proba) - 1) if len(proba) > 1 else np.zeros(n, np.intp)
        nearest = np.minimum(np.abs(points - proba[after]), np.abs(points - proba[after - 1]))
        points = points[nearest < 6.0 * width, None]
        distances = [np.abs(points - image) for image in (proba, -proba, 2.0 - proba)]
        # The score's kernel ends where half the range is reached.
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
    """The distances of a lowess curve from the diagonal, which are linear in the labels; several errors share them."""

    def __init__(self, source: Residuals) -> None:
        self.source = source
        self._last: tuple[Totals, Totals, Curves] | None = None

    def curve(self, weight: Numbers, amounts: Numbers) -> Numbers:
        """The smooth of sums of residuals in cells of these weights."""
        some = np.flatnonzero(weight > 0.0)
        curve = np.zeros_like(amounts)
        mean = amounts[some] / weight[some, None]
        curve[some] = Lowess(self.source.cells.proba[some], weight[some]).apply(mean)
        return curve

    def curves(self, observed: Totals, replicates: Totals) -> Curves:
        """Of what replicates add to the residuals, at the weights of the data."""
        if self._last is not None and self._last[0] is observed and self._last[1] is replicates:
            return self._last[2]
        added = self.source.noise(observed, replicates)
        parts = np.concatenate([observed.cell_amounts, self.source.calibrated(observed), added], axis=1)
        smooth = self.curve(observed.cell_weight[:, 0], parts)
        found = Curves(smooth[:, :1], smooth[:, 2:], smooth[:, 1:2])
        self._last = observed, replicates, found
        return found


class FlexibleError(OfGaps):
    """The mean or a quantile of these distances."""

    def __init__(self, of_curve: FlexibleGaps, share: float | None) -> None:
        self.source: Residuals = of_curve.source
        self._of_curve = of_curve
        self._share = share  # of the distances that are not larger; None for their mean

    def gaps(self, totals: Totals) -> Numbers:
        return self._of_curve.curve(totals.cell_weight.mean(axis=1), totals.cell_amounts)

    def smoothed(self, observed: Totals) -> Numbers:
        return self._of_curve.curve(observed.cell_weight[:, 0], self.source.calibrated(observed))

    def curves(self, observed: Totals, replicates: Totals) -> Curves:
        return self._of_curve.curves(observed, replicates)

    def estimate(self, sampled: Sampled) -> Estimate:
        """Of the largest distance, too, the interval holds what it may be at each probability."""
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


# ---- parts ----------------------------------------------------------------------------------------------------------


def _gaps_of_curve(proba: Numbers, gaps: Numbers, weight: Numbers) -> Numbers:
    """What beta calibration of the cells' frequencies takes off their probabilities; 0 in cells without weight."""
    smooth = np.zeros_like(proba)
    some = weight > 0.0
    p = proba[some]
    log_odds = logits(np.clip(p, 0.0, 1.0)).astype(np.float64)
    smooth[some] = p - scaling.beta_frequencies(np.clip(p - gaps[some], 0.0, 1.0), log_odds, weight[some])
    return smooth


def _means(rows: Predictions, edges: Numbers) -> Numbers:
    """The mean probability in each bin; 0 in one without weight."""
    sums = reliability.binned(rows, edges)
    weight = sums[:, binning.WEIGHT]
    mean: Numbers = sums[:, binning.PROBABILITY] / np.where(weight > 0.0, weight, 1.0)
    return mean


def _without_noise(size: float, observed: Totals, replicates: Totals, level: float) -> Estimate:
    """Where all rows say the same, the other label may still have this probability (Clopper and Pearson 1934)."""
    rows = max(independent_rows(float(observed.weight[0]), replicates.weight), 1.0)
    unseen = 1.0 - tails(level)[0] ** (1.0 / rows)
    return Estimate(size, max(size - unseen, 0.0), min(size + unseen, 1.0))


def _root(excess: Callable[[float], float]) -> float:
    """Where a function of c >= 0 is 0 that rises as soon as the gaps outweigh the noise; 0 where it is never below.

    False position, where an end that stays counts half (the Illinois rule of Dowell and Jarratt 1971).
    """
    low, below = 0.0, excess(0.0)
    if below >= 0.0:
        return 0.0
    high, above = 1.0, excess(1.0)
    while above < 0.0 and high < 1e9:
        low, below, high = high, above, 2.0 * high
        above = excess(high)
    for _ in range(32):
        if high - low <= _PRECISE * high or above <= 0.0:
            break
        middle = high - above * (high - low) / (above - below)
        # Not nearer to an end than what is asked for.
        middle = min(max(middle, low + 0.5 * _PRECISE * high), high - 0.5 * _PRECISE * high)
        here = excess(middle)
        if here < 0.0:
            low, below, above = middle, here, 0.5 * above
        else:
            high, above, below = middle, here, 0.5 * below
    return high
