"""YAML files as typed values: every mistake is reported with its file, line and key."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union

import yaml

from kiln.core.errors import UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
Place = tuple[Union[str, int], ...]


@dataclass(frozen=True)
class Document:
    """A YAML file as plain values, with the line of every key and item.

    `places` says where in the file a part of the value stands, if that is another place than in the value.
    """

    path: Path
    value: Any
    lines: Mapping[Place, int]
    places: Mapping[Place, Place] = field(default_factory=dict)

    def error(self, place: Place, message: str) -> str:
        """One mistake as `file:line: key: message`; places inside unions are cut to what the file has."""
        known = tuple(self._known(place))
        shown = self.places.get(known, known)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in shown).lstrip(".")
        return f"{self.at(known)}: {key + ': ' if key else ''}{message}"

    def at(self, place: Place) -> str:
        """Where a place is, as `file:line`."""
        return f"{self.path}:{self.lines.get(place, 1)}"

    def line(self, place: Place) -> int:
        """The line of a place, or of the part of it that the file has."""
        return self.lines.get(tuple(self._known(place)), 1)

    def _known(self, place: Place) -> Iterator[str | int]:
        at: Place = ()
        for part in place:
            if (*at, part) in self.lines:
                at = (*at, part)
                yield part


# libyaml's parser, where PyYAML was built with it: locks have thousands of lines.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"


def read_yaml(path: Path) -> Document:
    """The file as plain values; UsageError where it is unreadable, not YAML, or has a key twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this file cannot be read ({error})", "restore it from version control", where=f"{path}:1"
        ) from error
    lines: dict[Place, int] = {}
    problems: list[str] = []
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        value = _plain(node, (), lines, problems, loader) if node else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        what = getattr(error, "problem", None) or str(error)
        raise UsageError(f"this is not YAML: {what}", "correct that line", where=f"{path}:{line}") from error
    finally:
        loader.dispose()
    if problems:
        raise UsageError("\n".join(f"{path}:{problem}" for problem in problems))
    return Document(path, value, lines)


def _plain(
    node: yaml.Node, place: Place, lines: dict[Place, int], problems: list[str], loader: yaml.SafeLoader
) -> Any:
    """A YAML node as dicts, tuples and scalars; records lines, and keys that appear twice."""
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.tag == _TEXT else loader.construct_object(node)
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(getattr(key_node, "value", ""))
            line = key_node.start_mark.line + 1
            if key in result:
                problems.append(f"{line}: {key}: this key appears twice; remove one")
            inner = (*place, key)
            lines[inner] = line
            result[key] = _plain(value_node, inner, lines, problems, loader)
            if place and place[-1] == "when" and not isinstance(result[key], tuple):
                result[key] = (result[key],)
        return result
    if isinstance(node, yaml.SequenceNode):
        return tuple(
            _plain(item, (*place, number), lines, problems, loader) for number, item in enumerate(node.value)
        )
    return loader.construct_object(node)


def typed(document: Document, kind: type[T]) -> T:
    """The document as the dataclass `kind`; UsageError lists all that does not fit, in the file's order."""
    from pydantic import ValidationError

    try:
        checked: T = _adapter(kind).validate_python(document.value)  # type: ignore[arg-type]
        return checked
    except ValidationError as error:
        found = sorted(_causes(error), key=lambda item: document.line(tuple(item["loc"])))
        lines = (document.error(tuple(item["loc"]), _message(item)) for item in found)
        raise UsageError("\n".join(lines)) from error


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """pydantic's check of a type: to make one takes longer than to use it."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _causes(error: ValidationError) -> list[Any]:
    """pydantic's findings without those that only follow from others: a list is short of its bad items."""
    found = error.errors(include_url=False)
    places = [item["loc"] for item in found]
    return [
        item
        for item in found
        if item["type"] != "too_short"
        or not any(place != item["loc"] and place[: len(item["loc"])] == item["loc"] for place in places)
    ]


def _message(item: Mapping[str, Any]) -> str:
    """pydantic's finding in the words of a recipe's author."""
    last = item["loc"][-1] if item["loc"] else ""
    kind, given = item["type"], item.get("input")
    if kind == "unexpected_keyword_argument":
        return "no such key here; look for a misspelling"
    if kind in ("missing", "missing_argument"):
        return f"the key {last!r} is missing; add it"
    if kind == "string_type":
        return f"{given!r} is not a text; put it in quotes"
    if kind == "string_pattern_mismatch":
        return f"{given!r} does not have the form {item['ctx']['pattern']}"
    text = str(item["msg"]).removeprefix("Value error, ")
    return text[0].lower() + text[1:]
