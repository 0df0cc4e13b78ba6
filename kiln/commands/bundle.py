"""`./inv bundle`: all that a build needs in one file."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln import plan, sources
from kiln.build import bundle
from kiln.commands.printing import megabytes, short_path
from kiln.core import Console, Home, sha256_of
from kiln.engine import Engine, connect, doctor, start, toolchain
from kiln.plan import Plan, Request
from kiln.recipe import Catalogue
from kiln.sources import FetchSettings, Vault, licences


@dataclass(frozen=True)
class BundleSettings:
    """How a bundle is made on this machine; `output` is the file, empty for one under dist/.

    With `packages` it holds the packages that the images are made of, and not the images.
    """

    home: Home
    environment: Mapping[str, str]
    sources: FetchSettings
    output: str = ""
    setup: bool = False
    accept_licences: bool = False
    packages: bool = False


def run(catalogue: Catalogue, request: Request, settings: BundleSettings, console: Console) -> None:
    """Write the bundle of a request and print how it is used. Raises KilnError."""
    with console.station("plan"):
        planned = plan.make(catalogue, request)
    home = settings.home
    root = catalogue.root
    licences.require(licences.terms(root, planned.sources), home, settings.accept_licences, console)
    if not settings.packages:
        doctor.require(settings.setup, settings.environment, console)
    target = (
        Path(settings.output).absolute()
        if settings.output
        else root / "dist" / f"{_slug(planned)}.bundle.tar"
    )
    with home.in_use(console), contextlib.ExitStack() as stack:
        # Packages need no engine. Where one is needed, that it is there is known before anything is fetched.
        engine = None if settings.packages else stack.enter_context(connect(settings.environment))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=home.work)))
        wanted = (*planned.sources, *(() if engine else planned.toolchain.packages))
        with console.station("sources"), console.transfers() as transfers:
            obtained = sources.obtain(wanted, Vault(home.sources), settings.sources, transfers)
        roots = (
            _roots(root, planned, settings, engine, folder, console)
            if engine
            else _start(planned, settings, console)
        )
        with console.station("bundle"), console.status(target.name):
            bundle.write(planned, obtained, roots, target)
    if planned.interpreter.kind == "prefix":
        console.note(f"the interpreter in {planned.interpreter.prefix} is not in the bundle: take it along")
    show(target, planned, Console.for_output())


def _roots(
    root: Path, planned: Plan, settings: BundleSettings, engine: Engine, folder: Path, console: Console
) -> list[tuple[bundle.Packed, Path]]:
    """The root file systems of a plan's images as files in a folder."""
    with console.station("toolchain"):
        images = toolchain.ensure(root, planned, engine, settings.home, settings.sources, console)
        roots = []
        for tag, image in zip((images.runtime, images.toolchain), planned.toolchain.images):
            with console.status(f"packing {tag}"):
                roots.append(bundle.root_of(tag, image, engine, folder))
        return roots


def _start(planned: Plan, settings: BundleSettings, console: Console) -> list[tuple[bundle.Packed, Path]]:
    """The root file system that the images start from, where they do not start from nothing."""
    registry = planned.toolchain.runtime.registry
    if registry is None:
        return []
    path = start.fetch(registry, settings.home, settings.sources, console)
    return [(bundle.Packed(registry.sha256, path.stat().st_size), path)]


def show(file: Path, plan: Plan, console: Console) -> None:
    """Where a bundle is, its hash to compare where it arrives, and how it is used there."""
    console.say(f"bundle   {short_path(file)} ({megabytes(file.stat().st_size)} MB)")
    console.say(f"sha256   {sha256_of(file)}")
    recipe = f"{plan.recipe.name}/{plan.recipe.version}"
    console.say(
        f"there    ./inv build {recipe} --bundle {shlex.quote(file.name)} --offline [the same options]"
    )


def _slug(planned: Plan) -> str:
    return f"{planned.recipe.name}-{planned.recipe.version}-{planned.variant_name}"
