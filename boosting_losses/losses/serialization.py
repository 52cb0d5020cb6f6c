"""Losses as JSON, for the metadata of a model file: a loaded model still knows its gamma."""

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
    """Write a loss as JSON: its class name under ``"loss"`` and its parameters.

    Raises
    ------
    TypeError
        If the loss is not one of this package. A subclass could not be read back.
    """
    if not isinstance(loss, _LOSSES) or type(loss) not in _LOSSES:
        raise TypeError(f"loss must be one of {_NAMES}, got {loss!r}")
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
        return _BY_NAME[parameters.pop("loss")](**parameters)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"text must describe one of {_NAMES} in JSON, got {text!r}") from error
