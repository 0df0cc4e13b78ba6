"""report.html: everything that is known of a finished build, on one page without any other file.

The same record gives the same page. All texts of the record are escaped, and shown without secrets and control characters.
"""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from kiln.build import Record, record
from kiln.core import duration, shown, without_control
from kiln.plan import option_word, variant_words
from kiln.report.contents import FILES, KINDS, OTHER, kinds, tiles
from kiln.report.difference import Comparison
from kiln.report.facts import Facts, facts
from kiln.report.text import bytes_shown, counted, milliseconds
from kiln.report.timeline import timeline
from kiln.report.treemap import Box

# The picture of the wheel's content, in its units, and how many rows long tables have.
PICTURE = Box(0, 0, 1000, 460)
FILE_ROWS, ACTION_ROWS, WARNING_ROWS, LIST_ROWS = 15, 20, 15, 200
USES = {
    "input": "compiled into the wheel",
    "build": "for the build",
    "tools": "for finishing the wheel",
    "smoke": "for its tests",
}


@dataclass(frozen=True)
class Command:
    """What a person types for something."""

    what: str
    text: str


def page(folder: Path) -> str:
    """The page of the record in a folder; UsageError where it holds none."""
    about = facts(folder)
    return rendered(
        "report.html",
        about=about,
        pictured=tiles(about.parts, PICTURE),
        picture=PICTURE,
        kinds=kinds(about.parts),
        kind_names=[*(name for name, _ in KINDS), OTHER, FILES],
        installed=sum(part.size for part in about.parts),
        files=about.parts[:FILE_ROWS],
        rest=about.parts[FILE_ROWS:],
        timeline=timeline(about.measured) if about.measured else None,
        longest=_longest(about),
        warnings=about.warnings[:WARNING_ROWS],
        more_warnings=about.warnings[WARNING_ROWS:],
        uses=[
            (title, [row for row in about.sources if row.use == use])
            for use, title in USES.items()
            if any(row.use == use for row in about.sources)
        ],
        commands=list(commands(about)),
    )


# The page of a record, by its file name: what `record` makes of the other files.
PAGES: record.Pages = {record.REPORT: page}


def pages_of(found: Record) -> record.Pages:
    """The pages that may be written anew beside a build: none in a signed record, whose files stay as they are."""
    return {} if (found.folder / record.SIGNATURES).exists() else PAGES


def compare_page(found: Comparison) -> str:
    """The page of a comparison."""
    return rendered("compare.html", found=found, most=LIST_ROWS)


def commands(about: Facts) -> Iterator[Command]:
    """What rebuilds, checks and installs the wheel of a build."""
    file, folder = shlex.quote(about.wheel.name), shlex.quote(f"dist/{about.plan.folder}")
    yield Command("Install it", f"pip install ./{file}")
    line = shlex.quote(f"./{about.wheel.name} --hash=sha256:{about.sha256}")
    yield Command(
        "Install it only if it is this very file",
        f"echo {line} > wheel.txt\npip install --no-deps --require-hashes -r wheel.txt",
    )
    yield Command("Check the files beside it", "sha256sum --check SHA256SUMS")
    yield Command("Check every claim, and who signed it", f"./inv check {folder} --key KEY.pub")
    # Nobody can check out what was never committed, or get files that only the builder has.
    if about.recorded and about.commit.id and about.commit.clean and not about.recorded.substituted:
        yield Command("Build it again from its provenance, and compare", f"./inv rebuild {record.PROVENANCE}")
    checkout = f"git checkout {about.commit.id}\n" if about.commit.id else ""
    yield Command("Build it", f"{checkout}./inv build {' '.join(map(shlex.quote, words(about)))}")
    yield Command("Build it again under other conditions, and compare", f"./inv verify {folder}/{file}")


def words(about: Facts) -> Iterator[str]:
    """What a person types after `build` for a plan: the recipe, the variant, and what is not the recipe's own choice."""
    plan = about.plan
    yield f"{plan.recipe}/{plan.release}"
    yield from variant_words(asdict(plan.variant))
    if plan.kind == "prefix":
        yield "--python-prefix=PREFIX"
    # The folder's name lists the options that differ from the recipe's own.
    _, *changed = Path(plan.folder).name.split("+")
    if "tree-hash" in changed:
        yield "--accept-tree-hash"
    for name in about.recorded.substituted if about.recorded else ():
        yield f"--substitute={name}=FILE"
    for name, value in plan.options.items():
        if any(part in (name, f"no-{name}") or part.startswith(f"{name}-") for part in changed):
            yield option_word(name, value)


def rendered(template: str, **values: Any) -> str:
    """A page from its template."""
    return _environment().get_template(template).render(**values) + "\n"


def _longest(about: Facts) -> list[Any]:
    """The actions that took longest, these first."""
    tool = about.measured.tool if about.measured else None
    return sorted(tool.longest, key=lambda each: (-each.seconds, each.name))[:ACTION_ROWS] if tool else []


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kiln.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters.update(
        duration=duration,
        bytes=bytes_shown,
        milliseconds=milliseconds,
        ratio=lambda value: "" if value is None else f"{value:.2f}",
        n=lambda value: f"{value:.1f}",
        link=_link,
        counted=counted,
    )
    return environment


def _finalized(value: Any) -> Any:
    """Every text that gets into a page; what templates themselves say is right already."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _link(text: str) -> Markup | str:
    """A URL as a link to it, any other text as it is."""
    text = shown(text)
    if not text.startswith(("https://", "http://")) or any(letter.isspace() for letter in text):
        return text
    return Markup('<a href="{0}" rel="noreferrer">{0}</a>').format(without_control(text))
