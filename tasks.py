"""Kiln's tasks: parse options, call kiln, print. No logic."""

from __future__ import annotations

import ast
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke import Collection, Context, task

from kiln import (
    build,
    bundle,
    cli,
    collect,
    consent,
    doctor,
    gpu,
    plan,
    recipe,
    relock,
    report,
    sources,
    status,
)
from kiln.console import Console
from kiln.errors import UsageError
from kiln.home import Home
from kiln.plan import Request

ROOT = Path(__file__).resolve().parent


def _build(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    console = Console()
    supply = sources.Settings.from_environment(os.environ, given["offline"], given["git_mirror"])
    settings = build.Settings(
        home=Home.of(os.environ),
        sources=supply,
        jobs=cli.jobs(given["jobs"]),
        setup=given["setup"],
        offline=supply.offline,
        keep=given["keep"],
        bundle=Path(given["bundle"]) if given["bundle"] else None,
        accept_licences=consent.given(given["accept_cuda_eula"], os.environ),
    )
    report.built(build.run(ROOT, request, settings, console), console)


def _plan(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    planned = plan.make(ROOT, request)
    if given["json"]:
        sys.stdout.write(planned.to_json())
    else:
        report.planned(planned, Console.for_output())


def _fetch(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    console = Console()
    planned = plan.make(ROOT, request)
    home = Home.of(os.environ)
    vault = sources.Vault(home.sources)
    settings = sources.Settings.from_environment(os.environ, git_mirrors=given["git_mirror"])
    accept = consent.given(given["accept_cuda_eula"], os.environ)
    consent.require(consent.terms(ROOT, planned.sources), home, accept, console)
    with home.in_use(console):
        if given["folder"]:
            sources.adopt(Path(given["folder"]), planned.sources, vault)
        with console.station("sources"), console.transfers() as transfers:
            obtained = sources.obtain(planned.sources, vault, settings, transfers)
    report.fetched(obtained, Console.for_output())


def _bundle(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    supply = sources.Settings.from_environment(os.environ, given["offline"], given["git_mirror"])
    home, planned = Home.of(os.environ), plan.make(ROOT, request)
    accept = consent.given(given["accept_cuda_eula"], os.environ)
    consent.require(consent.terms(ROOT, planned.sources), home, accept, Console())
    made = bundle.make(ROOT, request, home, supply, given["output"], given["setup"], Console())
    report.bundled(made, planned, Console.for_output())


def _sources(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    planned = plan.make(ROOT, request)
    settings = sources.Settings.from_environment(os.environ, git_mirrors=given["git_mirror"])
    vault = sources.Vault(Home.of(os.environ).sources)
    standings = status.survey(planned.sources, vault, settings, given["check_origins"])
    if given["json"]:
        sys.stdout.write(report.standings_json(standings))
    else:
        report.standings(standings, Console.for_output())


@task(
    auto_shortflags=False,
    help={
        "setup": cli.RUN_HELP["setup"],
        "unit": "only the tests that need no container engine",
        "k": "pytest -k",
    },
)
@cli.told
def test(context: Context, setup: bool = False, unit: bool = False, k: str = "") -> None:
    """Run all tests: unit, then integration on the real container engine."""
    if not unit:
        doctor.require(setup, os.environ, Console())
    folders = ["tests/unit", *([] if unit else ["tests/integration"])]
    command = [sys.executable, "-m", "pytest", *folders, *(["-k", k] if k else [])]
    context.run(shlex.join(command), pty=False)


@task(
    auto_shortflags=False,
    help={
        "recipe": "the recipe, as NAME or NAME/VERSION",
        "tree": "the source tree, or NAME=DIR,… (default: what the recipe pins)",
        "needed": "what Bazel says that the target needs, as DEVICE=FILE,… (default: the files in lock.yaml)",
        "repositories": "a folder with trees of external repositories under their names",
        "folder": "take files that have no sha256 yet from this folder, by their MD5",
        "output": "write this file instead of the recipe's own lock, which gives what is pinned already",
        "check": "write nothing; exit code 5 if the lock would change",
        "offline": cli.RUN_HELP["offline"],
    },
)
@cli.told
def lock(
    _: Context,
    recipe: str,
    tree: str = "",
    needed: str = "",
    repositories: str = "",
    folder: str = "",
    output: str = "",
    check: bool = False,
    offline: bool = False,
) -> None:
    """Generate a recipe's sources.lock.yaml from its source trees."""
    console = Console()
    name, _slash, version = recipe.partition("/")
    request = relock.Request(name, version, tree, needed, repositories, folder, output, check)
    settings = sources.Settings.from_environment({**os.environ, **({"KILN_OFFLINE": "1"} if offline else {})})
    with console.transfers() as transfers:
        made = relock.run(ROOT, request, Home.of(os.environ), settings, os.environ, transfers)
    report.locked(made, Console.for_output())


@task(
    auto_shortflags=False,
    name="doctor",
    help={
        "cuda": "show the GPUs instead, and whether what CUDA compiles runs on them",
        "wheel": "with --cuda: whether this wheel does (may be given more than once)",
    },
    iterable=["wheel"],
)
@cli.told
def doctor_task(_: Context, cuda: bool = False, wheel: list[str] | None = None) -> None:
    """Show what a build needs of this machine, and what is missing."""
    if cuda or wheel:
        found = gpu.findings(ROOT, gpu.present(), [Path(each) for each in wheel or ()])
    else:
        found = doctor.findings(os.environ)
    report.machine(found, Console.for_output())


@task(
    auto_shortflags=False,
    help={
        "dry_run": "only show what would be removed, which is the default",
        "results": "keep only this many finished builds of each variant, the newest (default: all)",
    },
)
@cli.told
def gc(_: Context, dry_run: bool = True, results: int = 0) -> None:
    """Remove sources, images and other state that no recipe of this checkout needs."""
    console = Console.for_output()
    items, spared = collect.run(ROOT, Home.of(os.environ), os.environ, Console(), results, dry_run)
    report.collected(items, spared, not dry_run, console)


@task(auto_shortflags=False)
def lint(context: Context) -> None:
    """Check style and types: ruff, and mypy --strict on kiln/."""
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        context.run(shlex.join([sys.executable, "-m", *command]), pty=False)


@task(auto_shortflags=False, help={"name": "the one to run"})
@cli.told
def bench(context: Context, name: str = "") -> None:
    """List the benchmarks, or run one: `./inv bench [NAME]`."""
    scripts = {path.stem: path for path in sorted((ROOT / "bench").glob("*.py"))}
    if name and name not in scripts:
        raise UsageError(f"there is no benchmark {name!r}: choose one of {', '.join(scripts)}")
    if name:
        command = shlex.join([sys.executable, str(scripts[name])])
        context.run(command, pty=False, env={"PYTHONPATH": str(ROOT)})
        return
    for each, path in scripts.items():
        summary = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        Console.for_output().say(f"{each:<10} {summary.partition(chr(10))[0]}")


def _collection() -> Collection:
    names = recipe.names(ROOT)
    every = cli.options_of(ROOT, names)
    tasks = [
        cli.recipe_task(_build, every, True, "build", "Build a recipe's wheel, test it and record it."),
        cli.recipe_task(
            _plan, every, False, "plan", "Print a build's inputs with hashes, its steps, limits and key.",
            extra={"json": (False, "for programs")},
        ),
        cli.recipe_task(
            _fetch, every, False, "fetch", "Get every source of a recipe into the vault.",
            extra={
                "folder": ("", "first take what is there of them from this folder, by hash"),
                **cli.GIT_MIRROR,
                **cli.CONSENT,
            },
        ),
        cli.recipe_task(
            _bundle, every, False, "bundle", "Write all that a build needs into one file, to build offline.",
            extra={
                "output": ("", "the file to write (default: dist/NAME-VERSION-VARIANT.bundle.tar)"),
                "setup": (False, cli.RUN_HELP["setup"]),
                "offline": (False, cli.RUN_HELP["offline"]),
                **cli.GIT_MIRROR,
                **cli.CONSENT,
            },
        ),
        cli.recipe_task(
            _sources, every, False, "sources", "Show which sources are there, and what can supply the rest.",
            extra={
                "json": (False, "for programs"),
                "check_origins": (False, "ask every URL whether it still has its file"),
                **cli.GIT_MIRROR,
            },
        ),
        *(
            cli.recipe_task(
                _build, each.options, True, each.command, f"Build {each.summary}.", recipe_name=each.name
            )
            for each in (recipe.describe(ROOT, name) for name in names)
        ),
    ]  # fmt: skip
    collection = Collection()
    for each in (*tasks, lock, test, lint, bench, doctor_task, gc):
        collection.add_task(each)
    return collection


if __name__ == "__main__":
    cli.main(ROOT)
else:
    namespace = _collection()
