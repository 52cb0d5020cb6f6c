"""The losses of the comparison by their names."""

from __future__ import annotations

import numpy as np

from boosting_losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss

from ..data_sets import DataSet

#: The library's own log loss, as people use it without us.
BUILTIN = "builtin"
#: Ours: plain, and with classes weighted to count the same. Focal losses are called "focal 2" and the like.
PLAIN, WEIGHTED = "plain", "weighted"


def focal(gamma: float) -> str:
    """The name of a focal loss."""
    return f"focal {np.format_float_positional(gamma, trim='-')}"


def loss_of(name: str, data: DataSet, n_classes: int) -> Loss | None:
    """The loss of that name for these rows, none for the library's own."""
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
