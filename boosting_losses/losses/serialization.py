"""Conversion of losses to and from JSON, which model files store in their metadata."""

from __future__ import annotations

import dataclasses
import importlib
import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Loss

#: The loss classes by the name that JSON contains: the class name for a loss of this package, else "module:name".
_REGISTRY: dict[str, type[Loss]] = {}
_PACKAGE = __name__.split(".", maxsplit=1)[0]


def register_loss(loss_class: type[Loss]) -> type[Loss]:
    """Decorate a loss class that model files can store: a dataclass of numbers, texts and sequences, in a module."""
    _REGISTRY[_name_of(loss_class)] = loss_class
    return loss_class


def loss_to_json(loss: Loss) -> str:
    """Return a loss as JSON: its name, the digest of its formula's text if it is not of this package, and its parameters.

    Raises
    ------
    TypeError
        If the loss is not a dataclass whose class is known. Instances of subclasses could not be read back.
    """
    name = _name_of(type(loss))
    if not (_REGISTRY.get(name) is type(loss) or hasattr(loss, "source")):
        raise TypeError(f"loss must be one of {_known()}, or be made by binary_loss or multiclass_loss, got {loss!r}")
    source = {"source": loss.source()} if hasattr(loss, "source") else {}
    values = {field.name: getattr(loss, field.name) for field in dataclasses.fields(loss)}  # type: ignore[arg-type]
    return json.dumps({"loss": name, **source, **values}, default=lambda f: f"{f.__module__}:{f.__qualname__}")


def loss_from_json(text: str) -> Loss:
    """Return the loss that is described by the result of ``loss_to_json``.

    Raises
    ------
    ValueError
        If the text is not such JSON, if it contains a loss or parameter that is unknown to this version, or if the formula of
        the loss cannot be imported or has changed.
    """
    try:
        parameters = json.loads(text)
        name, source = parameters.pop("loss"), parameters.pop("source", None)
        if ":" in name and name not in _REGISTRY:
            imported(name)  # its decorator registers it
        loss = _REGISTRY[name](**parameters)
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"text must describe one of {_known()} in JSON, got {text!r}") from error
    here = None if source is None else loss.source()  # type: ignore[attr-defined]
    if here not in (None, source):  # a process that got the function without its text cannot compare
        raise ValueError(
            f"the formula of {name} must be that of the training, but its text has changed; restore it, or use raw scores"
        )
    return loss


def imported(name: str) -> Any:
    """Return the object "module:name"."""
    module, _, qualified = name.partition(":")
    try:
        return attrgetter(qualified)(importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{qualified} of module {module} must be importable to load a model that was trained with it, got {error}; raw"
            " scores do not need it"
        ) from error


def _name_of(loss_class: type[Loss]) -> str:
    if loss_class.__module__.split(".")[0] == _PACKAGE:
        return loss_class.__name__
    return f"{loss_class.__module__}:{loss_class.__qualname__}"


def _known() -> str:
    return ", ".join(name for name in _REGISTRY if ":" not in name)
