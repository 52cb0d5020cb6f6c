"""Losses as JSON, for the metadata of a model file: a loaded model still knows its gamma."""

from __future__ import annotations

import dataclasses
import json

from .base import Loss
from .binary import FocalLoss, LogLoss
from .multiclass import SoftmaxCrossEntropy, SoftmaxFocalLoss

_LOSSES: dict[str, type[LogLoss | FocalLoss | SoftmaxCrossEntropy | SoftmaxFocalLoss]] = {
    loss.__name__: loss for loss in (LogLoss, FocalLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss)
}


def loss_to_json(loss: Loss) -> str:
    """Write a loss as JSON: its class name under ``"loss"`` and its parameters.

    Raises
    ------
    TypeError
        If the loss is not one of this package's.
    """
    if not isinstance(loss, tuple(_LOSSES.values())):
        raise TypeError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
    return json.dumps({"loss": type(loss).__name__, **dataclasses.asdict(loss)})


def loss_from_json(text: str) -> Loss:
    """Read a loss that ``loss_to_json`` has written.

    Raises
    ------
    ValueError
        If the text is not such JSON, or names a loss or a parameter that this version does not know.
    """
    try:
        parameters = json.loads(text)
        return _LOSSES[parameters.pop("loss")](**parameters)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"text must describe one of {', '.join(_LOSSES)} in JSON, got {text!r}") from error
