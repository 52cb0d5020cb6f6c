"""What the scores of a report may be, and what breaks it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..metrics import Estimate
from ..report import ProbabilityReport
from .places import Place


@dataclass(frozen=True)
class Threshold:
    """The worst that a score may be.

    Broken by a value beyond the bound, or, ``by_interval``, only where the whole confidence interval lies beyond it.
    """

    score: str
    least: float | None
    most: float | None
    by_interval: bool
    place: Place  #: where it is said

    def broken_by(self, estimate: Estimate) -> str | None:
        """What is wrong with a score, in words."""
        low, high = self._range(estimate)
        if self.most is not None and not low <= self.most:
            return self._words(estimate, f"above {self.most:g}")
        if self.least is not None and not high >= self.least:
            return self._words(estimate, f"below {self.least:g}")
        return None

    def _range(self, estimate: Estimate) -> tuple[float, float]:
        """From the best to the worst that the score may be taken for."""
        if not self.by_interval or math.isinf(estimate.value):  # an infinite loss has no interval, and needs none
            return estimate.value, estimate.value
        if math.isnan(estimate.low) or math.isnan(estimate.high):
            raise self.place.error("be by value where the score has no interval", "by interval")
        return estimate.low, estimate.high

    def _words(self, estimate: Estimate, beyond: str) -> str:
        if not self.by_interval or math.isinf(estimate.value):
            return f"{self.score} {estimate.value:.6g} is {beyond}"
        low, high = (f"{bound:.6g}" for bound in (estimate.low, estimate.high))
        return f"{self.score} {estimate.value:.6g} is {beyond}, and so is its interval, {low} to {high}"


def refuse_unknown(thresholds: Sequence[Threshold], computed: Sequence[str]) -> None:
    """Raise ConfigError for a threshold of a score that is not computed."""
    for threshold in thresholds:
        if threshold.score not in computed:
            raise threshold.place.error(f"be of a score that is computed ({', '.join(computed)})", threshold.score)


def broken(report: ProbabilityReport, thresholds: Sequence[Threshold]) -> list[str]:
    """What is wrong with the models, in words."""
    return [
        f"{model.name}: {wrong}"
        for model in report.models
        for threshold in thresholds
        if (wrong := threshold.broken_by(model.scores[threshold.score]))
    ]
