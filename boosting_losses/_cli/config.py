"""The configuration of an evaluation: the keys and the values that its YAML file may contain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from ..metrics._intervals import MOST_RESAMPLES
from ..report import SCORES, Settings
from .yaml_file import ConfigError, Location, Section, YamlFile, refusal, refuse_unknown

Name = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]


class Bins(Section):
    """The bins of the calibration error."""

    n_bins: Annotated[int, Field(ge=1, le=100_000)] | None = None
    strategy: Literal["uniform", "quantile"] | None = None


class ScoreOptions(Bins):
    """The options of scores; ``SCORES`` defines which options each score accepts."""

    norm: (
        Annotated[Literal[1, 2, "max"], BeforeValidator(lambda norm: int(norm) if norm in ("1", "2") else norm)] | None
    ) = None
    debiased: bool | None = None
    multiclass: Literal["top_label", "class_wise"] | None = None
    score: Literal["log_loss", "brier"] | None = None
    q: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    trim: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _can_be_debiased(self) -> ScoreOptions:
        if self.debiased and self.norm == "max":
            raise refusal("not be debiased if norm is max", "both")
        return self


class Bootstrap(Section):
    """The bootstrap replicates of the intervals."""

    n_resamples: Annotated[int, Field(ge=2, le=MOST_RESAMPLES)] = Settings.n_resamples
    level: Probability = Settings.level
    seed: Annotated[int, Field(ge=0)] = Settings.random_state


class Limits(Section):
    """The limits of a score.

    A score violates a limit if its value, or its whole interval, is beyond the limit; ``by`` selects which.
    """

    min: Number | None = None
    max: Number | None = None
    by: Literal["value", "interval"] = "value"

    @model_validator(mode="after")
    def _has_a_range(self) -> Limits:
        if self.min is None and self.max is None:
            raise refusal("give max, min or both", "neither")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise refusal("have a min that is not above its max", f"{self.min:g} and {self.max:g}")
        return self


def _default_metrics() -> dict[str, ScoreOptions]:
    return {name: ScoreOptions(**options) for name, options in Settings().metrics.items()}


class Evaluation(Section):
    """The settings of an evaluation; the options of the command override them."""

    metrics: dict[str, ScoreOptions] = Field(default_factory=_default_metrics, min_length=1)
    eps: Annotated[float, Field(ge=0.0, lt=0.5)] | None = None
    bins: Bins | None = None
    bootstrap: Bootstrap = Bootstrap()
    class_weight: Literal["balanced"] | None = None
    thresholds: dict[str, Limits] = Field(default_factory=dict)
    slices: tuple[Name, ...] = ()
    groups: Name | None = None
    decision_thresholds: tuple[Probability, ...] = ()
    reference: Name | None = None
    normalize: bool = False

    _file: YamlFile = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Store the file that contains the keys."""
        if context is not None:
            self._file = context

    @field_validator("metrics", "thresholds", mode="before")
    @classmethod
    def _by_score(cls, given: Any) -> Any:
        """Refuse unknown scores, and turn a list of names into a mapping."""
        if isinstance(given, list | dict):
            for i, name in enumerate(given):
                refuse_unknown(name, SCORES, at=(name if isinstance(given, dict) else i,))
        return dict.fromkeys(given) if isinstance(given, list) else given

    @model_validator(mode="after")
    def _scores_have_options(self) -> Evaluation:
        for name, options in self.metrics.items():
            for key in options.model_fields_set:
                refuse_unknown(key, sorted(SCORES[name].options), at=("metrics", name, key))
        if self.bins is not None and "calibration_error" not in self.metrics:
            raise refusal("be given only if metrics name calibration_error", ", ".join(self.metrics), at=("bins",))
        return self

    @property
    def settings(self) -> Settings:
        """The settings of the report."""
        metrics = {name: options.model_dump(exclude_none=True) for name, options in self.metrics.items()}
        if self.bins is not None:
            metrics["calibration_error"] = self.bins.model_dump(exclude_none=True) | metrics["calibration_error"]
        return Settings(
            metrics,
            self.eps,
            level=self.bootstrap.level,
            n_resamples=self.bootstrap.n_resamples,
            random_state=self.bootstrap.seed,
            thresholds=self.decision_thresholds,
            reference=self.reference,
            normalize=self.normalize,
        )

    def error(self, location: Location, rule: str, got: str) -> ConfigError:
        """Return the error for a value that does not fit the data."""
        return self._file.error(location, rule, got)


def read(path: Path) -> Evaluation:
    """Return the configuration in a file; raise ConfigError, which names the line and the key, if it is invalid."""
    return YamlFile.read(path).check(Evaluation)
