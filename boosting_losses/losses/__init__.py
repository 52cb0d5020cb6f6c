"""Losses of raw scores: value, derivatives, init score, and the class probability that the scores imply."""

from .base import Loss
from .binary import BinaryLoss, FocalLoss, LogLoss
from .multiclass import MulticlassLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from .serialization import loss_from_json, loss_to_json

__all__ = [
    "BinaryLoss",
    "FocalLoss",
    "LogLoss",
    "Loss",
    "MulticlassLoss",
    "SoftmaxCrossEntropy",
    "SoftmaxFocalLoss",
    "loss_from_json",
    "loss_to_json",
]
