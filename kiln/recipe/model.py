"""What recipes say, as frozen dataclasses, and the conditions in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from kiln.core import STRICT, Integer, Name, RelativePath, Script, Value
from kiln.recipe.conditions import holds
from kiln.recipe.source import Source

# What a zip archive can have as a date, in seconds since 1970: from 1980 until the end of 2107.
EARLIEST, LATEST = 315532800, 4354819200

Device = Annotated[str, Field(pattern=r"^(cpu|cuda-[0-9]+\.[0-9]+)$")]
# A module that a wheel installs, such as the _brotli beside brotli.
ImportName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
PythonVersion = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")]

# The glibc of the base itself.
NATIVE = "native"


@dataclass(frozen=True)
class Option:
    """A choice that a recipe offers; it becomes a command-line option.

    `when` are conditions on the variant's axes: elsewhere there is no such choice. `choices` are the values that it
    takes, beside lists of the recipe's `parts` for it; without both any text is one.
    `in_name` are the values that the wheel's own name tells (true: all of them), so that its version need not.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    type: Literal["bool", "str"]
    default: Value
    help: str
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    in_name: bool | tuple[Value, ...] = False
    choices: tuple[str, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Parts:
    """Parts of the source trees that an option may list where the conditions hold; with `why`, some that it must not."""

    option: str
    names: tuple[str, ...]
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    why: str | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Refusal:
    """A combination of choices that does not make a wheel: the conditions, why, and what to choose instead.

    Where the conditions `unless` hold as well it is not refused.
    """

    when: Annotated[Mapping[str, tuple[Value, ...]], Field(min_length=1)]
    why: str
    cure: str
    unless: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    def holds(self, facts: Mapping[str, Value]) -> bool:
        """Whether a build with these facts is refused."""
        unless = bool(self.unless) and holds(self.unless, facts)
        return holds(self.when, facts) and not unless

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Step:
    """A script that runs in the toolchain: `scripts/…` of its own, `common/…`, or `cuda/…`."""

    name: Name
    run: Script
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Defaults:
    """The variant that is built when nothing else is asked for."""

    device: Device
    base: Name
    python: PythonVersion
    cpu_features: str
    glibc: str = NATIVE

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Variants:
    """The values that each axis of the recipe's matrix may take. `glibc` is what the wheel is linked for."""

    device: tuple[Device, ...]
    base: tuple[Name, ...]
    python: tuple[PythonVersion, ...]
    defaults: Defaults
    glibc: tuple[str, ...] = (NATIVE,)

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Smoke:
    """The suite that a finished wheel must pass.

    `distributions` are the names of the wheels that it is for (default: the recipe's), `packages` what of them
    is imported (default: the names with underscores), `folders` the folders and files of this repository that
    the suite reads too, `upstream` the source tree whose own tests the suite's `upstream.py` knows how to run.
    """

    suite: RelativePath
    distributions: tuple[Name, ...] = ()
    packages: tuple[ImportName, ...] = ()
    folders: tuple[RelativePath, ...] = ()
    upstream: Name | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Recipe:
    """The description of one release of a product.

    `stand_ins` are the names under which others publish parts of it, and for each the wheels that have all of that, the
    best first: an index has a wheel without files for it that requires one of these.
    A published wheel never changes: a recipe that gives other bytes under the same version has a new `revision`.
    """

    name: Name
    version: Name
    summary: str
    homepage: str
    license: str
    toolchain: Name
    source_date_epoch: Annotated[Integer, Field(ge=EARLIEST, lt=LATEST)]
    variants: Variants
    sources: tuple[Source, ...]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    smoke: Smoke
    options: tuple[Option, ...] = ()
    parts: tuple[Parts, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    stand_ins: Mapping[Name, tuple[Name, ...]] = field(default_factory=dict)
    include: tuple[RelativePath, ...] = ()
    revision: Annotated[Integer, Field(ge=1)] = 1
    task: Annotated[str, Field(pattern=r"^build-[a-z0-9-]+$")] | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Patch:
    """One change to one source tree, in a file beside the series, and the reason for it."""

    file: Annotated[str, Field(pattern=r"^\d{4}-[A-Za-z0-9._+-]+\.patch$")]
    tree: Name
    why: str
    upstream: str | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class SourceList:
    sources: tuple[Source, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class LeftOut:
    """Downloads of a build system that are not in its lock, and why."""

    why: str
    names: tuple[str, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class LockFile:
    """A recipe's lock: the releases that it was generated for, and what is pinned for them."""

    releases: tuple[Name, ...]
    sources: tuple[Source, ...]
    left_out: tuple[LeftOut, ...] = ()
    parts: tuple[Parts, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class PatchList:
    patches: tuple[Patch, ...]

    __pydantic_config__ = STRICT


def options(recipe: Recipe, facts: Mapping[str, Value]) -> tuple[Option, ...]:
    """The options that a build with these facts has."""
    return tuple(option for option in recipe.options if holds(option.when, facts))
