"""Parsing of parameters that the libraries have in common and accept in several forms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..losses import Loss


def without_none(params: Any) -> dict[str, Any]:
    """Return the parameters that are not None; the libraries treat None as not given."""
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping, got {type(params).__name__}")
    return {name: value for name, value in (params or {}).items() if value is not None}


def thread_count(settings: Mapping[str, Any], *names: str) -> int | None:
    """Return the number of threads, given under one of the names; None for the default, such as 0 or -1."""
    for name in names:
        if name in settings:
            text = str(settings[name])
            return int(text) if text.isdecimal() and int(text) > 0 else None
    return None


def is_one(value: object) -> bool:
    """Return whether a parameter equals 1, given as a number or as a string."""
    try:
        return float(str(value)) == 1.0
    except ValueError:
        return False


def switch(name: str, value: object) -> bool:
    """Return a boolean parameter, given as a boolean, as 0 or 1, or as a string."""
    known = {"true": True, "1": True, "false": False, "0": False}
    word = str(value).strip().lower()
    if word not in known:
        raise ValueError(f"{name} must be true or false, got {value!r}")
    return known[word]


def checked_num_class(value: object, loss: Loss) -> int | None:
    """Return the number of classes, given as a number or a string; return None for a binary loss or if not given."""
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not (number >= 0 and number.is_integer()):
        raise ValueError(f"num_class must be a whole number of classes, got {value!r}")
    if not loss.multiclass:
        if number > 1:
            raise ValueError(f"num_class must be omitted for the binary {loss}, got {value!r}")
        return None
    if number < 2:
        raise ValueError(f"num_class must be at least 2 for {loss}, got {value!r}")
    return int(number)
