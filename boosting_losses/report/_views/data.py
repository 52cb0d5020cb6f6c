"""Results as data for programs: dictionaries and data frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal

import numpy as np

from .._results import Results

#: Increases when a field of the dictionary is removed or changes its meaning, but not when a field is added.
SCHEMA_VERSION = 1


def as_dict(results: Results) -> dict[str, Any]:
    """Return nested dictionaries and lists that conform to ``schema.json``."""
    whole = {
        "schema_version": SCHEMA_VERSION,
        "rows": results.rows,
        "weight": results.weight,
        "classes": results.classes,
        "base_rates": results.base_rates,
        "events": results.events,
        "level": results.level,
        "eps": results.eps,
        "primary": results.primary,
        "reference": results.reference,
        "is_exact": results.is_exact,
        "models": results.models,
        "baselines": results.baselines,
        "differences": [
            {"model": here, "minus": there, "scores": pair, "p_values": results.p_values[here, there]}
            for (here, there), pair in results.differences.items()
        ],
        "findings": results.findings,
    }
    plain: dict[str, Any] = _plain(whole)
    return plain


def as_frame(results: Results, backend: Literal["pandas", "polars", "pyarrow"]) -> Any:
    """Return one row for each model and score, then the baselines and the differences."""
    import narwhals as nw  # noqa: PLC0415

    rows = [(model.name, name, *map(float, e)) for model in results.models for name, e in model.scores.items()]
    for baseline in results.baselines:
        rows += [(baseline.name, name, v, None, None) for name, v in baseline.scores.items() if v is not None]
    for (here, there), pair in results.differences.items():
        rows += [(f"{here} - {there}", name, *map(float, e)) for name, e in pair.items()]
    columns = dict(zip(("model", "score", "value", "low", "high"), zip(*rows, strict=True), strict=True))
    texts, numbers = ("model", "score"), ("value", "low", "high")
    data = {key: list(columns[key]) for key in texts}
    nan = float("nan")
    data |= {key: [nan if value is None else value for value in columns[key]] for key in numbers}
    return nw.from_dict(data, backend=backend).to_native()


def _plain(value: Any) -> Any:
    """Return nested dictionaries and lists of strings and numbers; NaN and infinite values become None."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    elif is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
