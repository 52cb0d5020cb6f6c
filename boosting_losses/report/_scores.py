"""The scores that a report can hold: how each is named, computed from what has been added up, and resampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from .. import metrics
from ..metrics import _by_probability, _reliability
from ..metrics._bootstrap import Numbers
from ..metrics._known_statistics import Sample, statistic_of
from ..metrics._means import Score, refuse_other_score
from ..metrics._statistics import Statistic
from . import _values

if TYPE_CHECKING:
    from ._model_sums import ModelSums

Options = Mapping[str, Any]


@dataclass(frozen=True)
class ReportedScore:
    """One of the scores, under the name of its function in ``metrics``."""

    function: Callable[..., Any]
    title: str
    better: Literal["lower", "higher", "nearest to 0", "nearest to 1", "neither"]
    meaning: str
    value: Callable[[ModelSums, Options], float]
    #: Its value for a constant forecast, given that and the shares of the classes.
    constant: Callable[[Numbers, Numbers, Options], float | None]
    two_classes_only: bool = False
    #: Options that have other defaults here than the function has.
    defaults: Options = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """Which values are better, as a sign."""
        return {"lower": "↓", "higher": "↑", "nearest to 0": "→ 0", "nearest to 1": "→ 1", "neither": ""}[self.better]

    @property
    def options(self) -> frozenset[str]:
        """What its function takes beside data."""
        data = {"y_true", "proba", "sample_weight", "raw", "eps"}
        return frozenset(signature(self.function).parameters) - data

    def with_defaults(self, options: Options) -> Options:
        """The options, and the defaults of those that are not given."""
        if self.defaults and options.get("norm") == "max":  # of which no debiased estimate is known
            return dict(options)
        return {**self.defaults, **options}

    def refuse(self, options: Options) -> None:
        """Raise ValueError for options that the function does not have or whose values have no meaning."""
        name = self.function.__name__
        unknown = sorted(set(options) - self.options)
        if unknown:
            known = ", ".join(sorted(self.options)) or "none"
            raise ValueError(f"options of {name} must be among {known}, got {unknown[0]!r}")
        for key, value in options.items():
            _OPTIONS[key](value)
        if self.function is metrics.calibration_error:
            _reliability.refuse_options(
                options.get("norm", 1), options.get("multiclass", "top_label"), debiased=options.get("debiased", False)
            )

    def statistic(self, sample: Sample, options: Options) -> Statistic | None:
        """How its replicates are computed; ``sample`` shows where the probabilities lie."""
        if self.function is metrics.calibration_error and options.get("debiased") is False:
            return None  # an error with its noise is no estimate of the true one, and no interval is around it
        return statistic_of(self.function, sample, options)


def _share(name: str, *, may_be_one: bool) -> Callable[[Any], None]:
    def refuse(value: Any) -> None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0.0 <= value <= 1.0 or (value == 1.0 and not may_be_one):
            raise ValueError(f"{name} must be >= 0 and {'<=' if may_be_one else '<'} 1, got {value!r}")

    return refuse


def _no_rule(value: Any) -> None:
    """Whatever the function itself says."""


_OPTIONS: Mapping[str, Callable[[Any], None]] = {
    "norm": _no_rule,
    "multiclass": _no_rule,
    "debiased": _no_rule,
    "strategy": lambda value: _reliability.refuse_other_bins(value, 15),
    "n_bins": lambda value: _reliability.refuse_other_bins("uniform", value),
    "score": refuse_other_score,
    "q": _share("q", may_be_one=True),
    "trim": _share("trim", may_be_one=False),
}

#: Those that are means over rows, whose intervals need no replicates.
MEANS: dict[str, Score] = {"log_loss": "log_loss", "brier_score": "brier"}

#: Of two classes alone.
_two = partial(ReportedScore, two_classes_only=True)

#: By the names of their functions in ``metrics``.
SCORES: dict[str, ReportedScore] = {
    "log_loss": ReportedScore(
        metrics.log_loss,
        "log loss",
        "lower",
        "mean negative log-likelihood, in nats",
        _values.log_loss,
        _values.constant_log_loss,
    ),
    "trimmed_log_loss": ReportedScore(
        metrics.trimmed_log_loss,
        "trimmed log loss",
        "lower",
        "log loss without the rows that lose most, which may be wrong labels; for comparisons alone, since it favours"
        " probabilities that are too sure",
        _values.trimmed_log_loss,
        _values.nothing,
    ),
    "brier_score": ReportedScore(
        metrics.brier_score,
        "Brier score",
        "lower",
        "mean squared error of the probabilities",
        _values.brier,
        _values.constant_brier,
    ),
    "normalized_cross_entropy": ReportedScore(
        metrics.normalized_cross_entropy,
        "normalized cross-entropy",
        "lower",
        "log loss over that of the base rate: 1 is no better than the base rate",
        _values.normalized_cross_entropy,
        _values.constant_ratio,
    ),
    "d2": ReportedScore(
        metrics.d2,
        "share of loss explained (d2)",
        "higher",
        "1 is perfect, 0 is the base rate",
        _values.d2,
        _values.constant_d2,
    ),
    "roc_auc": ReportedScore(
        metrics.roc_auc,
        "area under the ROC curve",
        "higher",
        "the chance that a row of a class has a larger probability of it than another row; of K classes the mean",
        _values.ranking(_by_probability.roc_auc),
        _values.constant_auc,
    ),
    "average_precision": ReportedScore(
        metrics.average_precision,
        "average precision",
        "higher",
        "the mean precision over the rows of a class, each at its own probability as the threshold; of K classes the mean",
        _values.ranking(_by_probability.average_precision),
        _values.constant_precision,
    ),
    "calibration_error": ReportedScore(
        metrics.calibration_error,
        "calibration error (ECE)",
        "lower",
        "mean distance between predicted and observed frequency over bins, less what noise adds to it",
        _values.calibration_error,
        _values.constant_error,
        defaults={"debiased": True},
    ),
    "smooth_calibration_error": ReportedScore(
        metrics.smooth_calibration_error,
        "smooth calibration error",
        "lower",
        "the same without bins, from smoothed residuals",
        _values.smooth,
        _values.constant_error,
    ),
    "integrated_calibration_index": ReportedScore(
        metrics.integrated_calibration_index,
        "integrated calibration index (Eavg)",
        "lower",
        "mean distance between the probabilities and a flexible (lowess) calibration curve, less what noise adds to it",
        _values.flexible,
        _values.constant_error,
    ),
    "calibration_error_quantile": ReportedScore(
        metrics.calibration_error_quantile,
        "quantile of the calibration errors (E90)",
        "lower",
        "this share of the rows, 90 % by default, lies nearer to the flexible curve",
        _values.flexible,
        _values.constant_error,
        defaults={"q": 0.9},
    ),
    "calibration_intercept": _two(
        metrics.calibration_intercept,
        "calibration intercept",
        "nearest to 0",
        "what must be added to all log odds to bring the mean probability to the share of events: below 0 they are too high",
        _values.of_two_classes(metrics.calibration_intercept),
        _values.constant_intercept,
    ),
    "calibration_slope": _two(
        metrics.calibration_slope,
        "calibration slope",
        "nearest to 1",
        "what log odds must be multiplied by to fit the labels: below 1 the probabilities are too sure",
        _values.of_two_classes(metrics.calibration_slope),
        _values.nothing,
    ),
    "observed_over_expected": _two(
        metrics.observed_over_expected,
        "observed / expected",
        "nearest to 1",
        "the share of events over the mean probability",
        _values.of_two_classes(metrics.observed_over_expected),
        _values.constant_ratio_of_rates,
    ),
    "spiegelhalter_z": _two(
        metrics.spiegelhalter_z,
        "Spiegelhalter's z",
        "nearest to 0",
        "a test of calibration: beyond 1.96 and -1.96 in one of twenty calibrated models",
        _values.spiegelhalter_z,
        _values.nothing,
    ),
    "sharpness": ReportedScore(
        metrics.sharpness,
        "sharpness",
        "neither",
        "variance of the probabilities: how far they dare to leave their mean",
        _values.sharpness,
        _values.constant_sharpness,
    ),
    "miscalibration": ReportedScore(
        metrics.miscalibration,
        "miscalibration",
        "lower",
        "what recalibration would take off the log loss, less what it would fit of the noise",
        _values.part_of_score("miscalibration"),
        _values.nothing,
    ),
    "discrimination": ReportedScore(
        metrics.discrimination,
        "discrimination",
        "higher",
        "what the recalibrated probabilities take off the loss of the base rate",
        _values.part_of_score("discrimination"),
        _values.nothing,
    ),
}

#: Errors of the flexible curve, by the fields of ``FlexibleErrors``: what R's ``val.prob`` calls them, and what they are.
FLEXIBLE_ERRORS = {
    "mean": ("Eavg", "mean distance of the probabilities from the flexible (lowess) curve, less what noise adds to it"),
    "e50": ("E50", "the median of these distances"),
    "e90": ("E90", "of nine rows in ten the distance is smaller"),
    "largest": ("Emax", "the largest of these distances"),
}
