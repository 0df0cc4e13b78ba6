"""The values and functions that Starlark files find there, bounded in what they may grow to."""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

# Texts in characters, lists in items. The longest text of a known workspace is some kilobytes.
MAX_SIZE = 1 << 18

MAYBE = object()  # bazel_tools' macro `maybe`

_METHODS: Mapping[type, tuple[str, ...]] = {
    str: (
        "capitalize", "count", "endswith", "find", "index", "isalnum", "isalpha", "isdigit", "islower",
        "isspace", "isupper", "lower", "lstrip", "partition", "rfind", "rindex", "rpartition", "rsplit",
        "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper",
    ),
    list: ("append", "clear", "index", "insert", "pop", "remove"),
    dict: ("clear", "get", "pop", "popitem", "setdefault", "update"),
}  # fmt: skip
_LABEL = re.compile(r"^(?:@(?P<repository>[A-Za-z0-9._-]*))?(?://(?P<package>[^:]*))?:?(?P<name>[^:]*)$")
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)


class BuiltinError(Exception):
    """Why a function of Starlark refuses its arguments."""


@dataclass(frozen=True, eq=False)
class Unknown:
    """A value that is not known: `name` is where it came from, `repository` the one that is missing."""

    name: str
    repository: str | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(eq=False)
class Rule:
    """A repository rule; its kind is the name it was first given."""

    kind: str = ""

    def __str__(self) -> str:
        return self.kind or "a rule"


class Label:
    """A label, split; parts that are not written are None."""

    def __init__(self, text: str) -> None:
        found = _LABEL.match(text)
        if not found or not text or ".." in re.split(r"[/:]", text):
            raise BuiltinError(f"{text!r} is not a label")
        self.text = text
        self.repository: str | None = found["repository"]
        self.package: str | None = "" if self.repository and found["package"] is None else found["package"]
        self.name: str = found["name"] or (found["package"] or "").rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return self.text


_NATIVE = ("bazel_version", "existing_rule", "existing_rules")


class _Native:
    """`native`: every attribute is a rule, but for what asks about the rules so far."""

    # As of a Bazel that is no release: files that check the version accept it.
    bazel_version = ""

    def __init__(self, declared: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        self._declared = declared

    def existing_rule(self, name: str) -> Mapping[str, Any] | None:
        return self._declared().get(name)

    def existing_rules(self) -> Mapping[str, Mapping[str, Any]]:
        return dict(self._declared())

    def rule(self, name: str) -> Any:
        if name in _NATIVE:
            return getattr(self, name)
        return Rule(name)


class _Names(dict[str, Any]):
    """The names of a WORKSPACE file: what is not defined there is a native rule."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Any:
        return Rule(name)


def workspace_names(known: Mapping[str, Any]) -> dict[str, Any]:
    return _Names(known)


def builtins(declared: Callable[[], Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The names that every file has; names beyond these are Unknown."""
    return {
        "native": _Native(declared),
        "repository_rule": lambda *_, **__: Rule(),
        "struct": struct,
        "Label": Label, "fail": _fail, "print": lambda *_, **__: None,
        "str": text_of, "repr": repr, "int": _int, "bool": bool, "type": lambda value: type(value).__name__,
        "len": len, "range": _range, "list": list, "tuple": tuple, "dict": dict, "sorted": sorted,
        "reversed": lambda items: list(reversed(items)), "enumerate": lambda items: list(enumerate(items)),
        "zip": lambda *lists: list(zip(*lists)), "min": min, "max": max, "any": any, "all": all,
        "hasattr": lambda value, name: name in vars(value) if isinstance(value, SimpleNamespace) else False,
        "dir": _dir,
        "getattr": lambda value, name, *_: attribute(value, name),
    }  # fmt: skip


def absent(name: str, file: Unknown) -> Any:
    """A name of a missing file. Of those that Bazel brings itself, `maybe` is known."""
    return MAYBE if (name, file.repository) == ("maybe", "bazel_tools") else Unknown(name, file.repository)


def struct(**fields: Any) -> SimpleNamespace:
    return SimpleNamespace(**fields)


def attribute(value: Any, name: str) -> Any:
    """A field or method of a value, of those that Starlark has."""
    if isinstance(value, Unknown):
        return Unknown(f"{value}.{name}", value.repository)
    if isinstance(value, _Native):
        return value.rule(name)
    if isinstance(value, SimpleNamespace) and name in vars(value):
        return vars(value)[name]
    if isinstance(value, Label):
        return value.name if name == "name" else Unknown(f"Label.{name}")
    if isinstance(value, str) and name in _GROWING:
        return functools.partial(_GROWING[name], value)
    if isinstance(value, list) and name == "extend":
        return lambda items: value.extend(_bounded(list(items), len(value)))
    if isinstance(value, dict) and name in ("items", "keys", "values"):
        return lambda: list(getattr(value, name)())
    for kind, methods in _METHODS.items():
        if isinstance(value, kind) and name in methods:
            return getattr(value, name)
    raise BuiltinError(f"a {type(value).__name__} has no {name!r}")


def text_of(value: Any) -> Any:
    """str() of Starlark; of something unknown it is unknown."""
    return value if isinstance(value, Unknown) else str(value)


def add(left: Any, right: Any) -> Any:
    if isinstance(left, (str, list, tuple)):
        _bounded(right, len(left))
    return left + right


def multiply(left: Any, right: Any) -> Any:
    for items, count in ((left, right), (right, left)):
        if isinstance(items, (str, list, tuple)) and len(items) * count > MAX_SIZE:
            raise BuiltinError(f"more than {MAX_SIZE} items")
    return left * right


def modulo(left: Any, right: Any) -> Any:
    """The remainder, or a text with its directives filled in."""
    if not isinstance(left, str):
        return left % right
    values = iter(right if isinstance(right, tuple) else (right,))
    size = 0

    def filled(found: re.Match[str]) -> str:
        nonlocal size
        if found[1] == "%":
            return "%"
        if found[1] not in ("s", "d", "r"):
            raise BuiltinError(f"{found[0]!r} is not a directive of Starlark")
        try:
            text = _text(next(values), found[1] == "r")
        except StopIteration as error:
            raise BuiltinError("there are too few values for the text") from error
        size = len(_bounded(text, size)) + size
        return text

    result = _DIRECTIVE.sub(filled, left)
    if next(values, values) is not values:
        raise BuiltinError("there are too many values for the text")
    return result


def _format(text: str, /, *positional: Any, **named: Any) -> str:
    # Not str.format, whose fields reach into the values' attributes.
    parts: list[str] = []
    size = count = 0
    for literal, name, spec, conversion in string.Formatter().parse(text):
        parts.append(literal)
        if name is not None:
            if spec or conversion not in (None, "r", "s") or not re.fullmatch(r"\w*", name):
                raise BuiltinError(f"{name!r} is not a field of Starlark")
            key = name or str(count)
            count += not name
            value = positional[int(key)] if key.isdigit() else named[key]
            parts.append(_text(value, conversion == "r"))
        size = len(_bounded(parts[-1], size)) + size
    return "".join(parts)


def _join(separator: str, items: list[str]) -> str:
    if sum(len(item) + len(separator) for item in items) > MAX_SIZE:
        raise BuiltinError(f"more than {MAX_SIZE} characters")
    return separator.join(items)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    if len(text) + text.count(old) * len(new) > MAX_SIZE:
        raise BuiltinError(f"more than {MAX_SIZE} characters")
    return text.replace(old, new, count)


# Methods of texts that are not Python's own.
_GROWING: Mapping[str, Callable[..., str]] = {"format": _format, "join": _join, "replace": _replace}


def _text(value: Any, quoted: bool = False) -> str:
    if isinstance(value, Unknown):
        raise BuiltinError(f"a text depends on {value}, which is not known")
    return repr(value) if quoted else str(value)


def _bounded(value: Any, size: int = 0) -> Any:
    if len(value) + size > MAX_SIZE:
        raise BuiltinError(f"more than {MAX_SIZE} items or characters")
    return value


def _dir(value: Any) -> list[str]:
    if isinstance(value, _Native):
        return list(_NATIVE)
    return sorted(vars(value)) if isinstance(value, SimpleNamespace) else []


def _int(value: Any, base: int = 10) -> int:
    return int(_bounded(value), base) if isinstance(value, str) else int(value)


def _range(*bounds: int) -> range:
    return _bounded(range(*bounds))  # type: ignore[no-any-return]


def _fail(*messages: Any, **_: Any) -> None:
    raise BuiltinError(f"the file itself says: {' '.join(map(str, messages))}")
