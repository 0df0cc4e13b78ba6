"""`./inv sources`: which sources are in the vault, and what can supply the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape

from kiln import plan, sources
from kiln.commands.printing import megabytes, plain_table
from kiln.core import Console, Home
from kiln.plan import Request
from kiln.recipe import Catalogue, RegistryImage
from kiln.sources import FetchSettings, SourceStatus, Vault


@dataclass(frozen=True)
class ImageStatus:
    """An image by name, and the status of each of its packages."""

    name: str
    packages: tuple[SourceStatus, ...]

    @property
    def missing(self) -> tuple[SourceStatus, ...]:
        return tuple(each for each in self.packages if not each.path)


def run(
    catalogue: Catalogue,
    request: Request,
    home: Home,
    settings: FetchSettings,
    check_origins: bool,
    packages: bool,
    json_wanted: bool,
) -> None:
    """Print the status of every source of a request's plan, and of the packages of its images.

    With `packages` each of these has a row, too.
    """
    made = plan.make(catalogue, request)
    wanted = (*made.sources, *made.toolchain.packages)
    found = sources.survey(wanted, Vault(home.sources), settings, check_origins)
    if json_wanted:
        sys.stdout.write(to_json(found))
        return
    count = len(made.sources)
    by_digest = {each.source.digest: each for each in found[count:]}
    images = [
        ImageStatus(image.name, tuple(by_digest[package.sha256] for package in image.packages))
        for image in made.toolchain.images
    ]
    registry = made.toolchain.runtime.registry
    start = (registry, Vault(home.sources).get(registry.sha256) is not None) if registry else None
    show(found[:count], Console.for_output(), images, packages, start)


def show(
    statuses: Sequence[SourceStatus],
    console: Console,
    images: Sequence[ImageStatus] = (),
    packages: bool = False,
    start: tuple[RegistryImage, bool] | None = None,
) -> None:
    """Each source, whether it is in the vault, its size, and where it came from or could come from.

    Then a line for each image; with `packages` all their packages have a row like sources. `start` is the registry image
    that they start from, and whether it is in the vault.
    """
    # What two images have in common counts once.
    belonging = tuple({each.source.digest: each for image in images for each in image.packages}.values())
    table = plain_table("", "source", "MB", "from")
    for each in (*statuses, *(belonging if packages else ())):
        size = "?" if each.size is None else megabytes(each.size)
        where = (each.origin or "not recorded") if each.path else f"missing; {_supplied(each)}"
        name = each.source.name + (f" ({each.source.use})" if each.source.use != "input" else "")
        table.add_row(_mark(each.path is not None), escape(name), size, escape(where))
    console.table(table)
    console.say()
    there = [each for each in statuses if each.path]
    console.say(f"{len(there)} of {len(statuses)} in the vault ({_size(there)} MB)")
    if images:
        table = plain_table("", "image", "packages", "MB", "in the vault")
        for image in images:
            missing = image.missing
            where = "all"
            if missing:
                asked = "; ".join(dict.fromkeys(map(_supplied, missing)))
                where = f"{len(missing)} missing ({_size(missing)} MB); {asked}"
            row = (image.name, str(len(image.packages)), _size(image.packages), where)
            table.add_row(_mark(not missing), *map(escape, row))
        if start:
            registry, present = start
            table.add_row(
                _mark(present),
                escape(registry.image),
                "",
                "",
                "all" if present else "missing; ask its registry",
            )
        console.say()
        console.table(table)
    everything = (*statuses, *belonging)
    if any(each.answers for each in everything):
        dead = [(each, answer) for each in everything for answer in each.dead]
        console.say(f"{len(dead)} dead URLs" + (":" if dead else ""))
        for each, answer in dead:
            console.say(f"  {each.source.name}: {answer.url} {answer.reason}")
            for other in each.answers:
                if not other.reason:
                    console.say(f"    but it is at {other.url}")


def to_json(statuses: Sequence[SourceStatus]) -> str:
    """The same for programs."""
    return json.dumps([each.to_json() for each in statuses], indent=2, sort_keys=True) + "\n"


def _supplied(status: SourceStatus) -> str:
    """What could supply a missing source, in short: the URLs known to have it, else all that can be asked."""
    alive = [answer.url for answer in status.answers if not answer.reason]
    if alive:
        return f"is at {', '.join(alive)}"
    return "ask " + (", ".join(dict.fromkeys(each.asked for each in status.supply)) or "nobody")


def _mark(there: bool) -> str:
    return "[green]✓[/green]" if there else "[red]✗[/red]"


def _size(statuses: Sequence[SourceStatus]) -> str:
    return megabytes(sum(each.size or 0 for each in statuses))
