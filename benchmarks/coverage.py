"""How often confidence intervals hold the truth: many samples from a world whose true scores are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track
from scipy.special import expit
from scipy.stats import norm

from boosting_losses import metrics

from .measure import Bar, Row, chosen
from .report import console

Array = npt.NDArray[np.float64]

#: Where intervals of 95 % should lie, and by how much a perfect one may miss that for want of samples.
LOW, HIGH, LEVEL = 93.0, 97.0, 95.0

SCORES: dict[str, tuple[Callable[..., float], dict[str, Any]]] = {
    "log loss, analytic": (metrics.log_loss, {}),
    "log loss, bootstrap": (metrics.log_loss, {"method": "bootstrap"}),
    "Brier score, bootstrap": (metrics.brier_score, {"method": "bootstrap"}),
    "normalized cross-entropy": (metrics.normalized_cross_entropy, {}),
    "ECE": (metrics.calibration_error, {}),
    "smooth calibration error": (metrics.smooth_calibration_error, {}),
    "miscalibration": (metrics.miscalibration, {}),
    "discrimination": (metrics.discrimination, {}),
    "difference of log losses, bootstrap": (metrics.log_loss, {"method": "bootstrap"}),
    "difference of ECEs": (metrics.calibration_error, {}),
}


@dataclass(frozen=True)
class _Case:
    """A score in samples of n rows, of a model that is this much too sure of itself."""

    score: str
    rows: int
    sureness: float

    @property
    def name(self) -> str:
        model = "calibrated" if self.sureness == 1.0 else f"log odds x {self.sureness:g}"
        return f"{self.score}, n = {self.rows:,}, {model}"


def run(samples: int, only: str | None) -> list[Row]:
    """Draw samples and count the intervals that hold the truth."""
    cases = [
        _Case(score, rows, sureness) for score in SCORES for rows in (1_000, 10_000) for sureness in (0.6, 1.0, 1.5)
    ]
    return [
        _measured(case, samples)
        for case in track(chosen(cases, lambda case: case.name, only), "coverage", console=console(), transient=True)
    ]


def _measured(case: _Case, samples: int) -> Row:
    truth = _truth(case)
    hits = 0
    for seed in range(samples):
        random = np.random.default_rng([seed, case.rows])
        score = -1.0 + 1.5 * random.standard_normal(case.rows)
        y = (random.random(case.rows) < expit(score)).astype(np.int64)
        estimate = _estimate(case, y, score, seed)
        hits += bool(estimate.low - 1e-12 <= truth <= estimate.high + 1e-12)
    share = 100.0 * hits / samples
    # Wilson's interval for a share.
    z, p = norm.ppf(0.975), hits / samples
    centre, spread = p + z * z / (2 * samples), z * math.sqrt(p * (1 - p) / samples + z * z / (4 * samples * samples))
    low, high = ((centre + sign * spread) / (1 + z * z / samples) * 100.0 for sign in (-1, 1))
    bar = Bar(LOW) if share < LEVEL else Bar(HIGH, at_least=False)
    return Row(case.name, "% of intervals with the truth", share, low, high, bar=bar)


def _estimate(case: _Case, y: npt.NDArray[np.int64], score: Array, seed: int) -> metrics.Estimate:
    function, options = SCORES[case.score]
    proba = expit(case.sureness * score)
    if case.score.startswith("difference"):
        other = expit(0.8 * score + 0.2)
        return metrics.paired_difference(function, y, proba, other, random_state=seed, **options)
    return metrics.confidence_interval(function, y, proba, random_state=seed, **options)


def _truth(case: _Case) -> float:
    """The score of the whole population: a fine grid of its quantiles, with both labels by their probability."""
    score = -1.0 + 1.5 * norm.ppf((np.arange(400_000) + 0.5) / 400_000)
    rate = expit(score)
    labels, weight = np.repeat([1, 0], len(rate)), np.concatenate([rate, 1.0 - rate])
    function, _ = SCORES[case.score]
    value = float(function(labels, np.tile(expit(case.sureness * score), 2), weight))
    if case.score.startswith("difference"):
        value -= float(function(labels, np.tile(expit(0.8 * score + 0.2), 2), weight))
    return value
