"""What recipes say, as frozen dataclasses, and the conditions in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pydantic import Field

from kiln.core import STRICT, Integer, Name, RelativePath, Script, Value
from kiln.recipe.source import Source


@dataclass(frozen=True)
class Option:
    """A choice that a recipe offers; it becomes a command-line option.

    `when` are conditions on the variant's axes: elsewhere there is no such choice.
    `in_name` are the values that the wheel's own name tells (true: all of them), so that its version need not.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    type: Literal["bool", "str"]
    default: Value
    help: str
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    in_name: bool | tuple[Value, ...] = False

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Step:
    """A script that runs in the toolchain: `scripts/…` beside its Dockerfile, or `common/…`."""

    name: Name
    run: Script
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Defaults:
    """The variant that is built when nothing else is asked for."""

    device: str
    base: str
    python: str
    cpu_features: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Variants:
    """The values that each axis of the recipe's matrix may take."""

    device: tuple[str, ...]
    base: tuple[str, ...]
    python: tuple[str, ...]
    defaults: Defaults

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Smoke:
    """The suite that a finished wheel must pass.

    `distributions` are the names of the wheels that it is for (default: the recipe's), `packages` what of them
    is imported (default: the names with underscores), `folders` what of this repository the suite reads too.
    """

    suite: RelativePath
    distributions: tuple[Name, ...] = ()
    packages: tuple[Name, ...] = ()
    folders: tuple[RelativePath, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Recipe:
    """The description of one product version.

    A published wheel never changes: a recipe that gives other bytes under the same version has a new `revision`.
    """

    name: Name
    version: str
    summary: str
    homepage: str
    license: str
    toolchain: Name
    source_date_epoch: Annotated[Integer, Field(ge=315532800)]
    variants: Variants
    sources: tuple[Source, ...]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    smoke: Smoke
    options: tuple[Option, ...] = ()
    include: tuple[RelativePath, ...] = ()
    revision: Annotated[Integer, Field(ge=1)] = 1
    task: Annotated[str, Field(pattern=r"^build-[a-z0-9-]+$")] | None = None

    __pydantic_config__ = STRICT

    @property
    def command(self) -> str:
        """The task that builds it."""
        return self.task or f"build-{self.name}"


@dataclass(frozen=True)
class Patch:
    """One change to one source tree, and the reason for it.

    `file` is beside the series, or in the folder of another version of the same recipe: `1.15.5/0004-grpc-gettid.patch`.
    """

    file: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]*/)?\d{4}-[A-Za-z0-9._+-]+\.patch$")]
    tree: Name
    why: str
    upstream: str | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT

    def path(self, recipe: Recipe) -> str:
        """Where the file is in the folder of all patches for the recipe, whatever its version."""
        return self.file if "/" in self.file else f"{recipe.version}/{self.file}"


@dataclass(frozen=True)
class SourceList:
    sources: tuple[Source, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class PatchList:
    patches: tuple[Patch, ...]

    __pydantic_config__ = STRICT


def options(recipe: Recipe, facts: Mapping[str, Value]) -> tuple[Option, ...]:
    """The options that a build with these facts has."""
    return tuple(option for option in recipe.options if holds(option.when, facts))


def holds(when: Mapping[str, tuple[Value, ...]], facts: Mapping[str, Value]) -> bool:
    """Whether every condition holds: `facts` are the variant's axes, the options' values, and the base's glibc."""
    return all(any(_fits(facts.get(key), value) for value in values) for key, values in when.items())


def _fits(fact: Value | None, value: Value) -> bool:
    """Whether a fact is a value, or a version in a range such as ">=2.30"."""
    if isinstance(fact, str) and isinstance(value, str) and value[:1] in ("<", ">"):
        return Version(fact) in SpecifierSet(value)
    return fact == value
