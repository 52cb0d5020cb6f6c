"""The section ``calibration`` of a configuration: the calibration with which the given models are compared."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from .yaml_file import Section, refusal, refuse_unknown

#: The calibrators in ``boosting_losses.calibration``, which takes seconds to import, by the names of the methods.
METHODS = {
    "isotonic": "IsotonicCalibration",
    "platt": "PlattScaling",
    "sigmoid": "PlattScaling",
    "temperature": "TemperatureScaling",
    "beta": "BetaCalibration",
    "vector": "VectorScaling",
}


class Calibration(Section):
    """A calibration method, and the number of folds of its cross-fitting."""

    method: str | None = None
    cv_folds: Annotated[int, Field(ge=2)] = 5

    @field_validator("method")
    @classmethod
    def _is_known(cls, method: str) -> str:
        refuse_unknown(method, METHODS, at=())
        return method

    @model_validator(mode="after")
    def _has_a_method(self) -> Calibration:
        if self.method is None:
            raise refusal(f"give the method, one of {', '.join(METHODS)}", "none")
        return self

    def name_of(self, model: str) -> str:
        """Return the name of a calibrated model."""
        return f"{model}, {self.method} (cross-fitted)"
