"""JSON of requests, read strictly, and JSON of results."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json


def parsed(body: bytes) -> Any:
    """Return the value of a JSON text.

    Unlike ``json.loads``, it refuses other encodings than UTF-8, NaN and infinities, and repeated names.

    Raises
    ------
    ValueError
        If it is invalid.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"the body must be in UTF-8, got invalid bytes at position {error.start}") from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"the body must be JSON, got an error at position {error.pos}: {error.msg}") from None
    except RecursionError:
        raise ValueError("the body must be JSON of a few levels, got a deeply nested one") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the names of an object must be unique, got {twice[:80]!r} twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"numbers must be finite, with null for a missing probability, got {name}")


class StrictRoute(APIRoute):
    """A route whose body is read by ``parsed``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


class _StrictRequest(Request):
    async def json(self) -> Any:
        try:
            return parsed(await self.body())
        except ValueError as error:
            raise HTTPException(400, str(error)) from None


def encoded(result: Any) -> bytes:
    """Return a result as JSON; NaN and infinities become null, and times are in ISO 8601 and UTC."""
    record = result._asdict() if hasattr(result, "_asdict") else result
    return to_json(record, inf_nan_mode="null", fallback=_list)


def _list(values: Any) -> Any:
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return np.datetime_as_string(values, unit="us", timezone="UTC").tolist()
    return values.tolist()  # an array or a scalar of NumPy
