"""Scores of predicted probabilities, with scikit-learn's argument order and sample weights, for two or more classes.

Each score takes ``(y_true, proba, sample_weight=None)``, where ``proba`` contains P(y = 1) for binary labels, shape
``(n,)``, or one column per class, shape ``(n, K)``. It can be passed as ``score`` to an adapter's ``Metric`` or to
scikit-learn's ``make_scorer``. The keyword argument ``raw`` replaces ``proba``: the score then applies the sigmoid or
softmax to these raw scores.
"""

from ._calibration_line import (
    CalibrationLine,
    calibration_intercept,
    calibration_line,
    calibration_slope,
    observed_over_expected,
    spiegelhalter_z,
)
from ._decomposition import Decomposition, decompose, decompose_by_class, discrimination, miscalibration
from ._distribution import sharpness, trimmed_log_loss
from ._flexible_curve import (
    FlexibleCurve,
    FlexibleErrors,
    calibration_error_quantile,
    flexible_calibration_curve,
    flexible_calibration_errors,
    integrated_calibration_index,
)
from ._intervals import bootstrap, confidence_interval, paired_difference
from ._means import (
    balanced_log_loss,
    brier_score,
    d2,
    log_loss,
    log_loss_by_class,
    normalized_cross_entropy,
    refinement_loss,
)
from ._ranking import average_precision, roc_auc
from ._raw_scores import logits
from ._reliability import ReliabilityCurve, calibration_error, reliability_curve
from ._smooth_error import smooth_calibration_error
from ._statistics.base import Estimate
from ._thresholds import ThresholdTable, at_thresholds, threshold_of_costs

__all__ = [
    "CalibrationLine",
    "Decomposition",
    "Estimate",
    "FlexibleCurve",
    "FlexibleErrors",
    "ReliabilityCurve",
    "ThresholdTable",
    "at_thresholds",
    "average_precision",
    "balanced_log_loss",
    "bootstrap",
    "brier_score",
    "calibration_error",
    "calibration_error_quantile",
    "calibration_intercept",
    "calibration_line",
    "calibration_slope",
    "confidence_interval",
    "d2",
    "decompose",
    "decompose_by_class",
    "discrimination",
    "flexible_calibration_curve",
    "flexible_calibration_errors",
    "integrated_calibration_index",
    "log_loss",
    "log_loss_by_class",
    "logits",
    "miscalibration",
    "normalized_cross_entropy",
    "observed_over_expected",
    "paired_difference",
    "refinement_loss",
    "reliability_curve",
    "roc_auc",
    "sharpness",
    "smooth_calibration_error",
    "spiegelhalter_z",
    "threshold_of_costs",
    "trimmed_log_loss",
]
