"""YAML files as typed values: every mistake is reported with its file, line and key."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union

import yaml

from kiln.core.errors import UsageError
from kiln.core.json_text import parse_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
Place = tuple[Union[str, int], ...]


@dataclass(frozen=True)
class Document:
    """A YAML file as plain values, and `read_lines`, which finds the line of every key and item in the file.

    `places` says where in the file a part of the value stands, if that is another place than in the value.
    """

    path: Path
    value: Any
    read_lines: Callable[[], Mapping[Place, int]]
    places: Mapping[Place, Place] = field(default_factory=dict)

    def error(self, place: Place, message: str) -> str:
        """One mistake as `file:line: key: message`; places inside unions are cut to what the file has."""
        shown = self._in_file(place)
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in shown).lstrip(".")
        return f"{self.at(place)}: {key + ': ' if key else ''}{message}"

    def at(self, place: Place) -> str:
        """Where a place is, as `file:line`."""
        return f"{self.path}:{self.line(place)}"

    def line(self, place: Place) -> int:
        """The line of a place, or of the part of it that the file has."""
        return self.lines.get(self._in_file(place), 1)

    @functools.cached_property
    def lines(self) -> Mapping[Place, int]:
        return self.read_lines()

    def _in_file(self, place: Place) -> Place:
        """A place of the value, or the part of it that the file has, as a place of the file."""
        here: Place = ()
        there: Place = ()
        for part in place:
            after = self.places.get((*here, part), (*there, part))
            if after in self.lines:
                here, there = (*here, part), after
        return there


# libyaml's parser, where PyYAML was built with it: locks have thousands of lines.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT = "tag:yaml.org,2002:str"
# What a file may have: bytes, levels of nesting with the values, and parts that only an alias repeats.
MAX_SIZE, MAX_DEPTH, MAX_REPEATED = 16 << 20, 64, 10_000
# The largest number: more is a mistake, and Python refuses to print what is much larger.
_MAX_NUMBER = 1 << 63
# The keys under which conditions stand.
_CONDITIONS = ("when", "unless")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def read_yaml(path: Path) -> Document:
    """The file as plain values; UsageError lists what is wrong in it.

    That is a file that is unreadable, too large, not YAML or nested too deeply, has a key twice, a tag, a value that
    cannot be read, or aliases that repeat too much.
    """
    text = _text(path)
    try:
        return Document(path, _json(text), lambda: _read(path, text).lines)
    except ValueError:
        reading = _read(path, text)
    if reading.problems:
        raise UsageError("\n".join(reading.problems))
    return Document(path, reading.value, lambda: reading.lines)


def _json(text: str) -> Any:
    """The value of a file that is JSON below its comments, as locks are: YAML takes many times as long for the same.

    ValueError for any other text, and for a mistake: YAML's reader says in which line that is.
    """
    start = 0
    while text.startswith("#", start):
        start = text.find("\n", start) + 1 or len(text)
    if not text.startswith("{", start) or "\\" in text or _CONTROL.search(text):
        raise ValueError("this may be YAML")
    hooks = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), _integer)
    return parse_json(text[start:], object_pairs_hook=_mapping, **hooks)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = {
        key: _conditions(_tuples(value)) if key in _CONDITIONS else _tuples(value) for key, value in pairs
    }
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found


def _integer(text: str) -> int:
    """A number; ValueError for one that is too large or not an integer: YAML has other forms of those."""
    if len(text) > len(str(_MAX_NUMBER)) or abs(int(text)) >= _MAX_NUMBER:
        raise ValueError("this number is too large")
    return int(text)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _conditions(value: Any) -> Any:
    """What stands under `when`, or a list of such: a value alone is a list of one."""
    if isinstance(value, tuple):
        return tuple(map(_conditions, value))
    if not isinstance(value, dict):
        return value
    return {key: each if isinstance(each, tuple) else (each,) for key, each in value.items()}


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise UsageError("this is not a file", "put a file there", where=f"{path}:1")
        with path.open("rb") as stream:
            content = stream.read(MAX_SIZE + 1)
        if len(content) > MAX_SIZE:
            raise UsageError(f"this file has more than {MAX_SIZE >> 20} MiB", "split it", where=f"{path}:1")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this file cannot be read ({error})", "restore it from version control", where=f"{path}:1"
        ) from error


def _read(path: Path, text: str) -> _Reading:
    try:
        return _Reading(path, text)
    except yaml.YAMLError as error:
        line, what = _mistake(error, text)
        raise UsageError(f"this is not YAML: {what}", "correct that line", where=f"{path}:{line}") from error


def _mistake(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """The line of what is not YAML, and what it is."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    if mark:
        return mark.line + 1, what
    # A character that must not be there has a position, which is one in the text or in its bytes.
    position = getattr(error, "position", 0)
    return text[:position].count("\n") + 1, what


class _Implied(str):
    """A tag that the file does not have: it follows from what a value looks like."""

    __slots__ = ()


class _Loader(_Parser):  # type: ignore[misc]
    """Makes the nodes of a file; UsageError where they are nested too deeply, before the stack of the parser ends."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self._path, self._depth = path, 0

    # The parser calls the first two around each node, and the third for a node without a tag.

    def descend_resolver(self, parent: yaml.Node, index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            where = f"{self._path}:{_line(parent)}"
            raise UsageError(
                f"this is nested in more than {MAX_DEPTH} levels", "make it flatter", where=where
            )

    def ascend_resolver(self) -> None:
        self._depth -= 1

    def resolve(self, *about: Any) -> str:
        return _Implied(super().resolve(*about))


class _Reading:
    """One pass over a file: its `value` in dicts, tuples and scalars, the `lines` of keys and items, the `problems`."""

    def __init__(self, path: Path, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []
        self._document = Document(path, {}, lambda: self.lines)
        self._seen: set[int] = set()
        self._repeated = 0
        self._loader = _Loader(path, text)
        try:
            node = self._loader.get_single_node()
            self.value: Any = self._plain(node, ()) if node else {}
        finally:
            self._loader.dispose()

    def _problem(self, place: Place, message: str) -> None:
        self.problems.append(self._document.error(place, message))

    def _plain(self, node: yaml.Node, place: Place) -> Any:
        """A node as a plain value."""
        self.lines.setdefault(place, _line(node))
        if not self._is_bounded(node, place):
            return None
        if not isinstance(node.tag, _Implied):
            self._problem(place, "a tag such as !!int is not read here; remove it")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self._plain(item, (*place, number)) for number, item in enumerate(node.value))
        return self._scalar(node, place)

    def _is_bounded(self, node: yaml.Node, place: Place) -> bool:
        """Whether all that aliases repeat is little so far; an alias may also stand inside of what it repeats."""
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated == MAX_REPEATED or len(place) > MAX_DEPTH:
            self._repeated = MAX_REPEATED
            self._problem(place, "aliases repeat too much here; write it out")
        # Nothing is read after that.
        return self._repeated < MAX_REPEATED

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = _line(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or _CONTROL.search(key_node.value):
                self.lines.setdefault((*place, "?"), line)
                self._problem((*place, "?"), "a key is a text on one line")
                continue
            key: str = key_node.value
            inner = (*place, key)
            self.lines[inner] = line
            if key in result:
                where = f"{self._document.path}:{line}"
                self.problems.append(f"{where}: {key}: this key appears twice; remove one")
            value = self._plain(value_node, inner)
            result[key] = _conditions(value) if key in _CONDITIONS else value
        return result

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        try:
            value = node.value if node.tag == _TEXT else self._loader.construct_object(node)
        except (ValueError, OverflowError, yaml.constructor.ConstructorError):
            shown = node.value if len(node.value) < 40 else f"{node.value[:40]}…"
            self._problem(place, f"{shown} cannot be read as a value; correct it, or put it in quotes")
            return None
        if isinstance(value, int) and abs(value) >= _MAX_NUMBER:
            self._problem(place, "this number is too large; correct it, or put it in quotes")
            return None
        if isinstance(value, str) and _CONTROL.search(value):
            self._problem(place, "this text has a control character; remove it")
            return None
        return value


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1 if node.start_mark else 1


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
