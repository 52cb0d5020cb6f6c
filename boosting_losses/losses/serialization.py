"""Conversion of losses to and from JSON, which model files store in their metadata."""

from __future__ import annotations

import dataclasses
import json

from .base import Loss
from .binary import FocalLoss, LogLoss
from .multiclass import SoftmaxCrossEntropy, SoftmaxFocalLoss

_LOSSES = (LogLoss, FocalLoss, SoftmaxCrossEntropy, SoftmaxFocalLoss)
_BY_NAME = {loss.__name__: loss for loss in _LOSSES}
_NAMES = ", ".join(_BY_NAME)


def loss_to_json(loss: Loss) -> str:
    """Return a loss as JSON, with its class name under ``"loss"`` and its parameters.

    Raises
    ------
    TypeError
        If the type of the loss is not a loss class of this package. Subclasses could not be read back.
    """
    if not isinstance(loss, _LOSSES) or type(loss) not in _LOSSES:
        raise TypeError(f"loss must be one of {_NAMES}, got {loss!r}")
    return json.dumps({"loss": type(loss).__name__, **dataclasses.asdict(loss)})


def loss_from_json(text: str) -> Loss:
    """Return the loss that is described by the result of ``loss_to_json``.

    Raises
    ------
    ValueError
        If the text is not such JSON, or contains a loss or parameter that is unknown to this version.
    """
    try:
        parameters = json.loads(text)
        return _BY_NAME[parameters.pop("loss")](**parameters)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"text must describe one of {_NAMES} in JSON, got {text!r}") from error
