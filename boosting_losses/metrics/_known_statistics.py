"""Which function of sums each score is, by the score's own function."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

from . import _by_probability, _clinical, _decomposition, _distribution, _flexible_curve, _means, _ranking, _reliability
from ._by_probability import Cells, Discrimination, EachClass, Miscalibration, Ranking, Recalibrated
from ._gaps import Bins, CalibrationError
from ._lines import (
    ByLoss,
    CalibrationIntercept,
    CalibrationSlope,
    ObservedOverExpected,
    Predicted,
    Sharpness,
    TrimmedLogLoss,
)
from ._means import Score
from ._predictions import Predictions
from ._residuals import FlexibleError, FlexibleGaps, Residuals, SmoothCalibrationError
from ._row_losses import Losses, Mean, OverBaseRate
from ._statistics import Statistic
from ._tempered import DiscriminationOfClasses, MiscalibrationOfClasses, Tempered

Options = Mapping[str, Any]
Made = TypeVar("Made")


class Sample:
    """Predictions that show where probabilities lie, and the sources that the statistics of one model share.

    Parameters
    ----------
    data : Predictions
    eps : float, optional
        Of the log loss.
    """

    def __init__(self, data: Predictions, eps: float | None = None) -> None:
        self.data, self.eps = data, eps
        self._made: dict[Hashable, Any] = {}

    def shared(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What has been made under this key, now or before."""
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    @property
    def cells(self) -> Cells:
        """Narrow cells of the probability."""
        return self.shared("cells", lambda: Cells(self.data, self.eps))

    def losses(self, score: Score) -> Losses:
        """Losses and labels."""
        return self.shared(("losses", score), lambda: Losses(score, self.data.classes, self.eps))

    def recalibrated(self, score: Score) -> Recalibrated:
        """Isotonic regression by cells."""
        return self.shared(("recalibrated", score), lambda: Recalibrated(self.cells, score))

    @property
    def predicted(self) -> Predicted:
        """Labels and probabilities."""
        return self.shared("predicted", lambda: Predicted(self.data.classes))

    @property
    def residuals(self) -> Residuals:
        """Residuals by cell."""
        return self.shared("residuals", lambda: Residuals(self.cells))

    @property
    def flexible(self) -> FlexibleGaps:
        """Distances from the flexible curve."""
        return self.shared("flexible", lambda: FlexibleGaps(self.residuals))


def statistic_of(score: Callable[..., Any], sample: Sample, options: Options) -> Statistic | None:
    """The score as a function of sums, where it is one for these data."""
    make = _MAKERS.get(score)
    return None if make is None else make(sample, options)


# ---- each score -----------------------------------------------------------------------------------------------------


def _mean(score: Score) -> Callable[[Sample, Options], Statistic]:
    return lambda sample, options: Mean(sample.losses(score))


def _over_base_rate(*, explained: bool) -> Callable[[Sample, Options], Statistic]:
    def make(sample: Sample, options: Options) -> Statistic:
        losses = sample.losses(options.get("score", "log_loss"))
        return OverBaseRate(losses, explained=explained, binary=sample.data.is_binary)

    return make


def _calibration_error(sample: Sample, options: Options) -> Statistic:
    data = sample.data
    class_wise = options.get("multiclass") == "class_wise" and not data.is_binary
    columns = _reliability.each_class(data) if class_wise else [_reliability.one_column(data)]
    strategy, bins = options.get("strategy", "uniform"), options.get("n_bins", 15)
    edges = [_reliability.bin_edges(rows, strategy, bins) for rows in columns]
    source = Bins(columns, edges, class_wise=class_wise)
    return CalibrationError(source, options.get("norm", 1))


def _smooth_calibration_error(sample: Sample, options: Options) -> Statistic:
    width = _reliability.smooth_error(_reliability.one_column(sample.data))[1]
    return SmoothCalibrationError(sample.residuals, width)


def _order_of_rows(of_two: Callable[..., Any]) -> Callable[[Sample, Options], Statistic]:
    def make(sample: Sample, options: Options) -> Statistic:
        if sample.data.is_binary:
            return Ranking(sample.cells, of_two)
        return Ranking(sample.shared("classes", lambda: EachClass(sample.data)), of_two)

    return make


def _trimmed_log_loss(sample: Sample, options: Options) -> Statistic:
    return TrimmedLogLoss(ByLoss(sample.data, sample.eps), options.get("trim", 0.01))


def _part(
    of_two: Callable[[Recalibrated], Statistic], of_many: Callable[[Tempered], Statistic]
) -> Callable[[Sample, Options], Statistic | None]:
    def make(sample: Sample, options: Options) -> Statistic | None:
        score = options.get("score", "log_loss")
        if sample.data.is_binary:
            return of_two(sample.recalibrated(score))
        if score != "log_loss":
            return None
        return of_many(sample.shared("tempered", lambda: Tempered(sample.data)))

    return make


def _for_two_classes(
    make: Callable[[Sample, Options], Statistic],
) -> Callable[[Sample, Options], Statistic | None]:
    return lambda sample, options: make(sample, options) if sample.data.is_binary else None


_MAKERS: dict[Callable[..., Any], Callable[[Sample, Options], Statistic | None]] = {
    _means.log_loss: _mean("log_loss"),
    _means.brier_score: _mean("brier"),
    _means.normalized_cross_entropy: _over_base_rate(explained=False),
    _means.d2: _over_base_rate(explained=True),
    _reliability.calibration_error: _calibration_error,
    _reliability.smooth_calibration_error: _smooth_calibration_error,
    _ranking.roc_auc: _order_of_rows(_by_probability.roc_auc),
    _ranking.average_precision: _order_of_rows(_by_probability.average_precision),
    _flexible_curve.integrated_calibration_index: lambda sample, options: FlexibleError(sample.flexible, None),
    _flexible_curve.calibration_error_quantile: lambda sample, options: FlexibleError(
        sample.flexible, options.get("q", 0.9)
    ),
    _clinical.calibration_slope: _for_two_classes(lambda sample, options: CalibrationSlope(sample.cells)),
    _clinical.calibration_intercept: _for_two_classes(lambda sample, options: CalibrationIntercept(sample.cells)),
    _clinical.observed_over_expected: _for_two_classes(lambda sample, options: ObservedOverExpected(sample.predicted)),
    _distribution.sharpness: lambda sample, options: Sharpness(sample.predicted),
    _distribution.trimmed_log_loss: _trimmed_log_loss,
    _decomposition.miscalibration: _part(Miscalibration, MiscalibrationOfClasses),
    _decomposition.discrimination: _part(Discrimination, DiscriminationOfClasses),
}
