"""Times as whole microseconds since 1970 in UTC, and durations as whole microseconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SECOND = 1_000_000
#: Datetimes exist from the year 1 on; this is as far in both directions from 1970.
_MOST_SECONDS = 61_000_000_000


def times_of(name: str, time: Any, count: int) -> Times:
    """Return one time per row.

    Parameters
    ----------
    name : str
        What errors call them.
    time : datetime, str, number, or array-like of shape (count,)
        Numbers are seconds since 1970, texts are in ISO 8601; without a time zone, times are in UTC.
    count : int
        How many rows there are; a single time is that of all.

    Raises
    ------
    TypeError, ValueError
        If it is no time, or not one per row.
    """
    values = np.asarray(time)
    if values.dtype.kind in "OU":
        values = np.array([_microseconds(name, value) for value in values.ravel().tolist()], np.int64).reshape(
            values.shape
        )
    elif values.dtype.kind == "M":
        if np.isnat(values).any():
            raise ValueError(f"{name} must hold a time for each row, got NaT")
        values = values.astype("datetime64[us]").astype(np.int64)
    elif values.dtype.kind in "iuf":
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got {values[~np.isfinite(values)].flat[0]}")
        if np.abs(values).max(initial=0) > _MOST_SECONDS:
            largest = np.abs(values).max()
            raise ValueError(f"{name} must be seconds since 1970, got {largest:.3g}; divide milliseconds by 1000")
        values = np.round(values.astype(np.float64) * _SECOND).astype(np.int64)
    else:
        raise TypeError(f"{name} must be times or seconds since 1970, got {values.dtype}")
    if np.abs(values).max(initial=0) > _MOST_SECONDS * _SECOND:
        raise ValueError(f"{name} must lie between the years 1 and 3900, got {values.flat[np.abs(values).argmax()]} us")
    if values.ndim == 0:
        return np.full(count, values, np.int64)
    if values.shape != (count,):
        raise ValueError(f"{name} must have one time or {count}, one for each row, got shape {values.shape}")
    return values


def _microseconds(name: str, value: Any) -> int:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{name} must be in ISO 8601, as 2026-05-03T14:00, got {value!r}") from None
    if isinstance(value, np.datetime64):
        return int(value.astype("datetime64[us]").astype(np.int64))
    if not isinstance(value, datetime) or str(value) == "NaT":
        raise TypeError(f"{name} must be times or seconds since 1970, got {value!r}")
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return microseconds_of(aware)


def duration_of(name: str, value: Any, *, zero: bool = False) -> int:
    """Return a duration in microseconds, from a timedelta, seconds, or a text such as ``"12h"`` or ``"7d"``."""
    if isinstance(value, timedelta):
        found = value // timedelta(microseconds=1)
    elif isinstance(value, np.timedelta64):
        found = int(value.astype("timedelta64[us]").astype(np.int64))
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        found = round(value * _SECOND)
    else:
        match = (
            re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*", value.lower()) if isinstance(value, str) else None
        )
        if match is None:
            raise ValueError(
                f"{name} must be a timedelta, seconds, or a text such as '12h' or '7d' (units: s, min, h, d, w),"
                f" got {value!r}"
            )
        found = round(float(match[1]) * _UNITS[match[2]] * _SECOND)
    if found < 0 or (found == 0 and not zero):
        raise ValueError(f"{name} must be {'>= 0' if zero else '> 0'}, got {value!r}")
    return found


def microseconds_of(time: datetime) -> int:
    """Return a datetime with a time zone in microseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def datetime_of(microseconds: int) -> datetime:
    """Return the time as a datetime in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(microseconds))


def words(microseconds: int) -> str:
    """Return a time for a reader: the date, and the time of day unless it is midnight."""
    moment = datetime_of(microseconds)
    day = f"{moment.day} {moment:%B %Y}"
    return day if moment.hour == moment.minute == 0 else f"{day} {moment:%H:%M}"
