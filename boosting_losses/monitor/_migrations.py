"""Changes of the payloads of older stores into those of this version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: The position of group codes among the columns of rows.
_GROUP = 3


def _settings(payload: dict[str, Any]) -> dict[str, Any]:
    """Return settings without a key of ids, and with all arguments of the rule."""
    rule = payload["rule"]
    return payload | {"id_key": None, "rule": rule and {"balanced": False} | rule}


def _snapshot(payload: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot whose groups have explicit codes; their codes were their positions."""
    for rows in payload["ledger"]["models"].values():
        codes, names = rows["columns"][_GROUP], rows["groups"]
        rows["groups"] = [names, list(range(len(names)))]
        rows["recorded"] = max([len(codes), len(names), *(-codes).tolist()])  # later codes must be new
    return payload | {"settings": _settings(payload["settings"])}


#: For each version, what leads to the next one: a function of the payload for each kind of call.
PAYLOADS: dict[int, dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    1: {"settings": _settings, "snapshot": _snapshot}
}
