"""All tasks of a repository: those of its recipes, and those that are always there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.tasks import Task

from kiln import attest, core
from kiln.cli import attest_tasks, build_tasks, develop_tasks, index_tasks, model_tasks, report_tasks
from kiln.cli.recipe_tasks import (
    CONSENT,
    EXECUTOR_HELP,
    FOLDER,
    GIT_MIRROR,
    PROGRAMS_HELP,
    RUN_HELP,
    SHARED_CACHE,
    options_of,
    recipe_task,
)
from kiln.recipe import Catalogue


def _note(text: str) -> None:
    core.Console().note(text)


def collection(root: Path, note: Callable[[str], None] = _note) -> Collection:
    """The tasks for Invoke; each finds the recipes of `root` in its context.

    A recipe that cannot be read is noted; its own task is there, and says what is wrong with it.
    """
    found = Collection()
    catalogue = Catalogue(root)
    found.configure({"catalogue": catalogue})
    for each in (*_recipe_tasks(catalogue, note), *_other_tasks()):
        found.add_task(each)
    return found


def _recipe_tasks(catalogue: Catalogue, note: Callable[[str], None]) -> Iterator[Task[Any]]:
    outlines = catalogue.outlines()
    for each in outlines:
        if each.problem:
            note(each.problem.splitlines()[0])
    every = options_of(outlines)
    variations = "; ".join(f"{name}: {what}" for name, what in attest.VARIATIONS.items())
    yield recipe_task(
        build_tasks.build,
        every,
        True,
        "build",
        "Build a recipe's wheel, test it and record it.",
        extra=SHARED_CACHE,
    )
    yield recipe_task(
        build_tasks.worker, every, True, "worker", "Run actions of builds on other machines, in a recipe's toolchain.",
        extra={
            "remote_executor": ("", EXECUTOR_HELP),
            "listen": ("", "compile single files for distcc's calls at this address, HOST:PORT, instead"),
            "programs": ("", PROGRAMS_HELP),
            "name": ("", "the worker's name at the server (default: this machine's name and a number)"),
        },
    )  # fmt: skip
    yield recipe_task(
        build_tasks.verify, every, True, "verify", "Build a recorded wheel again, differently, and compare the bytes.",
        extra={
            "vary": ("", f"vary only these, with commas between (default: all): {variations}"),
            "no_vary": ("", "do not vary these"),
        },
        argument="the recipe, as NAME or NAME/RELEASE, or a wheel's file (default: the newest under dist/)",
        required=False,
    )  # fmt: skip
    yield recipe_task(
        build_tasks.plan, every, False, "plan", "Print a build's inputs with hashes, its steps, limits and key.",
        extra={"json": (False, "for programs")},
    )  # fmt: skip
    yield recipe_task(
        build_tasks.fetch, every, False, "fetch", "Get every source of a recipe into the vault.",
        extra={"json": (False, "for programs, with every place that was asked"), **FOLDER, **GIT_MIRROR, **CONSENT},
    )  # fmt: skip
    yield recipe_task(
        build_tasks.bundle, every, False, "bundle", "Write all that a build needs into one file, to build offline.",
        extra={
            "output": ("", "the file to write (default: dist/NAME-VERSION-VARIANT.bundle.tar)"),
            "packages": (False, "with the packages that the images are made of in place of the images: smaller"),
            "setup": (False, RUN_HELP["setup"]),
            "offline": (False, RUN_HELP["offline"]),
            **FOLDER,
            **GIT_MIRROR,
            **CONSENT,
        },
    )  # fmt: skip
    yield recipe_task(
        build_tasks.sources, every, False, "sources", "Show which sources are there, and what can supply the rest.",
        extra={
            "json": (False, "for programs"),
            "packages": (False, "each package of the images, too, and not only a line for each image"),
            "check_origins": (False, "ask every URL whether it still has its file"),
            **GIT_MIRROR,
        },
    )  # fmt: skip
    yield recipe_task(
        build_tasks.doctor, every, False, "doctor",
        "Show what a build needs of this machine, and what is missing: `./inv doctor [RECIPE]`.",
        required=False,
        extra={
            "wheel": (None, "without a recipe: whether this wheel runs on the GPUs (may be given more than once)"),
            "fix": (False, "do what is safe: drop damaged files of the vault, make Kiln's folders writable"),
            "json": (False, "for programs"),
            "jobs": (0, RUN_HELP["jobs"]),
            "offline": (False, RUN_HELP["offline"]),
            **FOLDER,
            **GIT_MIRROR,
            **CONSENT,
        },
    )  # fmt: skip
    for each in outlines:
        yield recipe_task(
            build_tasks.build, options_of([each]), True, each.command, f"Build {each.summary or each.name}.",
            recipe_name=each.name, extra=SHARED_CACHE,
        )  # fmt: skip


def _other_tasks() -> tuple[Task[Any], ...]:
    return (
        attest_tasks.check,
        attest_tasks.rebuild,
        attest_tasks.sign,
        build_tasks.gc,
        build_tasks.lock,
        build_tasks.matrix,
        build_tasks.recipes,
        build_tasks.smoke,
        build_tasks.upstream_tests,
        index_tasks.ci_matrix,
        index_tasks.index,
        index_tasks.publish,
        index_tasks.serve,
        index_tasks.sets,
        model_tasks.netron,
        model_tasks.onnx,
        model_tasks.patch,
        report_tasks.compare,
        report_tasks.report,
        develop_tasks.attack,
        develop_tasks.bench,
        develop_tasks.completion,
        develop_tasks.docs,
        develop_tasks.lint,
        develop_tasks.new_recipe,
        develop_tasks.schemas,
        develop_tasks.test,
        develop_tasks.test_layers,
    )
