"""How predictions are evaluated: which scores, with which options, and how their intervals are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..metrics.intervals import refuse_odd_resampling
from ._scores import SCORES, Options

#: What a report holds unless it is told otherwise.
DEFAULT_METRICS: Mapping[str, Options] = {
    "log_loss": {},
    "brier_score": {},
    "normalized_cross_entropy": {},
    "calibration_error": {},
    "smooth_calibration_error": {},
    "miscalibration": {},
    "discrimination": {},
}


@dataclass(frozen=True)
class Settings:
    """How predictions are evaluated.

    Parameters
    ----------
    metrics : mapping of str to mapping
        Names of scores in :mod:`boosting_losses.metrics`, with their options.
    eps : float, optional
        Probabilities are moved into [eps, 1 - eps] for the log loss; by default the machine epsilon of their dtype.
    level : float
        Of the confidence intervals.
    n_resamples : int
        Bootstrap replicates.
    random_state : int
        Their seed.
    """

    metrics: Mapping[str, Options] = field(default_factory=lambda: DEFAULT_METRICS)
    eps: float | None = None
    level: float = 0.95
    n_resamples: int = 500
    random_state: int = 0

    def __post_init__(self) -> None:
        for name, options in self.metrics.items():
            if name not in SCORES:
                raise ValueError(f"metrics must be among {', '.join(SCORES)}, got {name!r}")
            unknown = sorted(set(options) - SCORES[name].options)
            if unknown:
                known = ", ".join(sorted(SCORES[name].options)) or "none"
                raise ValueError(f"options of {name} must be among {known}, got {unknown[0]!r}")
            # The score itself says what options mean.
            SCORES[name].function([0, 1, 1], [0.2, 0.4, 0.7], **options)
        if not self.metrics:
            raise ValueError(f"metrics must name at least one of {', '.join(SCORES)}, got none")
        refuse_odd_resampling(self.level, self.n_resamples, self.random_state)

    def bins(self) -> int:
        """Of the calibration error, and of the diagrams."""
        return int(self.metrics.get("calibration_error", {}).get("n_bins", 15))


def as_options(metrics: Any) -> Mapping[str, Options]:
    """Metrics given as names alone, or as names with options."""
    if metrics is None:
        return DEFAULT_METRICS
    if not isinstance(metrics, Mapping):
        return {str(name): {} for name in ([metrics] if isinstance(metrics, str) else metrics)}
    for name, options in metrics.items():
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"options of {name} must be a mapping of names to values, got {options!r}")
    return {str(name): dict(options or {}) for name, options in metrics.items()}
