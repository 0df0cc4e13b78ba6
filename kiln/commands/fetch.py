"""`./inv fetch`: every source of a recipe into the vault."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from kiln import plan, sources
from kiln.commands.printing import megabytes, plain_table
from kiln.core import Console, Home
from kiln.engine import start
from kiln.plan import Request
from kiln.recipe import Catalogue
from kiln.sources import FetchSettings, Obtained, Vault, licences


def run(
    catalogue: Catalogue,
    request: Request,
    home: Home,
    settings: FetchSettings,
    accept: bool,
    console: Console,
    json_wanted: bool = False,
) -> None:
    """Fetch the sources of a request's plan and the packages of its images, and print where each came from."""
    made = plan.make(catalogue, request)
    vault = Vault(home.sources)
    licences.require(licences.terms(catalogue.root, made.sources), home, accept, console)
    with home.in_use(console), console.station("sources"), console.transfers() as transfers:
        obtained = sources.obtain((*made.sources, *made.toolchain.packages), vault, settings, transfers)
    registry = made.toolchain.runtime.registry
    if registry:
        with home.in_use(console), console.station("image"):
            start.fetch(registry, home, settings, console)
    if json_wanted:
        sys.stdout.write(to_json(obtained, vault))
        return
    count = len(made.sources)
    show(obtained[:count], vault, Console.for_output())
    size = sum(each.path.stat().st_size for each in obtained[count:])
    Console.for_output().say(f"\nand {len(obtained) - count} packages of its images ({megabytes(size)} MB)")


def to_json(obtained: Sequence[Obtained], vault: Vault) -> str:
    """Every file with where it came from, and each place that did not give it, for programs."""
    values = [
        {
            "name": each.source.name,
            "sha256": each.path.name,
            "path": str(each.path),
            "size": each.path.stat().st_size,
            "from": vault.origin_of(each.path.name) or each.origin,
            "failures": [{"where": where, "reason": reason} for where, reason in each.failures],
        }
        for each in obtained
    ]
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def show(obtained: Sequence[Obtained], vault: Vault, console: Console) -> None:
    """Each source with where it came from: a mirror or a folder, too, which a record of a build does not name."""
    table = plain_table("source", "sha256", "MB", "from")
    for each in obtained:
        size = f"{each.path.stat().st_size / 1e6:.1f}"
        table.add_row(
            each.source.name, each.path.name[:16], size, vault.origin_of(each.path.name) or each.origin
        )
    console.table(table)
