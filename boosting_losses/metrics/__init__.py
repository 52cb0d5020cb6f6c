"""Scores of probabilities in scikit-learn's argument order, with sample weights, for two classes and for many.

Each takes ``(y_true, proba, sample_weight=None)``, where ``proba`` holds P(y = 1) for binary labels, ``(n,)``, or one
column per class, ``(n, K)``; each serves as the ``score`` of an adapter's ``Metric`` and of scikit-learn's ``make_scorer``.
By name they take ``raw`` instead, the raw scores whose sigmoid or softmax the probabilities are.
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
from ._means import brier_score, d2, log_loss, log_loss_by_class, normalized_cross_entropy, refinement_loss
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
