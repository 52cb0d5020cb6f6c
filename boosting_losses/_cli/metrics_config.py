"""The key ``metrics`` of a configuration: scores, the names that documents use for them, and their options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..report import SCORES
from .yaml_file import Section, refusal, refuse_unknown

#: Other names of scores, with the options that they imply: the usual ECE includes label noise.
ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "calibration_ece": ("calibration_error", {"debiased": False}),
    "brier_score_loss": ("brier_score", {}),
    "roc_auc_score": ("roc_auc", {}),
    "average_precision_score": ("average_precision", {}),
}

Eps = Annotated[float, Field(ge=0.0, lt=0.5)]


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


class Metric(ScoreOptions):
    """The options of a score, and the keys of the log loss that are not options of its function."""

    clip_eps: Eps | None = None
    sample_weight_by: Literal["inverse_class_frequency"] | None = None

    def score_of(self, name: str) -> str:
        """Return the score that a name in the file denotes with these options."""
        canonical = ALIASES[name][0] if name in ALIASES else name
        return canonical if self.sample_weight_by is None else f"balanced_{canonical}"

    def options(self, name: str) -> dict[str, Any]:
        """Return the options of the score, with those that its name implies."""
        implied = ALIASES[name][1] if name in ALIASES else {}
        return implied | self.model_dump(exclude_none=True, include=set(ScoreOptions.model_fields))

    def refuse_others(self, name: str) -> None:
        """Raise an error for a key that the score does not have; its location is relative to the metrics."""
        known = set(SCORES[ALIASES[name][0] if name in ALIASES else name].options)
        if name == "log_loss":
            known |= {"clip_eps", "sample_weight_by"}
        for key in self.model_fields_set:
            refuse_unknown(key, sorted(known), at=("metrics", name, key))


def by_name(given: Any) -> Any:
    """Turn a list of names, and of mappings with the key ``name``, into a mapping of names to options.

    Raise an error for an unknown name, or a name that occurs twice.
    """
    if isinstance(given, dict):
        for name in given:
            refuse_unknown(name, (*SCORES, *ALIASES), at=(name,))
    if not isinstance(given, list):
        return given
    found: dict[str, Any] = {}
    for i, item in enumerate(given):
        options = dict(item) if isinstance(item, dict) else {"name": item}
        if "name" not in options:
            raise refusal("give each score as a name, or as a mapping with the key name", ", ".join(options), (i,))
        name = options.pop("name")
        refuse_unknown(name, (*SCORES, *ALIASES), at=(i,))
        if name in found:
            raise refusal("name each score once", f"{name} a second time", (i,))
        found[name] = options
    return found
