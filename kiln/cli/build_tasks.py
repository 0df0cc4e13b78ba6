"""The tasks from a recipe to a tested wheel, and what belongs to them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.recipe_tasks import REQUEST_HELP, RUN_HELP, SHARED_CACHE, WANTED_HELP, words
from kiln.cli.settings import (
    accepts_licences,
    catalogue_of,
    fetch_settings,
    others_of,
    root_of,
    signer_of,
)

if TYPE_CHECKING:
    from kiln.plan import Request
    from kiln.sources import FetchSettings


def build(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    others, settings = others_of(given), _build_settings(context, given)
    if not settings.sources.offline:
        settings = replace(settings, others=others)
    commands.build.run(catalogue_of(context), request, settings, core.Console())


def worker(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    asked = commands.worker.Asked(others_of(given), given["listen"], given["name"])
    commands.worker.run(
        catalogue_of(context), request, _build_settings(context, given), asked, core.Console()
    )


def verify(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    from kiln import attest, smoke

    chosen = attest.choose(given["vary"], given["no_vary"])
    catalogue, wheel = catalogue_of(context), ""
    if request.recipe.endswith(".whl") or not request.recipe:
        wheel = request.recipe or str(smoke.newest_wheel(catalogue.root / "dist"))
    commands.verify.run(catalogue, request, wheel, _build_settings(context, given), chosen, core.Console())


def _build_settings(context: Context, given: Mapping[str, Any]) -> commands.build.BuildSettings:
    from kiln.build import Budget
    from kiln.engine import jobs

    return commands.build.BuildSettings(
        home=core.Home.of(os.environ),
        environment=os.environ,
        sources=fetch_settings(context, given),
        jobs=jobs(given["jobs"]),
        alone=not given["jobs"],
        setup=given["setup"],
        keep=given["keep"],
        bundle=Path(given["bundle"]) if given["bundle"] else None,
        accept_licences=accepts_licences(given["accept_cuda_eula"]),
        budget=Budget.of(given["time_budget"]),
        signer=signer_of(given["sign"]),
    )


def plan(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    commands.plan.run(catalogue_of(context), request, os.environ, given["json"])


def fetch(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    accept = accepts_licences(given["accept_cuda_eula"])
    commands.fetch.run(
        catalogue_of(context),
        request,
        core.Home.of(os.environ),
        fetch_settings(context, given),
        accept,
        core.Console(),
        given["json"],
    )


def bundle(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    settings = commands.bundle.BundleSettings(
        home=core.Home.of(os.environ),
        environment=os.environ,
        sources=fetch_settings(context, given),
        output=given["output"],
        setup=given["setup"],
        accept_licences=accepts_licences(given["accept_cuda_eula"]),
        packages=given["packages"],
    )
    commands.bundle.run(catalogue_of(context), request, settings, core.Console())


def sources(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    commands.sources.run(
        catalogue_of(context), request, core.Home.of(os.environ), fetch_settings(context, given),
        check_origins=given["check_origins"], packages=given["packages"], json_wanted=given["json"],
    )  # fmt: skip


@task(
    auto_shortflags=False,
    help={
        **WANTED_HELP,
        "at_once": "run so many builds together (default: one for each 8 cores and 16 GB of memory)",
        "jobs": "compile this many files at once in all builds together (default: what cores and memory allow)",
        "time_budget": "stop compiling this long after the start of the command (5h, 90m, 3600s) with exit code 75",
        **{name: RUN_HELP[name] for name in ("setup", "offline", "accept_cuda_eula", "sign")},
        **{name: text for name, (_, text) in SHARED_CACHE.items()},
    },
)
@guarded
def matrix(
    context: Context,
    recipe: str = "",
    all: bool = False,
    name: str = "",
    device: str = "",
    base: str = "",
    python: str = "",
    at_once: int = 0,
    jobs: int = 0,
    time_budget: str = "",
    setup: bool = False,
    offline: bool = False,
    accept_cuda_eula: bool = False,
    sign: str = "",
    remote_cache: str = "",
    remote_cache_write: bool = False,
    remote_executor: str = "",
    distcc: str = "",
    programs: str = "",
) -> None:
    """Build all rows of ci/matrix.yaml, or those that are asked for: `./inv matrix [RECIPE]`."""
    from kiln import engine
    from kiln.build import Budget

    given = {
        "setup": setup, "offline": offline, "accept_cuda_eula": accept_cuda_eula, "sign": sign,
        "remote_cache": remote_cache, "remote_cache_write": remote_cache_write,
        "remote_executor": remote_executor, "distcc": distcc, "programs": programs,
    }  # fmt: skip
    settings = commands.matrix_build.ManySettings(
        environment=os.environ,
        at_once=at_once,
        jobs=engine.jobs(jobs),
        words=words(given),
        budget=Budget.of(time_budget),
    )
    wanted = commands.matrix.Wanted(name, recipe, device, base, python)
    commands.matrix_build.run(catalogue_of(context), wanted, all, settings, core.Console())


@task(auto_shortflags=False, help={"recipe": "only this recipe, with more of it", "json": "for programs"})
@guarded
def recipes(context: Context, recipe: str = "", json: bool = False) -> None:
    """Show what can be built, and how far it was seen to work: `./inv recipes [NAME]`."""
    commands.recipes.run(catalogue_of(context), recipe, json)


@task(
    auto_shortflags=False,
    help={
        "recipe": "the recipe, as NAME or NAME/RELEASE",
        "base": "lock the packages of this base's images instead, such as bookworm",
        "tree": "the source tree, or NAME=DIR,… (default: what the recipe pins)",
        "needed": "what Bazel says that the target needs, as DEVICE=FILE,… (default: the files in lock.yaml)",
        "repositories": "a folder with trees of external repositories under their names",
        "folder": "take files that have no sha256 yet from this folder, by their MD5",
        "output": "write this file instead of the recipe's own lock, which gives what is pinned already",
        "check": "write nothing; exit code 5 if the lock would change",
        "offline": RUN_HELP["offline"],
    },
)
@guarded
def lock(
    context: Context,
    recipe: str = "",
    base: str = "",
    tree: str = "",
    needed: str = "",
    repositories: str = "",
    folder: str = "",
    output: str = "",
    check: bool = False,
    offline: bool = False,
) -> None:
    """Generate a recipe's sources.lock.yaml from its source trees, or with --base a base's lock."""
    if bool(recipe) == bool(base):
        raise core.UsageError("one thing is locked at a time", "give a recipe, or --base and a base's name")
    if base:
        home, settings = core.Home.of(os.environ), fetch_settings(context, {"offline": offline})
        commands.base_lock.run(root_of(context), base, check, home, settings, core.Console())
        return
    name, _slash, version = recipe.partition("/")
    request = commands.lock.Request(name, version, tree, needed, repositories, folder, output, check)
    settings = fetch_settings(context, {"offline": offline})
    commands.lock.run(catalogue_of(context), request, core.Home.of(os.environ), settings, core.Console())


def _asked(recipe: str, python: str, python_prefix: str, cpu_features: str = "") -> Request:
    """What is asked of a wheel whose recipe is NAME, NAME/RELEASE, or not named."""
    from kiln.plan import Request

    name, _slash, version = recipe.partition("/")
    return Request(name, version, python=python, python_prefix=python_prefix, cpu_features=cpu_features)


def _run_on_a_wheel(
    sources: FetchSettings, accept_cuda_eula: bool, **more: Any
) -> commands.smoke.SmokeSettings:
    """How a wheel is put into an environment and something is run on it."""
    return commands.smoke.SmokeSettings(
        home=core.Home.of(os.environ),
        environment=os.environ,
        sources=sources,
        accept_licences=accepts_licences(accept_cuda_eula),
        **more,
    )


@task(
    auto_shortflags=False,
    help={
        "wheel": "the wheel's file (default: the newest finished under dist/)",
        "recipe": "whose suite and packages it gets, as NAME or NAME/RELEASE (default: what its name says)",
        "venv": "in an environment of this machine instead of a container",
        "against": "time it beside another wheel too: a file, or a requirement such as tensorflow==1.15.5",
        "output": "the folder for its reports (default: dist/smoke/WHEEL)",
        "python": "the Python version, for a wheel that is for several",
        "python_prefix": REQUEST_HELP["python_prefix"],
        "cpu_features": "what a wheel from elsewhere is held to, as a list such as avx,sse4.2",
        **{name: RUN_HELP[name] for name in ("setup", "offline", "git_mirror", "accept_cuda_eula")},
    },
)
@guarded
def smoke(
    context: Context,
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
    """Test a wheel, built here or elsewhere: `./inv smoke [WHEEL]`."""
    asked = _asked(recipe, python, python_prefix, cpu_features)
    sources = fetch_settings(context, {"offline": offline, "git_mirror": git_mirror})
    settings = _run_on_a_wheel(
        sources, accept_cuda_eula, venv=venv, against=against, setup=setup, output=output
    )
    commands.smoke.run(catalogue_of(context), wheel, asked, settings, core.Console())


@task(
    auto_shortflags=False,
    help={
        "wheel": "the wheel's file (default: the newest finished under dist/)",
        "recipe": "whose tests are run, as NAME or NAME/RELEASE (default: what its name says)",
        "against": "run them on another wheel too: a file, or a requirement such as opencv-python==4.3.0.38",
        "sample": "how many test files are run, the same for the same number (default: all)",
        "only": "a pattern for the names of test files, such as '*/keras/*'",
        "seconds": "the longest that one file may take",
        "jobs": "run this many files at once (default: what cores and memory allow)",
        "venv": "in an environment of this machine instead of a container",
        "output": "the folder for the results (default: dist/smoke/WHEEL)",
        "python": "the Python version, for a wheel that is for several",
        "python_prefix": REQUEST_HELP["python_prefix"],
        **{name: RUN_HELP[name] for name in ("setup", "offline", "git_mirror", "accept_cuda_eula")},
    },
)
@guarded
def upstream_tests(
    context: Context,
    wheel: str = "",
    recipe: str = "",
    against: str = "",
    sample: int = 0,
    only: str = "",
    seconds: int = 600,
    jobs: int = 0,
    venv: bool = False,
    output: str = "",
    python: str = "",
    python_prefix: str = "",
    setup: bool = False,
    offline: bool = False,
    git_mirror: str = "",
    accept_cuda_eula: bool = False,
) -> None:
    """Run the tests of the product's own source tree on a wheel: `./inv upstream-tests [WHEEL] --against WHEEL`."""
    asked = _asked(recipe, python, python_prefix)
    sources = fetch_settings(context, {"offline": offline, "git_mirror": git_mirror})
    settings = _run_on_a_wheel(
        sources, accept_cuda_eula, venv=venv, against=against, setup=setup, output=output
    )
    choice = commands.upstream.Choice(sample, only, seconds, jobs)
    commands.upstream.run(catalogue_of(context), wheel, asked, settings, choice, core.Console())


def doctor(context: Context, request: Request, given: Mapping[str, Any]) -> None:
    from kiln.engine import jobs

    settings = commands.doctor.DoctorSettings(
        environment=os.environ,
        sources=fetch_settings(context, given),
        jobs=jobs(given["jobs"]),
        wheels=[Path(each) for each in given["wheel"] or ()],
        accept_licences=accepts_licences(given["accept_cuda_eula"]),
        json=given["json"],
        fix=given["fix"],
    )
    commands.doctor.run(catalogue_of(context), request, settings)


@task(
    auto_shortflags=False,
    help={
        "dry_run": "only show what would be removed, which is the default",
        "results": "keep only this many finished builds of each variant, the newest (default: all)",
    },
)
@guarded
def gc(context: Context, dry_run: bool = True, results: int = 0) -> None:
    """Remove sources, images and other state that no recipe of this checkout needs."""
    commands.gc.run(
        catalogue_of(context), core.Home.of(os.environ), os.environ, core.Console(), results, dry_run
    )
