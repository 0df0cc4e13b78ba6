"""The rule of kiln/: imports go downward only, and only through a package's face, its `__init__`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.repository import ROOT

FLOORS = (
    ("core",),
    ("archive",),
    ("recipe",),
    ("plan", "sources"),
    ("lock", "engine", "shared"),
    ("build",),
    ("smoke", "attest"),
    ("index", "models", "report"),
    ("commands",),
    ("cli",),
)
LONGEST = 350  # lines
FLOOR = {package: number for number, packages in enumerate(FLOORS) for package in packages}


def broken(path: Path, text: str) -> list[str]:
    """The imports of a module of kiln/, given by its path there, that break the rule."""
    own = path.parts[0]
    return [
        f"{path}:{line}: {name}"
        for line, name in imported(text)
        if (package := name.split(".")[1]) != own and (name.count(".") > 1 or FLOOR[package] >= FLOOR[own])
    ]


def imported(text: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each module of kiln's that a module imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names if each.name.startswith("kiln."))
        elif isinstance(node, ast.ImportFrom) and node.module == "kiln":
            yield from ((node.lineno, f"kiln.{each.name}") for each in node.names if each.name in FLOOR)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kiln."):
            yield node.lineno, str(node.module)


def modules() -> dict[Path, str]:
    kiln = ROOT / "kiln"
    return {path.relative_to(kiln): path.read_text(encoding="utf-8") for path in kiln.glob("*/**/*.py")}


def test_imports_go_downward_and_through_a_face() -> None:
    assert {path.parts[0] for path in modules()} == set(FLOOR)
    assert [line for path, text in modules().items() for line in broken(path, text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "from kiln import commands",
        "from kiln.smoke import run_suite",  # of the same floor
        "from kiln.core.errors import UsageError",  # past the face
        "def late():\n    import kiln.sources.vault",
    ],
)
def test_what_breaks_the_rule_is_found(text: str) -> None:
    assert len(broken(Path("smoke", "suite.py"), text)) == (0 if "smoke" in text else 1)
    assert len(broken(Path("build", "compile.py"), text)) == 1


def test_a_module_is_short_enough_to_be_read_at_once() -> None:
    long = {str(path): text.count("\n") for path, text in modules().items() if text.count("\n") > LONGEST}
    assert long == {}
