"""The losses of the comparison, by name."""

from __future__ import annotations

import numpy as np

from boosting_losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss

from ..study.data_sets import DataSet
from .plan import BUILTIN, PLAIN, WEIGHTED


def loss_of(name: str, data: DataSet, n_classes: int) -> Loss | None:
    """Return the loss with this name for the training rows, None for the builtin loss."""
    if name == BUILTIN:
        return None
    binary = n_classes == 2
    if name == PLAIN:
        return LogLoss() if binary else SoftmaxCrossEntropy()
    if name == WEIGHTED:
        totals = np.bincount(data.y, data.weight, n_classes)
        if binary:
            return LogLoss(pos_weight=float(totals[0] / totals[1]))
        return SoftmaxCrossEntropy(class_weight=tuple((totals.sum() / (n_classes * totals)).tolist()))
    gamma = float(name.removeprefix("focal "))
    return FocalLoss(gamma) if binary else SoftmaxFocalLoss(gamma)
