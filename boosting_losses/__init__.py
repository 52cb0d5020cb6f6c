"""Losses, metrics and calibrated probabilities for gradient boosting."""

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss

if TYPE_CHECKING:
    from .classifier import CalibratedBoostingClassifier as CalibratedBoostingClassifier

__all__ = [
    "FocalLoss",
    "LogLoss",
    "Loss",
    "SoftmaxCrossEntropy",
    "SoftmaxFocalLoss",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """The classifier, which alone needs scikit-learn; so it is not among what ``import *`` imports either."""
    if name == "CalibratedBoostingClassifier":
        from .classifier import CalibratedBoostingClassifier  # noqa: PLC0415

        return CalibratedBoostingClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
