"""Kiln's tasks: parse options, call kiln, print. No logic."""

from __future__ import annotations

import ast
import os
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from itertools import chain
from pathlib import Path
from typing import Any

from invoke import Collection, Context, task

from kiln import (
    build,
    bundle,
    cli,
    codepatch,
    collect,
    consent,
    distribute,
    doctor,
    environment,
    gpu,
    matrix,
    netron,
    onnx,
    onnx_report,
    onnx_suite,
    plan,
    recipe,
    relock,
    report,
    sources,
    status,
    trial,
)  # fmt: skip
from kiln.budget import Budget
from kiln.console import Console
from kiln.errors import UsageError
from kiln.home import Home
from kiln.plan import Request

ROOT = Path(__file__).resolve().parent


def _supply(given: Mapping[str, Any]) -> sources.Settings:
    """How sources are got, by those of these options that a task has."""
    return sources.Settings.from_environment(
        os.environ, given.get("offline", False), given["git_mirror"], given.get("folder", "")
    )


def _build(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    console = Console()
    supply = _supply(given)
    settings = build.Settings(
        home=Home.of(os.environ),
        sources=supply,
        jobs=cli.jobs(given["jobs"]),
        setup=given["setup"],
        offline=supply.offline,
        keep=given["keep"],
        bundle=Path(given["bundle"]) if given["bundle"] else None,
        accept_licences=consent.given(given["accept_cuda_eula"], os.environ),
        budget=Budget.of(given["time_budget"]),
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
    settings = _supply(given)
    accept = consent.given(given["accept_cuda_eula"], os.environ)
    consent.require(consent.terms(ROOT, planned.sources), home, accept, console)
    with home.in_use(console), console.station("sources"), console.transfers() as transfers:
        obtained = sources.obtain(planned.sources, vault, settings, transfers)
    report.fetched(obtained, vault, Console.for_output())


def _bundle(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    supply = _supply(given)
    home, planned = Home.of(os.environ), plan.make(ROOT, request)
    accept = consent.given(given["accept_cuda_eula"], os.environ)
    consent.require(consent.terms(ROOT, planned.sources), home, accept, Console())
    made = bundle.make(ROOT, request, home, supply, given["output"], given["setup"], Console())
    report.bundled(made, planned, Console.for_output())


def _sources(_: Context, request: Request, given: Mapping[str, Any]) -> None:
    planned = plan.make(ROOT, request)
    settings = _supply(given)
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
    help={
        "wheel": "the wheel's file (default: the newest finished under dist/)",
        "recipe": "whose suite and packages it gets, as NAME or NAME/VERSION (default: what its name says)",
        "venv": "in an environment of this machine instead of a container",
        "against": "time it beside another wheel too: a file, or a requirement such as tensorflow==1.15.5",
        "output": "the folder for its reports (default: dist/smoke/WHEEL)",
        "python": "the Python version, for a wheel that is for several",
        "python_prefix": cli.REQUEST_HELP["python_prefix"],
        "cpu_features": "what a wheel from elsewhere is held to, as a list such as avx,sse4.2",
        **{name: cli.RUN_HELP[name] for name in ("setup", "offline", "git_mirror", "accept_cuda_eula")},
    },
)
@cli.told
def smoke(
    _: Context,
    wheel: str = "",
    recipe: str = "",
    venv: bool = False,
    against: str = "",
    output: str = "",
    python: str = "",
    python_prefix: str = "",
    cpu_features: str = "",
    setup: bool = False,
    offline: bool = False,
    git_mirror: str = "",
    accept_cuda_eula: bool = False,
) -> None:
    """Prove a wheel, built here or elsewhere: `./inv smoke [WHEEL]`."""
    console = Console()
    supply = sources.Settings.from_environment(os.environ, offline, git_mirror)
    accepted = consent.given(accept_cuda_eula, os.environ)
    settings = trial.Settings(
        Home.of(os.environ), supply, venv, against, setup, supply.offline, output, accepted
    )
    name, _slash, version = recipe.partition("/")
    asked = Request(name, version, python=python, python_prefix=python_prefix, cpu_features=cpu_features)
    made = trial.run(ROOT, wheel, asked, settings, console)
    console.say(f"reports  {os.path.relpath(made.folder)}")


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


@task(
    auto_shortflags=False,
    iterable=["folder"],
    help={
        "folder": "a folder with results; may be given again (default: dist)",
        "output": "the folder of the index (default: index)",
        "with_dependencies": "mirror what the wheels need, and add the pinned sets",
        "offline": cli.RUN_HELP["offline"],
    },
)
@cli.told
def index(
    _: Context, folder: list[str], output: str = "", with_dependencies: bool = False, offline: bool = False
) -> None:
    """Add finished wheels to a static wheel index: `./inv index [--output DIR] [FOLDER…]`."""
    wheelhouse = distribute.Wheelhouse.of(ROOT, folder, os.environ, offline)
    distribute.index(wheelhouse, Path(output or ROOT / "index"), with_dependencies, Console())


@task(
    auto_shortflags=False,
    iterable=["folder"],
    help={
        "folder": "a folder with results; may be given again (default: dist, where it is there)",
        "output": "the folder to write (default: requirements/sets)",
        "check": "write nothing; exit code 5 if a set would change",
        "offline": cli.RUN_HELP["offline"],
    },
)
@cli.told
def sets(_: Context, folder: list[str], output: str = "", check: bool = False, offline: bool = False) -> None:
    """Make the pinned sets of requirements/sets/: complete environments, with hashes."""
    wheelhouse = distribute.Wheelhouse.of(ROOT, folder, os.environ, offline)
    distribute.sets(wheelhouse, Path(output or ROOT / "requirements" / "sets"), check, Console())


@task(
    auto_shortflags=False,
    help={"folder": "the index (default: index)", "port": "the port on 127.0.0.1; 0 takes a free one"},
)
@cli.told
def serve(_: Context, folder: str = "", port: int = 8000) -> None:
    """Serve a wheel index on this machine: `./inv serve [DIR]`."""
    distribute.serve(Path(folder or ROOT / "index"), port, Console.for_output())


@task(
    auto_shortflags=False,
    help={
        "target": "a folder, rsync's HOST:PATH or rsync://…, an upload URL, or pypirc:NAME",
        "folder": "the index to publish (default: index)",
        "simple_url": "where the upload endpoint lists its files (default: its URL and simple/)",
    },
)
@cli.told
def publish(_: Context, target: str, folder: str = "", simple_url: str = "") -> None:
    """Publish a wheel index: to a folder, by rsync, or to an upload endpoint."""
    distribute.publish(Path(folder or ROOT / "index"), target, simple_url, os.environ, Console())


@task(
    auto_shortflags=False,
    help={
        "json": 'for programs, and for GitHub: {"include": [...]} in one line',
        "gitlab": "a child pipeline for GitLab",
        "all": "all that the recipes declare, not the rows of ci/matrix.yaml",
        "name": "only the row of this name",
        "recipe": "only this recipe, as NAME or NAME/VERSION",
        "device": "only rows for this device",
        "base": "only rows on this base",
        "python": "only rows for this Python",
    },
)
@cli.told
def ci_matrix(
    _: Context,
    json: bool = False,
    gitlab: bool = False,
    all: bool = False,
    name: str = "",
    recipe: str = "",
    device: str = "",
    base: str = "",
    python: str = "",
) -> None:
    """Show the builds that CI makes, each with its command."""
    wanted = matrix.Wanted(name, recipe, device, base, python)
    rows = matrix.declared(ROOT, wanted, Console().note) if all else matrix.chosen(ROOT, wanted)
    if json or gitlab:
        sys.stdout.write(matrix.gitlab(rows) if gitlab else matrix.github(rows))
    else:
        report.matrix(rows, Console.for_output())


@task(
    auto_shortflags=False,
    name="onnx",
    help={
        "opsets": "opsets of ONNX, such as 7-13 or 9,11",
        "models": "names of models, separated by commas (default: all)",
        "output": "write the models to this new folder: .h5, SavedModel, .pb, .tflite and .onnx; JUnit reports too",
        "wheel": "a TensorFlow wheel that was built, in place of the published one",
        "python_prefix": "use the Python 3.7 installed in this folder (default: python3.7 in PATH, or pyenv's)",
        "venv": "use what is installed in this virtual environment instead of the pinned packages",
        "upstream_tests": "run tf2onnx's own test suite instead, at each opset",
        "k": "with --upstream-tests: pytest -k",
        "jobs": "with --upstream-tests: run this many tests at once",
        "offline": cli.RUN_HELP["offline"],
        "git_mirror": cli.RUN_HELP["git_mirror"],
    },
)
@cli.told
def onnx_task(
    _: Context,
    opsets: str = "7-13",
    models: str = "",
    output: str = "",
    wheel: str = "",
    python_prefix: str = "",
    venv: str = "",
    upstream_tests: bool = False,
    k: str = "",
    jobs: int = 0,
    offline: bool = False,
    git_mirror: str = "",
) -> None:
    """Convert the layer library's models to ONNX and compare what they answer."""
    console, home, wanted = Console(), Home.of(os.environ), onnx.opsets(opsets)
    supply = sources.Settings.from_environment(os.environ, offline, git_mirror)
    pins = onnx.pins(ROOT, Path(wheel) if wheel else None)
    given = environment.Given(onnx.PYTHON, python_prefix, venv)
    with home.in_use(console):
        made = environment.obtain(home, given, pins, os.environ, supply.offline, console)
        folder = Path(output) if output else None
        if upstream_tests:
            suite = onnx_suite.Suite(ROOT, home, supply, made, os.environ)
            results = onnx_suite.run(suite, wanted, k, cli.jobs(jobs), folder, console)
            onnx_report.suite(results, Console.for_output())
            onnx_suite.judge(results)
        else:
            matrix = onnx.run(ROOT, made, os.environ, wanted, models, folder, console)
            onnx_report.matrix(matrix, folder, Console.for_output())
            onnx.judge(matrix)


@task(
    auto_shortflags=False,
    name="netron",
    help={
        "model": "a .pb, .h5, .onnx or .tflite file, or the folder of a SavedModel",
        "port": "the port on 127.0.0.1 (default: any free one)",
        "offline": cli.RUN_HELP["offline"],
    },
)
@cli.told
def netron_task(_: Context, model: str, port: int = 0, offline: bool = False) -> None:
    """Show a model in the browser with Netron, on this machine only."""
    console, home = Console(), Home.of(os.environ)
    file, free = netron.model(Path(model)), netron.free_port(port)
    supply = sources.Settings.from_environment(os.environ, offline)
    with home.in_use(console):
        base = Path(sys.executable)
        made = environment.make(home, base, netron.pins(ROOT), os.environ, supply.offline, console)
    netron.check_age(made, datetime.now(timezone.utc))
    netron.serve(made, os.environ, file, free, Console.for_output())


@task(
    auto_shortflags=False,
    name="patch",
    help={
        "name": "the patch, a folder with patch.yaml under patches/",
        "folder": "the checkout to patch",
        "revert": "take the patch back",
        "dry_run": "write nothing, show the difference",
    },
)
@cli.told
def patch_task(_: Context, name: str, folder: str, revert: bool = False, dry_run: bool = False) -> None:
    """Patch somebody else's code in a checkout: `./inv patch NAME DIR`."""
    outcome = codepatch.run(codepatch.load(ROOT, name), Path(folder), revert, dry_run)
    Console.for_output().say(codepatch.told(outcome, dry_run))


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
    lines = [recipe.line(ROOT, name) for name in recipe.names(ROOT)]
    every = cli.options_of(chain(*lines))
    tasks = [
        cli.recipe_task(_build, every, True, "build", "Build a recipe's wheel, test it and record it."),
        cli.recipe_task(
            _plan, every, False, "plan", "Print a build's inputs with hashes, its steps, limits and key.",
            extra={"json": (False, "for programs")},
        ),
        cli.recipe_task(
            _fetch, every, False, "fetch", "Get every source of a recipe into the vault.",
            extra={
                **cli.FOLDER,
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
                **cli.FOLDER,
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
                _build, cli.options_of(line), True, line[0].command, f"Build {line[0].summary}.",
                recipe_name=line[0].name,
            )
            for line in lines
        ),
    ]  # fmt: skip
    collection = Collection()
    others = (
        smoke, index, sets, serve, publish, ci_matrix, lock, onnx_task, netron_task, patch_task, test, lint, bench,
        doctor_task, gc,
    )  # fmt: skip
    for each in (*tasks, *others):
        collection.add_task(each)
    return collection


if __name__ == "__main__":
    cli.main(ROOT)
else:
    namespace = _collection()
