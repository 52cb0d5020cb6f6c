"""All scores, with one entry each that intervals, reports and the command line share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _reliability
from ._base_rate import ProperScore, loss_of_constant, over_base_rate
from ._calibration_line import calibration_intercept, calibration_slope, observed_over_expected, spiegelhalter_z
from ._decomposition import by_isotonic_regression, discrimination, miscalibration
from ._distribution import sharpness, trimmed_log_loss
from ._flexible_curve import calibration_error_quantile, integrated_calibration_index
from ._means import balanced_log_loss, brier_score, d2, log_loss, normalized_cross_entropy
from ._predictions import Numbers, each_class, mean_square, one_column
from ._ranking import average_precision, roc_auc
from ._score import Computation, Options, Score
from ._smooth_error import smooth_calibration_error, smooth_error
from ._statistics import isotonic, ranking, temperature
from ._statistics.base import Statistic
from ._statistics.bootstrap import Totals
from ._statistics.calibration_line import CalibrationIntercept, CalibrationSlope
from ._statistics.distribution import ByLoss, ObservedOverExpected, Sharpness, TrimmedLogLoss
from ._statistics.gaps import Bins, CalibrationError
from ._statistics.means import ClassLosses, Mean, MeanOfClasses, OverBaseRate
from ._statistics.residuals import FlexibleError, SmoothCalibrationError
from ._statistics.sample import Sample

if TYPE_CHECKING:
    from ._model_sums import ModelSums


# ---- computations ---------------------------------------------------------------------------------------------------


def _on_points(function: Callable[..., float]) -> Callable[[ModelSums, Options], float]:
    """Return a function that computes a score from binned rows, whose labels are mean labels."""

    def value(sums: ModelSums, options: Options) -> float:
        rows = sums.points.rows()
        return float(function(rows.y, rows.proba, rows.weight, **options))

    return value


def _mean(score: ProperScore) -> Computation:
    return Computation(
        lambda sample, options: Mean(sample.losses(score)),
        lambda sums, options: sums.mean(score),
        lambda forecast, shares, options: loss_of_constant(forecast, shares, score),
        mean_of=score,
    )


def _balanced() -> Computation:
    def value(sums: ModelSums, options: Options) -> float:
        with np.errstate(invalid="ignore"):  # a class may have no rows
            return float((sums.class_loss / sums.class_weight).mean())

    def constant(forecast: Numbers, shares: Numbers, options: Options) -> float:
        return loss_of_constant(forecast, np.full(len(forecast), 1.0 / len(forecast)), "log_loss")

    return Computation(
        lambda sample, options: MeanOfClasses(ClassLosses(sample.data.classes, sample.eps)), value, constant
    )


def _over_base_rate(*, explained: bool) -> Computation:
    def score_of(options: Options) -> ProperScore:
        return options.get("score", "log_loss")  # type: ignore[no-any-return]

    def of_mean(mean: float, shares: Numbers, options: Options) -> float:
        return float(over_base_rate(mean, shares, score_of(options), explained=explained))

    return Computation(
        lambda sample, options: OverBaseRate(sample.losses(score_of(options)), explained=explained),
        lambda sums, options: of_mean(sums.mean(score_of(options)), sums.shares, options),
        lambda forecast, shares, options: of_mean(
            loss_of_constant(forecast, shares, score_of(options)), shares, options
        ),
    )


def _ranking(of_totals: Callable[[Totals], Numbers], constant: Callable[[Numbers], float]) -> Computation:
    def statistic(sample: Sample, options: Options) -> Statistic:
        return ranking.Ranking(sample.cells if sample.data.is_binary else sample.cells_of_classes, of_totals)

    def value(sums: ModelSums, options: Options) -> float:
        if not (sums.class_weight > 0.0).all():
            return float("nan")
        return float(np.mean([of_totals(points.totals()) for points in sums.points_of_classes]))

    return Computation(statistic, value, lambda forecast, shares, options: constant(shares))


def _error_of_constant(forecast: Numbers, shares: Numbers, options: Options) -> float:
    """Return the calibration error of a constant forecast: all rows fall into one bin, at the same distance in any norm."""
    if options.get("multiclass") == "class_wise" and len(shares) > 2:
        return _reliability.over_classes(np.abs(forecast - shares), options.get("norm", 1))
    top = 1 if len(shares) == 2 else int(np.argmax(forecast))
    return float(abs(forecast[top] - shares[top]))


def _calibration_error() -> Computation:
    def statistic(sample: Sample, options: Options) -> Statistic:
        data = sample.data
        class_wise = options.get("multiclass") == "class_wise" and not data.is_binary
        columns = each_class(data) if class_wise else [one_column(data)]
        strategy, bins = options.get("strategy", "uniform"), options.get("n_bins", 15)
        edges = [_reliability.bin_edges(rows, strategy, bins) for rows in columns]
        return CalibrationError(Bins(columns, edges, class_wise=class_wise), options.get("norm", 1))

    def value(sums: ModelSums, options: Options) -> float:
        norm, debiased = options.get("norm", 1), options.get("debiased", False)
        errors = []
        for points in sums.points_of_classes if options.get("multiclass") == "class_wise" else [sums.points]:
            edges = points.edges(options.get("strategy", "uniform"), options.get("n_bins", 15))
            errors.append(_reliability.error_of_sums(points.sums(edges)[:, :4], norm, debiased=debiased))
        return _reliability.over_classes(np.array(errors), norm)

    return Computation(statistic, value, _error_of_constant)


def _smooth_calibration_error(sample: Sample, options: Options) -> Statistic:
    return SmoothCalibrationError(sample.residuals, smooth_error(one_column(sample.data))[1])


def _flexible(function: Callable[..., float], q: float | None) -> Computation:
    return Computation(
        lambda sample, options: FlexibleError(sample.flexible, options.get("q", q)),
        _on_points(function),
        _error_of_constant,
    )


def _spiegelhalter_z(sums: ModelSums, options: Options) -> float:
    """Return Spiegelhalter's z from the points, which contain the sums of squared weights of their rows."""
    points = sums.points
    slope = 1.0 - 2.0 * points.proba
    excess = float(((points.label - points.weight * points.proba) * slope).sum())
    variance = float((points.squared * slope * slope * points.proba * (1.0 - points.proba)).sum())
    return excess / variance**0.5 if variance > 0.0 else float("nan")


def _sharpness(sums: ModelSums, options: Options) -> float:
    variances = []
    for points in sums.points_of_classes:
        mean = float(np.average(points.proba, weights=points.weight))
        variances.append(float(np.average((points.proba - mean) ** 2, weights=points.weight)))
    return sum(variances)


def _part(
    function: Callable[..., float],
    of_two: Callable[[isotonic.Recalibrated], Statistic],
    of_many: Callable[[temperature.Tempered], Statistic],
) -> Computation:
    """Return the computation of a part of the decomposition."""

    def statistic(sample: Sample, options: Options) -> Statistic | None:
        score = options.get("score", "log_loss")
        if sample.data.is_binary:
            return of_two(sample.recalibrated(score))
        return of_many(sample.tempered) if score == "log_loss" else None

    def value(sums: ModelSums, options: Options) -> float:
        score = options.get("score", "log_loss")
        if not sums.is_binary:
            rows = sums.rows()
            return float(function(rows.y, rows.proba, rows.weight, score=score, eps=sums.eps))
        rows = sums.points.rows()
        mean = sums.mean("log_loss") if score == "log_loss" else float(mean_square(rows))
        return float(getattr(by_isotonic_regression(rows, score, mean), function.__name__))

    return Computation(statistic, value)


# ---- the scores -----------------------------------------------------------------------------------------------------

_ALL = (
    Score(
        log_loss,
        "log loss",
        "lower",
        "mean negative log-likelihood, in nats",
        "losses",
        _mean("log_loss"),
    ),
    Score(
        balanced_log_loss,
        "balanced log loss",
        "lower",
        "mean over the classes of the log loss of their rows: each class counts the same; smallest for probabilities of"
        " equally frequent classes",
        "losses",
        _balanced(),
    ),
    Score(
        trimmed_log_loss,
        "trimmed log loss",
        "lower",
        "log loss without the rows of largest loss, which may have wrong labels; for comparisons only, because it favours"
        " overconfident probabilities",
        "losses",
        Computation(lambda sample, options: TrimmedLogLoss(ByLoss(sample.data, sample.eps), options.get("trim", 0.01))),
    ),
    Score(
        brier_score,
        "Brier score",
        "lower",
        "mean squared error of the probabilities",
        "losses",
        _mean("brier"),
    ),
    Score(
        normalized_cross_entropy,
        "normalized cross-entropy",
        "lower",
        "log loss divided by the log loss of the base rate; 1 is no better than the base rate",
        "losses",
        _over_base_rate(explained=False),
    ),
    Score(
        d2,
        "share of loss explained (d2)",
        "higher",
        "1 is perfect, 0 is no better than the base rate",
        "losses",
        _over_base_rate(explained=True),
    ),
    Score(
        roc_auc,
        "area under the ROC curve",
        "higher",
        "the chance that a positive row has a larger probability than a negative row; averaged over classes if K > 2",
        "ranking",
        _ranking(ranking.roc_auc, lambda shares: 0.5),
    ),
    Score(
        average_precision,
        "average precision",
        "higher",
        "the mean precision over the positive rows, each with its probability as threshold; averaged over classes if K > 2",
        "ranking",
        _ranking(ranking.average_precision, lambda shares: float(shares[1] if len(shares) == 2 else shares.mean())),
    ),
    Score(
        _reliability.calibration_error,
        "calibration error (ECE)",
        "lower",
        "mean distance between predicted and observed frequencies over bins, corrected for noise if it has an interval",
        "calibration",
        _calibration_error(),
        defaults={"debiased": True},
    ),
    Score(
        smooth_calibration_error,
        "smooth calibration error",
        "lower",
        "calibration error without bins, from smoothed residuals",
        "calibration",
        Computation(_smooth_calibration_error, _on_points(smooth_calibration_error), _error_of_constant),
    ),
    Score(
        integrated_calibration_index,
        "integrated calibration index (Eavg)",
        "lower",
        "mean distance between the probabilities and a flexible (lowess) calibration curve, corrected for noise",
        "calibration",
        _flexible(integrated_calibration_index, q=None),
    ),
    Score(
        calibration_error_quantile,
        "quantile of the calibration errors (E90)",
        "lower",
        "the distance from the flexible curve that this share of the rows, 90 % by default, does not exceed",
        "calibration",
        _flexible(calibration_error_quantile, q=0.9),
        defaults={"q": 0.9},
    ),
    Score(
        calibration_intercept,
        "calibration intercept",
        "nearest to 0",
        "the shift of the log odds that equates mean probability and event rate; negative if probabilities are too high",
        "direction of miscalibration",
        Computation(
            lambda sample, options: CalibrationIntercept(sample.cells),
            _on_points(calibration_intercept),
            lambda forecast, shares, options: float(np.log(shares[1] / shares[0]) - np.log(forecast[1] / forecast[0])),
        ),
        two_classes_only=True,
    ),
    Score(
        calibration_slope,
        "calibration slope",
        "nearest to 1",
        "the factor of the log odds that fits the labels best; below 1, the probabilities are overconfident",
        "direction of miscalibration",
        Computation(lambda sample, options: CalibrationSlope(sample.cells), _on_points(calibration_slope)),
        two_classes_only=True,
    ),
    Score(
        observed_over_expected,
        "observed / expected",
        "nearest to 1",
        "the event rate divided by the mean probability",
        "direction of miscalibration",
        Computation(
            lambda sample, options: ObservedOverExpected(sample.predicted),
            _on_points(observed_over_expected),
            lambda forecast, shares, options: float(shares[1] / forecast[1]),
        ),
        two_classes_only=True,
    ),
    Score(
        spiegelhalter_z,
        "Spiegelhalter's z",
        "nearest to 0",
        "a test of calibration; it lies outside [-1.96, 1.96] for one in twenty calibrated models",
        "direction of miscalibration",
        Computation(value=_spiegelhalter_z),
        two_classes_only=True,
    ),
    Score(
        sharpness,
        "sharpness",
        "neither",
        "variance of the probabilities, whether or not they are correct",
        "ranking",
        Computation(
            lambda sample, options: Sharpness(sample.predicted), _sharpness, lambda forecast, shares, options: 0.0
        ),
    ),
    Score(
        miscalibration,
        "miscalibration",
        "lower",
        "the part of the log loss that recalibration would remove, corrected for noise",
        "calibration",
        _part(miscalibration, isotonic.Miscalibration, temperature.MiscalibrationOfClasses),
    ),
    Score(
        discrimination,
        "discrimination",
        "higher",
        "the part of the loss of the base rate that the recalibrated probabilities remove",
        "ranking",
        _part(discrimination, isotonic.Discrimination, temperature.DiscriminationOfClasses),
    ),
)

#: The scores by name, in the order of reports.
SCORES: dict[str, Score] = {score.name: score for score in _ALL}
_OF_FUNCTION = {score.function: score for score in _ALL}


def score_of(function: Callable[..., Any]) -> Score | None:
    """Return the entry of a function, or None if it is not one of these scores."""
    return _OF_FUNCTION.get(function)
