"""Errors of the service: every one is JSON of the form ``{"error": "what was asked, the rule, what came"}``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

logger = logging.getLogger("boosting_losses.monitor.service")

#: Values in messages are cut to this many characters.
_LONGEST_VALUE = 80
#: What pydantic calls the rules, in the words of this package.
_RULES = {
    "missing": "must be given",
    "extra_forbidden": "must not be given, since it has no meaning here",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_type": "must be a text",
    "string_unicode": "must be a text of valid Unicode characters",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have {min_length:,} or more entries",
    "too_long": "must have {max_length:,} or fewer entries",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of ordinary size",
    "greater_than_equal": "must be >= {ge}",
    "less_than_equal": "must be <= {le}",
    "literal_error": "must be {expected}",
}


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response for an error."""
    content = json.dumps({"error": text})  # ASCII, so that any text can be sent
    return Response(content, status, headers, media_type="application/json")


def handle_errors(app: FastAPI) -> None:
    """Give all errors that routes, FastAPI and Starlette raise the same form."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _unexpected)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = error.detail
    if error.status_code == 404 and text == "Not Found":
        text = f"the path must be one of /openapi.json, got {request.url.path!r}"
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "that of /openapi.json")
        text = f"the method of this path must be {allowed}, got {request.method!r}"
    return problem(error.status_code, text, error.headers)


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problem(422, _sentence(error.errors()))


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %r failed with %s", request.method, request.url.path, type(error).__name__)
    return problem(500, "the service must answer, got an unexpected error; its log has the details")


def _sentence(errors: Sequence[Mapping[str, Any]]) -> str:
    """Say the first error in words."""
    first = errors[0]
    where = _name(first["loc"])
    rule = _RULES.get(first["type"])
    said = first["msg"].replace("Input should", "must") if rule is None else rule.format(**first.get("ctx", {}))
    came = "nothing" if first["type"] == "missing" else _cut(first["input"])
    more = f" ({len(errors):,} errors in all)" if len(errors) > 1 else ""
    return f"{where} {said}, got {came}{more}"


def _name(place: Sequence[int | str]) -> str:
    """Return the name of a value, such as ``ids[3]``."""
    name = ""
    for part in place[1:]:
        if isinstance(part, int):
            name += f"[{part}]"
        elif not part.startswith("<"):  # the tag of a form, such as "<list of numbers>"
            name += f".{part}" if name else part
    return name or "the body"


def _cut(value: object) -> str:
    """Return the representation of a value, or its beginning; the value may be as large as a body."""
    if isinstance(value, (list, dict)):
        return f"{'a list' if isinstance(value, list) else 'an object'} with {len(value):,} entries"
    if isinstance(value, (str, bytes)):
        value = value[: _LONGEST_VALUE + 1]
    elif isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length():,} bits"
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_VALUE else shown[:_LONGEST_VALUE] + "..."
