"""YAML files that are checked by pydantic models; every error names the file, the line and the key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

#: The path of keys and list positions to a value.
Location = tuple[str | int, ...]

Model = TypeVar("Model", bound=BaseModel)

#: Rules worded for users, keyed by the error types of pydantic.
_RULES = {
    **dict.fromkeys(("dict_type", "model_type"), "be a mapping of keys to values"),
    **dict.fromkeys(("list_type", "tuple_type"), "be a list"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "be a finite number"),
    **dict.fromkeys(("too_short", "string_too_short"), "not be empty"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "be an integer"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "be true or false"),
    "string_type": "be a name",
}


class ConfigError(ValueError):
    """An error in a configuration."""


class Section(BaseModel):
    """A mapping in a YAML file; a key without a value is treated as absent."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _given(cls, data: Any) -> Any:
        if data is not None and not isinstance(data, dict):
            return data
        for key in data or ():
            refuse_unknown(key, cls.model_fields, at=(key,))
        return {key: value for key, value in (data or {}).items() if value is not None}


def refusal(rule: str, got: str, at: Location = ()) -> PydanticCustomError:
    """Return the error of a validator: the violated rule, and the location relative to the validated value."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule, "got": got, "at": at})


def refuse_unknown(name: object, known: Iterable[str], at: Location) -> None:
    """Raise an error that suggests the closest known name, unless ``name`` is known."""
    names = list(known)
    if name in names:
        return
    near = difflib.get_close_matches(str(name), names, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise refusal(f"be one of {', '.join(names)}" if names else "not be given", f"{name}{hint}", at)


@dataclass(frozen=True)
class YamlFile:
    """The content of a file, with every scalar kept as its literal text, and the line number of every value.

    The pydantic models convert the texts. A column may therefore be called 2024 or yes, and 1e-9 is a number, although
    PyYAML reads it as text.
    """

    path: Path
    content: Any
    lines: Mapping[Location, int]
    root: Location = ()  #: the location of the content, from which locations are counted

    @classmethod
    def read(cls, path: Path) -> YamlFile:
        """Read a file; raise ConfigError if it is not valid YAML."""
        lines: dict[Location, int] = {(): 1}
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"))
            return cls(path, None if node is None else _value(node, lines, ()), lines)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise ConfigError(f"{path}, line {line}: the file must be YAML, {error.problem}") from None
        except RecursionError:
            raise ConfigError(f"{path}: the file must be YAML, found a value that contains itself") from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: the file must be YAML text, {error}".splitlines()[0]) from None

    def inside(self, key: str) -> YamlFile:
        """Return the file with the value of a key as its content."""
        return replace(self, content=self.content[key], root=(*self.root, key))

    def check(self, model: type[Model]) -> Model:
        """Return the content as a model, validated with this file as context; raise ConfigError if it is invalid."""
        try:
            return model.model_validate(self.content, context=self)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
        context, given = first.get("ctx", {}), first["input"]
        rule = context.get("rule") or _RULES.get(first["type"]) or first["msg"].removeprefix("Input should ")
        got = context.get("got") or (given if isinstance(given, str) and given else repr(given))
        raise self.error((*first["loc"], *context.get("at", ())), rule, got)

    def error(self, location: Location, rule: str, got: str) -> ConfigError:
        """Return the error for a value that violates a rule.

        The location may contain the name of an item of a list. Parts that the file lacks are ignored.
        """
        found, shown = self.root, self.root
        here = self.content
        for part in location:
            step = _named(here, part) if isinstance(here, list) and isinstance(part, str) else part
            if step is not None and (*found, step) in self.lines:
                found, shown, here = (*found, step), (*shown, part), here[step]
        key = _dotted(shown) or "the file"
        return ConfigError(f"{self.path}, line {self.lines[found]}: {key} must {rule}, got {got}")


def _value(node: yaml.Node, lines: dict[Location, int], location: Location) -> Any:
    """Return the value of a node at ``location``, and store the lines of its keys and items in ``lines``."""
    if not node.tag.startswith("tag:yaml.org,2002:"):
        raise yaml.MarkedYAMLError(problem=f"found the unknown tag {node.tag}", problem_mark=node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == "tag:yaml.org,2002:null" else node.value
    is_mapping = isinstance(node, yaml.MappingNode)
    parts: list[tuple[str | int, yaml.Node, yaml.Node]] = (
        [(str(key.value), key, item) for key, item in node.value]
        if is_mapping
        else [(i, item, item) for i, item in enumerate(node.value)]
    )
    found: dict[str | int, Any] = {}
    for key, marked, item in parts:
        inner = (*location, key)
        if key in found:
            raise yaml.MarkedYAMLError(problem=f"found {_dotted(inner)} a second time", problem_mark=marked.start_mark)
        lines[inner] = marked.start_mark.line + 1
        found[key] = _value(item, lines, inner)
    return found if is_mapping else list(found.values())


def _named(items: list[Any], name: str) -> int | None:
    """Return the position of the item that is a name, or has it as the value of the key ``name``."""
    names = [item.get("name") if isinstance(item, dict) else item for item in items]
    return names.index(name) if name in names else None


def _dotted(location: Location) -> str:
    return ".".join(part for part in location if isinstance(part, str))
