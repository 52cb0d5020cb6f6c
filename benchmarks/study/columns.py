"""Warnings about misleading columns: identifiers, free text, constants, many categories, and times without ``--time``.

The rules flag only columns that are rarely features, so that ordinary tables raise no warning: continuous columns may have
all distinct values, integer columns may too in a short table, and a column with occasional missing values is not constant.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .tables import MISSING, Table, holds_times

#: Columns with fewer values are not checked.
_FEW = 20
#: The share of distinct values above which a column has nearly one value per row.
_NEARLY_ALL = 0.9
#: The share of distinct values above which there are too many categories: fewer than five rows each.
_MANY_LEVELS = 0.2
#: The mean number of characters above which texts are long.
_LONG = 40
#: The number of integers from which all distinct values suggest an identifier.
_ENOUGH = 1000
#: The maximum number of columns that are listed by name.
_LISTED = 10
_NAMED_ID = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|key|index)$|[a-z]I[dD]$")
_NAMED_TIME = re.compile(r"(^|[^a-z])(date|time|datetime|timestamp|ts|epoch|at)($|[^a-z])")
_TEXT_OF_TIME = re.compile(
    r"(\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})|(19|20)\d{2}([./-](0?[1-9]|1[0-2])([./-]\d{1,2})?|-?Q[1-4]))([T ,].*)?"
)
#: From 1990 to 2050, in seconds since 1970.
_EPOCH = (631_152_000.0, 2_524_608_000.0)
_RISING = ", rising from row to row"


def warnings_of(
    table: Table, frame: pd.DataFrame, features: dict[str, Any], options: Sequence[str] = ()
) -> Iterator[str]:
    """Yield a sentence for each misleading column, with its name, the reason and the remedy.

    Parameters
    ----------
    table, frame : Table, pandas.DataFrame
        The file and its rows as loaded.
    features : dict
        The columns as the libraries receive them, from ``features_of``.
    options : sequence of str
        The options that name this file, to be written before ``--drop``; empty if the command line already names it.
    """

    def option(name: str, *columns: str) -> str:
        return shlex.join([*options, f"--{name}", *columns])

    named = {str(name): frame[name] for name in frame.columns}
    times = [name for name in features if is_time(name, named[name], features[name])]
    constant = [name for name in features if _is_constant(named[name])]
    if constant:
        hold = (
            "the column {} is constant and carries" if len(constant) == 1 else "the columns {} are constant and carry"
        )
        listed = ", ".join(map(repr, constant[:_LISTED])) + (", ..." if len(constant) > _LISTED else "")
        yield (
            f"{table.path.name}: {hold.format(listed)} no information;"
            f" exclude {'it' if len(constant) == 1 else 'them'} with {option('drop', *constant[:_LISTED])}"
        )
    for name, values in features.items():
        is_text = hasattr(values, "categories")
        if name in constant or (name in times and not (is_text and table.time is not None)):
            continue
        of_kind = _of_categories if is_text else _of_numbers
        why = of_kind(named[name], values)
        if why:
            advice = f"exclude it with {option('drop', name)}"
            if table.time is None and _RISING in why:
                advice += f"; if it is a time, {option('time', name)} splits the rows by it"
            yield f"{table.path.name}: the column {name!r} {why}; {advice}"
    if table.time is None and times:
        ready = [name for name in times if not hasattr(features[name], "categories")]
        how = option("time", (ready or times)[0]) + ("" if ready else ", once it contains dates such as 2020-01-31,")
        look = "the column {} looks like a time" if len(times) == 1 else "the columns {} look like times"
        yield (
            f"{table.path.name}: the rows are split at random, although {look.format(', '.join(map(repr, times)))}; if the"
            f" model is meant for future rows, these scores may be too optimistic, and {how} tests on the latest rows;"
            f" otherwise, exclude {'it' if len(times) == 1 else 'them'} with {option('drop', *times)}"
        )


def is_time(name: str, column: pd.Series[Any], values: Any) -> bool:
    """Return whether a column appears to contain times, as dates, texts or numbers."""
    if holds_times(column):
        return not _is_constant(column)
    if hasattr(values, "categories"):
        levels = [level for level in values.categories if level != MISSING]
        return len(levels) > 1 and all(_TEXT_OF_TIME.fullmatch(level) for level in levels)
    known = values[np.isfinite(values)]
    if len(known) < 2 or known.min() == known.max():
        return False
    if _are_days(known):
        return True
    epochs = any(_EPOCH[0] * unit <= known.min() <= known.max() <= _EPOCH[1] * unit for unit in (1.0, 1e3, 1e6, 1e9))
    return epochs and _NAMED_TIME.search(name.lower()) is not None


def _are_days(known: np.ndarray[Any, Any]) -> bool:
    """Return whether all values are dates in the form 20200131."""
    years, months, days = known // 10_000, known // 100 % 100, known % 100
    real = (years >= 1900) & (years <= 2100) & (months >= 1) & (months <= 12) & (days >= 1) & (days <= 31)
    return bool((real & (known == np.floor(known))).all())


def _is_constant(column: pd.Series[Any]) -> bool:
    """Return whether all values are equal or all are missing; partly missing values may be informative."""
    missing = column.isna()
    return bool(missing.all() or (not missing.any() and column.nunique() == 1))


def _of_categories(column: pd.Series[Any], values: pd.Categorical) -> str:
    """Return the problem of a column read as categorical, or an empty string."""
    rows = int(column.notna().sum())
    levels = [level for level in values.categories if level != MISSING]
    if len(levels) < _FEW or len(levels) <= _MANY_LEVELS * rows:
        return ""
    words = f"becomes {len(levels)} categories in {len(column)} rows"
    numbers = [level for level in levels if _is_number(level)]
    if _NEARLY_ALL * len(levels) < len(numbers) < len(levels):
        stray = next(level for level in levels if not _is_number(level))[:_LONG]
        return f"{words}, although nearly all values are numbers: if {stray!r} denotes a missing value, leave the cell empty"
    if sum(map(len, levels)) > _LONG * len(levels):
        return f"{words} of long texts: what is learnt from one text does not apply to others"
    if len(levels) > _NEARLY_ALL * rows:
        return f"{words}, nearly one per row: it looks like an identifier, which carries no information about new rows"
    return f"{words}, with {rows / len(levels):.1f} rows each: much of what is learnt from so few rows is noise"


def _of_numbers(column: pd.Series[Any], values: np.ndarray[Any, Any]) -> str:
    """Return the problem of a numerical column, or an empty string."""
    whole = column.dtype.kind in ("i", "u")  # float64 cannot represent all large integers
    known = column.dropna().to_numpy() if whole else values[~np.isnan(values)]
    if len(known) < _FEW or (known != np.floor(known)).any():
        return ""
    different = len(np.unique(known))
    looks = "it looks like an identifier, which carries no information about new rows"
    is_named = _is_named_identifier(str(column.name))
    if different == len(known):
        words = f"contains {len(known)} distinct integers in {len(values)} rows"
        if (known[1:] > known[:-1]).all():
            return f"{words}{_RISING}: it looks like an identifier or a row number"
        dense = known.max() - known.min() < 2.0 * len(known)
        if dense or len(known) >= _ENOUGH or is_named:
            return f"{words}: {looks}"
    elif different > _NEARLY_ALL * len(known) and is_named:
        return f"contains {different} distinct integers in {len(values)} rows: {looks}, as its name suggests"
    return ""


def _is_named_identifier(name: str) -> bool:
    """Return whether a name ends in ``id`` or similar; capitals may separate words, as in customerId."""
    return _NAMED_ID.search(name) is not None or _NAMED_ID.search(name.lower()) is not None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
