"""The configuration of an evaluation: the keys and the values that its YAML file may contain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from ..metrics._intervals import MOST_RESAMPLES
from ..report import SCORES, Settings
from .calibration_config import Calibration
from .metrics_config import ALIASES, Bins, Eps, Metric, by_name
from .monitoring.config import Monitoring
from .yaml_file import ConfigError, Location, Section, YamlFile, refusal, refuse_unknown

#: The top-level key that may contain all other keys.
WRAPPER = "evaluation"

Name = Annotated[str, Field(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0.0, lt=1.0)]


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


def _default_metrics() -> dict[str, Metric]:
    return {name: Metric(**options) for name, options in Settings().metrics.items()}


class Evaluation(Section):
    """The settings of an evaluation; the options of the command override them."""

    #: The keys are the names in the file; ``score`` returns the scores that they denote.
    metrics: dict[str, Metric] = Field(default_factory=_default_metrics, min_length=1)
    primary_metric: Name | None = None
    eps: Eps | None = None
    bins: Bins | None = None
    bootstrap: Bootstrap = Bootstrap()
    class_weight: Literal["balanced"] | None = None
    thresholds: dict[str, Limits] = Field(default_factory=dict)
    slices: tuple[Name, ...] = ()
    groups: Name | None = None
    decision_thresholds: tuple[Probability, ...] = ()
    reference: Name | None = None
    normalize: bool = False
    monitoring: Monitoring = Monitoring()
    calibration: Calibration | None = None

    _file: YamlFile = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Store the file that contains the keys."""
        if context is not None:
            self._file = context

    @field_validator("metrics", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return by_name(given)

    @field_validator("thresholds", mode="before")
    @classmethod
    def _of_scores(cls, given: Any) -> Any:
        """Refuse unknown scores, and turn a list of names into a mapping."""
        if isinstance(given, list | dict):
            for i, name in enumerate(given):
                refuse_unknown(name, (*SCORES, *ALIASES), at=(name if isinstance(given, dict) else i,))
        return dict.fromkeys(given) if isinstance(given, list) else given

    @model_validator(mode="after")
    def _scores_are_different(self) -> Evaluation:
        known: dict[str, str] = {}
        for name, metric in self.metrics.items():
            metric.refuse_others(name)
            if (first := known.setdefault(self.score(name), name)) != name:
                raise refusal("name each score once", f"{first} and {name}", at=("metrics", name))
        if self.bins is not None and "calibration_error" not in known:
            raise refusal("be given only if metrics name calibration_error", ", ".join(self.metrics), at=("bins",))
        if self.primary_metric is not None and self.score(self.primary_metric) not in known:
            refuse_unknown(self.primary_metric, self.metrics, at=("primary_metric",))
        return self

    @model_validator(mode="after")
    def _clips_once(self) -> Evaluation:
        clip = self._clip_eps
        if clip is not None and self.eps not in (None, clip):
            rule = "equal eps, which clips the probabilities of all log losses"
            raise refusal(rule, f"{clip:g} and {self.eps:g}", at=("metrics", "log_loss", "clip_eps"))
        return self

    @property
    def _clip_eps(self) -> float | None:
        return self.metrics["log_loss"].clip_eps if "log_loss" in self.metrics else None

    def score(self, name: str) -> str:
        """Return the score in ``SCORES`` that a name in the file denotes."""
        return self.metrics.get(name, Metric()).score_of(name)

    @property
    def settings(self) -> Settings:
        """The settings of the report."""
        metrics = {self.score(name): metric.options(name) for name, metric in self.metrics.items()}
        if self.bins is not None:
            metrics["calibration_error"] = self.bins.model_dump(exclude_none=True) | metrics["calibration_error"]
        return Settings(
            metrics,
            self._clip_eps if self.eps is None else self.eps,
            level=self.bootstrap.level,
            n_resamples=self.bootstrap.n_resamples,
            random_state=self.bootstrap.seed,
            thresholds=self.decision_thresholds,
            reference=self.reference,
            normalize=self.normalize,
            primary=None if self.primary_metric is None else self.score(self.primary_metric),
        )

    def error(self, location: Location, rule: str, got: str) -> ConfigError:
        """Return the error for a value that does not fit the data."""
        return self._file.error(location, rule, got)


def read(path: Path) -> Evaluation:
    """Return the configuration in a file; raise ConfigError, which names the line and the key, if it is invalid."""
    file = YamlFile.read(path)
    if isinstance(file.content, dict) and WRAPPER in file.content:
        others = [key for key in file.content if key != WRAPPER]
        if others:
            rule = "be the only top-level key, because it contains all settings"
            raise file.error((WRAPPER,), rule, f"{', '.join(others)} beside it")
        file = file.inside(WRAPPER)
    return file.check(Evaluation)
