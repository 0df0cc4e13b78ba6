"""The tasks that show finished builds."""

from __future__ import annotations

import os

from invoke.context import Context
from invoke.tasks import task

from kiln import commands, core
from kiln.cli.guard import guarded
from kiln.cli.settings import catalogue_of


@task(
    auto_shortflags=False,
    help={"target": "a finished wheel, or its folder (default: the newest under dist/)"},
)
@guarded
def report(context: Context, target: str = "") -> None:
    """Make the report of a finished build, and open it: `./inv report [WHEEL|FOLDER]`."""
    home = core.Home.of(os.environ)
    commands.report.run(catalogue_of(context), target, home, os.environ, core.Console())


@task(
    auto_shortflags=False,
    help={
        "one": "a finished wheel, or its folder",
        "other": "another",
        "html": "write the comparison as a page to this file, too",
    },
)
@guarded
def compare(context: Context, one: str, other: str, html: str = "") -> None:
    """Show what differs between two finished builds: `./inv compare A B [--html FILE]`."""
    commands.compare.run(catalogue_of(context), one, other, html, core.Console())
