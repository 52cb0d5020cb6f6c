"""Calibration errors: norms of the gaps between predicted and observed frequencies, corrected for noise."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ... import _newton_fit
from ..._kernels import binning
from .. import _reliability
from .._predictions import Numbers, Predictions, each_class, one_column
from .._raw_scores import logits
from .base import (
    Estimate,
    Sampled,
    Source,
    Statistic,
    cell_means,
    independent_rows,
    quantile,
    tails,
    within,
)
from .bootstrap import Columns, Totals

#: A gap that differs from the smooth curve by more standard errors than this is not attributed to noise.
CLEARLY = 3.0
#: The relative precision of the size of gaps.
_PRECISE = 1e-3
#: Smaller differences between replicates are rounding errors: the rows do not vary.
_NO_NOISE = 1e-12


class Curves(NamedTuple):
    """The gaps ``(G, 1)``, the noise that replicates add to them ``(G, R)``, and the smoothed gaps ``(G, 1)``."""

    gaps: Numbers
    noise: Numbers
    smoothed: Numbers


class OfGaps(Statistic):
    """A norm of gaps, which are linear in the sums of the weighted p - y by cell.

    The norm of noisy gaps is too large, and the norm of resampled gaps is even larger: percentile intervals may exclude
    the estimate, and for a calibrated model they never contain the true error, 0. Here the gaps are first replaced by
    the smooth gaps of beta calibration, except where they clearly differ. The interval contains the errors ``|c gaps|``
    of all c >= 0 for which the observed error is not extreme among the norms of ``c gaps`` plus the noise of the
    replicates. The estimate is the error for which the observed error is the median of these norms.
    """

    range = (0.0, 1.0)
    is_inflated = True
    # The norms of replicates contain shared noise, which is removed from the estimates.
    errs_like_replicates = False

    @abstractmethod
    def gaps(self, totals: Totals) -> Numbers:
        """Return the gaps, ``(G, R)``."""

    @abstractmethod
    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        """Return the norm of gaps, ``(R,)``."""

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        """Return the noise that replicates add to the gaps, ``(G, R)``."""
        return self.gaps(replicates) - self.gaps(observed)

    @abstractmethod
    def smoothed(self, observed: Totals) -> Numbers:
        """Return the smoothed gaps, which contain little noise, ``(G, 1)``."""

    def curves(self, observed: Totals, replicates: Totals) -> Curves:
        """Return the gaps, their noise and the smoothed gaps."""
        return Curves(self.gaps(observed), self.noise(observed, replicates), self.smoothed(observed))

    def of(self, totals: Totals) -> Numbers:
        return self.norm(self.gaps(totals), totals)

    def estimate(self, sampled: Sampled) -> Estimate:
        observed, replicates, level = sampled.observed, sampled.replicates, sampled.wide_level
        gaps, noise, shape = self.curves(observed, replicates)
        size = float(self.norm(gaps, observed)[0])
        if not np.abs(noise).max(initial=0.0) > _NO_NOISE:
            return _without_noise(size, observed, replicates, level)
        clear = np.abs(gaps - shape) > CLEARLY * noise.std(axis=1, keepdims=True)
        shape = np.where(clear, gaps, shape)
        if not shape.any():
            shape = np.ones_like(gaps)
        unit = float(self.norm(shape, observed)[0])

        def error_where(tail: float, reached: float) -> float:
            return unit * _root(lambda c: quantile(self.norm(c * shape + noise, observed), tail) - reached)

        lower_tail, upper_tail = tails(level)
        # An observed error below the median of calibrated models is small by chance: it must not lower the upper limit.
        lucky = float(np.median(self.norm(noise, observed)))
        low, middle, high = (
            error_where(tail, reached)
            for tail, reached in ((upper_tail, size), (0.5, size), (lower_tail, max(size, lucky)))
        )
        return within(self.range, min(middle, 1.0), low, max(high, middle))


class Bins(Source):
    """The gaps in bins, with one array of edges for each evaluated class."""

    def __init__(self, sample: Sequence[Predictions], edges: list[Numbers], *, class_wise: bool) -> None:
        self.edges, self.class_wise = edges, class_wise
        self.sizes = [len(e) - 1 for e in edges]
        self.n_cells = sum(self.sizes)
        #: The mean probability in each bin.
        self.proba = np.concatenate([_means(rows, bins) for rows, bins in zip(sample, edges, strict=True)])

    def columns(self, data: Predictions) -> Columns:
        parts = each_class(data) if self.class_wise else [one_column(data)]
        starts = np.cumsum([0, *self.sizes])
        cells = [
            _reliability.cells_between(rows.proba, edges) + np.int32(start)
            for rows, edges, start in zip(parts, self.edges, starts, strict=False)
        ]
        return Columns(
            np.empty((len(data.y), 0)),
            np.stack(cells, axis=1).astype(np.int32),
            np.stack([rows.proba - rows.y for rows in parts], axis=1),
        )


class CalibrationError(OfGaps):
    """The calibration error over bins."""

    def __init__(self, source: Bins, norm: _reliability.Norm) -> None:
        self.source: Bins = source
        self.norm_ = norm

    def gaps(self, totals: Totals) -> Numbers:
        return cell_means(totals)

    def noise(self, observed: Totals, replicates: Totals) -> Numbers:
        """Return the noise of the bin means, corrected because replicates vary less than samples, by the factor (n - 1) / n.

        A bin with one effective row has no deviations from its mean, so the size of its gap is used instead.
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
            [gaps_of_curve(self.source.proba[bins], gaps[bins], weight[bins]) for bins in self._bins()]
        )[:, None]

    def _bins(self) -> list[slice]:
        """Return the bins of each evaluated class."""
        ends = np.cumsum(self.source.sizes)
        return [slice(end - size, end) for end, size in zip(ends.tolist(), self.source.sizes, strict=True)]

    def norm(self, gaps: Numbers, observed: Totals) -> Numbers:
        errors = []
        for bins in self._bins():
            weight = observed.cell_weight[bins]
            errors.append(_reliability.norm_of(weight, gaps[bins] * weight, self.norm_))
        if len(errors) == 1:
            return errors[0]
        return np.array([_reliability.over_classes(row, self.norm_) for row in np.array(errors).T])


# ---- parts ----------------------------------------------------------------------------------------------------------


def gaps_of_curve(proba: Numbers, gaps: Numbers, weight: Numbers) -> Numbers:
    """Return the probability of each cell minus its beta-calibrated frequency; 0 in cells without weight."""
    smooth = np.zeros_like(proba)
    some = weight > 0.0
    p = proba[some]
    log_odds = logits(np.clip(p, 0.0, 1.0)).astype(np.float64)
    smooth[some] = p - _newton_fit.beta_frequencies(np.clip(p - gaps[some], 0.0, 1.0), log_odds, weight[some])
    return smooth


def _means(rows: Predictions, edges: Numbers) -> Numbers:
    """Return the mean probability in each bin; 0 in bins without weight."""
    sums = _reliability.binned(rows, edges)
    weight = sums[:, binning.WEIGHT]
    mean: Numbers = sums[:, binning.PROBABILITY] / np.where(weight > 0.0, weight, 1.0)
    return mean


def _without_noise(size: float, observed: Totals, replicates: Totals, level: float) -> Estimate:
    """Return the interval if the replicates do not vary; an unobserved label may still be possible (Clopper 1934)."""
    rows = max(independent_rows(float(observed.weight[0]), replicates.weight), 1.0)
    unseen = 1.0 - tails(level)[0] ** (1.0 / rows)
    return Estimate(size, max(size - unseen, 0.0), min(size + unseen, 1.0))


def _root(excess: Callable[[float], float]) -> float:
    """Return the root of a function of c >= 0 that increases once the gaps outweigh the noise; 0 if it is >= 0 at 0.

    The method is false position, with the value at an end that does not move halved (the Illinois rule of Dowell and
    Jarratt 1971).
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
        # Stay away from both ends, so that the bracket shrinks to the required precision.
        middle = min(max(middle, low + 0.5 * _PRECISE * high), high - 0.5 * _PRECISE * high)
        here = excess(middle)
        if here < 0.0:
            low, below, above = middle, here, 0.5 * above
        else:
            high, above, below = middle, here, 0.5 * below
    return high
