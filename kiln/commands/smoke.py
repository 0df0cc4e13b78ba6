"""A smoke run by itself: on any wheel, in containers or in an environment of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from kiln import build, plan, smoke, sources
from kiln.build import Workspace
from kiln.commands.printing import short_path
from kiln.core import (
    Console,
    Home,
    SourceError,
    UsageError,
    find_python,
    give,
    is_plain,
    new,
    remove,
    sha256_of,
)
from kiln.engine import connect, doctor, jobs, room, toolchain
from kiln.plan import Plan, Request
from kiln.recipe import Catalogue
from kiln.smoke import PAGE, ContainerRunner, SmokeResult, VenvRunner, WheelUnderTest
from kiln.sources import Obtained, Vault, licences


@dataclass(frozen=True)
class SmokeSettings:
    """`against` is a wheel's file or a requirement such as tensorflow==1.15.5; `venv` is a run without containers."""

    home: Home
    environment: Mapping[str, str]
    sources: sources.FetchSettings
    venv: bool = False
    against: str = ""
    setup: bool = False
    output: str = ""
    accept_licences: bool = False


@dataclass(frozen=True)
class Trial:
    """What was proved of which wheel, and the folder of its reports."""

    subject: WheelUnderTest
    proof: SmokeResult
    folder: Path


@dataclass(frozen=True)
class Opened:
    """A place for a run on a wheel, the folder for its reports, and who owns what containers write (None: this user)."""

    place: ContainerRunner | VenvRunner
    subject: WheelUnderTest
    folder: Path
    owner: int | None


def test_wheel(
    catalogue: Catalogue, given: str, asked: Request, settings: SmokeSettings, console: Console
) -> Trial:
    """Smoke a wheel, by default the newest under dist/; its reports go to dist/smoke/ or `settings.output`.

    Raises SmokeError where a test fails; the reports are there then, too.
    """
    with opened(catalogue, given, asked, settings, console) as place:
        return _run(place, settings, console)


@contextmanager
def opened(
    catalogue: Catalogue,
    given: str,
    asked: Request,
    settings: SmokeSettings,
    console: Console,
    upstream: bool = False,
) -> Iterator[Opened]:
    """The place for a run on a wheel, by default the newest under dist/; with its recipe's `upstream` tree if asked.

    Raises UsageError where there is no such wheel or tree.
    """
    root = catalogue.root
    path = Path(given).absolute() if given else smoke.newest_wheel(root / "dist")
    if not path.is_file():
        raise UsageError(f"{path} is not a file", "name a wheel, or none for the newest under dist/")
    found = smoke.wheel_under_test(catalogue, path, asked)
    for note in found.notes:
        console.note(note)
    request = found.request
    if settings.venv and not request.python_prefix:
        request = replace(request, python_prefix=_on_this_machine(request.python, settings.environment))
    planned = plan.make(catalogue, request)
    # The interpreter of a run on this machine is another than the one of the build.
    if not (found.foreign or settings.venv) and planned.key != found.key:
        console.note(
            "the recipe gives another build key now: the wheel is tested as the plan that built it says"
        )
    home = settings.home
    with home.in_use(console), home.lock(name := f"smoke-{os.getpid()}", console):
        trees = smoke.upstream_trees(planned) if upstream else ()
        needed = (*smoke.needed_sources(planned), *trees)
        licences.require(licences.terms(root, needed), home, settings.accept_licences, console)
        with console.station("sources"), console.transfers() as transfers:
            obtained = sources.obtain(needed, Vault(home.sources), settings.sources, transfers)
        variables = smoke.smoke_variables(planned, found.wheel, found.key)
        if found.foreign and asked.cpu_features:
            variables["KILN_CPU_FEATURES"] = planned.variant.cpu_features
        target = Path(settings.output).absolute() if settings.output else root / "dist/smoke" / path.stem
        target.mkdir(parents=True, exist_ok=True)
        log = target / ("upstream.log" if upstream else "smoke.log")
        log.write_bytes(b"")
        try:
            if settings.venv:
                place = VenvRunner(root, planned, home.work / name, obtained, variables, log)
                place.prepare()
                _put(found.wheel.path, obtained, place)
                yield Opened(place, found, target, None)
                return
            doctor.require(settings.setup, settings.environment, console)
            with connect(settings.environment) as engine:
                with console.station("toolchain"):
                    images = toolchain.ensure(root, planned, engine, home, settings.sources, console)
                folder = home.builds / name
                workspace = Workspace(
                    root, planned, images, engine, home, obtained, folder, log, memory=room.bound(None, 1)
                )
                workspace.prepare()
                build.ensure_interpreter(build.BuildRunner(workspace, jobs(0)), console)
                runner = ContainerRunner(workspace, variables)
                _put(found.wheel.path, obtained, runner)
                yield Opened(runner, found, target, engine.owner)
        finally:
            for folder in (home.work / name, home.builds / name):
                remove(folder)
            (home.locks / f"{name}.lock").unlink(missing_ok=True)


def _put(wheel: Path, obtained: Iterable[Obtained], place: ContainerRunner | VenvRunner) -> None:
    """The wheel, and the trees among the sources, where a run expects them."""
    _copy(wheel, place.out / wheel.name)
    for each in obtained:
        if not each.source.is_file:
            sources.unpack_tree(each, place.trees / each.source.name, place.plan.recipe.source_date_epoch)


def run(catalogue: Catalogue, given: str, asked: Request, settings: SmokeSettings, console: Console) -> None:
    """Smoke a wheel and print where its reports are."""
    made = test_wheel(catalogue, given, asked, settings, console)
    console.say(f"reports  {short_path(made.folder)}")


def _run(opened: Opened, settings: SmokeSettings, console: Console) -> Trial:
    place, found, target = opened.place, opened.subject, opened.folder
    about = {"wheel from": found.origin, "suite": _suite(place.plan), "run in": _where(place)}
    if settings.against:
        other = get_against(settings.against, opened, console)
        about["compared with"] = f"{other.name} (sha256 {sha256_of(other)})"
    kept = f"read why in {target / PAGE} or {place.log}"
    try:
        with console.station("smoke"):
            proved = smoke.run_suite(place, found.wheel, console, kept, about)
        if settings.against and proved.speed and not proved.speed.against:
            console.note(
                f"{settings.against} does not run here, so nothing was timed beside it: see {place.log}"
            )
    finally:
        for file in (place.build / smoke.REPORT, place.build / PAGE):
            if is_plain(file):
                _copy(file, target / file.name)
        if is_plain(place.build / smoke.REPORT):
            smoke.table(smoke.read_results(place.build), Console.for_output())
    return Trial(found, proved, target)


def get_against(text: str, opened: Opened, console: Console) -> Path:
    """The other wheel of a comparison, where a run expects it."""
    folder = opened.place.out / "against"
    with console.status(f"getting {text}"):
        other = against(text, opened.place.plan.variant.python, folder)
    give(folder, opened.owner, all_inside=True)
    return other


def _copy(file: Path, target: Path) -> None:
    """Copy a file from or into a folder in which containers write."""
    with file.open("rb") as source, new(target) as copy:
        shutil.copyfileobj(source, copy)


def against(text: str, python: str, folder: Path) -> Path:
    """The other wheel of a comparison, put into `folder`: a file, or what pip finds for a requirement.

    Raises UsageError or SourceError where there is none for Python `python`.
    """
    folder.mkdir(parents=True)
    if text.endswith(".whl"):
        path = Path(text)
        if not path.is_file():
            raise UsageError(
                f"--against {text} is not a file", "name a wheel, or a requirement such as name==1.0"
            )
        return Path(shutil.copyfile(path, folder / path.name))
    number = python.replace(".", "")
    abi = f"cp{number}m" if number in ("36", "37") else f"cp{number}"
    platforms = ("manylinux_2_28", "manylinux_2_17", "manylinux2014", "manylinux2010", "manylinux1")
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--dest", str(folder), "--python-version", number,
        "--implementation", "cp", "--abi", abi, "--abi", "abi3", "--abi", "none",
        *(part for each in platforms for part in ("--platform", f"{each}_x86_64")),
        "--", text,
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")] or [
            "it gave no reason"
        ]
        raise SourceError(
            f"--against {text}: pip finds no wheel of it for Python {python} ({said[-1]})",
            "name a wheel's file, or another requirement",
        )
    return wheels[0]


def _on_this_machine(python: str, environment: Mapping[str, str]) -> str:
    """The prefix of this machine's interpreter of a version; UsageError where there is none."""
    found = find_python(python, environment)
    if found is None:
        raise UsageError(
            f"there is no working python{python} in PATH or pyenv for an environment on this machine",
            "give --python-prefix DIR, or leave out --venv",
        )
    return str(found.prefix)


def _suite(planned: Plan) -> str:
    return f"{planned.recipe.smoke.suite}, of {planned.recipe.name} {planned.recipe.version}"


def _where(place: ContainerRunner | VenvRunner) -> str:
    if isinstance(place, VenvRunner):
        return "a virtual environment of this machine"
    return f"a container without a network ({place.workspace.engine.name}, {place.plan.variant.base})"
