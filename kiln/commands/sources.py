"""`./inv sources`: which sources are in the vault, and what can supply the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from rich.markup import escape

from kiln import plan, sources
from kiln.commands.printing import megabytes, plain_table
from kiln.core import Console, Home
from kiln.plan import Request
from kiln.recipe import Catalogue
from kiln.sources import FetchSettings, SourceStatus, Vault


def run(
    catalogue: Catalogue,
    request: Request,
    home: Home,
    settings: FetchSettings,
    check_origins: bool,
    json_wanted: bool,
) -> None:
    """Print the status of every source of a request's plan."""
    made = plan.make(catalogue, request)
    wanted = (*made.sources, *made.toolchain.packages)
    found = sources.survey(wanted, Vault(home.sources), settings, check_origins)
    if json_wanted:
        sys.stdout.write(to_json(found))
    else:
        count = len(made.sources)
        show(found[:count], Console.for_output(), found[count:])


def show(statuses: Sequence[SourceStatus], console: Console, packages: Sequence[SourceStatus] = ()) -> None:
    """Each source, whether it is in the vault, its size, and where it came from or could come from.

    Of the packages of images only those that are missing.
    """
    table = plain_table("", "source", "MB", "from")
    for each in (*statuses, *(package for package in packages if not package.path)):
        mark = "[green]✓[/green]" if each.path else "[red]✗[/red]"
        size = "?" if each.size is None else f"{each.size / 1e6:.1f}"
        where = (each.origin or "not recorded") if each.path else "missing; " + _supplied(each)
        name = each.source.name + (f" ({each.source.use})" if each.source.use != "input" else "")
        table.add_row(mark, escape(name), size, escape(where))
    console.table(table)
    console.say()
    for what, some in (("", statuses), *((("packages of the images ", packages),) if packages else ())):
        there = [each for each in some if each.path]
        size = megabytes(sum(each.size or 0 for each in there))
        console.say(f"{len(there)} of {len(some)} {what}in the vault ({size} MB)")
    everything = (*statuses, *packages)
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
