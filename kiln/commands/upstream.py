"""`./inv upstream-tests`: the tests of a product's own source tree on a wheel, beside another wheel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from kiln.commands.printing import plain_table, short_path
from kiln.commands.smoke import Opened, SmokeSettings, get_against, opened
from kiln.core import Console, SmokeError, UsageError, new
from kiln.engine import jobs
from kiln.plan import Request
from kiln.recipe import Catalogue
from kiln.smoke import UPSTREAM, UpstreamResult, read_upstream

FILE = "upstream.json"
# How many failures of a kind are shown; the file has all.
SHOWN = 20


@dataclass(frozen=True)
class Choice:
    """Which test files are run: a `sample` of them (0: all), those with a name like `only`; each for `seconds` at most."""

    sample: int = 0
    only: str = ""
    seconds: int = 600
    jobs: int = 0

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "KILN_UPSTREAM_SAMPLE": str(self.sample),
            "KILN_UPSTREAM_ONLY": self.only,
            "KILN_UPSTREAM_SECONDS": str(self.seconds),
            "KILN_JOBS": str(jobs(self.jobs)),
        }


def run(
    catalogue: Catalogue,
    given: str,
    asked: Request,
    settings: SmokeSettings,
    choice: Choice,
    console: Console,
) -> None:
    """Run the tests and print what failed where. Raises SmokeError for a test that fails on this wheel alone."""
    if choice.sample < 0 or choice.seconds < 1:
        raise UsageError(
            "--sample and --seconds are numbers of files and of seconds", "give a positive number"
        )
    with opened(catalogue, given, asked, settings, console, upstream=True) as place:
        if settings.against:
            get_against(settings.against, place, console)
        found = _results(place, choice, console)
        target = place.folder / FILE
        with new(target) as stream:
            stream.write(json.dumps(asdict(found), indent=1, sort_keys=True).encode() + b"\n")
    failures = found.failures
    show(found, failures, Console.for_output())
    console.say(f"results  {short_path(target)}")
    own = [name for name, where in failures.items() if where == "this wheel alone"]
    if own:
        beside = "" if found.against is None else " here and on no other wheel"
        cure = "read why above"
        if found.against is None:
            cure += ", and give --against WHEEL to see which of them fail on another wheel, too"
        raise SmokeError(f"{len(own)} upstream test{'s' * (len(own) > 1)} failed{beside} ({own[0]})", cure)


def _results(opened: Opened, choice: Choice, console: Console) -> UpstreamResult:
    place = replace(opened.place, variables={**opened.place.variables, **choice.variables})
    with console.station("tests"), console.steps("tests") as line:
        place.run(UPSTREAM, line, failure=SmokeError)
    return read_upstream(place.build)


def show(found: UpstreamResult, failures: Mapping[str, str], console: Console) -> None:
    """The counts, and the tests that failed, by where."""
    counts = plain_table("", "this wheel", *([] if found.against is None else ["the other wheel"]))
    for ending in ("passed", "skipped", "failed"):
        here, there = found.count(ending)
        counts.add_row(ending, f"{here:,}", *([] if there is None else [f"{there:,}"]))
    console.say(f"{found.files:,} of {found.of:,} test files")
    console.table(counts)
    for where in ("this wheel alone", "both wheels", "known", "the other wheel alone"):
        names = [name for name, at in failures.items() if at == where]
        if names:
            console.say(f"\nfailed on {where}" if where != "known" else "\nfailed, as is known")
        for name in names[:SHOWN]:
            console.say(f"  {name}\n      {found.known.get(name) or found.why(name)}")
        if len(names) > SHOWN:
            console.say(f"  and {len(names) - SHOWN:,} more")
