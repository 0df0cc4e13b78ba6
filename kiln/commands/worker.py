"""A worker of a remote executor: the toolchain of a recipe in a container, in which actions of others run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kiln import plan, sources
from kiln.build import BuildRunner, Workspace, ensure_interpreter, ensure_venvs
from kiln.commands.build import BuildSettings
from kiln.core import Console, UsageError, remove
from kiln.engine import Mount, connect, doctor, room, toolchain
from kiln.plan import VENVS_SCRIPT, ContainerStep, Plan, Request
from kiln.recipe import Catalogue
from kiln.shared import Executor, relay, sockets

# Where the worker's programs are in its container, and the one that starts them.
FOLDER, START = "/kiln/worker", "start.sh"


@dataclass(frozen=True)
class WorkerSettings:
    """`programs` is the folder that `ci/farm/buildbox.sh` makes; `name` tells the workers of one server apart."""

    build: BuildSettings
    executor: Executor
    programs: Path
    name: str


def run(catalogue: Catalogue, request: Request, settings: WorkerSettings, console: Console) -> None:
    """Make the toolchain of a request and run actions in it, until the server or a person ends it.

    Raises KilnError, whose kinds are the exit codes; CompileError where the worker ends by itself.
    """
    programs = settings.programs.absolute()
    if not (programs / START).is_file():
        raise UsageError(
            f"{programs} has no worker's programs", "make the folder with ci/farm/buildbox.sh FOLDER"
        )
    planned = plan.make(catalogue, request)
    home = settings.build.home
    home.tidy()
    with home.in_use(console), home.lock(name := f"worker-{os.getpid()}", console):
        doctor.require(settings.build.setup, settings.build.environment, console)
        try:
            with connect(settings.build.environment) as engine:
                needed = plan.tool_sources(planned)
                with console.station("sources"), console.transfers() as transfers:
                    vault = sources.Vault(home.sources)
                    obtained = sources.obtain(needed, vault, settings.build.sources, transfers)
                with console.station("toolchain"):
                    images = toolchain.ensure(
                        catalogue.root, planned, engine, home, settings.build.sources, console
                    )
                folder = home.builds / name
                bound = room.bound(None, settings.build.jobs)
                workspace = Workspace(
                    catalogue.root, planned, images, engine, home, obtained, folder, folder / "worker.log",
                    memory=bound,
                )  # fmt: skip
                runner = BuildRunner(workspace, settings.build.jobs)
                with console.station("tools"):
                    _make_tools(runner, planned, console)
                _work(runner, planned, settings, programs, console)
        finally:
            remove(home.builds / name)
            (home.locks / f"{name}.lock").unlink(missing_ok=True)


def _make_tools(runner: BuildRunner, planned: Plan, console: Console) -> None:
    """What a build's steps make before the compile, where it has them."""
    workspace = runner.workspace
    workspace.prepare()
    for source in planned.sources:
        if not source.is_file:
            # Nothing is compiled here but what others send.
            (workspace.trees / source.name).mkdir()
    ensure_interpreter(runner, console)
    for step in plan.tool_steps(planned):
        if step.script == VENVS_SCRIPT:
            ensure_venvs(runner, step, console)
        else:
            with console.steps(step.name) as line:
                runner.run(step, line)


def _work(
    runner: BuildRunner, planned: Plan, settings: WorkerSettings, programs: Path, console: Console
) -> None:
    executor, workspace = settings.executor, runner.workspace
    step = ContainerStep("compile", "worker", f"worker/{START}", "toolchain")
    variables = {
        **runner.environment(step),
        "KILN_WORKER_SOCKET": f"{sockets.FOLDER}/{relay.GRPC}",
        "KILN_WORKER_TOOLCHAIN": plan.tools_digest(planned),
        "KILN_WORKER_INSTANCE": executor.instance,
        "KILN_WORKER_NAME": settings.name,
    }
    mounts = [
        *runner.mounts(step),
        Mount(programs, FOLDER),
        Mount(workspace.sockets, sockets.FOLDER),
    ]
    console.note(
        f"worker {settings.name} of {executor.url}, {settings.build.jobs} actions at once, for the toolchain "
        f"{plan.tools_digest(planned)[:16]}; Ctrl-C ends it"
    )
    with relay.passing(executor, workspace.sockets):
        workspace.run(step, lambda text: None, variables, mounts)
