"""The tasks that bring finished wheels to the people who install them, and CI's list of builds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.recipe_tasks import RUN_HELP, WANTED_HELP
from kiln.cli.settings import catalogue_of, root_of, signer_of


@task(
    auto_shortflags=False,
    iterable=["folder"],
    help={
        "folder": "a folder with results; may be given again (default: dist)",
        "output": "the folder of the index (default: index)",
        "with_dependencies": "mirror what the wheels need, and add the pinned sets",
        "sign": "sign a list of all files with this key: a file, or `agent` or `agent:NAME` for a key of the ssh agent",
        "address": "where it will be published, such as https://wheels.example/, for links in its feeds; once is enough",
        "offline": RUN_HELP["offline"],
    },
)
@guarded
def index(
    context: Context,
    folder: list[str],
    output: str = "",
    with_dependencies: bool = False,
    sign: str = "",
    address: str = "",
    offline: bool = False,
) -> None:
    """Add finished wheels to a static wheel index: `./inv index [--output DIR] [FOLDER…]`."""
    catalogue = catalogue_of(context)
    wheelhouse = commands.index.Wheelhouse.of(catalogue, folder, os.environ, offline)
    commands.index.update_index(
        wheelhouse,
        Path(output or catalogue.root / "index"),
        with_dependencies,
        core.Console(),
        signer_of(sign),
        address,
    )


@task(
    auto_shortflags=False,
    iterable=["folder"],
    help={
        "folder": "a folder with results; may be given again (default: dist, where it is there)",
        "output": "the folder to write (default: requirements/sets)",
        "check": "write nothing; exit code 5 if a set would change",
        "offline": RUN_HELP["offline"],
    },
)
@guarded
def sets(
    context: Context, folder: list[str], output: str = "", check: bool = False, offline: bool = False
) -> None:
    """Make the pinned sets of requirements/sets/: complete environments, with hashes."""
    catalogue = catalogue_of(context)
    wheelhouse = commands.index.Wheelhouse.of(catalogue, folder, os.environ, offline)
    target = Path(output or catalogue.root / "requirements" / "sets")
    commands.index.write_sets(wheelhouse, target, check, core.Console())


@task(
    auto_shortflags=False,
    help={"folder": "the index (default: index)", "port": "the port on 127.0.0.1; 0 takes a free one"},
)
@guarded
def serve(context: Context, folder: str = "", port: int = 8000) -> None:
    """Serve a wheel index on this machine: `./inv serve [DIR]`."""
    commands.index.serve(Path(folder or root_of(context) / "index"), port, core.Console.for_output())


@task(
    auto_shortflags=False,
    help={
        "target": "a folder, rsync's HOST:PATH or rsync://…, an upload URL, or pypirc:NAME",
        "folder": "the index to publish (default: index)",
        "simple_url": "where the upload endpoint lists its files (default: its URL and simple/)",
    },
)
@guarded
def publish(context: Context, target: str, folder: str = "", simple_url: str = "") -> None:
    """Publish a wheel index: to a folder, by rsync, or to an upload endpoint."""
    source = Path(folder or root_of(context) / "index")
    commands.index.publish(source, target, simple_url, os.environ, core.Console())


@task(
    auto_shortflags=False,
    help={
        "json": 'for programs, and for GitHub: {"include": [...]} in one line',
        "gitlab": "a child pipeline for GitLab",
        **WANTED_HELP,
    },
)
@guarded
def ci_matrix(
    context: Context,
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
    wanted = commands.matrix.Wanted(name, recipe, device, base, python)
    form: Literal["table", "json", "gitlab"] = "json" if json else "gitlab" if gitlab else "table"
    commands.matrix.run(catalogue_of(context), wanted, all, form, core.Console())
