"""`./inv doctor`: what a build needs of this machine, of its network, and for one recipe of its vault."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from kiln import plan, recipe, sources
from kiln.commands.printing import megabytes, plain_table
from kiln.core import Console, Finding, Home
from kiln.engine import doctor, gpu, room
from kiln.plan import Plan, Request
from kiln.recipe import Catalogue, cpu, cuda
from kiln.sources import FetchSettings, SourceStatus, Vault, licences, reach

# As many of the missing files that one place has are named.
NAMES = 8


@dataclass(frozen=True)
class DoctorSettings:
    """What is asked: `request` names a recipe, or only the device, `wheels` are looked at beside the GPUs."""

    environment: Mapping[str, str]
    sources: FetchSettings
    jobs: int
    wheels: Sequence[Path] = ()
    accept_licences: bool = False
    json: bool = False
    fix: bool = False


def run(catalogue: Catalogue, request: Request, settings: DoctorSettings) -> None:
    """Print what was found, each with its cure. With `fix`, what can be done safely is done first."""
    found = list(findings(catalogue, request, settings))
    if settings.fix:
        fixable = [each for each in found if each.fix and not each.good]
        for each in fixable:
            if each.fix:
                each.fix()
            Console().note(f"fixed: {each.what}: {each.found}")
        found = list(findings(catalogue, request, settings)) if fixable else found
    if settings.json:
        sys.stdout.write(to_json(found))
    else:
        show(found, Console.for_output())


def findings(catalogue: Catalogue, request: Request, settings: DoctorSettings) -> Iterator[Finding]:
    """All findings. With a recipe those of its plan, too; with a device or wheels and no recipe only those of GPUs."""
    root = catalogue.root
    if not request.recipe and (request.device or settings.wheels):
        yield from gpu.findings(root, gpu.present(), settings.wheels)
        return
    planned = plan.make(catalogue, request) if request.recipe else None
    yield from doctor.findings(settings.environment)
    base = planned.toolchain.base.name if planned else (recipe.bases.bases(root) or [""])[0]
    if base:
        suite = catalogue.base(base).suite
        locked = catalogue.base_lock(base).suites[0].epoch
        yield from reach.findings(settings.sources, suite, time.time(), locked)
    if planned:
        yield from of_plan(catalogue, planned, settings)


def of_plan(catalogue: Catalogue, planned: Plan, settings: DoctorSettings) -> Iterator[Finding]:
    """What one build needs: room, the processor, sources, licences, and for CUDA the GPUs."""
    home = Home.of(settings.environment)
    yield Finding("plan", True, f"{planned.recipe.name} {planned.recipe.version}, {planned.variant_name}")
    needs = plan.advice(catalogue, planned).needs
    short = room.shortages(needs, planned.sources, home, settings.jobs)
    if short:
        parts = (text.rpartition(": ") for text in short)
        yield from (Finding("room", False, found, cure) for found, _, cure in parts)
    elif needs:
        wanted = needs.memory_with(settings.jobs)
        yield Finding(
            "room", True, f"about {wanted / 1e9:.1f} GB of memory and {needs.disk / 1e3:.1f} GB of disk fit"
        )
    else:
        yield Finding("room", True, "not known: no such build was measured")
    yield processor(planned.variant.cpu_features, cpu.canonical("native"))
    yield from _sources(planned, Vault(home.sources), settings.sources)
    yield from _licences(catalogue, planned, home, settings)
    yield from _gpus(catalogue, planned)


def processor(asked: str, there: str) -> Finding:
    """Whether this machine runs what is compiled for the features `asked`: tools of a build and tests do."""
    missing = [each for each in asked.split(",") if each not in ("baseline", *there.split(","))]
    if not missing:
        return Finding("processor", True, f"has {asked}")
    cure = "give --cpu-features native, or build on another machine: the build runs what it compiles"
    return Finding("processor", False, f"does not have {', '.join(missing)}, which {asked} asks for", cure)


def _sources(planned: Plan, vault: Vault, settings: FetchSettings) -> Iterator[Finding]:
    wanted = (*planned.sources, *planned.toolchain.packages)
    found = sources.survey(wanted, vault, settings)
    yield from _damaged(found, vault)
    for what, part in (
        ("sources", found[: len(planned.sources)]),
        ("packages", found[len(planned.sources) :]),
    ):
        missing = [each for each in part if not each.path]
        size = sum(each.size or 0 for each in missing)
        known = f" ({megabytes(size)} MB)" if size else ""
        text = f"; {len(missing)} are missing{known}" if missing else ""
        yield Finding(what, True, f"{len(part) - len(missing)} of {len(part)} in the vault{text}")
        yield from _missing(missing, planned.recipe.name, settings.offline)


def _missing(missing: Sequence[SourceStatus], name: str, offline: bool) -> Iterator[Finding]:
    """A row for each list of places that can supply some of what is missing, in the order in which they are asked.

    With `offline` only places of this machine can.
    """
    groups: dict[str, dict[str, None]] = {}
    for each in missing:
        asked = ", ".join(dict.fromkeys(way.asked for way in each.supply if way.local or not offline))
        groups.setdefault(asked, {})[each.source.name] = None
    for asked, names in groups.items():
        listed = [*list(names)[:NAMES], *([f"{len(names) - NAMES} more"] if len(names) > NAMES else [])]
        who = ", ".join(listed)
        if asked:
            yield Finding("missing", True, f"{who}: from {asked}")
        else:
            cure = f"get it elsewhere: `./inv fetch {name} --folder DIR` takes it by its hash, or go online"
            yield Finding("missing", False, f"{who}: nobody can be asked", cure)


def _damaged(found: Sequence[SourceStatus], vault: Vault) -> Iterator[Finding]:
    """Files of the vault that do not have their hash; to drop them is safe, because none is ever used."""
    for each in found:
        hashes = {each.source.sha256, *(origin.sha256 for origin in each.source.origins)}
        damaged = sorted(
            sha256 for sha256 in hashes if sha256 and vault.path(sha256).exists() and not each.path
        )

        def fix(damaged: Sequence[str] = damaged) -> None:
            for sha256 in damaged:
                with vault.lock(sha256):
                    if vault.get(sha256) is None:
                        vault.drop(sha256)

        if damaged:
            cure = "run `./inv doctor` with --fix, which drops it: it is fetched again"
            yield Finding(each.source.name, False, f"{vault.path(damaged[0])} is damaged", cure, fix)


def _licences(catalogue: Catalogue, planned: Plan, home: Home, settings: DoctorSettings) -> Iterator[Finding]:
    wanted = licences.open_terms(licences.terms(catalogue.root, planned.sources), home)
    for each in () if settings.accept_licences else wanted:
        yield Finding(
            "licence", False, f"{each.title}: {each.url}", f"read it, then build with {licences.OPTION}"
        )


def _gpus(catalogue: Catalogue, planned: Plan) -> Iterator[Finding]:
    kit = catalogue.toolkit(planned.variant.device)
    if kit:
        wanted = cuda.architectures(kit, str(planned.options.get("cuda_arch", "")))
        yield from gpu.of_build(
            catalogue.root, gpu.present(), gpu.Code(kit.version, wanted.native, wanted.ptx)
        )


def to_json(found: Sequence[Finding]) -> str:
    """All findings for programs."""
    rows: list[dict[str, Any]] = [
        {
            "what": each.what,
            "good": each.good,
            "found": each.found,
            "cure": None if each.good else each.cure or None,
            "fixable": bool(each.fix) and not each.good,
        }
        for each in found
    ]
    return json.dumps(rows, indent=2) + "\n"


def show(found: Sequence[Finding], console: Console) -> None:
    """A row for each finding, then how many are not good."""
    table = plain_table("", "what", "found", "cure")
    for finding in found:
        mark = "[green]✓[/green]" if finding.good else "[red]✗[/red]"
        row = (finding.what, finding.found, "" if finding.good else finding.cure)
        table.add_row(mark, *map(escape, row))
    console.table(table)
