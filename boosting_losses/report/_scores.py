"""The scores that a report can hold: how each is named, computed from what has been added up, and resampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import metrics
from ..metrics import _statistics as statistics
from ..metrics import reliability
from ..metrics._bootstrap import Numbers
from ..metrics._predictions import Predictions, mean_square
from ..metrics.decomposition import by_isotonic_regression
from ..metrics.intervals import statistic_of
from ..metrics.means import entropy

if TYPE_CHECKING:
    from ._model_sums import ModelSums

Options = Mapping[str, Any]


@dataclass(frozen=True)
class ReportedScore:
    """One of the scores, under the name of its function in ``metrics``."""

    function: Callable[..., Any]
    title: str
    better: Literal["lower", "higher"]
    meaning: str
    value: Callable[[ModelSums, Options], float]
    #: Its value for a constant forecast, given that and the shares of the classes.
    constant: Callable[[Numbers, Numbers, Options], float | None]

    @property
    def options(self) -> frozenset[str]:
        """What its function takes beside data."""
        data = {"y_true", "proba", "sample_weight", "raw", "eps"}
        return frozenset(signature(self.function).parameters) - data

    def statistic(self, sample: Predictions, options: Options, eps: float | None) -> statistics.Statistic | None:
        """How its replicates are computed; ``sample`` shows where the probabilities lie."""
        return statistic_of(self.function, sample, {**options, "eps": eps})


# ---- values ---------------------------------------------------------------------------------------------------------


def _log_loss(sums: ModelSums, options: Options) -> float:
    return sums.loss / sums.weight


def _brier(sums: ModelSums, options: Options) -> float:
    return sums.square / sums.weight


def _normalized_cross_entropy(sums: ModelSums, options: Options) -> float:
    return _log_loss(sums, options) / float(entropy(sums.shares, "log_loss"))


def _d2(sums: ModelSums, options: Options) -> float:
    if options.get("score", "log_loss") == "log_loss":
        return 1.0 - _normalized_cross_entropy(sums, options)
    half = 0.5 if sums.is_binary else 1.0
    return 1.0 - _brier(sums, options) / (half * float(entropy(sums.shares, "brier")))


def _calibration_error(sums: ModelSums, options: Options) -> float:
    norm, debiased = options.get("norm", 1), options.get("debiased", False)
    class_wise = options.get("multiclass") == "class_wise" and not sums.is_binary
    errors = []
    for pooled in sums.class_pools if class_wise else [sums.pooled]:
        edges = sums.edges(pooled, options.get("strategy", "uniform"), options.get("n_bins", 15))
        errors.append(reliability.error_of_sums(pooled.sums(edges)[:, :4], norm, debiased=debiased))
    return reliability.over_classes(np.array(errors), norm)


def _smooth(sums: ModelSums, options: Options) -> float:
    return reliability.smooth_error(sums.pooled.rows())[0]


def _part(name: str) -> Callable[[ModelSums, Options], float]:
    def part(sums: ModelSums, options: Options) -> float:
        score = options.get("score", "log_loss")
        if not sums.is_binary:
            sample = sums.sample()
            whole = metrics.decompose(sample.y, sample.proba, sample.weight, score=score, eps=sums.eps)
            return float(getattr(whole, name))
        rows = sums.pooled.rows()
        value = _log_loss(sums, {}) if score == "log_loss" else float(mean_square(rows))
        return float(getattr(by_isotonic_regression(rows, score, value), name))

    return part


# ---- values of a constant forecast ----------------------------------------------------------------------------------


def _constant_log_loss(forecast: Numbers, shares: Numbers, options: Options) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-np.where(shares > 0.0, shares * np.log(forecast), 0.0).sum())


def _constant_brier(forecast: Numbers, shares: Numbers, options: Options) -> float:
    # The mean of sum_k (y_k - p_k)**2, and half of it for two classes.
    whole = float((shares * (1.0 - shares)).sum() + ((shares - forecast) ** 2).sum())
    return whole * (0.5 if len(shares) == 2 else 1.0)


def _constant_ratio(forecast: Numbers, shares: Numbers, options: Options) -> float:
    return _constant_log_loss(forecast, shares, options) / float(entropy(shares, "log_loss"))


def _constant_d2(forecast: Numbers, shares: Numbers, options: Options) -> float:
    if options.get("score", "log_loss") == "log_loss":
        return 1.0 - _constant_ratio(forecast, shares, options)
    return 1.0 - _constant_brier(forecast, shares, options) / _constant_brier(shares, shares, options)


def _constant_error(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """All rows fall into one bin, at the same distance in any norm."""
    if options.get("multiclass") == "class_wise" and len(shares) > 2:
        return reliability.over_classes(np.abs(forecast - shares), options.get("norm", 1))
    top = 1 if len(shares) == 2 else int(np.argmax(forecast))
    return float(abs(forecast[top] - shares[top]))


def _nothing(forecast: Numbers, shares: Numbers, options: Options) -> None:
    return None


#: By the names of their functions in ``metrics``.
SCORES: dict[str, ReportedScore] = {
    "log_loss": ReportedScore(
        metrics.log_loss, "log loss", "lower", "mean negative log-likelihood, in nats", _log_loss, _constant_log_loss
    ),
    "brier_score": ReportedScore(
        metrics.brier_score, "Brier score", "lower", "mean squared error of the probabilities", _brier, _constant_brier
    ),
    "normalized_cross_entropy": ReportedScore(
        metrics.normalized_cross_entropy,
        "normalized cross-entropy",
        "lower",
        "log loss over that of the base rate: 1 is no better than the base rate",
        _normalized_cross_entropy,
        _constant_ratio,
    ),
    "d2": ReportedScore(
        metrics.d2, "share of loss explained (d2)", "higher", "1 is perfect, 0 is the base rate", _d2, _constant_d2
    ),
    "calibration_error": ReportedScore(
        metrics.calibration_error,
        "calibration error (ECE)",
        "lower",
        "mean distance between predicted and observed frequency over bins",
        _calibration_error,
        _constant_error,
    ),
    "smooth_calibration_error": ReportedScore(
        metrics.smooth_calibration_error,
        "smooth calibration error",
        "lower",
        "the same without bins, from smoothed residuals",
        _smooth,
        _constant_error,
    ),
    "miscalibration": ReportedScore(
        metrics.miscalibration,
        "miscalibration",
        "lower",
        "what recalibration would take off the log loss",
        _part("miscalibration"),
        _nothing,
    ),
    "discrimination": ReportedScore(
        metrics.discrimination,
        "discrimination",
        "higher",
        "what the recalibrated probabilities take off the loss of the base rate",
        _part("discrimination"),
        _nothing,
    ),
}
