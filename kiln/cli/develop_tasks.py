"""The tasks for working on Kiln itself."""

from __future__ import annotations

import os
import shlex
import sys

from invoke.context import Context
from invoke.tasks import task

from kiln import core
from kiln.cli.guard import guarded
from kiln.cli.recipe_tasks import RUN_HELP
from kiln.cli.settings import root_of


@task(
    auto_shortflags=False,
    help={
        "setup": RUN_HELP["setup"],
        "unit": "only the tests that need no container engine",
        "k": "pytest -k",
    },
)
@guarded
def test(context: Context, setup: bool = False, unit: bool = False, k: str = "") -> None:
    """Run all tests: unit, then integration on the real container engine."""
    if not unit:
        from kiln.engine import doctor

        doctor.require(setup, os.environ, core.Console())
    folders = ["tests/unit", *([] if unit else ["tests/integration"])]
    command = [sys.executable, "-m", "pytest", *folders, *(["-k", k] if k else [])]
    context.run(shlex.join(command), pty=False)


@task(auto_shortflags=False)
@guarded
def lint(context: Context) -> None:
    """Check style and types: ruff, and mypy --strict on kiln/."""
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        context.run(shlex.join([sys.executable, "-m", *command]), pty=False)


@task(auto_shortflags=False, help={"name": "the one to run"})
@guarded
def bench(context: Context, name: str = "") -> None:
    """List the benchmarks, or run one: `./inv bench [NAME]`."""
    import ast

    root = root_of(context)
    scripts = {path.stem: path for path in sorted((root / "bench").glob("*.py"))}
    if name and name not in scripts:
        raise core.UsageError(f"there is no benchmark {name!r}", f"choose one of {', '.join(scripts)}")
    if name:
        command = shlex.join([sys.executable, str(scripts[name])])
        context.run(command, pty=False, env={"PYTHONPATH": str(root)})
        return
    console = core.Console.for_output()
    for each, path in scripts.items():
        summary = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        console.say(f"{each:<10} {summary.partition(chr(10))[0]}")
