"""How good are these probabilities: scores in scikit-learn's argument order, weighted, for two classes and for many.

Each takes ``(y_true, proba, sample_weight=None)``, where ``proba`` holds P(y = 1) for binary labels, ``(n,)``, or one
column per class, ``(n, K)``; each serves as the ``score`` of an adapter's ``Metric`` and of scikit-learn's ``make_scorer``.
By name they take ``raw`` instead, the raw scores whose sigmoid or softmax the probabilities are.
"""

from .decomposition import Decomposition, decompose, decompose_by_class, discrimination, miscalibration
from .intervals import Estimate, bootstrap, confidence_interval, paired_difference
from .means import (
    brier_score,
    d2,
    log_loss,
    log_loss_by_class,
    logits,
    means_of_raw,
    normalized_cross_entropy,
    refinement_loss,
)
from .reliability import ReliabilityCurve, calibration_error, reliability_curve, smooth_calibration_error

__all__ = [
    "Decomposition",
    "Estimate",
    "ReliabilityCurve",
    "bootstrap",
    "brier_score",
    "calibration_error",
    "confidence_interval",
    "d2",
    "decompose",
    "decompose_by_class",
    "discrimination",
    "log_loss",
    "log_loss_by_class",
    "logits",
    "means_of_raw",
    "miscalibration",
    "normalized_cross_entropy",
    "paired_difference",
    "refinement_loss",
    "reliability_curve",
    "smooth_calibration_error",
]
