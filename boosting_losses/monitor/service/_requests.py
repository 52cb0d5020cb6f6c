"""What requests must contain, as pydantic models, from which /openapi.json is generated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, GetCoreSchemaHandler, Tag
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MOST_ROWS = 100_000
MOST_SLICES = 20
_LONGEST_ID, _LONGEST_NAME = 256, 128
_MOST_CLASSES = 10_000
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
_ISO_8601 = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_CLOCK}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?)?$"
#: At most 999 million rows or some two thousand years, so that no time leaves 64 bits.
_WINDOW = r"^([1-9][0-9]{0,8}|[0-9]{1,5}(\.[0-9]{1,6})?(s|min|h|d|w))$"


@dataclass(frozen=True)
class _Rule:
    """Says the rule of a value in one sentence, in place of one error for each form that it may have."""

    text: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source), custom_error_type="rule", custom_error_message=self.text
        )


# ---- values ---------------------------------------------------------------------------------------------------------

_Id = Annotated[
    Annotated[str, Len(1, _LONGEST_ID)] | Annotated[int, Field(ge=-(2**63), le=2**63 - 1)],
    _Rule(
        f"must be a text of 1 to {_LONGEST_ID} valid characters, or a whole number of 64 bits without a decimal point"
    ),
]
_Name = Annotated[str, Len(1, _LONGEST_NAME), _Rule(f"must be a text of 1 to {_LONGEST_NAME} valid characters")]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Probability = Annotated[_Finite | None, _Rule("must be a finite number, or null for a missing probability")]
_Weight = Annotated[float, Field(allow_inf_nan=False, ge=0.0), _Rule("must be a finite number >= 0")]
_Class = Annotated[
    float, Field(ge=0.0, le=_MOST_CLASSES, multiple_of=1.0), _Rule("must be a class code, a whole number >= 0")
]
_IsoTime = Annotated[str, Field(pattern=_ISO_8601)]
_Text = Annotated[_IsoTime, _Rule("must be a text in ISO 8601, as 2026-05-03T14:00Z")]
_Seconds = Annotated[_Finite, _Rule("must be a number of seconds since 1970, as the first entry is")]
_Time = Annotated[_IsoTime | _Finite, _Rule("must be a text in ISO 8601, as 2026-05-03T14:00Z, or seconds since 1970")]

_ROWS = Len(1, MOST_ROWS)
_Ids = Annotated[list[_Id], _ROWS]
_Row = Annotated[list[_Probability], Len(2, _MOST_CLASSES)]


# A value in angle brackets is the tag of a form. Messages omit it.
def _form_of_probabilities(value: Any) -> str:
    nested = isinstance(value, list) and value and isinstance(value[0], list)
    return "<lists>" if nested else "<numbers>"


def _form_of_times(value: Any) -> str:
    if not isinstance(value, list):
        return "<one>"
    return "<texts>" if value and isinstance(value[0], str) else "<numbers>"


def _form_of_slices(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<one>"


def _of_one_length(rows: list[list[Any]]) -> list[list[Any]]:
    odd = next((number for number, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if odd is not None:
        lengths = f"{len(rows[0])} in row 0 and {len(rows[odd])} in row {odd}"
        text = f"must hold lists of one length, one for each id, but there are {lengths}"
        raise PydanticCustomError("rule", "{text}", {"text": text})
    return rows


_Probabilities = Annotated[
    Annotated[list[_Probability], _ROWS, Tag("<numbers>")]
    | Annotated[list[_Row], _ROWS, AfterValidator(_of_one_length), Tag("<lists>")],
    Discriminator(_form_of_probabilities),
]
_Times = Annotated[
    Annotated[_Time, Tag("<one>")]
    | Annotated[list[_Text], _ROWS, Tag("<texts>")]
    | Annotated[list[_Seconds], _ROWS, Tag("<numbers>")],
    Discriminator(_form_of_times),
]
_SliceValues = Annotated[Annotated[_Id, Tag("<one>")] | Annotated[_Ids, Tag("<list>")], Discriminator(_form_of_slices)]


# ---- bodies ---------------------------------------------------------------------------------------------------------


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Predictions(_Body):
    """Predictions, one for each id; the fields are the arguments of ``Monitor.record``."""

    ids: _Ids = Field(description="Texts, to which labels refer. A whole number is the same id as its text.")
    proba: _Probabilities = Field(
        description="For each id the probability of class 1, or a list with that of every class; null if it is missing."
    )
    time: _Times = Field(
        description="Prediction times in ISO 8601 or seconds since 1970, one for all rows or one for each; UTC by default."
    )
    model: _Name = "default"
    slices: Annotated[dict[_Name, _SliceValues], Len(0, MOST_SLICES)] | None = Field(
        None, description="For each slicing column, one value for all rows or one for each."
    )
    weight: Annotated[list[_Weight], _ROWS] | None = None
    group: _Ids | None = Field(None, description="Rows of one group may have labels that depend on each other.")


class Labels(_Body):
    """Labels, one for each id; the fields are the arguments of ``Monitor.label``."""

    ids: _Ids
    y: Annotated[list[_Class], _ROWS] = Field(description="Class codes 0..K-1.")
    time: _Times | None = Field(
        None,
        description="When the labels became known, one time for all or one for each. By default they became known now, or"
        " when they were final if this is earlier.",
    )


class Ids(_Body):
    """The ids of rows."""

    ids: _Ids


# ---- queries --------------------------------------------------------------------------------------------------------


class AlertsQuery(BaseModel):
    """The state of the alerts."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["open", "acknowledged", "resolved"] | None = None


class StreamQuery(BaseModel):
    """A model or one of its slices."""

    model_config = ConfigDict(extra="forbid")

    model: _Name | None = Field(None, description="May be omitted if there is only one model.")
    slice: Annotated[str, Len(1, 2 * _LONGEST_ID)] | None = Field(None, description="As country=DE.")


class PeriodQuery(StreamQuery):
    """The rows of a stream from a start to an end."""

    start: _Text | None = None
    end: _Text | None = None


class ReliabilityQuery(PeriodQuery):
    """The parameters of a reliability curve."""

    n_bins: Annotated[int, Field(ge=1, le=1000)] = 15


class CurveQuery(PeriodQuery):
    """The parameters of a curve."""

    window: Annotated[str, Field(pattern=_WINDOW)] = Field(
        "7d", description="A number of labelled rows, as 5000, or a duration, as 12h or 7d (units: s, min, h, d, w)."
    )
    step: Annotated[str, Field(pattern=_WINDOW)] | None = Field(None, description="In the unit of the window.")
