"""Miscalibration and discrimination of two classes, by isotonic regression over narrow cells of the probability."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._base_rate import ProperScore
from .._decomposition import binary_entropy, isotonic
from .._predictions import Numbers
from .base import Estimate, Sampled, Statistic, cell_means, minus, percentiles, within
from .bootstrap import Totals
from .cells import Cells, rows_of_cells


class Simulation(NamedTuple):
    """Scores of simulated samples, ``(R,)``, for which the recalibrated frequencies are the true ones."""

    #: The estimated miscalibration minus the true one.
    error: Numbers
    #: The score of the true frequencies minus that of isotonic regression, which also fits noise.
    overfit: Numbers


class Recalibrated:
    """Isotonic regression by cells, of the data and of samples that are simulated from its fit."""

    def __init__(self, source: Cells, score: ProperScore) -> None:
        self.source, self.score = source, score
        self._if_0, self._if_1 = (losses[:, None] for losses in source.losses(score))
        self._last: tuple[Totals, Totals, Simulation] | None = None

    def loss(self, weight: Numbers, label: Numbers) -> Numbers:
        """Return the score of each replicate after recalibration, from its weights and mean labels by cell, ``(C, R)``."""
        frequency = np.zeros_like(label)
        for r in range(weight.shape[1]):
            some = weight[:, r] > 0.0
            frequency[some, r] = isotonic(weight[some, r], label[some, r])
        loss: Numbers = (weight * binary_entropy(frequency, self.score)).sum(axis=0) / weight.sum(axis=0)
        return loss

    def loss_of_model(self, totals_weight: Numbers, label: Numbers) -> Numbers:
        """Return the score of the probabilities, computed from cells."""
        return _mean_loss(totals_weight, label, self._if_0, self._if_1)

    def truth(self, observed: Totals, replicates: Totals) -> Numbers:
        """Return the assumed true frequencies, ``(C, 1)``, which are neither 0 nor 1.

        They are fitted by isotonic regression with one additional row of each label at both ends, of the average weight
        of a row.
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
        """Redraw the labels from the assumed true frequencies.

        The effective number of independent rows of a cell is its squared weight divided by its variance over the
        replicates.
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
        # A new sample also contains other rows, which changes the true miscalibration.
        each_cell = _losses_of(truth, if_0, if_1) - binary_entropy(truth[:, 0], self.score)[:, None]
        with np.errstate(invalid="ignore"):  # an infinite loss has no interval
            elsewhere = (then * each_cell).sum(axis=0) / then.sum(axis=0) - divergence
        found = Simulation(minus(minus(model, refitted), divergence) + elsewhere, minus(own, refitted))
        self._last = observed, replicates, found
        return found

    def _loss_of(self, weight: Numbers, label: Numbers, frequency: Numbers) -> Numbers:
        """Return the score of frequencies strictly between 0 and 1."""
        if self.score == "log_loss":
            return _mean_loss(weight, label, -np.log1p(-frequency), -np.log(frequency))
        return _mean_loss(weight, label, frequency**2, (1.0 - frequency) ** 2)

    def linear(self, observed: Totals, replicates: Totals) -> Numbers:
        """Return the change of the discrimination in replicates for fixed frequencies, which is correct to first order."""
        truth = self.truth(observed, replicates)

        def explained(totals: Totals) -> Numbers:
            rate = totals.cell_amounts.sum(axis=0) / totals.cell_weight.sum(axis=0)
            return binary_entropy(rate, self.score) - self._loss_of(totals.cell_weight, cell_means(totals), truth)

        return explained(replicates) - explained(observed)


class Discrimination(Statistic):
    """The part of the uncertainty that the recalibrated probabilities remove."""

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
    """The part of the score that recalibration removes.

    The regression counts noise in the data as miscalibration, and it also counts the additional noise of replicates,
    which therefore do not show the error of the estimate. This error is instead measured in simulated samples with
    known true frequencies, and subtracted.
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
        # An estimate below its bias is small by chance: it must not lower the upper limit.
        return within(self.range, max(by_cells - bias, 0.0), by_cells - high, max(by_cells, bias) - low)


# ---- parts ----------------------------------------------------------------------------------------------------------


def _losses_of(label: Numbers, if_0: Numbers, if_1: Numbers) -> Numbers:
    """Return the mean loss in each cell for the given mean labels."""
    with np.errstate(invalid="ignore"):  # a label that never occurs has no loss, even if its loss would be infinite
        return np.where(label < 1.0, (1.0 - label) * if_0, 0.0) + np.where(label > 0.0, label * if_1, 0.0)


def _mean_loss(weight: Numbers, label: Numbers, if_0: Numbers, if_1: Numbers) -> Numbers:
    """Return the mean loss over the cells for the given mean labels."""
    losses = _losses_of(label, if_0, if_1)
    mean: Numbers = np.where(weight > 0.0, weight * losses, 0.0).sum(axis=0) / weight.sum(axis=0)
    return mean
