"""A worker: the toolchain of a recipe in a container that works for others, by an executor or by distcc."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from kiln import plan, sources
from kiln.build import BuildRunner, Workspace, ensure_interpreter, ensure_venvs
from kiln.commands.build import BuildSettings
from kiln.core import Console, UsageError, remove
from kiln.engine import Mount, connect, doctor, room, toolchain
from kiln.plan import VENVS_SCRIPT, ContainerStep, Plan, Request
from kiln.recipe import Catalogue
from kiln.shared import Others, distcc, helper_of, relay, sockets

# What starts each kind of worker in its container.
ACTIONS, FILES = "actions.sh", "files.sh"


@dataclass(frozen=True)
class Asked:
    """Whom a worker works for: the executor of `others` under a `name`, or whoever calls by distcc at `listen`."""

    others: Others
    listen: str = ""
    name: str = ""


def run(
    catalogue: Catalogue, request: Request, settings: BuildSettings, asked: Asked, console: Console
) -> None:
    """Make the toolchain of a request and work in it for other machines, until a person ends it.

    Raises KilnError, whose kinds are the exit codes; CompileError where the worker ends by itself.
    """
    if not (asked.others.executor or asked.listen):
        raise UsageError(
            "a worker works for somebody", "give --remote-executor grpc://HOST:PORT, or --listen HOST:PORT"
        )
    programs = distcc.with_programs(asked.others.programs, FILES if asked.listen else ACTIONS)
    planned = plan.make(catalogue, request)
    home = settings.home
    home.tidy()
    with home.in_use(console), home.lock(name := f"worker-{os.getpid()}", console):
        doctor.require(settings.setup, settings.environment, console)
        try:
            with connect(settings.environment) as engine:
                needed = plan.tool_sources(planned)
                with console.station("sources"), console.transfers() as transfers:
                    obtained = sources.obtain(
                        needed, sources.Vault(home.sources), settings.sources, transfers
                    )
                with console.station("toolchain"):
                    images = toolchain.ensure(
                        catalogue.root, planned, engine, home, settings.sources, console
                    )
                folder = home.builds / name
                bound = room.bound(None, settings.jobs)
                workspace = Workspace(
                    catalogue.root, planned, images, engine, home, obtained, folder, folder / "worker.log",
                    memory=bound,
                )  # fmt: skip
                runner = BuildRunner(workspace, settings.jobs)
                with console.station("tools"):
                    _make_tools(runner, planned, console)
                _work(runner, planned, asked, programs, console)
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


def _work(runner: BuildRunner, planned: Plan, asked: Asked, programs: Path, console: Console) -> None:
    workspace, tools = runner.workspace, plan.tools_digest(planned)
    name = asked.name or f"{socket.gethostname()}-{os.getpid()}"
    step = ContainerStep("compile", "worker", f"worker/{FILES if asked.listen else ACTIONS}", "toolchain")
    variables = {**runner.environment(step), "KILN_WORKER_TOOLCHAIN": tools, "KILN_WORKER_NAME": name}
    with contextlib.ExitStack() as stack:
        if asked.listen:
            address = helper_of(asked.listen, "--listen")
            port = stack.enter_context(distcc.helping(address, tools, workspace.sockets))
            variables["KILN_WORKER_SOCKET"] = f"{sockets.FOLDER}/{distcc.WAITING}"
            what = f"compiles for distcc at {address.host}:{port}, {runner.jobs} files"
        else:
            executor = asked.others.executor
            assert executor  # noqa: S101  (run has checked it)
            stack.enter_context(relay.passing(executor, workspace.sockets))
            variables["KILN_WORKER_SOCKET"] = f"{sockets.FOLDER}/{relay.GRPC}"
            variables["KILN_WORKER_INSTANCE"] = executor.instance
            what = f"{name} runs actions of {executor.url}, {runner.jobs}"
        console.note(f"the worker {what} at once, for the toolchain {tools[:16]}; Ctrl-C ends it")
        mounts = [
            *runner.mounts(step),
            Mount(programs, distcc.PROGRAMS),
            Mount(workspace.sockets, sockets.FOLDER),
        ]
        workspace.run(step, lambda text: None, variables, mounts)
