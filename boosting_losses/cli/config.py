"""The configuration of an evaluation: YAML whose errors name the key and the line."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..metrics.intervals import MOST_RESAMPLES
from ..report._scores import SCORES
from ..report._settings import DEFAULT_METRICS, Settings


class ConfigError(ValueError):
    """A configuration that cannot be followed."""


@dataclass(frozen=True)
class Threshold:
    """The worst that a score may be."""

    score: str
    least: float | None
    most: float | None

    def broken_by(self, value: float) -> str | None:
        """What is wrong with a value, in words."""
        if self.most is not None and not value <= self.most:
            return f"{self.score} {value:.6g} is above {self.most:g}"
        if self.least is not None and not value >= self.least:
            return f"{self.score} {value:.6g} is below {self.least:g}"
        return None


@dataclass(frozen=True)
class Config:
    """What a file says, or the defaults."""

    settings: Settings = field(default_factory=Settings)
    balanced: bool = False
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True)
class _Place:
    """A node of the file and the keys that lead to it."""

    path: Path
    key: str
    node: yaml.Node

    def error(self, rule: str, got: str) -> ConfigError:
        line = self.node.start_mark.line + 1
        return ConfigError(f"{self.path}, line {line}: {self.key or 'the file'} must {rule}, got {got}")

    @property
    def value(self) -> Any:
        try:
            return yaml.SafeLoader("").construct_document(self.node)
        except (yaml.YAMLError, ValueError, TypeError):
            raise self.error("be a value that can be read", repr(getattr(self.node, "value", "another"))) from None

    def children(self, allowed: Mapping[str, Any] | None = None) -> dict[str, _Place]:
        if isinstance(self.node, yaml.ScalarNode) and self.value is None:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("be a mapping of keys to values", repr(self.value))
        found: dict[str, _Place] = {}
        for key_node, node in self.node.value:
            name = str(key_node.value)
            at_key = _Place(self.path, f"{self.key}.{name}" if self.key else name, key_node)
            if name in found:
                raise at_key.error("be given once", "it a second time")
            if allowed is not None and name not in allowed:
                near = difflib.get_close_matches(name, allowed, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                known = f"be one of {', '.join(allowed)}" if allowed else "not be given"
                raise at_key.error(known, f"an unknown key{hint}")
            found[name] = _Place(self.path, at_key.key, node)
        return found

    def number(self, rule: str, fits: Callable[[float], bool], *, whole: bool = False) -> Any:
        value = self.value
        if isinstance(value, str):  # YAML 1.1 takes 1e-9 for text
            with contextlib.suppress(ValueError):
                value = float(value)
        kind = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kind) or not fits(value):
            raise self.error(rule, repr(value))
        return value

    def choice(self, *choices: Any) -> Any:
        if isinstance(self.value, bool) != any(isinstance(c, bool) for c in choices) or self.value not in choices:
            raise self.error(f"be one of {', '.join(map(str, choices))}", repr(self.value))
        return self.value


#: How the options of scores are read.
_OPTIONS: dict[str, Callable[[_Place], Any]] = {
    "norm": lambda place: place.choice(1, 2, "max"),
    "strategy": lambda place: place.choice("uniform", "quantile"),
    "n_bins": lambda place: place.number("be an integer from 1 to 100000", lambda n: 1 <= n <= 100_000, whole=True),
    "debiased": lambda place: place.choice(True, False),
    "multiclass": lambda place: place.choice("top_label", "class_wise"),
    "score": lambda place: place.choice("log_loss", "brier"),
}

_KEYS = {
    "metrics": "scores and their options",
    "eps": "clipping of probabilities",
    "bins": "of the calibration error: n_bins, strategy",
    "bootstrap": "n_resamples, level, seed",
    "class_weight": "balanced",
    "thresholds": "of scores: max, min",
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
    top = _Place(path, "", node).children(_KEYS)
    metrics = _metrics(top.get("metrics"), top.get("bins"))
    eps = top["eps"].number("be a number >= 0 and < 0.5", lambda e: 0.0 <= e < 0.5) if "eps" in top else None
    if "class_weight" in top:
        top["class_weight"].choice("balanced")
    bootstrap = _bootstrap(top.get("bootstrap"))
    settings = Settings(metrics, None if eps is None else float(eps), **bootstrap)
    return Config(settings, "class_weight" in top, _thresholds(top.get("thresholds"), metrics))


def _metrics(place: _Place | None, bins: _Place | None) -> dict[str, dict[str, Any]]:
    if place is None or place.value is None:
        chosen: dict[str, dict[str, Any]] = {name: dict(options) for name, options in DEFAULT_METRICS.items()}
    elif isinstance(place.node, yaml.SequenceNode):
        chosen = {}
        for node in place.node.value:
            item = _Place(place.path, place.key, node)
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


def _bootstrap(place: _Place | None) -> dict[str, Any]:
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


def _thresholds(place: _Place | None, metrics: Mapping[str, Any]) -> tuple[Threshold, ...]:
    if place is None:
        return ()
    found = []
    for name, limits in place.children(SCORES).items():
        if name not in metrics:
            raise limits.error(f"be of a score that is computed ({', '.join(metrics)})", name)
        bounds = limits.children({"max": None, "min": None})
        if not bounds:
            raise limits.error("give max, min or both", "neither")
        most, least = (
            float(bounds[key].number("be a number", math.isfinite)) if key in bounds else None for key in ("max", "min")
        )
        if most is not None and least is not None and least > most:
            raise limits.error("have a min that is not above its max", f"{least:g} and {most:g}")
        found.append(Threshold(name, least, most))
    return tuple(found)
