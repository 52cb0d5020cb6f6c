"""The configuration of an evaluation, read from YAML."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..metrics._intervals import MOST_RESAMPLES
from ..report import SCORES, Settings
from .places import ConfigError, Place
from .thresholds import Threshold, refuse_unknown


@dataclass(frozen=True)
class Config:
    """What a file says, or the defaults."""

    settings: Settings = field(default_factory=Settings)
    balanced: bool = False
    thresholds: tuple[Threshold, ...] = ()
    slices: tuple[str, ...] = ()
    groups: str | None = None
    places: Mapping[str, Place] = field(default_factory=dict)  #: where each key is given


#: How the options of scores are read.
_OPTIONS: dict[str, Callable[[Place], Any]] = {
    "norm": lambda place: place.choice(1, 2, "max"),
    "strategy": lambda place: place.choice("uniform", "quantile"),
    "n_bins": lambda place: place.number("be an integer from 1 to 100000", lambda n: 1 <= n <= 100_000, whole=True),
    "debiased": lambda place: place.choice(True, False),
    "multiclass": lambda place: place.choice("top_label", "class_wise"),
    "score": lambda place: place.choice("log_loss", "brier"),
    "q": lambda place: float(place.number("be a number from 0 to 1", lambda q: 0.0 <= q <= 1.0)),
    "trim": lambda place: float(place.number("be a number >= 0 and < 1", lambda share: 0.0 <= share < 1.0)),
}

_KEYS = {
    "metrics": "scores and their options",
    "eps": "clipping of probabilities",
    "bins": "of the calibration error: n_bins, strategy",
    "bootstrap": "n_resamples, level, seed",
    "class_weight": "balanced",
    "thresholds": "of scores: max, min, by",
    "slices": "columns by which rows are looked at in parts",
    "groups": "column of groups of rows",
    "decision_thresholds": "probabilities from which on the second class is predicted",
    "reference": "the model with which the others are compared",
    "normalize": "whether probabilities are divided by their sums",
}


def read(path: Path) -> Config:
    """The configuration in a file; raises ConfigError, whose message names the key and the line."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}, line {line}: the file must be YAML, {error.problem}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: the file must be YAML text, {error}".splitlines()[0]) from None
    if node is None:
        return Config()
    top = Place(path, "", node).children(_KEYS)
    metrics = _metrics(top.get("metrics"), top.get("bins"))
    eps = top["eps"].number("be a number >= 0 and < 0.5", lambda e: 0.0 <= e < 0.5) if "eps" in top else None
    if "class_weight" in top:
        top["class_weight"].choice("balanced")
    settings = Settings(
        metrics,
        None if eps is None else float(eps),
        **_bootstrap(top.get("bootstrap")),
        thresholds=_decisions(top.get("decision_thresholds")),
        reference=_name(top.get("reference")),
        normalize="normalize" in top and top["normalize"].choice(True, False),
    )
    return Config(
        settings,
        "class_weight" in top,
        _thresholds(top.get("thresholds"), metrics),
        _slices(top.get("slices")),
        _name(top.get("groups")),
        top,
    )


def _metrics(place: Place | None, bins: Place | None) -> dict[str, dict[str, Any]]:
    if place is None or place.value is None:
        chosen: dict[str, dict[str, Any]] = {name: dict(options) for name, options in Settings().metrics.items()}
    elif isinstance(place.node, yaml.SequenceNode):
        chosen = {}
        for node in place.node.value:
            item = Place(place.path, place.key, node)
            chosen[item.choice(*SCORES)] = {}
    else:
        chosen = {}
        for name, options in place.children(SCORES).items():
            known = dict.fromkeys(sorted(SCORES[name].options))
            chosen[name] = {key: _OPTIONS[key](option) for key, option in options.children(known).items()}
            if chosen[name].get("debiased") and chosen[name].get("norm") == "max":
                raise options.error("not be debiased for norm max", "both")
    if place is not None and not chosen:
        raise place.error("name at least one score", "none")
    if bins is not None:
        given = bins.children({"n_bins": None, "strategy": None})
        shared = {key: _OPTIONS[key](option) for key, option in given.items()}
        if "calibration_error" not in chosen:
            raise bins.error("be given with calibration_error among the metrics", ", ".join(chosen))
        chosen["calibration_error"] = shared | chosen["calibration_error"]
    return chosen


def _bootstrap(place: Place | None) -> dict[str, Any]:
    if place is None:
        return {}
    given = place.children({"n_resamples": None, "level": None, "seed": None})
    read_: dict[str, Any] = {}
    if "n_resamples" in given:
        rule = f"be an integer from 2 to {MOST_RESAMPLES}"
        read_["n_resamples"] = given["n_resamples"].number(rule, lambda n: 2 <= n <= MOST_RESAMPLES, whole=True)
    if "level" in given:
        read_["level"] = float(given["level"].number("lie between 0 and 1", lambda level: 0.0 < level < 1.0))
    if "seed" in given:
        read_["random_state"] = given["seed"].number("be an integer >= 0", lambda n: n >= 0, whole=True)
    return read_


def _thresholds(place: Place | None, metrics: Mapping[str, Any]) -> tuple[Threshold, ...]:
    if place is None:
        return ()
    found = []
    for name, limits in place.children(SCORES).items():
        bounds = limits.children({"max": None, "min": None, "by": None})
        if not {"max", "min"} & set(bounds):
            raise limits.error("give max, min or both", "neither")
        most, least = (
            float(bounds[key].number("be a number", math.isfinite)) if key in bounds else None for key in ("max", "min")
        )
        if most is not None and least is not None and least > most:
            raise limits.error("have a min that is not above its max", f"{least:g} and {most:g}")
        by_interval = "by" in bounds and bounds["by"].choice("value", "interval") == "interval"
        found.append(Threshold(name, least, most, by_interval, limits))
    refuse_unknown(found, list(metrics))
    return tuple(found)


def _slices(place: Place | None) -> tuple[str, ...]:
    names: list[str] = []
    for item in [] if place is None else place.items("columns"):
        if item.name() in names:
            raise item.error("name each column once", f"{item.name()!r} a second time")
        names.append(item.name())
    return tuple(names)


def _decisions(place: Place | None) -> tuple[float, ...]:
    items = [] if place is None else place.items("probabilities")
    return tuple(float(item.number("lie between 0 and 1", lambda p: 0.0 < p < 1.0)) for item in items)


def _name(place: Place | None) -> str | None:
    return None if place is None or place.value is None else place.name()
