"""What responses contain, as pydantic models, from which /openapi.json is generated."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_type_hints

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, create_model

from ... import metrics
from ..._types import Doubles
from .. import _alerts, _curves, _status

_Number = float | None  # null in place of NaN
#: How arrays and numbers are encoded.
_JSON_OF: dict[Any, Any] = {
    float: _Number,
    Doubles: list[_Number],
    npt.NDArray[np.int64]: list[int],
    npt.NDArray[np.bool_]: list[bool],
    npt.NDArray[np.datetime64]: list[datetime],
}


def _as_json(record: type, /, **others: Any) -> Any:
    """Return the model of a record with the types of its fields in JSON."""
    hints = {name: _JSON_OF.get(hint, hint) for name, hint in get_type_hints(record).items()} | others
    fields: dict[str, Any] = {name: (hint, ...) for name, hint in hints.items()}
    summary = (record.__doc__ or "").partition("\n")[0]
    return create_model(record.__name__, __doc__=summary, **fields)


Alert = _as_json(_alerts.Alert)
EvidenceCurve = _as_json(_curves.EvidenceCurve)
ReliabilityCurve = _as_json(metrics.ReliabilityCurve)
_PerClass = list[_Number] | list[list[_Number]]
Curve = _as_json(_curves.Curve, mean_label=_PerClass, mean_proba=_PerClass)
_Streams: Any = list[_as_json(_status.StreamStatus)]  # type: ignore[misc]
Status = _as_json(_status.Status, streams=_Streams)


class Recalibration(BaseModel):
    """A calibrator for the log odds or the log probabilities that were served, and the log loss that it saves."""

    text: str
    calibrator: Literal["PlattScaling", "TemperatureScaling", "VectorScaling"]
    parameters: dict[str, float | list[float]]
    saving: _Number
    low: _Number
    high: _Number
    rows: int
    since: datetime


class Problem(BaseModel):
    """What was asked, the rule, and what came."""

    error: str


class Health(BaseModel):
    """The service answers."""

    status: Literal["ok"]


class Accepted(BaseModel):
    """The number of rows of a call that has been committed."""

    rows: int


class Deleted(BaseModel):
    """The number of ids that were known and whose rows have been deleted."""

    deleted: int
