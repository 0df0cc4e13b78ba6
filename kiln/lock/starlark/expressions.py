"""Starlark's expressions: values from values, without calls."""

from __future__ import annotations

import ast
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from kiln.lock.starlark import library
from kiln.lock.starlark.library import Unknown
from kiln.lock.starlark.scope import Placed, Scope, StarlarkError

# A hostile file may neither run nor grow for long. TensorFlow's workspace takes some ten thousand steps.
MAX_STEPS = 300_000

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: library.add, ast.Sub: operator.sub, ast.Mult: library.multiply, ast.Mod: library.modulo,
    ast.FloorDiv: operator.floordiv, ast.BitOr: operator.or_,
}  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class Expressions(ABC):
    """The value of an expression, one method for each kind of node; every node counts as a step."""

    def __init__(self) -> None:
        self._steps = 0

    @abstractmethod
    def _assign(self, target: ast.expr, value: Any, scope: Scope) -> None:
        """Bind the names of a comprehension's target."""

    def _value(self, node: ast.expr, scope: Scope) -> Any:
        self._step(node, scope)
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        if method is None:
            self._fail(node, scope, f"Starlark has no {type(node).__name__.lower()} expression")
        return method(node, scope)

    def _constant(self, node: ast.Constant, scope: Scope) -> Any:
        if node.value is not None and not isinstance(node.value, (str, int)):
            self._fail(node, scope, f"Starlark has no value {node.value!r}")
        return node.value

    def _name(self, node: ast.Name, scope: Scope) -> Any:
        try:
            return scope.find(node.id)
        except KeyError:
            return Unknown(node.id)

    def _list(self, node: ast.List, scope: Scope) -> Any:
        return [self._value(item, scope) for item in node.elts]

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Any:
        return tuple(self._value(item, scope) for item in node.elts)

    def _dict(self, node: ast.Dict, scope: Scope) -> Any:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values):
            if key is None:
                self._fail(node, scope, "Starlark has no ** in a dict")
            with self._placed(key, scope):
                result[self._value(key, scope)] = self._value(value, scope)
        return result

    def _listcomp(self, node: ast.ListComp, scope: Scope) -> Any:
        return [self._value(node.elt, each) for each in self._comprehension(node.generators, scope.inner())]

    def _dictcomp(self, node: ast.DictComp, scope: Scope) -> Any:
        return {
            self._value(node.key, each): self._value(node.value, each)
            for each in self._comprehension(node.generators, scope.inner())
        }

    def _comprehension(self, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope]:
        if not generators:
            yield scope
            return
        first, *rest = generators
        for item in self._items(first.iter, scope):
            self._assign(first.target, item, scope)
            if all(self._truth(test, scope) for test in first.ifs):
                yield from self._comprehension(rest, scope)

    def _ifexp(self, node: ast.IfExp, scope: Scope) -> Any:
        return self._value(node.body if self._truth(node.test, scope) else node.orelse, scope)

    def _boolop(self, node: ast.BoolOp, scope: Scope) -> Any:
        value: Any = None
        for part in node.values:
            value = self._value(part, scope)
            if self._decided(value, part, scope) == isinstance(node.op, ast.Or):
                break
        return value

    def _unaryop(self, node: ast.UnaryOp, scope: Scope) -> Any:
        value = self._value(node.operand, scope)
        if isinstance(node.op, ast.Not):
            return not self._decided(value, node, scope)
        if isinstance(value, Unknown):
            return value
        if isinstance(node.op, ast.USub) and isinstance(value, int):
            return -value
        return self._fail(node, scope, "Starlark has no such operator here")

    def _binop(self, node: ast.BinOp, scope: Scope) -> Any:
        left = self._value(node.left, scope)
        return self._binary(node, left, self._value(node.right, scope), scope)

    def _binary(self, node: ast.BinOp | ast.AugAssign, left: Any, right: Any, scope: Scope) -> Any:
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return left if isinstance(left, Unknown) else right
        operation = _BINARY.get(type(node.op))
        if operation is None:
            self._fail(node, scope, "Starlark has no such operator")
        with self._placed(node, scope):
            return operation(left, right)

    def _compare(self, node: ast.Compare, scope: Scope) -> Any:
        operation = _COMPARE.get(type(node.ops[0]))
        if len(node.ops) != 1 or operation is None:
            self._fail(node, scope, "Starlark has no such comparison")
        left = self._value(node.left, scope)
        right = self._value(node.comparators[0], scope)
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            return left if isinstance(left, Unknown) else right
        with self._placed(node, scope):
            return operation(left, right)

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Any:
        value = self._value(node.value, scope)
        with self._placed(node, scope):
            return library.attribute(value, node.attr)

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Any:
        value, index = self._value(node.value, scope), self._value(node.slice, scope)
        if isinstance(value, Unknown) or isinstance(index, Unknown):
            return value if isinstance(value, Unknown) else index
        with self._placed(node, scope):
            return value[index]

    def _slice(self, node: ast.Slice, scope: Scope) -> Any:
        parts = (node.lower, node.upper, node.step)
        return slice(*(self._value(part, scope) if part else None for part in parts))

    def _items(self, node: ast.expr, scope: Scope) -> list[Any]:
        value = self._value(node, scope)
        if isinstance(value, Unknown):
            self._fail(node, scope, f"a loop over {value}, which is not known")
        if not isinstance(value, (list, tuple, dict, range)):
            self._fail(node, scope, f"a loop over a {type(value).__name__}")
        return list(value)

    def _truth(self, node: ast.expr, scope: Scope) -> bool:
        return self._decided(self._value(node, scope), node, scope)

    def _decided(self, value: Any, node: ast.expr, scope: Scope) -> bool:
        if isinstance(value, Unknown):
            self._fail(node, scope, f"a decision that depends on {value}, which is not known")
        return bool(value)

    def _step(self, node: ast.AST, scope: Scope) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            self._fail(node, scope, f"no end after {MAX_STEPS} steps")

    def _placed(self, node: ast.AST, scope: Scope) -> Placed:
        return Placed(scope.module.place(node))

    def _fail(self, node: ast.AST, scope: Scope, why: str) -> NoReturn:
        raise StarlarkError(scope.module.place(node), why)
