from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiln.core.errors import UsageError
from kiln.lock.starlark.evaluator import Evaluator, StarlarkError
from kiln.lock.starlark.library import MAX_SIZE, Unknown


@dataclass
class Recorder:
    """A host that keeps what it is told; `repositories` are other trees by name."""

    root: Path
    repositories: Mapping[str, Path] = field(default_factory=dict)
    rules: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    macros: list[str] = field(default_factory=list)

    def tree(self, repository: str) -> Path | None:
        return self.root if repository == "" else self.repositories.get(repository)

    def declare(self, kind: str, attributes: Mapping[str, Any], place: str) -> None:
        self.rules.append((kind, dict(attributes)))

    def macro(self, unknown: Unknown, place: str) -> None:
        self.macros.append(f"@{unknown.repository} {unknown}")

    def declared(self) -> Mapping[str, Mapping[str, Any]]:
        return {str(given["name"]): given for _, given in self.rules}


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return root


def evaluate(root: Path, workspace: str, files: Mapping[str, str] | None = None, **trees: Path) -> Recorder:
    host = Recorder(write(root, WORKSPACE=workspace, **(files or {})), trees)
    Evaluator(host).workspace(lambda: None)
    return host


def value(root: Path, expression: str, before: str = "") -> Any:
    """What an expression comes to in a loaded file, by way of a rule's attribute."""
    body = textwrap.dedent(before) + f"\ndef run():\n    native.rule(name = 'it', value = {expression})\n"
    host = evaluate(root, "load('//:file.bzl', 'run')\nrun()\n", {"file.bzl": body})
    return host.rules[-1][1].get("value")


def failure(root: Path, workspace: str, files: Mapping[str, str] | None = None) -> str:
    with pytest.raises(StarlarkError) as caught:
        evaluate(root, workspace, files)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(root) + "/", "")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'a' + \"b\" * 2", "abb"),
        ("'%s-%d' % ('x', 3)", "x-3"),
        ("'100%% of %s' % 'it'", "100% of it"),
        ("'{}/{name}/{}'.format(1, 2, name = 'n')", "1/n/2"),
        ("'{0}{0}{{}}'.format('a')", "aa{}"),
        ("'{text}'.format(text = 'a')", "a"),
        ("', '.join(['a', 'b'])", "a, b"),
        ("[x * 2 for x in range(4) if x % 2]", [2, 6]),
        ("[(a, b) for a in [1, 2] for b in 'xy'.split('y')[:1]]", [(1, "x"), (2, "x")]),
        ("{k: v for k, v in {'a': 1}.items()}", {"a": 1}),
        ("'yes' if 1 in [1] and not 0 else 'no'", "yes"),
        ("[] or {} or 'last'", "last"),
        ("(1, 2)[-1]", 2),
        ("'abcdef'[1:-1:2]", "bd"),
        ("sorted({'b': 1, 'a': 2}.keys())", ["a", "b"]),
        ("struct(a = [1], b = 'x').b", "x"),
        ("str(Label('//a/b:c'))", "//a/b:c"),
        ("(lambda x, y = 2: x + y)(1)", 3),
        ("-len('abc') // 2", -2),
        ("[i for i, _ in enumerate(['a', 'b'])]", [0, 1]),
        ("type('')", "str"),
        ("native.bazel_version", ""),
    ],
)
def test_an_expression_has_the_value_that_it_has_in_bazel(
    tmp_path: Path, expression: str, expected: object
) -> None:
    assert value(tmp_path, expression) == expected


literals = st.recursive(
    st.integers(-1000, 1000) | st.text(max_size=8) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(literal=literals)
def test_a_literal_is_read_as_what_it_says(tmp_path_factory: pytest.TempPathFactory, literal: object) -> None:
    assert value(tmp_path_factory.mktemp("tree"), repr([literal])) == [literal]


pieces = st.sampled_from(
    [
        "load('//:b.bzl', 'x')", "x = 1", "x = x + [x]", "def f(a, b = 1, *c, **d):", "    return f(a)",
        "f(1)", "for i in range(9):", "    x = [x, x]", "if x:", "    x = 'a' * 99999", "rule(name = x)",
        "x()",
        "x[0] = 1", "x = {'a': x}", "x.append(x)", "x = '%s%s' % (x, x)", "x = y.z(1)", "@", "    pass",
        "x = [a for a in x]",
    ]
)  # fmt: skip


@given(lines=st.lists(pieces, max_size=12))
def test_whatever_a_file_holds_it_ends_in_declarations_or_in_one_told_error(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    try:
        host = evaluate(root, "\n".join(lines), {"b.bzl": "x = 2"})
    except UsageError as error:
        assert str(error).startswith(str(root))
    else:
        assert isinstance(host.rules, list)


def test_functions_take_defaults_extra_and_named_arguments(tmp_path: Path) -> None:
    before = """
        def f(a, b = "b", *rest, **named):
            result = [a, b]
            for each in rest:
                if each == "stop":
                    break
                if each == "skip":
                    continue
                result += [each]
            named["z"] = 1
            return result + sorted(named.items())
        """
    assert value(tmp_path, "f('a', 'c', 'skip', 'd', 'stop', 'e', y = 2)", before) == [
        "a", "c", "d", ("y", 2), ("z", 1),
    ]  # fmt: skip
    assert value(tmp_path, "f(*['a'], **{'b': 'x'})", before) == ["a", "x", ("z", 1)]


def test_a_rule_is_known_by_the_name_that_its_file_gave_it(tmp_path: Path) -> None:
    files = {
        "rules/a.bzl": "fetch = repository_rule(implementation = None, attrs = {'x': attr.string()})",
        "b.bzl": "load('//rules:a.bzl', get = 'fetch')\ndef all():\n    get(name = 'it', x = None, y = 1)",
    }
    host = evaluate(tmp_path, "workspace(name = 'main')\nload(':b.bzl', 'all')\nall()", files)
    assert host.rules == [("workspace", {"name": "main"}), ("fetch", {"name": "it", "y": 1})]


def test_labels_are_relative_to_their_own_file_and_repository(tmp_path: Path) -> None:
    other = write(
        tmp_path / "other",
        **{"a/one.bzl": "load(':two.bzl', 'x')\nload('//:three.bzl', 'y')\nz = x + y"},
        **{"a/two.bzl": "x = 'x'", "three.bzl": "y = 'y'"},
    )
    host = evaluate(tmp_path / "main", "load('@other//a:one.bzl', 'z')\nrule(name = z)", other=other)
    assert host.rules == [("rule", {"name": "xy"})]


def test_existing_rules_are_those_that_were_declared_before(tmp_path: Path) -> None:
    files = {
        "a.bzl": """
            def both():
                for name in ["one", "two"]:
                    if not native.existing_rule(name):
                        native.rule(name = name, new = sorted(native.existing_rules()))
            """
    }
    host = evaluate(tmp_path, "load('//:a.bzl', 'both')\nrule(name = 'one')\nboth()", files)
    assert host.rules == [("rule", {"name": "one"}), ("rule", {"name": "two", "new": ["one"]})]


def test_bazels_own_maybe_declares_only_what_is_not_there(tmp_path: Path) -> None:
    text = """
        load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
        load("@bazel_tools//tools/build_defs/repo:utils.bzl", "maybe")
        maybe(http_archive, "one", url = "u")
        maybe(http_archive, name = "one", url = "other")
        """
    assert evaluate(tmp_path, text).rules == [("http_archive", {"name": "one", "url": "u"})]


def test_a_macro_of_a_repository_that_is_not_at_hand_is_told_and_its_rules_are_declared(
    tmp_path: Path,
) -> None:
    text = "load('@far//:x.bzl', 'everything', 'fetch')\neverything()\nfetch(name = 'one')\n"
    host = evaluate(tmp_path, text)
    assert host.macros == ["@far everything"]
    assert host.rules == [("fetch", {"name": "one"})]


def test_what_a_file_does_while_it_is_loaded_declares_nothing(tmp_path: Path) -> None:
    files = {"a.bzl": "native.rule(name = 'no')\nload('@far//:b.bzl', 'f')\nx = f(1).y[2] + 'z'"}
    host = evaluate(tmp_path, "load('//:a.bzl', 'x')", files)
    assert (host.rules, host.macros) == ([], [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("load('//:a.bzl', 'y')\nif y.field:\n    pass", "WORKSPACE:2: a decision that depends on"),
        ("load('//:a.bzl', 'y')\nfor x in y:\n    pass", "WORKSPACE:2: a loop over"),
        ("load('//:a.bzl', 'nothing')", "WORKSPACE:1: //:a.bzl has no 'nothing'"),
        ("load('//:../a.bzl', 'y')", "WORKSPACE:1: '//:../a.bzl' is not a label"),
        ("load('//:a.bzl', y)", "WORKSPACE:1: load() takes texts only"),
        ("x = [1][5]", "WORKSPACE:1: list index out of range"),
        ("x = (", "WORKSPACE:1: this is not Starlark"),
        ("import os", "WORKSPACE:1: Starlark has no import statement"),
        ("x = f'{1}'", "WORKSPACE:1: Starlark has no joinedstr expression"),
        ("while True:\n    pass", "WORKSPACE:1: Starlark has no while statement"),
        ("x = 1.5", "WORKSPACE:1: Starlark has no value 1.5"),
        ("x = '{a.b}'.format(a = 1)", "WORKSPACE:1: 'a.b' is not a field of Starlark"),
        ("x = '{0.__class__}'.format(1)", "WORKSPACE:1: '0.__class__' is not a field of Starlark"),
        ("x = ''.__class__", "WORKSPACE:1: a str has no '__class__'"),
        ("x = 'a'.encode()", "WORKSPACE:1: a str has no 'encode'"),
        ("def f():\n    return f()\nf()", "WORKSPACE:2: calls are nested more than"),
        ("def f(a):\n    pass\nf()", "WORKSPACE:3: f() is missing the argument 'a'"),
        ("def f(a):\n    pass\nf(1, 2)", "WORKSPACE:3: f() takes 1 arguments"),
        ("def f(a):\n    pass\nf(1, b = 2)", "WORKSPACE:3: f() has no argument 'b'"),
        ("fail('no', 'way')", "WORKSPACE:1: the file itself says: no way"),
        ("load('//:self.bzl', 'x')", "self.bzl:1: //:self.bzl loads itself"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_told_with_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    files = {"a.bzl": "load('@far//:x.bzl', 'y')", "self.bzl": "load('//:self.bzl', 'x')"}
    assert failure(tmp_path, text, files).startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        f"x = 'a' * {MAX_SIZE + 1}",
        "x = 'a' * 65536\nx = x.replace('a', x)",
        "x = 'a' * 65536\nx = x.join([x] * 65536)",
        "x = 'a' * 65536\nx = '%s%s%s%s%s' % (x, x, x, x, x)",
        "x = 'a' * 65536\nx = '{0}{0}{0}{0}{0}'.format(x)",
        "x = ['a']\nfor i in range(60):\n    x = x + x",
        "x = range(1000000000)",
        "def f(n):\n    for i in range(9999):\n        for j in range(9999):\n            pass\nf(1)",
    ],
)
def test_a_file_can_neither_grow_nor_run_without_end(tmp_path: Path, text: str) -> None:
    assert "WORKSPACE:" in failure(tmp_path, text)


def test_a_file_that_is_a_link_out_of_its_repository_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, **{"secret.bzl": "x = 1"})
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.bzl").symlink_to(tmp_path / "secret.bzl")
    assert "lies outside its repository" in failure(tmp_path / "tree", "load('//:a.bzl', 'x')")


def test_a_tree_without_a_workspace_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="WORKSPACE cannot be read"):
        Evaluator(Recorder(tmp_path)).workspace(lambda: None)
