"""Starlark files and what is in force inside them: scopes, functions, labels, and errors with their place."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kiln.core import UsageError
from kiln.lock.starlark.library import BuiltinError, Label

MAX_FILE = 4 << 20


class StarlarkError(UsageError):
    """A file that cannot be evaluated; the message begins with file and line."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}: give an unchanged source tree, and report this if it is one")


@dataclass(frozen=True)
class Module:
    """A file: the repository and package that it belongs to, and where it lies."""

    repository: str
    package: str
    path: Path

    def place(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def split(self, label: str) -> tuple[str, str, str]:
        """Repository, package and file of a label that is written in this file."""
        parsed = Label(label)
        return (
            self.repository if parsed.repository is None else parsed.repository,
            self.package if parsed.package is None else parsed.package,
            parsed.name,
        )


@dataclass(eq=False)
class Scope:
    """Names in force in one file, those of `parent` included."""

    module: Module
    parent: Scope | None = None
    names: dict[str, Any] = field(default_factory=dict)

    def find(self, name: str) -> Any:
        """The value of a name; KeyError where it has none."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        raise KeyError(name)

    def inner(self) -> Scope:
        return Scope(self.module, self)


@dataclass(eq=False)
class Function:
    """A function of a file; `defaults` are the values of parameters that may be left out."""

    name: str
    arguments: ast.arguments
    body: list[ast.stmt]
    scope: Scope
    defaults: Mapping[str, Any]

    def bound(self, positional: list[Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters' values for one call; BuiltinError where the arguments do not fit."""
        arguments, named = self.arguments, dict(given)
        parameters = [parameter.arg for parameter in (*arguments.posonlyargs, *arguments.args)]
        values = dict(zip(parameters, positional))
        rest = positional[len(parameters) :]
        if rest and not arguments.vararg:
            raise BuiltinError(f"{self.name}() takes {len(parameters)} arguments")
        for name in (*parameters, *(parameter.arg for parameter in arguments.kwonlyargs)):
            if name in named and name not in values:
                values[name] = named.pop(name)
            elif name not in values:
                if name not in self.defaults:
                    raise BuiltinError(f"{self.name}() is missing the argument {name!r}")
                values[name] = self.defaults[name]
        if named and not arguments.kwarg:
            raise BuiltinError(f"{self.name}() has no argument {next(iter(named))!r}")
        if arguments.vararg:
            values[arguments.vararg.arg] = tuple(rest)
        if arguments.kwarg:
            values[arguments.kwarg.arg] = named
        return values


class Placed:
    """A context in which an operation that fails becomes an error with its place."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, (BuiltinError, TypeError, ValueError, LookupError, ArithmeticError)):
            raise StarlarkError(self._place, str(error) or type(error).__name__) from error


def parse(module: Module) -> list[ast.stmt]:
    """The statements of a file; UsageError where there are none, StarlarkError where it is not Starlark."""
    try:
        data = module.path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{module.path} cannot be read ({error.strerror})", "give the folder of a whole source tree"
        ) from error
    if len(data) > MAX_FILE:
        raise StarlarkError(f"{module.path}:1", f"the file is larger than {MAX_FILE} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # escapes that Python no longer likes
            return ast.parse(data.decode("utf-8")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = f"{module.path}:{getattr(error, 'lineno', None) or 1}"
        raise StarlarkError(place, f"this is not Starlark ({getattr(error, 'msg', error)})") from error


def load_call(node: ast.stmt) -> ast.Call | None:
    """The call of a load statement; None for another statement."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Name) and function.id == "load":
            return node.value
    return None


def load_names(node: ast.Call) -> tuple[str, dict[str, str]]:
    """The label of a load, and the names it makes with what they are called there."""
    texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    named = {each.arg: each.value.value for each in node.keywords if isinstance(each.value, ast.Constant)}
    constant = len(texts) == len(node.args) and len(named) == len(node.keywords) and texts
    if not constant or not all(isinstance(text, str) for text in (*texts, *named, *named.values())):
        raise BuiltinError("load() takes texts only")
    return str(texts[0]), {**{str(text): str(text) for text in texts[1:]}, **named}  # type: ignore[dict-item]
