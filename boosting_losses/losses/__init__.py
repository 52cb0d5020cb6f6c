"""Losses of raw scores: value, derivatives, best constant, and the class probability that the scores imply."""

from .base import Loss
from .binary import FocalLoss, LogLoss
from .multiclass import SoftmaxCrossEntropy, SoftmaxFocalLoss
from .serialization import loss_from_json, loss_to_json

__all__ = [
    "FocalLoss",
    "LogLoss",
    "Loss",
    "SoftmaxCrossEntropy",
    "SoftmaxFocalLoss",
    "loss_from_json",
    "loss_to_json",
]
