"""Losses of raw scores, with their values, derivatives, init scores and implied class probabilities."""

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
