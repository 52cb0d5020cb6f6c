"""Losses of raw scores, with their values, derivatives, init scores and implied class probabilities."""

from .._kernels.dual import with_derivatives
from .arrays import ArrayLoss, MulticlassArrayLoss
from .base import Loss
from .binary import BinaryLoss, FocalLoss, LogLoss
from .check import LossCheck, check_loss
from .custom import binary_loss, multiclass_loss
from .multiclass import MulticlassLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss
from .serialization import loss_from_json, loss_to_json, register_loss

__all__ = [
    "ArrayLoss",
    "BinaryLoss",
    "FocalLoss",
    "LogLoss",
    "Loss",
    "LossCheck",
    "MulticlassArrayLoss",
    "MulticlassLoss",
    "SoftmaxCrossEntropy",
    "SoftmaxFocalLoss",
    "binary_loss",
    "check_loss",
    "loss_from_json",
    "loss_to_json",
    "multiclass_loss",
    "register_loss",
    "with_derivatives",
]
