"""The way from a request to a recorded wheel: every station once, in order, under the key's lock."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from kiln import plan, smoke, sources
from kiln.archive import inspect_wheel
from kiln.build import Budget, Workspace, bundle, compile_wheel, finish_wheel, record
from kiln.commands.printing import short_path
from kiln.core import Console, Home, duration, give, remove
from kiln.engine import connect, doctor, toolchain
from kiln.plan import Plan, Request
from kiln.sources import licences


@dataclass(frozen=True)
class BuildSettings:
    """How this machine builds. Nothing in it changes what is built."""

    home: Home
    sources: sources.FetchSettings
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


def build_wheel(root: Path, request: Request, settings: BuildSettings, console: Console) -> Result:
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


def run(root: Path, request: Request, settings: BuildSettings, console: Console) -> None:
    """Build what was asked for and print where it is."""
    show(build_wheel(root, request, settings, console), console)


def show(result: Result, console: Console) -> None:
    """Where the wheel is, how long each station took, how to install it, and where its GPU's part is tested."""
    wheel = result.wheel
    console.say()
    if not result.built and not set(console.times) & {"smoke"}:
        console.say(f"finished before under the same key; nothing was built ({result.plan.key[:16]})")
    times = ", ".join(f"{name} {duration(seconds)}" for name, seconds in console.times.items())
    size = wheel.stat().st_size / 1e6
    console.say(f"times    {times}")
    console.say(f"results  {short_path(result.folder)}")
    console.say(f"wheel    {wheel.name} ({size:.1f} MB)")
    console.say(f"install  pip install {shlex.quote(str(short_path(wheel)))}")
    if result.plan.variant.device != "cpu":
        # The container of the smoke run is given no GPU.
        console.say(f"on a GPU ./inv smoke {shlex.quote(str(short_path(wheel)))} --venv")


def _build(
    root: Path, planned: Plan, earlier: Path | None, settings: BuildSettings, console: Console
) -> Path:
    """The stations from the sources on; an `earlier` result, or a wheel whose smoke run failed, is only smoked."""
    home = settings.home
    licences.require(licences.terms(root, planned.sources), home, settings.accept_licences, console)
    doctor.require(settings.setup, os.environ, console, bootstrap=settings.bundle is None)
    vault = sources.Vault(home.sources)
    with connect(os.environ) as engine:
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
                compile_wheel(workspace, console)
            with console.station("wheel"):
                finished = finish_wheel(workspace, console)
            record.keep(home.unproved, planned, finished.path, workspace.log)
        else:
            why = "has changed" if earlier.parent == home.results else "was not passed"
            console.note(f"the smoke suite {why}: the wheel is smoked again, not built again")
            workspace.prepare()
            finished = inspect_wheel(_copy(record.wheel_in(earlier), workspace))
            workspace.log.write_bytes((earlier / "build.log").read_bytes())
        variables = {**smoke.told(planned, finished), **smoke.promised(planned, planned.key)}
        place = replace(workspace, variables=variables)
        with console.station("smoke"):
            kept = f"read why in {workspace.build / smoke.PAGE} or {workspace.log}; {_kept(home, planned)}"
            proved = smoke.run_suite(place, finished, console, kept, {"build key": planned.key})
            console.note(f"smoke: {smoke.summary(proved)}")
        with console.station("record"):
            reports = [proved.report, workspace.build / smoke.PAGE]
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
