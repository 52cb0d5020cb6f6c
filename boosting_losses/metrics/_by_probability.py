"""Scores of two classes as functions of the labels in narrow cells of the probability: ranking, decomposition, lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .. import _newton_fit
from . import _reliability
from ._bootstrap import Columns, Numbers, Totals
from ._decomposition import binary_entropy, isotonic
from ._means import Score, logits
from ._predictions import Predictions, each
from ._statistics import Estimate, Sampled, Source, Statistic, cell_means, minus, normal_quantile, percentiles, within

#: Scores of replicates are moved this far from 0 and 1.
_INSIDE = 1e-4
#: A cell is worth no more rows than this, also where few replicates happen to give it one weight.
_MOST_ROWS = 1e9


class Cells(Source):
    """Weights and labels in cells of about the same weight in a sample, and what a row of a cell loses for either label.

    The rows at both ends have cells of their own: of rare events, most of the order is there.

    Of K classes the cells are those of the largest probability, and the label is whether it was right.
    """

    MOST, AT_ENDS = 200, 100

    def __init__(self, sample: Predictions, eps: float | None = None) -> None:
        rows = _reliability.one_column(sample)
        ordered = np.sort(rows.proba if rows.weight is None else rows.proba[rows.weight > 0.0])
        ends = np.concatenate([ordered[: self.AT_ENDS], ordered[-self.AT_ENDS :]])
        inside = ends[(ends > 0.0) & (ends < 1.0)]
        self.edges = np.union1d(_reliability.bin_edges(rows, "quantile", self.MOST), inside)
        self.n_cells = len(self.edges) - 1
        self._rows, self._eps = rows, eps
        self._cells = _reliability.cells_between(rows.proba, self.edges)
        self._weight = np.ones(len(self._cells)) if rows.weight is None else np.asarray(rows.weight, dtype=np.float64)
        self._total = np.bincount(self._cells, weights=self._weight, minlength=self.n_cells)
        middle = (self.edges[:-1] + self.edges[1:]) / 2.0
        proba = self.mean(np.asarray(rows.proba, dtype=np.float64), middle)
        #: The mean probability of a cell's rows, inside of its edges whatever rounding does, and of its log odds.
        self.proba = np.clip(proba, np.nextafter(self.edges[:-1], 1.0), self.edges[1:])
        self.proba[0] = proba[0]
        self.log_odds = self.mean(logits(rows.proba).astype(np.float64), logits(middle).astype(np.float64))

    def columns(self, data: Predictions) -> Columns:
        rows = _reliability.one_column(data)
        cells = _reliability.cells_between(rows.proba, self.edges)
        return Columns(np.empty((len(rows.y), 0)), cells[:, None], np.asarray(rows.y, dtype=np.float64)[:, None])

    def losses(self, score: Score) -> tuple[Numbers, Numbers]:
        """What a row of each cell loses on average if its label is 0, and if it is 1."""
        part = 0 if score == "log_loss" else 1
        at_middle = Predictions(self.proba, self.proba, None)
        if_0, if_1 = (
            self.mean(
                *(
                    each(rows._replace(y=np.full(len(rows.y), label), weight=None), self._eps)[:2][part]
                    for rows in (self._rows, at_middle)
                )
            )
            for label in (0.0, 1.0)
        )
        return if_0, if_1

    def redrawn(self, observed: Totals, replicates: Totals) -> Totals:
        """The replicates with labels drawn anew, with the frequencies that beta calibration gives the cells."""
        some = observed.cell_weight[:, 0] > 0.0
        weight, then = observed.cell_weight[some], replicates.cell_weight[some]
        rate = _newton_fit.beta_frequencies(cell_means(observed)[some, 0], self.log_odds[some], weight[:, 0])
        rows = rows_of_cells(weight, then)
        drawn = np.random.default_rng(0).binomial(np.rint(then * rows / weight).astype(np.int64), rate[:, None])
        amounts = np.zeros_like(replicates.cell_amounts)
        amounts[some] = np.minimum(drawn * weight / rows, then)
        return replicates._replace(cell_amounts=amounts)

    def mean(self, values: Numbers, otherwise: Numbers) -> Numbers:
        """Weighted means of the sample's values by cell, and something else in cells without rows."""
        weighted = np.where(self._weight > 0.0, self._weight, 0.0) * np.where(self._weight > 0.0, values, 0.0)
        sums = np.bincount(self._cells, weights=weighted, minlength=self.n_cells)
        some = self._total > 0.0
        mean: Numbers = np.where(some, sums / np.where(some, self._total, 1.0), otherwise)
        return mean


class EachClass(Source):
    """The cells of each of K classes against the others, side by side."""

    def __init__(self, sample: Predictions) -> None:
        self.classes = [Cells(rows) for rows in _reliability.each_class(sample)]
        self._starts = np.cumsum([0, *(cells.n_cells for cells in self.classes)])
        self.n_cells = int(self._starts[-1])

    def columns(self, data: Predictions) -> Columns:
        parts = [cells.columns(rows) for cells, rows in zip(self.classes, _reliability.each_class(data), strict=True)]
        cells = [part.cells + np.int32(start) for part, start in zip(parts, self._starts, strict=False)]
        return Columns(
            parts[0].values, np.concatenate(cells, axis=1), np.concatenate([p.amounts for p in parts], axis=1)
        )

    def apart(self, totals: Totals) -> list[Totals]:
        """The totals of each class."""
        ends = zip(self._starts[:-1].tolist(), self._starts[1:].tolist(), strict=True)
        return [
            totals._replace(cell_weight=totals.cell_weight[a:b], cell_amounts=totals.cell_amounts[a:b]) for a, b in ends
        ]


# ---- ranking --------------------------------------------------------------------------------------------------------


class Ranking(Statistic):
    """A score of the order of the probabilities; of K classes its mean over each against the others."""

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
        """Symmetric in log odds, where the spread hardly depends on the score (Pepe 2003, section 5.2.5).

        The spread is that of replicates, or that of labels drawn anew where it is larger: few events spread too little
        whenever, by chance, none of them has an improbable rank.
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
    """The chance that an event has a larger probability than another row."""
    positive = totals.cell_amounts
    negative = totals.cell_weight - positive
    below = np.cumsum(negative, axis=0) - 0.5 * negative  # ties count half
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Numbers = (positive * below).sum(axis=0) / (positive.sum(axis=0) * negative.sum(axis=0))
    return area


def average_precision(totals: Totals) -> Numbers:
    """The mean precision over the events, each at its own probability as the threshold."""
    positive, weight = totals.cell_amounts[::-1], totals.cell_weight[::-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.cumsum(positive, axis=0) / np.cumsum(weight, axis=0)
        average: Numbers = np.where(weight > 0.0, positive * precision, 0.0).sum(axis=0) / positive.sum(axis=0)
    return average


# ---- decomposition --------------------------------------------------------------------------------------------------


class Simulation(NamedTuple):
    """Samples from a world in which the recalibrated frequencies are true; scores by replicate, ``(R,)``."""

    #: How much larger the miscalibration is than that of the world.
    error: Numbers
    #: What isotonic regression takes off the score of the true frequencies: noise that it fits.
    overfit: Numbers


class Recalibrated:
    """Isotonic regression by cells, of the data and of samples whose truth it is."""

    def __init__(self, source: Cells, score: Score) -> None:
        self.source, self.score = source, score
        self._if_0, self._if_1 = (losses[:, None] for losses in source.losses(score))
        self._last: tuple[Totals, Totals, Simulation] | None = None

    def loss(self, weight: Numbers, label: Numbers) -> Numbers:
        """The score after recalibration, from each replicate's weights and mean labels by cell, ``(C, R)``."""
        frequency = np.zeros_like(label)
        for r in range(weight.shape[1]):
            some = weight[:, r] > 0.0
            frequency[some, r] = isotonic(weight[some, r], label[some, r])
        loss: Numbers = (weight * binary_entropy(frequency, self.score)).sum(axis=0) / weight.sum(axis=0)
        return loss

    def loss_of_model(self, totals_weight: Numbers, label: Numbers) -> Numbers:
        """The score of the probabilities, by cells."""
        return _mean_loss(totals_weight, label, self._if_0, self._if_1)

    def truth(self, observed: Totals, replicates: Totals) -> Numbers:
        """The frequencies that the data are taken to have, ``(C, 1)``: neither 0 nor 1.

        They are those of isotonic regression with one more row of each label at both ends, worth as much as the others are.
        """
        some = observed.cell_weight[:, 0] > 0.0
        weight, label = observed.cell_weight[some, 0], cell_means(observed)[some, 0]
        variance = float(replicates.weight.var())
        row = variance / float(observed.weight[0]) if variance > 0.0 else float(weight.mean())
        ends = np.array([row, row])
        fit = isotonic(np.concatenate([ends, weight, ends]), np.concatenate([[1.0, 0.0], label, [1.0, 0.0]]))
        truth = np.full((len(some), 1), 0.5)
        truth[some, 0] = fit[2:-2]
        return truth

    def simulate(self, observed: Totals, replicates: Totals) -> Simulation:
        """Labels drawn anew from the truth.

        The replicates say how many independent rows a cell is worth: the squared mean of its weight over the variance.
        """
        if self._last is not None and self._last[0] is observed and self._last[1] is replicates:
            return self._last[2]
        some = observed.cell_weight[:, 0] > 0.0
        then, truth = replicates.cell_weight[some], self.truth(observed, replicates)[some]
        weight, if_0, if_1 = observed.cell_weight[some], self._if_0[some], self._if_1[some]
        rows = rows_of_cells(weight, then)
        draws = np.random.default_rng(0).binomial(rows.astype(np.int64), truth, then.shape) / rows
        weights = np.broadcast_to(weight, draws.shape)
        own, model = self._loss_of(weight, draws, truth), _mean_loss(weight, draws, if_0, if_1)
        refitted = self.loss(weights, draws)
        entropy = float(np.average(binary_entropy(truth[:, 0], self.score), weights=weight[:, 0]))
        divergence = _mean_loss(weight, truth, if_0, if_1) - entropy
        # Another sample has other rows, too.
        each_cell = _losses_of(truth, if_0, if_1) - binary_entropy(truth[:, 0], self.score)[:, None]
        with np.errstate(invalid="ignore"):  # an infinite loss has no interval
            elsewhere = (then * each_cell).sum(axis=0) / then.sum(axis=0) - divergence
        found = Simulation(minus(minus(model, refitted), divergence) + elsewhere, minus(own, refitted))
        self._last = observed, replicates, found
        return found

    def _loss_of(self, weight: Numbers, label: Numbers, frequency: Numbers) -> Numbers:
        """The score of frequencies strictly between 0 and 1."""
        if self.score == "log_loss":
            return _mean_loss(weight, label, -np.log1p(-frequency), -np.log(frequency))
        return _mean_loss(weight, label, frequency**2, (1.0 - frequency) ** 2)

    def linear(self, observed: Totals, replicates: Totals) -> Numbers:
        """What replicates change of the discrimination while the frequencies stay: to first order that is all of it."""
        truth = self.truth(observed, replicates)

        def explained(totals: Totals) -> Numbers:
            rate = totals.cell_amounts.sum(axis=0) / totals.cell_weight.sum(axis=0)
            return binary_entropy(rate, self.score) - self._loss_of(totals.cell_weight, cell_means(totals), truth)

        return explained(replicates) - explained(observed)


class Discrimination(Statistic):
    """What the recalibrated probabilities take off the uncertainty."""

    is_inflated = True
    range = (0.0, np.inf)

    def __init__(self, recalibrated: Recalibrated) -> None:
        self.source: Cells = recalibrated.source
        self._recalibrated = recalibrated

    def of(self, totals: Totals) -> Numbers:
        uncertainty = binary_entropy(totals.cell_amounts.sum(axis=0) / totals.weight, self._recalibrated.score)
        return uncertainty - self._recalibrated.loss(totals.cell_weight, cell_means(totals))

    def estimate(self, sampled: Sampled) -> Estimate:
        observed, replicates = sampled.observed, sampled.replicates
        corrected = sampled.value - float(np.median(self._recalibrated.simulate(observed, replicates).overfit))
        low, high = percentiles(self._recalibrated.linear(observed, replicates), sampled.wide_level)
        return within(self.range, max(corrected, 0.0), corrected + low, corrected + high)


class Miscalibration(Statistic):
    """What recalibration takes off the score.

    In the data the regression takes noise for miscalibration; in replicates of the data it does so on top, which tells
    nothing. So the error of the estimate is that seen where the truth is known, and is taken off.
    """

    is_inflated = True
    range = (0.0, np.inf)

    def __init__(self, recalibrated: Recalibrated) -> None:
        self.source: Cells = recalibrated.source
        self._recalibrated = recalibrated

    def of(self, totals: Totals) -> Numbers:
        label = cell_means(totals)
        model = self._recalibrated.loss_of_model(totals.cell_weight, label)
        return minus(model, self._recalibrated.loss(totals.cell_weight, label))

    def estimate(self, sampled: Sampled) -> Estimate:
        error = self._recalibrated.simulate(sampled.observed, sampled.replicates).error
        error = error[np.isfinite(error)]
        by_cells = float(self.of(sampled.observed)[0])
        if not len(error) or not np.isfinite(by_cells):
            return Estimate(sampled.value, float("nan"), float("nan"))
        (low, high), bias = percentiles(error, sampled.wide_level), float(np.median(error))
        # What is small by luck proves nothing.
        return within(self.range, max(by_cells - bias, 0.0), by_cells - high, max(by_cells, bias) - low)


# ---- parts ----------------------------------------------------------------------------------------------------------


def rows_of_cells(weight: Numbers, replicates: Numbers) -> Numbers:
    """How many independent rows each cell is worth, a whole number ``(C, 1)``."""
    rows: Numbers = np.rint(weight * weight / np.maximum(replicates.var(axis=1, keepdims=True), 1e-300))
    return np.clip(rows, 1.0, _MOST_ROWS)


def _losses_of(label: Numbers, if_0: Numbers, if_1: Numbers) -> Numbers:
    """What rows with these mean labels lose in each cell."""
    with np.errstate(invalid="ignore"):  # what never happens loses nothing, even where it would lose everything
        return np.where(label < 1.0, (1.0 - label) * if_0, 0.0) + np.where(label > 0.0, label * if_1, 0.0)


def _mean_loss(weight: Numbers, label: Numbers, if_0: Numbers, if_1: Numbers) -> Numbers:
    """The mean over cells of what rows with these mean labels lose."""
    losses = _losses_of(label, if_0, if_1)
    mean: Numbers = np.where(weight > 0.0, weight * losses, 0.0).sum(axis=0) / weight.sum(axis=0)
    return mean
