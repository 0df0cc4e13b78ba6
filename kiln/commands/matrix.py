"""The builds that CI makes, as rows: chosen in ci/matrix.yaml, or all that the recipes declare."""

from __future__ import annotations

import hashlib
import itertools
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from rich.markup import escape

from kiln import plan
from kiln.commands.printing import plain_table
from kiln.core import STRICT, Console, Document, Integer, UsageError, Value, read_yaml, typed
from kiln.plan import Plan, Request, flag
from kiln.recipe import Catalogue, Option, cpu

AXES = ("device", "base", "python", "cpu_features", "glibc")
# What GitHub makes of one matrix at most, and how many jobs in a row the templates have.
MOST_ROWS = 256
MOST_PARTS = 6


@dataclass(frozen=True)
class Wanted:
    """What a person asks for of the matrix; empty values leave nothing out. `recipe` is NAME or NAME/RELEASE."""

    name: str = ""
    recipe: str = ""
    device: str = ""
    base: str = ""
    python: str = ""

    def takes(self, row: MatrixRow) -> bool:
        found = row.plan
        facts = {
            "name": row.name,
            "device": found.variant.device,
            "base": found.variant.base,
            "python": found.variant.python,
        }
        names = ("", found.recipe.name, f"{found.recipe.name}/{found.recipe.version}")
        return self.recipe in names and all(getattr(self, key) in ("", fact) for key, fact in facts.items())


@dataclass(frozen=True)
class MatrixRow:
    """One build of the matrix; `parts` is how many time-limited jobs in a row it may take."""

    plan: Plan
    parts: int

    @property
    def name(self) -> str:
        """A stable name: the recipe, its version, the variant, and what differs from the recipe's choices."""
        return f"{self.plan.recipe.name}-{self.plan.recipe.version}-{self.plan.variant_name}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """What a person would type after `./inv` to build it."""
        chosen = self.plan.recipe
        words = ["build", f"{chosen.name}/{chosen.version}"]
        for axis in AXES:
            value, default = getattr(self.plan.variant, axis), getattr(chosen.variants.defaults, axis)
            if value != (cpu.canonical(default) if axis == "cpu_features" else default):
                words += [flag(axis), value]
        for option in chosen.options:
            value = self.plan.options.get(option.name, option.default)
            if value != option.default:
                words += [flag(option.name, value), *([] if isinstance(value, bool) else [str(value)])]
        return tuple(words)

    @property
    def cache(self) -> str:
        """The key of the compile's caches: another toolchain finds nothing of use in them."""
        return f"{self.name}-{self.plan.toolchain.digest[:12]}"

    @property
    def sources(self) -> str:
        """The key of the vault: the same sources, the same key."""
        pins = "\n".join(sorted(source.digest for source in self.plan.sources))
        digest = hashlib.sha256(pins.encode()).hexdigest()[:12]
        return f"{self.plan.recipe.name}-{self.plan.recipe.version}-{digest}"

    def to_json(self) -> dict[str, Any]:
        """The value for programs."""
        found = self.plan
        return {
            "name": self.name,
            "command": shlex.join(("./inv", *self.arguments)),
            "arguments": list(self.arguments),
            "recipe": found.recipe.name,
            "version": found.recipe.version,
            "device": found.variant.device,
            "base": found.variant.base,
            "python": found.variant.python,
            "folder": f"dist/{found.folder.as_posix()}",
            "key": found.key,
            "cache": self.cache,
            "sources": self.sources,
            "parts": self.parts,
        }


@dataclass(frozen=True)
class Choice:
    """Rows of ci/matrix.yaml: the values of the axes multiply, and an axis left out is the recipe's own choice."""

    recipe: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*/[A-Za-z0-9._+-]+$")]
    device: tuple[str, ...] = ("",)
    base: tuple[str, ...] = ("",)
    python: tuple[str, ...] = ("",)
    cpu_features: tuple[str, ...] = ("",)
    glibc: tuple[str, ...] = ("",)
    options: Mapping[str, Value] = field(default_factory=dict)
    parts: Annotated[Integer, Field(ge=1, le=MOST_PARTS)] = 1

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Matrix:
    rows: Annotated[tuple[Choice, ...], Field(min_length=1)]

    __pydantic_config__ = STRICT


def run(
    catalogue: Catalogue,
    wanted: Wanted,
    everything: bool,
    form: Literal["table", "json", "gitlab"],
    console: Console,
) -> None:
    """Print the rows of ci/matrix.yaml, or with `everything` all that the recipes declare."""
    rows = declared(catalogue, wanted, console.note) if everything else chosen(catalogue, wanted)
    if form == "table":
        show(rows, Console.for_output())
    else:
        sys.stdout.write(gitlab(rows) if form == "gitlab" else github(rows))


def show(rows: Sequence[MatrixRow], console: Console) -> None:
    """The builds that CI makes, each with what a person would type."""
    table = plain_table("row", "command", "jobs")
    for row in rows:
        table.add_row(row.name, escape(row.to_json()["command"]), str(row.parts))
    console.table(table)


def chosen(catalogue: Catalogue, wanted: Wanted) -> tuple[MatrixRow, ...]:
    """The rows that ci/matrix.yaml chooses, as far as they are wanted.

    Raises UsageError for a row that no recipe gives, for two of one name, and where nothing is left.
    """
    written, choices = _choices(catalogue.root)
    rows = [
        MatrixRow(plan.make(catalogue, request), choice.parts)
        for number, choice in enumerate(choices)
        for request in _requests(choice, _options(catalogue, choice, written, number))
    ]
    return _checked(rows, wanted)


def declared(catalogue: Catalogue, wanted: Wanted, note: Callable[[str], None]) -> tuple[MatrixRow, ...]:
    """Every release of every recipe, for each device, base and Python that it declares, as far as wanted.

    What cannot be read, or not be planned without more, such as a Python that has to be given, is left out with a note.
    """
    choices = _choices(catalogue.root)[1]
    parts = {choice.recipe: choice.parts for choice in sorted(choices, key=lambda each: each.parts)}
    rows = []
    every, problems = catalogue.every()
    for problem in problems:
        note(problem)
    for each in every:
        variants = each.variants
        choice = Choice(f"{each.name}/{each.version}", variants.device, variants.base, variants.python)
        for request in _requests(choice, {}):
            try:
                rows.append(MatrixRow(plan.make(catalogue, request), parts.get(choice.recipe, 1)))
            except UsageError as error:
                note(f"{choice.recipe}, {request.device}, Python {request.python} is left out: {error}")
    return _checked(rows, wanted)


def github(rows: Sequence[MatrixRow]) -> str:
    """The matrix as GitHub takes it (`matrix: ${{ fromJSON(…) }}`), in one line; programs read it, too."""
    return json.dumps({"include": [row.to_json() for row in rows]}) + "\n"


def gitlab(rows: Sequence[MatrixRow]) -> str:
    """The matrix as a child pipeline of GitLab, in JSON, which is YAML: a chain of jobs for each row.

    The jobs extend `.kiln-part` of ci/gitlab/part.yml. A part that its budget stopped lets the next one begin.
    """
    stages = [f"part-{number}" for number in range(1, max(row.parts for row in rows) + 1)]
    jobs = {name: job for row in rows for name, job in _jobs(row)}
    pipeline = {"include": [{"local": "ci/gitlab/part.yml"}], "stages": [*stages, "index"], **jobs}
    return json.dumps(pipeline, indent=2) + "\n"


def _jobs(row: MatrixRow) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for part in range(1, row.parts + 1):
        yield (
            f"{row.name} {part}/{row.parts}",
            {
                "extends": ".kiln-part",
                "stage": f"part-{part}",
                "needs": [f"{row.name} {part - 1}/{row.parts}"] if part > 1 else [],
                "variables": {
                    "KILN_ROW": row.name,
                    "KILN_PART": str(part),
                    "KILN_CACHE": row.cache,
                    "KILN_SOURCES": row.sources,
                },
            },
        )


def _choices(root: Path) -> tuple[Document, tuple[Choice, ...]]:
    written = read_yaml(root / "ci" / "matrix.yaml")
    return written, typed(written, Matrix).rows


def _requests(choice: Choice, options: Mapping[str, Value]) -> Iterator[Request]:
    name, _, version = choice.recipe.partition("/")
    for values in itertools.product(*(getattr(choice, axis) for axis in AXES)):
        yield Request(name, version, options=options, **dict(zip(AXES, values)))


def _options(catalogue: Catalogue, choice: Choice, written: Document, number: int) -> Mapping[str, Value]:
    """A row's options, each of the type that the recipe gives it."""
    name, _, version = choice.recipe.partition("/")
    known = {option.name: option for option in catalogue.describe(name, version).options}
    problems = [
        written.error(("rows", number, "options", key), problem)
        for key, value in choice.options.items()
        if (problem := _problem(known.get(key), value))
    ]
    if problems:
        raise UsageError("\n".join(problems))
    return choice.options


def _problem(option: Option | None, value: Value) -> str:
    if option is None:
        return "the recipe has no such option; look for a misspelling"
    if isinstance(value, bool) != (option.type == "bool") or not isinstance(value, (bool, str)):
        return f"{value!r} is not what this option takes; give " + (
            "true or false" if option.type == "bool" else "a text, in quotes"
        )
    return ""


def _checked(rows: Sequence[MatrixRow], wanted: Wanted) -> tuple[MatrixRow, ...]:
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{', '.join(twice)} is in the matrix more than once", "drop all but one from ci/matrix.yaml"
        )
    found = tuple(row for row in rows if wanted.takes(row))
    if not found:
        raise UsageError(
            "no row of the matrix matches: `./inv ci-matrix` shows all that ci/matrix.yaml chooses, "
            "`./inv ci-matrix --all` what the recipes declare"
        )
    if len(found) > MOST_ROWS:
        raise UsageError(
            f"the matrix has {len(found)} rows, and CI takes {MOST_ROWS}",
            "filter it, by --recipe or --device",
        )
    return found
