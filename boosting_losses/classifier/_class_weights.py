"""Resolution of the loss of a classifier from a name or an object, and from class weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from sklearn.utils.class_weight import compute_class_weight

from ..losses import FocalLoss, LogLoss, Loss, SoftmaxCrossEntropy, SoftmaxFocalLoss


def resolved_loss(loss: object, n_classes: int) -> Loss:
    """Return the loss object for a number of classes."""
    named: dict[str, tuple[type[Loss], type[Loss]]] = {
        "auto": (LogLoss, SoftmaxCrossEntropy),
        "focal": (FocalLoss, SoftmaxFocalLoss),
    }
    if isinstance(loss, str) and loss in named:
        return named[loss][n_classes > 2]()
    if not isinstance(loss, Loss):
        hint = f"; did you mean {loss.__name__}()?" if isinstance(loss, type) and issubclass(loss, Loss) else ""
        raise TypeError(f"loss must be 'auto', 'focal' or a loss such as FocalLoss(), got {loss!r}{hint}")
    if n_classes > 2 and not loss.multiclass:
        raise ValueError(f"loss must be multiclass for {n_classes} classes, got {loss}")
    return loss


def with_class_weight(
    loss: Loss,
    class_weight: Mapping[object, float] | str,
    classes: npt.NDArray[np.generic],
    codes: npt.NDArray[np.intp],
    sample_weight: npt.NDArray[np.floating] | None,
) -> tuple[Loss, float]:
    """Return the loss with class weights as scikit-learn defines them, and a factor for all sample weights.

    Since class weights are a part of the loss, ``posterior`` undoes them. Binary losses store only the ratio of the two
    class weights. With the factor, gradients have the same magnitude as with ``class_weight`` of other classifiers.
    """
    if isinstance(class_weight, Mapping):
        unknown = [name for name in class_weight if name not in classes.tolist()]
        if unknown:
            raise ValueError(f"the keys of class_weight must be classes, {classes.tolist()}, got {unknown[0]!r}")
        weights = compute_class_weight(class_weight, classes=classes, y=classes[codes])
    elif class_weight == "balanced":
        counts = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        if not counts.all():
            raise ValueError(
                "class_weight='balanced' must have rows of positive weight in every class, got none of"
                f" {classes.tolist()[counts.argmin()]!r}"
            )
        weights = counts.sum() / (len(classes) * counts)
    else:
        raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {class_weight!r}")
    if not ((weights > 0.0) & np.isfinite(weights)).all():
        raise ValueError(f"class_weight must be finite and > 0, got {weights.tolist()} for {classes.tolist()}")
    return loss.with_class_weight(weights)
