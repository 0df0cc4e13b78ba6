"""The way from a request to a recorded wheel: every station once, in order, under the key's lock."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiln import attest, plan, report, smoke, sources
from kiln.archive import Wheel, inspect_wheel
from kiln.build import (
    Budget,
    BuildRunner,
    Damage,
    Measured,
    Meter,
    Record,
    Workspace,
    bundle,
    cache,
    compile_wheel,
    ensure_interpreter,
    finish_wheel,
    read_measured,
    record,
)
from kiln.commands import beside, sign
from kiln.commands.printing import short_path
from kiln.core import BudgetError, Console, Home, duration, give, new, remove, sha256_of
from kiln.engine import Conditions, connect, cores, doctor, memory, room, toolchain
from kiln.plan import Plan, Request
from kiln.recipe import Catalogue
from kiln.shared import Others
from kiln.sources import licences

if TYPE_CHECKING:
    from kiln.engine import Engine


@dataclass(frozen=True)
class BuildSettings:
    """How this machine builds. Nothing in it changes what is built.

    With `alone` no other such build compiles at the same time: each takes all cores.
    """

    home: Home
    environment: Mapping[str, str]
    sources: sources.FetchSettings
    jobs: int
    alone: bool = False
    setup: bool = False
    keep: bool = False
    bundle: Path | None = None
    accept_licences: bool = False
    budget: Budget | None = None
    conditions: Conditions = field(default_factory=Conditions)
    signer: attest.Signer | None = None
    others: Others = field(default_factory=Others)


@dataclass(frozen=True)
class Result:
    """A finished build under dist/. `built` is False where the wheel was compiled by an earlier run."""

    plan: Plan
    record: Record
    built: bool


def run(catalogue: Catalogue, request: Request, settings: BuildSettings, console: Console) -> None:
    """Build what was asked for and print where it is."""
    show(build_wheel(catalogue, request, settings, console), console)


def build_wheel(catalogue: Catalogue, request: Request, settings: BuildSettings, console: Console) -> Result:
    """Build what was asked for, or take what was finished before under the same key.

    Raises KilnError, whose kinds are the exit codes.
    """
    meter = Meter()
    with console.station("plan"):
        planned = plan.make(catalogue, request)
    root = catalogue.root
    home, target = settings.home, root / "dist" / planned.folder
    home.tidy()
    with home.in_use(console), home.lock(planned.key, console):
        finished = _sound(record.find(home.results, planned.key), console)
        if finished and finished.smoke_key == planned.smoke_key:
            published = _publish(_signed(finished, settings), target, home, console)
            return Result(planned, published, built=False)
        earlier = finished or _sound(record.find(home.untested, planned.key), console)
        for shortage in room.shortages(
            plan.advice(catalogue, planned).needs, planned.sources, home, settings.jobs
        ):
            console.note(shortage)
        licences.require(licences.terms(root, planned.sources), home, settings.accept_licences, console)
        doctor.require(settings.setup, settings.environment, console)
        cache_size = cache.limit(settings.environment)
        with connect(settings.environment) as engine:
            begun, revision = time.time(), attest.revision_of(root)
            workspace, wheel = _prepared(catalogue, planned, earlier, settings, engine, console, meter)
            machine = _machine(settings, engine, meter)
            if earlier:
                described = earlier.described
            else:
                others = settings.others.addresses
                invocation = attest.provenance.Invocation(revision, begun, time.time(), others)
                described = _described(workspace, wheel, invocation)
                described[record.MEASURED] = meter.measured(console, machine).to_json()
                record.keep(home.untested, planned, wheel.path, workspace.log, described)
            tested = _tested(workspace, wheel, console)
            with console.station("record"):
                speed = workspace.build / smoke.SPEED
                reports = [tested.report, workspace.build / smoke.PAGE, *([speed] if speed.exists() else [])]
                measured = _measured(earlier, meter.measured(console, machine))
                described[record.MEASURED] = measured.to_json()
                finished = record.write(
                    home.results, planned, wheel.path, workspace.log, reports, described, report.PAGES
                )
                published = _publish(_signed(finished, settings), target, home, console)
            remove(home.untested / planned.key)
            workspace.discard()
            cache.prune(home.ccache, cache_size)
    return Result(planned, published, built=earlier is None)


def compile_only(catalogue: Catalogue, request: Request, settings: BuildSettings, console: Console) -> Record:
    """The wheel of a request in the home's `untested`, without the stations after `wheel`.

    Raises KilnError, whose kinds are the exit codes.
    """
    planned, home = plan.make(catalogue, request), settings.home
    with home.in_use(console), home.lock(planned.key, console):
        kept = _sound(record.find(home.untested, planned.key), console)
        if kept:
            return kept
        with connect(settings.environment, conditions=settings.conditions) as engine:
            workspace, wheel = _prepared(catalogue, planned, None, settings, engine, console, None)
            kept = record.keep(home.untested, planned, wheel.path, workspace.log)
            workspace.discard()
    return kept


def show(result: Result, console: Console) -> None:
    """Where the wheel is, how long each station took, how to install it, and where its GPU's part is tested."""
    wheel = result.record.wheel
    console.say()
    if not result.built and not set(console.times) & {"smoke"}:
        console.say(f"finished before under the same key; nothing was built ({result.plan.key[:16]})")
    times = ", ".join(f"{name} {duration(seconds)}" for name, seconds in console.times.items())
    size = wheel.stat().st_size / 1e6
    console.say(f"times    {times}")
    console.say(f"results  {short_path(result.record.folder)}")
    console.say(f"wheel    {wheel.name} ({size:.1f} MB)")
    if not (wheel.parent / record.SIGNATURES).exists():
        console.say("signed   no: `./inv sign` or --sign does it")
    console.say(f"report   {short_path(wheel.with_name(record.REPORT))}")
    console.say(f"install  pip install {shlex.quote(str(short_path(wheel)))}")
    if result.plan.variant.device != "cpu":
        # The container of the smoke run is given no GPU.
        console.say(f"on a GPU ./inv smoke {shlex.quote(str(short_path(wheel)))} --venv")


def _sound(found: Record | Damage | None, console: Console) -> Record | None:
    """A finished build, if it is there and not damaged."""
    if isinstance(found, Damage):
        console.note(f"{found.folder / found.file} is damaged: building again")
        return None
    return found


def _signed(finished: Record, settings: BuildSettings) -> Record:
    """The build with the signatures that were asked for."""
    signer = settings.signer
    if signer is None or sign.is_signed_by(finished, signer):
        return finished
    return sign.sign_record(finished, signer, settings.home)


def _publish(finished: Record, target: Path, home: Home, console: Console) -> Record:
    with home.lock("publish", console):
        return record.publish(finished, target)


def _prepared(
    catalogue: Catalogue,
    planned: Plan,
    earlier: Record | None,
    settings: BuildSettings,
    engine: Engine,
    console: Console,
    meter: Meter | None,
) -> tuple[Workspace, Wheel]:
    """The wheel, compiled, or that of an `earlier` run whose smoke suite has to run again."""
    root, home = catalogue.root, settings.home
    needed = smoke.needed_sources(planned) if earlier else planned.sources
    vault = sources.Vault(home.sources)
    if settings.bundle:
        with console.station("bundle"):
            bundle.take(settings.bundle, planned, vault, engine, home, console)
    making = beside.begun(
        lambda quiet: toolchain.ensure(root, planned, engine, home, settings.sources, quiet), console
    )
    with console.station("sources"), console.transfers() as transfers:
        obtained = sources.obtain(needed, vault, settings.sources, transfers)
    with console.station("toolchain"), console.status("making the images"):
        images = making()
    folder = home.builds / planned.key
    bound = room.bound(plan.advice(catalogue, planned).needs, settings.jobs)
    workspace = Workspace(
        root,
        planned,
        images,
        engine,
        home,
        obtained,
        folder,
        folder / record.LOG,
        settings.keep,
        bound,
        meter,
        settings.others.name,
    )
    tools = plan.tools_digest(planned)
    used = settings.others.used(planned.cache_name, tools, home.work, console.note)
    size = cache.limit(settings.environment)
    runner = BuildRunner(workspace, settings.jobs, settings.budget, size, used)
    if earlier:
        why = "has changed" if earlier.smoke_key else "was not passed"
        console.note(f"the smoke suite {why}: the wheel is tested again, not built again")
        workspace.prepare()
        ensure_interpreter(runner, console)
        workspace.log.write_bytes(earlier.log.read_bytes())
        return workspace, inspect_wheel(_copied(earlier.wheel, workspace))
    with _turn(planned, settings, console), console.station("compile"):
        try:
            compile_wheel(runner, console)
        finally:
            for line in used.summaries():
                console.note(line)
        if meter:
            meter.take_actions(workspace.build)
            meter.take_others(used)
    with console.station("wheel"):
        wheel = finish_wheel(runner, console)
    return workspace, wheel


@contextlib.contextmanager
def _turn(planned: Plan, settings: BuildSettings, console: Console) -> Iterator[None]:
    """Wait for another build that takes all cores, and have others wait. Raises BudgetError where the time ends first."""
    if not settings.alone:
        yield
        return
    waiting = "another build compiles with all cores: waiting for it (with --jobs N a build does not wait)"
    budget = settings.budget
    with contextlib.ExitStack() as stack:
        try:
            left = (lambda: budget.left) if budget else None
            stack.enter_context(settings.home.lock("compile", console, waiting, left))
        except TimeoutError as error:
            raise BudgetError(
                f"{planned.recipe.name} {planned.recipe.version} is not finished: its time budget ended while another "
                "build compiled",
                "run the same command again",
            ) from error
        yield


def _described(
    workspace: Workspace, wheel: Wheel, invocation: attest.provenance.Invocation
) -> dict[str, str]:
    """What is written of the build of a wheel: the files of its record by name."""
    vault = sources.Vault(workspace.home.sources)
    sbom = attest.sbom_of(wheel.path)
    return {
        **({record.SBOM: sbom} if sbom else {}),
        record.PROVENANCE: attest.provenance.statement(
            wheel.path.name, sha256_of(wheel.path), workspace.plan, workspace.obtained, vault, invocation
        ),
    }


def _machine(settings: BuildSettings, engine: Engine, meter: Meter) -> dict[str, str]:
    """Where this build runs, as its report says it."""
    return {
        "cores": str(cores()),
        "memory": f"{memory() / 1e9:.0f} GB",
        "compilers at once": str(settings.jobs),
        "container engine": f"{engine.name} {engine.version}",
        **meter.others(),
    }


def _measured(earlier: Record | None, now: Measured) -> Measured:
    """What was measured of a build, also where an earlier command has compiled its wheel."""
    before = read_measured(earlier.described.get(record.MEASURED, "")) if earlier else None
    return before.tested_again(now) if before else now


def _tested(workspace: Workspace, wheel: Wheel, console: Console) -> smoke.SmokeResult:
    """The result of the wheel's smoke run. Raises SmokeError where a test fails."""
    planned = workspace.plan
    place = smoke.ContainerRunner(workspace, smoke.smoke_variables(planned, wheel, planned.key))
    with console.station("smoke"):
        kept = (
            f"read why in {workspace.build / smoke.PAGE} or {workspace.log}; {_kept(workspace.home, planned)}"
        )
        result = smoke.run_suite(place, wheel, console, kept, {"build key": planned.key})
        console.note(f"smoke: {smoke.summary(result)}")
    return result


def _kept(home: Home, planned: Plan) -> str:
    """Where the wheel is if its suite fails."""
    folder = home.untested / planned.key
    if not folder.exists():
        return "the earlier result is left as it is"
    return f"the wheel is kept in {folder}: run again to test it again, remove that folder to build it again"


def _copied(file: Path, workspace: Workspace) -> Path:
    give(workspace.out, workspace.engine.owner)
    target = workspace.out / file.name
    with new(target) as copy:
        copy.write(file.read_bytes())
    return target
