"""Starlark files, evaluated as far as Bazel does while it loads a workspace: no rule is ever run.

Starlark is close enough to Python for its parser. What is not known here (a rule, a file of a repository that
is not at hand) becomes an `Unknown`: it may be passed on, but a decision that depends on one is an error.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from kiln.core import UsageError
from kiln.lock.starlark import library
from kiln.lock.starlark.expressions import Expressions
from kiln.lock.starlark.library import Rule, Unknown
from kiln.lock.starlark.scope import (
    Function,
    Module,
    Scope,
    StarlarkError,
    load_call,
    load_names,
    parse,
)

__all__ = ["Evaluator", "Host", "StarlarkError"]

# How deep calls may lie in each other.
MAX_DEPTH = 60


class Host(Protocol):
    """What an evaluation asks for, and what it tells."""

    def tree(self, repository: str) -> Path | None:
        """The folder of a repository; "" is the main one. None where it is missing."""

    def declare(self, kind: str, attributes: Mapping[str, Any], place: str) -> None:
        """A rule was called, under the name of its kind."""

    def macro(self, unknown: Unknown, place: str) -> None:
        """Something in a missing repository was called; whatever it would have declared is not known."""

    def declared(self) -> Mapping[str, Mapping[str, Any]]:
        """The attributes of every rule so far, by name."""


@dataclass(frozen=True)
class _Return:
    value: Any


_BREAK, _CONTINUE = object(), object()


class Evaluator(Expressions):
    """Evaluates a workspace's files; each loaded file once."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._loaded: dict[tuple[str, str], Scope] = {}
        self._under_way: list[tuple[str, str]] = []
        self._depth = 0
        # Only what WORKSPACE does declares anything; what a file does while it is loaded does not.
        self._declaring = False

    def workspace(self, chunk: Callable[[], None]) -> None:
        """Evaluate the main repository's WORKSPACE; `chunk` is called before each group of loads in it."""
        root = self._host.tree("")
        if root is None:
            raise UsageError("there is no tree to read", "name one with --tree DIR")
        module = Module("", "", root / "WORKSPACE")
        scope = Scope(module, Scope(module, names=library.workspace_names(self._builtins())))
        loading = False
        try:
            for statement in parse(module):
                load = load_call(statement) is not None
                if load and not loading:
                    chunk()
                loading = load
                self._declaring = not load
                self._statement(statement, scope)
        except RecursionError as error:
            raise StarlarkError(f"{module.path}:1", "expressions are nested too deep") from error

    def _builtins(self) -> dict[str, Any]:
        return library.builtins(self._host.declared)

    # --- files ---------------------------------------------------------------------------------------------

    def _load(self, node: ast.Call, scope: Scope) -> None:
        with self._placed(node, scope):
            label, names = load_names(node)
        found = self._module(label, node, scope)
        for name, wanted in names.items():
            if isinstance(found, Unknown):
                scope.names[name] = library.absent(wanted, found)
            elif wanted in found.names:
                scope.names[name] = found.names[wanted]
            else:
                self._fail(node, scope, f"{label} has no {wanted!r}")

    def _module(self, label: str, node: ast.AST, scope: Scope) -> Scope | Unknown:
        """The names of a file, or the Unknown that stands for all of them."""
        with self._placed(node, scope):
            repository, package, name = scope.module.split(label)
        key = (repository, f"{package}/{name}".lstrip("/"))
        if key in self._loaded:
            return self._loaded[key]
        root = self._host.tree(repository)
        if root is None:
            return Unknown(label, repository)
        if key in self._under_way:
            self._fail(node, scope, f"{label} loads itself, over others")
        path = root / key[1]
        if not path.resolve().is_relative_to(root.resolve()):
            self._fail(node, scope, f"{label} lies outside its repository")
        module = Module(repository, package, path)
        inner = Scope(module, Scope(module, names=self._builtins()))
        declaring, self._declaring = self._declaring, False
        self._under_way.append(key)
        for statement in parse(module):
            self._statement(statement, inner)
        self._under_way.pop()
        self._declaring = declaring
        self._loaded[key] = inner
        return inner

    # --- statements ----------------------------------------------------------------------------------------

    def _block(self, body: Iterable[ast.stmt], scope: Scope) -> Any:
        for statement in body:
            signal = self._statement(statement, scope)
            if signal is not None:
                return signal
        return None

    def _statement(self, node: ast.stmt, scope: Scope) -> Any:
        self._step(node, scope)
        if isinstance(node, ast.Expr):
            load = load_call(node)
            if load:
                self._load(load, scope)
            else:
                self._value(node.value, scope)
        elif isinstance(node, ast.Assign):
            value = self._value(node.value, scope)
            for target in node.targets:
                self._assign(target, value, scope)
        elif isinstance(node, ast.AugAssign):
            before = self._value(node.target, scope)
            self._assign(
                node.target, self._binary(node, before, self._value(node.value, scope), scope), scope
            )
        elif isinstance(node, ast.FunctionDef):
            scope.names[node.name] = self._function(node.name, node.args, node.body, scope)
        elif isinstance(node, ast.If):
            return self._block(node.body if self._truth(node.test, scope) else node.orelse, scope)
        elif isinstance(node, ast.For):
            return self._for(node, scope)
        elif isinstance(node, ast.Return):
            return _Return(self._value(node.value, scope) if node.value else None)
        elif isinstance(node, (ast.Break, ast.Continue)):
            return _BREAK if isinstance(node, ast.Break) else _CONTINUE
        elif not isinstance(node, ast.Pass):
            self._fail(node, scope, f"Starlark has no {type(node).__name__.lower()} statement")
        return None

    def _for(self, node: ast.For, scope: Scope) -> Any:
        for item in self._items(node.iter, scope):
            self._assign(node.target, item, scope)
            signal = self._block(node.body, scope)
            if signal is _BREAK:
                break
            if isinstance(signal, _Return):
                return signal
        return None

    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            if isinstance(value, Rule) and not value.kind:
                value.kind = target.id
            scope.names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            with self._placed(target, scope):
                parts = [value] * len(target.elts) if isinstance(value, Unknown) else list(value)
            if len(parts) != len(target.elts):
                self._fail(target, scope, f"{len(parts)} values for {len(target.elts)} names")
            for inner, part in zip(target.elts, parts):
                self._assign(inner, part, scope)
        elif isinstance(target, ast.Subscript):
            container = self._value(target.value, scope)
            with self._placed(target, scope):
                container[self._value(target.slice, scope)] = value
        else:
            self._fail(target, scope, "nothing can be assigned to this")

    def _function(self, name: str, arguments: ast.arguments, body: list[ast.stmt], scope: Scope) -> Function:
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = [
            *zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults),
            *((each, value) for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults) if value),
        ]
        defaults = {parameter.arg: self._value(value, scope) for parameter, value in pairs}
        return Function(name, arguments, body, scope, defaults)

    def _lambda(self, node: ast.Lambda, scope: Scope) -> Any:
        body: list[ast.stmt] = [ast.copy_location(ast.Return(node.body), node)]
        return self._function("lambda", node.args, body, scope)

    # --- calls ---------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call, scope: Scope) -> Any:
        function = self._value(node.func, scope)
        positional: list[Any] = []
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                positional += self._items(argument.value, scope)
            else:
                positional.append(self._value(argument, scope))
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self._value(keyword.value, scope)
            if keyword.arg:
                named[keyword.arg] = value
            elif isinstance(value, dict):
                named |= value
            else:
                self._fail(node, scope, "** takes a dict")
        return self._apply(function, positional, named, node, scope)

    def _apply(
        self, function: Any, positional: list[Any], named: dict[str, Any], node: ast.expr, scope: Scope
    ) -> Any:
        if isinstance(function, Function):
            return self._called(function, positional, named, node, scope)
        if isinstance(function, (Rule, Unknown)):
            return self._rule(function, named, scope.module.place(node))
        if function is library.MAYBE:
            return self._maybe(positional, named, node, scope)
        if not callable(function):
            self._fail(node, scope, f"a {type(function).__name__} cannot be called")
        # What a file computes while it is loaded is mostly for rules, which are never run.
        unknown = next((each for each in (*positional, *named.values()) if isinstance(each, Unknown)), None)
        if unknown is not None and not self._declaring and function is not library.struct:
            return unknown
        with self._placed(node, scope):
            return function(*positional, **named)

    def _rule(self, rule: Rule | Unknown, named: dict[str, Any], place: str) -> Any:
        if not self._declaring:
            return Unknown(str(rule))
        if "name" in named:
            given = {key: value for key, value in named.items() if value is not None}
            self._host.declare(str(rule), given, place)
            return None
        if isinstance(rule, Unknown) and rule.repository is not None:
            self._host.macro(rule, place)
        return Unknown(str(rule))

    def _maybe(self, positional: list[Any], named: dict[str, Any], node: ast.expr, scope: Scope) -> Any:
        """bazel_tools' macro: the rule, unless its name is taken."""
        values = dict(zip(("repo_rule", "name"), positional)) | named
        rule = values.pop("repo_rule", None)
        if values.get("name") in self._host.declared():
            return None
        return self._apply(rule, [], values, node, scope)

    def _called(
        self, function: Function, positional: list[Any], named: dict[str, Any], node: ast.expr, scope: Scope
    ) -> Any:
        if self._depth >= MAX_DEPTH:
            self._fail(node, scope, f"calls are nested more than {MAX_DEPTH} deep")
        with self._placed(node, scope):
            names = function.bound(positional, named)
        self._depth += 1
        signal = self._block(function.body, Scope(function.scope.module, function.scope, names))
        self._depth -= 1
        return signal.value if isinstance(signal, _Return) else None

    # --- what may fail -------------------------------------------------------------------------------------
