"""Losses, metrics and calibrated probabilities for gradient boosting."""

from ._version import __version__
from .losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss

__all__ = ["FocalLoss", "LogLoss", "Loss", "SoftmaxCrossEntropy", "SoftmaxFocalLoss", "__version__"]
