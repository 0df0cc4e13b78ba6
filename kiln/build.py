"""The way from a request to a recorded wheel: every station once, in order, under the key's lock."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from kiln import (
    bundle,
    consent,
    container,
    doctor,
    plan,
    record,
    smoke,
    smoke_report,
    sources,
    toolchain,
    wheel,
)
from kiln import compile as compiling
from kiln.budget import Budget
from kiln.console import Console
from kiln.home import Home, give, remove
from kiln.plan import Plan, Request
from kiln.workspace import Workspace


@dataclass(frozen=True)
class Settings:
    """How this machine builds. Nothing in it changes what is built."""

    home: Home
    sources: sources.Settings
    jobs: int
    setup: bool = False
    offline: bool = False
    keep: bool = False
    bundle: Path | None = None
    accept_licences: bool = False
    budget: Budget | None = None


@dataclass(frozen=True)
class Result:
    """A finished build under dist/. `built` is False where the key was finished before."""

    plan: Plan
    folder: Path
    wheel: Path
    built: bool


def run(root: Path, request: Request, settings: Settings, console: Console) -> Result:
    """Build what was asked for, or take what was finished before under the same key.

    Raises KilnError, whose kinds are the exit codes.
    """
    with console.station("plan"):
        planned = plan.make(root, request)
    home = settings.home
    target = root / "dist" / planned.folder
    with home.in_use(console), home.lock(planned.key, console):
        finished = record.find(home.results, planned.key)
        if isinstance(finished, record.Damage):
            console.note(f"{finished.folder / finished.file} is damaged: building again")
            finished = None
        unproved = None if finished else record.kept(home.unproved, planned.key)
        built = finished is None and unproved is None
        if finished is None or record.smoke_key(finished) != planned.smoke_key:
            finished = _build(root, planned, finished or unproved, settings, console)
        with home.lock("publish", console):
            record.publish(finished, target)
    return Result(planned, target, record.wheel_in(target), built)


def _build(root: Path, planned: Plan, earlier: Path | None, settings: Settings, console: Console) -> Path:
    """The stations from the sources on; an `earlier` result, or a wheel whose smoke run failed, is only smoked."""
    home = settings.home
    consent.require(consent.terms(root, planned.sources), home, settings.accept_licences, console)
    doctor.require(settings.setup, os.environ, console, bootstrap=settings.bundle is None)
    vault = sources.Vault(home.sources)
    with container.connect(os.environ) as engine:
        if settings.bundle:
            with console.station("bundle"):
                bundle.take(settings.bundle, planned, vault, engine, home, console)
        with console.station("sources"), console.transfers() as transfers:
            obtained = sources.obtain(planned.sources, vault, settings.sources, transfers)
        with console.station("toolchain"):
            images = toolchain.ensure(root, planned, engine, home, console, settings.offline)
        workspace = Workspace(
            root, planned, images, engine, home, obtained, settings.jobs, settings.keep, settings.budget
        )
        if earlier is None:
            with console.station("compile"):
                compiling.run(workspace, console)
            with console.station("wheel"):
                finished = wheel.finish(workspace, console)
            record.keep(home.unproved, planned, finished.path, workspace.log)
        else:
            why = "has changed" if earlier.parent == home.results else "was not passed"
            console.note(f"the smoke suite {why}: the wheel is smoked again, not built again")
            workspace.prepare()
            finished = wheel.inspect(_copy(record.wheel_in(earlier), workspace))
            workspace.log.write_bytes((earlier / "build.log").read_bytes())
        variables = {**smoke.told(planned, finished), **smoke.promised(planned, planned.key)}
        place = replace(workspace, variables=variables)
        with console.station("smoke"):
            kept = f"read why in {workspace.build / smoke_report.PAGE} or {workspace.log}; {_kept(home, planned)}"
            proved = smoke.run(place, finished, console, kept, {"build key": planned.key})
            console.note(f"smoke: {smoke_report.summary(proved)}")
        with console.station("record"):
            reports = [proved.report, workspace.build / smoke_report.PAGE]
            folder = record.write(home.results, planned, finished.path, workspace.log, reports)
            remove(home.unproved / planned.key)
            workspace.discard()
    return folder


def _kept(home: Home, planned: Plan) -> str:
    """What is said of the wheel where its suite fails."""
    folder = home.unproved / planned.key
    if not folder.exists():
        return "the result of the suite before is left as it is"
    return f"the wheel is kept in {folder}: run again to smoke it again, remove that folder to build it again"


def _copy(file: Path, workspace: Workspace) -> Path:
    give(workspace.out, workspace.engine.owner)
    target = workspace.out / file.name
    target.write_bytes(file.read_bytes())
    return target
