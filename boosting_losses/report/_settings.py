"""Settings of a report: its scores, their options, and the computation of intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..metrics._intervals import refuse_odd_resampling
from ..metrics._score import Options
from ..metrics._scores import SCORES

#: The scores that a report contains by default.
DEFAULT_METRICS: Mapping[str, Options] = {
    "log_loss": {},
    "brier_score": {},
    "normalized_cross_entropy": {},
    "roc_auc": {},
    "average_precision": {},
    "calibration_error": {},
    "smooth_calibration_error": {},
    "calibration_intercept": {},
    "calibration_slope": {},
    "observed_over_expected": {},
    "miscalibration": {},
    "discrimination": {},
}


@dataclass(frozen=True)
class Settings:
    """The settings that determine how predictions are evaluated.

    Parameters
    ----------
    metrics : mapping of str to mapping
        Names of scores in :data:`boosting_losses.report.SCORES`, with their options. Options that are not given take the
        defaults of reports: calibration errors are debiased.
    eps : float, optional
        Probabilities are clipped to [eps, 1 - eps] for the log loss; by default, eps is the machine epsilon of their dtype.
    level : float
        The confidence level of the intervals.
    n_resamples : int
        The number of bootstrap replicates.
    random_state : int
        The seed of the replicates.
    thresholds : sequence of float
        Decision thresholds: the second class is predicted if its probability is at least the threshold. The report shows
        precision, recall and related scores at each threshold.
    reference : str, optional
        The model with which the other models are compared; by default, the first.
    normalize : bool
        Whether to divide each row of probabilities by its sum.
    primary : str, optional
        The score that is shown first, and in figures that compare models by one score.
    comparisons : mapping of str to str
        Models that are compared with another model than the reference, and the name of that model: for example, a
        recalibrated model and the original.

    Raises
    ------
    ValueError
        If a value is invalid, or a score or an option is unknown.
    """

    metrics: Mapping[str, Options] = field(default_factory=lambda: DEFAULT_METRICS)
    eps: float | None = None
    level: float = 0.95
    n_resamples: int = 500
    random_state: int = 0
    thresholds: tuple[float, ...] = ()
    reference: str | None = None
    normalize: bool = False
    primary: str | None = None
    comparisons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, options in self.metrics.items():
            if name not in SCORES:
                raise ValueError(f"metrics must be among {', '.join(SCORES)}, got {name!r}")
            SCORES[name].refuse(options)
        if not self.metrics:
            raise ValueError(f"metrics must name at least one of {', '.join(SCORES)}, got none")
        refuse_odd_resampling(self.level, self.n_resamples, self.random_state)
        if self.primary is not None and self.primary not in self.metrics:
            raise ValueError(f"primary must be one of the metrics {', '.join(self.metrics)}, got {self.primary!r}")
        names = sorted(self.metrics, key=lambda name: name != self.primary)  # the order of the others stays
        whole = {name: SCORES[name].with_defaults(self.metrics[name]) for name in names}
        object.__setattr__(self, "metrics", whole)
        object.__setattr__(self, "thresholds", tuple(sorted(set(self.thresholds))))
        for threshold in self.thresholds:
            if isinstance(threshold, bool) or not 0.0 < threshold < 1.0:
                raise ValueError(f"thresholds must lie in (0, 1), got {threshold!r}")

    def for_classes(self, n_classes: int) -> Settings:
        """Return the settings for this number of classes, without the default scores that require two classes."""
        odd = [name for name in self.metrics if SCORES[name].two_classes_only]
        if n_classes == 2 or not odd:
            return self
        if set(self.metrics) != set(DEFAULT_METRICS):
            raise ValueError(f"metrics must be scores of {n_classes} classes, got {odd[0]}, which requires two classes")
        return replace(self, metrics={name: options for name, options in self.metrics.items() if name not in odd})

    def reference_among(self, names: Sequence[str]) -> int:
        """Return the index of the reference among the models."""
        if self.reference is None:
            return 0
        if self.reference not in names:
            raise ValueError(f"reference must be one of {', '.join(names)}, got {self.reference!r}")
        return list(names).index(self.reference)

    def compared_among(self, names: Sequence[str]) -> dict[int, int]:
        """Return the index of the model with which each model is compared, without the reference."""
        reference, found = self.reference_among(names), {}
        for m, name in enumerate(names):
            other = self.comparisons.get(name, names[reference])
            if other not in names or (other == name and m != reference):
                raise ValueError(f"comparisons must be with another of {', '.join(names)}, got {other!r} for {name!r}")
            if m != reference:
                found[m] = list(names).index(other)
        return found

    def bins(self) -> int:
        """Return the number of bins of the calibration error."""
        return int(self.metrics.get("calibration_error", {}).get("n_bins", 15))


def as_options(metrics: Any) -> Mapping[str, Options]:
    """Return metrics, given as names or as a mapping of names to options, as a mapping of names to options."""
    if metrics is None:
        return DEFAULT_METRICS
    if not isinstance(metrics, Mapping):
        return {str(name): {} for name in ([metrics] if isinstance(metrics, str) else metrics)}
    for name, options in metrics.items():
        if options is not None and not isinstance(options, Mapping):
            raise TypeError(f"options of {name} must be a mapping of names to values, got {options!r}")
    return {str(name): dict(options or {}) for name, options in metrics.items()}
