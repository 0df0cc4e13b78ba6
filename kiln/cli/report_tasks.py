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
