"""`./inv verify`: a recorded wheel, built again from nothing under other conditions, and compared byte for byte."""

from __future__ import annotations

import contextlib
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kiln import attest, plan, report, smoke, sources
from kiln.attest import Arrangement, Environment, Reproduced, Seen, State
from kiln.build import Record, bundle, record
from kiln.commands import verify_process
from kiln.commands.build import BuildSettings, build_wheel
from kiln.commands.printing import short_path
from kiln.core import Console, DifferenceError, Home, UsageError, duration, remove, sha256_of
from kiln.engine import connect, doctor, other_engine, toolchain
from kiln.plan import Plan, Request
from kiln.recipe import Catalogue
from kiln.sources import Obtained, Vault, licences

# What of a request a wheel itself says.
_OF_WHEEL = ("release", "device", "base", "python", "cpu_features", "options")
_LISTED = 10
_FILES, _HOME = "files", "another-home-of-kiln"


@dataclass(frozen=True)
class Subject:
    """The wheel that is built again, the request and plan that give it, and the folders that record it."""

    request: Request
    plan: Plan
    wheel: Path
    records: tuple[Record, ...]


@dataclass(frozen=True)
class Machine:
    """What a rebuild is given: its sources, how it is arranged, the two engines, and what containers see."""

    obtained: tuple[Obtained, ...]
    arranged: Arrangement
    engines: tuple[str, str]
    seen: tuple[Seen, Seen]


@dataclass(frozen=True)
class Rebuilt:
    """A finished rebuild, in its own home and checkout."""

    wheel: Path
    log: Path
    state: State
    checkout: Path
    home: Path


def run(
    catalogue: Catalogue,
    asked: Request,
    wheel: str,
    settings: BuildSettings,
    chosen: tuple[str, ...],
    console: Console,
) -> None:
    """Build a wheel again and say whether it is the same: that of `wheel`, or of the request `asked`.

    Raises DifferenceError where the bytes differ, and every error of a build.
    """
    if settings.setup and (missing := attest.packages(chosen)):
        doctor.install(missing, settings.environment, console)
    subject = _subject(catalogue, asked, wheel, settings, console)
    home, root, name = settings.home, catalogue.root, subject.plan.key[:16]
    licences.require(licences.terms(root, subject.plan.sources), home, settings.accept_licences, console)
    doctor.require(settings.setup, settings.environment, console)
    folder = home.verify / name
    with home.in_use(console), home.lock(f"verify-{name}", console):
        attest.unmount(folder / "seen")
        state = attest.begin(folder, chosen)
        if state.runs:
            console.note("going on with a rebuild: nothing but its own earlier runs has filled its caches")
        with contextlib.ExitStack() as stack:
            machine, work = _machine(root, subject.plan, settings, chosen, folder, stack, console)
            _show(machine.arranged, console)
            rebuilt = _rebuilt(root, subject, settings, machine, state, folder, work, stack)
            if _same(subject.wheel, rebuilt.wheel):
                error = None
                about = _reproduced(root, subject, rebuilt, machine, settings)
            else:
                error = _different(root, subject, rebuilt, console)
                _withdraw(subject.records, console)
        remove(folder)
        if error:
            raise error
        _record(root, subject, about, console)


def _subject(
    catalogue: Catalogue, asked: Request, wheel: str, settings: BuildSettings, console: Console
) -> Subject:
    if wheel:
        return _of_wheel(catalogue, Path(wheel), asked, settings.home)
    return _of_request(catalogue, asked, settings, console)


def _of_request(catalogue: Catalogue, asked: Request, settings: BuildSettings, console: Console) -> Subject:
    """The wheel of a request: as it is recorded, or built now."""
    planned = plan.make(catalogue, asked)
    places = (settings.home.results / planned.key, catalogue.root / "dist" / planned.folder)
    found = _recorded(planned, places)
    if not found:
        console.note("this plan is not recorded yet: its wheel is built first, then built again")
        build_wheel(catalogue, asked, settings, console)
        found = _recorded(planned, places)
    return Subject(asked, planned, found[0].wheel, found)


def _of_wheel(catalogue: Catalogue, path: Path, asked: Request, home: Home) -> Subject:
    """A wheel's file, with its records beside it and in the home, if there are any.

    Raises UsageError where this checkout does not build it.
    """
    if any(getattr(asked, name) for name in _OF_WHEEL):
        raise UsageError("a wheel says itself what it is", "leave out the options that choose a variant")
    path = path.absolute()
    if not path.is_file():
        raise UsageError(f"{path} is not a file", "name a wheel, or a recipe")
    found = smoke.wheel_under_test(catalogue, path, asked)
    if found.foreign:
        raise UsageError(f"{path} was not built by Kiln", "name a wheel that was, or a recipe")
    request = replace(found.request, substitute=asked.substitute, accept_tree_hash=asked.accept_tree_hash)
    planned = plan.make(catalogue, request)
    if planned.key != found.key:
        raise UsageError(
            f"{path.name} has the build key {found.key[:16]}, and this checkout builds {planned.key[:16]}",
            "check out the commit that it was built from, and give the same --substitute",
        )
    return Subject(
        request, planned, path, _recorded(planned, (path.parent, home.results / planned.key), path)
    )


def _recorded(planned: Plan, places: tuple[Path, ...], wheel: Path | None = None) -> tuple[Record, ...]:
    """The sound records of a plan among some folders: those of `wheel`, else of the first wheel that is found."""
    read = (record.read(place) for place in places if place.exists())
    found = [each for each in read if isinstance(each, Record) and each.plan.key == planned.key]
    return tuple(each for each in found if _same(wheel or found[0].wheel, each.wheel))


def _machine(
    root: Path,
    planned: Plan,
    settings: BuildSettings,
    chosen: tuple[str, ...],
    folder: Path,
    stack: contextlib.ExitStack,
    console: Console,
) -> tuple[Machine, Path]:
    """What the rebuild is given, and the folder for its files; mounts and engines stay as long as `stack`."""
    home, environment = settings.home, settings.environment
    missing: dict[str, str] = {}
    work = folder / _FILES
    work.mkdir(exist_ok=True)
    if "order" in chosen:
        missing["order"] = stack.enter_context(attest.shuffled(work, folder / "seen"))
        work = work if missing["order"] else folder / "seen"
    with connect(environment) as engine:
        usual = engine.name
    if "engine" in chosen:
        other = stack.enter_context(other_engine(environment, usual))
        missing["engine"] = "" if other else f"only {usual} answers here: install and start the other engine"
        environment = other or environment
    with connect(environment) as engine:
        vault = Vault(home.sources)
        if settings.bundle:
            bundle.take(settings.bundle, planned, vault, engine, home, console)
        with console.station("sources"), console.transfers() as transfers:
            obtained = sources.obtain(planned.sources, vault, settings.sources, transfers)
        with console.station("toolchain"):
            image = toolchain.ensure(root, planned, engine, home, settings.sources, console).toolchain
        inside = _fresh(folder / "inside")
        arranged = attest.arrange(chosen, environment, settings.jobs, engine.owner is not None, inside)
        before = attest.see(engine, image, str(folder), attest.lay_out(inside / "order"))
    with connect(environment, conditions=arranged.conditions) as engine:
        now = attest.see(engine, image, str(folder), attest.lay_out(_fresh(work / "inside") / "order"))
        engines = (usual, engine.name)
    missing = {name: why for name, why in {**missing, **arranged.missing}.items() if why}
    possible = tuple(name for name in chosen if name not in missing)
    missing |= attest.unseen(before, now, possible)
    return Machine(obtained, replace(arranged, missing=missing), engines, (before, now)), work


def _rebuilt(
    root: Path,
    subject: Subject,
    settings: BuildSettings,
    machine: Machine,
    state: State,
    folder: Path,
    work: Path,
    stack: contextlib.ExitStack,
) -> Rebuilt:
    """The wheel, built again below `work`."""
    planned, arranged, checkout = subject.plan, machine.arranged, root
    home = Home(work / _HOME)
    # A hard link goes to the disk itself, not through what is mounted on it.
    vault = Vault(Home(folder / _FILES / _HOME).sources)
    attest.link_sources(machine.obtained, Vault(settings.home.sources), vault)
    around = {**arranged.environment, "KILN_HOME": str(home.path)}
    if "paths" in arranged.chosen:
        checkout = work / "another" / "checkout"
        attest.copy_checkout(root, planned, checkout, arranged.umask)
        # Podman's socket lies there, and the name of a socket may not be long.
        around["TMPDIR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="another-"))
    # The process has another current folder.
    given = {name: path.absolute() for name, path in subject.request.substitute.items()}
    request = replace(subject.request, python_prefix=planned.interpreter.prefix, substitute=given)
    process = verify_process.Rebuild(
        request, checkout, home.path, arranged.jobs, settings.keep, settings.budget,
        arranged.conditions,
    )  # fmt: skip
    begun = time.monotonic()
    try:
        verify_process.start(process, around, arranged.umask, folder)
    finally:
        state = state.after(time.monotonic() - begun)
        state.write(folder)
    made = record.find(home.untested, planned.key)
    if not isinstance(made, Record):
        raise UsageError(
            f"{home.untested} was changed while the wheel was built", "run the same command again"
        )
    return Rebuilt(made.wheel, made.log, state, checkout, home.path)


def _same(recorded: Path, rebuilt: Path) -> bool:
    return recorded.name == rebuilt.name and sha256_of(recorded) == sha256_of(rebuilt)


def _reproduced(
    root: Path, subject: Subject, rebuilt: Rebuilt, machine: Machine, settings: BuildSettings
) -> Reproduced:
    arranged, (usual, other) = machine.arranged, machine.engines
    before, now = (seen.as_dict() for seen in machine.seen)
    umask, kernel = attest.usual_umask(), platform.release()

    def variables(environment: Mapping[str, str]) -> dict[str, str]:
        return {name: environment[name] for name in attest.VARIABLES if name in environment}

    return Reproduced(
        build_key=subject.plan.key,
        wheel=subject.wheel.name,
        sha256=sha256_of(subject.wheel),
        begun=rebuilt.state.begun,
        ended=attest.now(),
        runs=rebuilt.state.runs,
        seconds=rebuilt.state.seconds,
        kiln=attest.revision_of(root),
        varied=arranged.varied,
        not_varied=arranged.missing,
        left_out=[name for name in attest.VARIATIONS if name not in arranged.chosen],
        usual=Environment(
            usual, kernel, str(settings.home.path), str(root), f"{umask:04o}", settings.jobs,
            variables(settings.environment), before,
        ),
        rebuild=Environment(
            other, kernel, str(rebuilt.home), str(rebuilt.checkout), f"{arranged.umask:04o}", arranged.jobs,
            variables(arranged.environment), now,
        ),
    )  # fmt: skip


def _record(root: Path, subject: Subject, about: Reproduced, console: Console) -> None:
    """Print what was found, and add it to every record of the wheel; without one it goes to dist/verify/."""
    text = about.to_json()
    if subject.records:
        places = [
            record.add(each, attest.REPRODUCED, text, report.pages_of(each)).folder
            for each in subject.records
        ]
    else:
        places = [_fresh(root / "dist/verify" / subject.plan.folder)]
        (places[0] / attest.REPRODUCED).write_text(text, encoding="utf-8")
    console.say()
    console.say(f"equal      {about.wheel}")
    console.say(f"sha256     {about.sha256}")
    console.say(f"built in   {duration(about.seconds)}{f', {about.runs} runs' if about.runs > 1 else ''}")
    console.say(f"recorded   {short_path(places[-1] / attest.REPRODUCED)}")


def _withdraw(records: tuple[Record, ...], console: Console) -> None:
    """Take back what an earlier verification has recorded."""
    for each in records:
        if (each.folder / attest.REPRODUCED).exists():
            attest.withdraw(each, attest.REPRODUCED, report.PAGES)
            console.note(
                f"{short_path(each.folder / attest.REPRODUCED)} said that it is the same, and is removed"
            )


def _different(root: Path, subject: Subject, rebuilt: Rebuilt, console: Console) -> DifferenceError:
    """Keep both wheels and the reports under dist/verify/; the error names them, and the first differences."""
    folder = _fresh(root / "dist/verify" / subject.plan.folder)
    kept: list[Path] = []
    for side, wheel in (("recorded", subject.wheel), ("rebuilt", rebuilt.wheel)):
        (folder / side).mkdir()
        kept.append(Path(shutil.copyfile(wheel, folder / side / wheel.name)))
    shutil.copyfile(rebuilt.log, folder / "rebuilt" / record.LOG)
    recorded, again = kept
    found = attest.differences(recorded, again)
    html, text, listed = (folder / name for name in ("difference.html", "difference.txt", "members.txt"))
    listed.write_text(attest.listing(found), encoding="utf-8")
    with console.status("comparing with diffoscope"):
        if attest.diffoscope(recorded, again, found, html, text):
            reports = [listed, text, html]
        else:
            failed = "failed: run it on the two wheels to see why"
            absent = "is not installed: install diffoscope-minimal and run again for its report"
            console.note(f"diffoscope {failed if shutil.which(attest.DIFFOSCOPE) else absent}")
            reports = [listed]
    shown = attest.listing(found[:_LISTED]).splitlines()
    more = [f"and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    paths = [f"both wheels: {short_path(folder)}", *(f"report: {short_path(each)}" for each in reports)]
    return DifferenceError(
        f"{subject.wheel.name} was built again with other bytes: {len(found)} of its members differ",
        "find the cause of the first; --vary NAME verifies with one variation alone",
        detail="\n".join(f"  {line}" for line in (*shown, *more, *paths)),
    )


def _show(arranged: Arrangement, console: Console) -> None:
    console.say(f"varied     {', '.join(arranged.varied) or 'nothing but the home'}")
    for name, why in arranged.missing.items():
        console.note(f"not varied: {name}: {why}")


def _fresh(folder: Path) -> Path:
    remove(folder)
    folder.mkdir(parents=True)
    return folder
