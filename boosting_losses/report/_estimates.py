"""Scores with intervals, and their differences between models, from the sums of an accumulator."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..metrics import Estimate
from ..metrics._base_rate import ProperScore
from ..metrics._scores import SCORES
from ..metrics._statistics.base import Sampled, Statistic, Summed
from ..metrics._statistics.bootstrap import Totals
from ..metrics._statistics.differences import difference_of
from ..metrics._statistics.means import Losses, events
from ._accumulator import Accumulator

#: The columns of the moments of a model.
_COLUMNS: tuple[ProperScore, ProperScore] = ("log_loss", "brier")


class Estimates:
    """The estimates of a report.

    Parameters
    ----------
    sums : Accumulator
    """

    def __init__(self, sums: Accumulator) -> None:
        self._sums = sums
        self._settings, self._models = sums.settings, sums.models

    @cached_property
    def scores(self) -> list[dict[str, Estimate]]:
        """The scores of each model with intervals; the bounds are NaN if a score has no interval."""
        return [self._of_model(m) for m in range(len(self._models))]

    @cached_property
    def values(self) -> list[dict[str, float]]:
        """The scores of each model without correction; label noise may inflate them."""
        metrics = self._settings.metrics.items()
        return [{name: SCORES[name].value(model, options) for name, options in metrics} for model in self._models]

    def flexible_errors(self) -> list[dict[str, Estimate]]:
        """Return the distances of each model's probabilities from its flexible curve, corrected for label noise."""
        return [
            {name: self._drawn(statistic, float("nan")).estimate for name, statistic in flexible.items()}
            for flexible in self._sums.flexible
        ]

    def differences(self) -> dict[tuple[str, str], dict[str, Estimate]]:
        """Return the scores of every model but the reference, minus those of the model with which it is compared."""
        names = self._sums.names
        return {(names[m], names[other]): self._of_pair(m, other) for m, other in self._sums.compared.items()}

    def tables(self) -> list[list[Any]]:
        """Return the tables by slice and by threshold of each model."""
        level = self._settings.level
        return [[table.result(*self._totals[table], level) for table in tables] for tables in self._sums.tables]

    @cached_property
    def events(self) -> float:
        """The effective number of rows with the rarer label; for K classes, of the rarer of right and wrong predictions."""
        return events(self._totals[self._sums.labels])

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _of_model(self, m: int) -> dict[str, Estimate]:
        of_model = {}
        for name, value in self.values[m].items():
            mean_of = SCORES[name].computation.mean_of
            if mean_of is not None:
                range_ = Losses(mean_of, 0).range(self._models[m].classes)
                column = 2 * m + _COLUMNS.index(mean_of)
                of_model[name] = self._sums.moments.interval(column, value, self._settings.level, range_)
            elif name in self._sampled[m]:
                of_model[name] = self._sampled[m][name].estimate
            else:
                of_model[name] = Estimate(value, float("nan"), float("nan"))
        return of_model

    def _of_pair(self, m: int, other: int) -> dict[str, Estimate]:
        pair, redrawn = {}, self._sums.redrawn
        for name, here in self.values[m].items():
            there = self.values[other][name]
            mean_of = SCORES[name].computation.mean_of
            if mean_of is not None:
                column, value = 2 * (len(self._models) + m) + _COLUMNS.index(mean_of), here - there
                expected = redrawn[m].moments(mean_of, value) if m in redrawn else None
                pair[name] = self._sums.moments.interval(column, value, self._settings.level, expected=expected)
            elif name in self._sampled[m]:
                pair[name] = difference_of(self._sampled[m][name], self._sampled[other][name])
            else:
                pair[name] = Estimate(here - there, float("nan"), float("nan"))
        return pair

    @cached_property
    def _sampled(self) -> list[dict[str, Sampled]]:
        """The scores of each model that have bootstrap replicates, by name."""
        return [
            {name: self._drawn(statistic, values[name]) for name, statistic in known.items()}
            for known, values in zip(self._sums.statistics, self.values, strict=True)
        ]

    def _drawn(self, statistic: Statistic, value: float) -> Sampled:
        return Sampled(statistic, value, *self._totals[statistic.source], self._settings.level, self.events)

    @cached_property
    def _totals(self) -> dict[Summed, tuple[Totals, Totals]]:
        return self._sums.totals()
