"""Nodes of a YAML file, whose errors name the key and the line."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ConfigError(ValueError):
    """A configuration that cannot be followed."""


@dataclass(frozen=True)
class Place:
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

    def children(self, allowed: Mapping[str, Any] | None = None) -> dict[str, Place]:
        if isinstance(self.node, yaml.ScalarNode) and self.value is None:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("be a mapping of keys to values", repr(self.value))
        found: dict[str, Place] = {}
        for key_node, node in self.node.value:
            name = str(key_node.value)
            at_key = Place(self.path, f"{self.key}.{name}" if self.key else name, key_node)
            if name in found:
                raise at_key.error("be given once", "it a second time")
            if allowed is not None and name not in allowed:
                near = difflib.get_close_matches(name, allowed, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                known = f"be one of {', '.join(allowed)}" if allowed else "not be given"
                raise at_key.error(known, f"an unknown key{hint}")
            found[name] = Place(self.path, at_key.key, node)
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

    def name(self) -> str:
        """A text as it is written: a column may be called 2024, or yes."""
        if not isinstance(self.node, yaml.ScalarNode) or self.value in (None, ""):
            raise self.error("be a name", repr(self.value))
        return str(self.node.value)

    def items(self, what: str) -> list[Place]:
        """The parts of a list."""
        if isinstance(self.node, yaml.ScalarNode) and self.value is None:
            return []
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error(f"be a list of {what}", repr(self.value))
        return [Place(self.path, self.key, node) for node in self.node.value]
