"""The section ``monitoring`` of a configuration: the settings of a monitor and its threshold rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from ..yaml_file import Section, refusal

if TYPE_CHECKING:
    from ...monitor import ThresholdRule

#: The threshold rule's parameters, and the keys that set them.
_RULE_KEYS = {
    "baseline": "baseline_log_loss",
    "alert_threshold_pct": "alert_threshold_pct",
    "rolling_window": "rolling_window",
    "min_samples_for_alert": "min_samples_for_alert",
}


class Monitoring(Section):
    """The settings of a monitor, with the names of the parameters of ``Monitor`` and of ``ThresholdRule``."""

    baseline_log_loss: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    alert_threshold_pct: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    rolling_window: Annotated[int, Field(ge=1)] | None = None
    min_samples_for_alert: Annotated[int, Field(ge=1)] | None = None
    label_delay: str | None = None
    look: str | None = None
    run_length: Annotated[float, Field(gt=1.0, allow_inf_nan=False)] | None = None
    min_saving: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    look_effect: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    missing: Annotated[int, Field(ge=0)] | None = None
    min_labels: Annotated[int, Field(ge=0)] | None = None
    cool_down: Annotated[int, Field(ge=0)] | None = None
    max_streams: Annotated[int, Field(ge=1)] | None = None
    webhooks: tuple[Annotated[str, Field(pattern="^https?://")], ...] = ()

    @model_validator(mode="after")
    def _rule_is_valid(self) -> Monitoring:
        given = [key for key in _RULE_KEYS.values() if getattr(self, key) is not None]
        if given and self.baseline_log_loss is None:
            raise refusal("give baseline_log_loss, which the threshold rule compares with", ", ".join(given))
        try:
            self.rule()
        except ValueError as error:
            raise refusal("describe a threshold rule", str(error)) from None
        return self

    def rule(self, *, balanced: bool = False) -> ThresholdRule | None:
        """Return the threshold rule, or None if there is no baseline; ``balanced`` is an argument of the rule."""
        if self.baseline_log_loss is None:
            return None
        from ...monitor import ThresholdRule  # noqa: PLC0415  (the monitor takes a second to import)

        given = {name: getattr(self, key) for name, key in _RULE_KEYS.items() if getattr(self, key) is not None}
        return ThresholdRule(**given, balanced=balanced)

    def settings(self, *, balanced: bool) -> dict[str, Any]:
        """Return the given arguments of ``Monitor``."""
        others = {*_RULE_KEYS.values(), "webhooks"}
        given = self.model_dump(exclude_none=True, exclude=others)
        rule = self.rule(balanced=balanced)
        return given if rule is None else given | {"rule": rule}
