"""Toolchains: `docker/TOOLCHAIN/packages.yaml` says what each has beside the base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kiln.core import STRICT, Name, UsageError, Value, read_yaml, typed
from kiln.recipe.conditions import holds

Wish = Annotated[str, Field(pattern=r"^[a-z0-9?][^\s\x00-\x1f]*$")]
AdditionName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]


@dataclass(frozen=True)
class Addition:
    """What a build has as well where one of the conditions `when` holds.

    `packages` are in its toolchain, `runtime` where its wheel is tested.
    """

    when: Annotated[tuple[Mapping[str, tuple[Value, ...]], ...], Field(min_length=1)]
    packages: tuple[Wish, ...] = ()
    runtime: tuple[Wish, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class ToolchainPackages:
    """What a toolchain has beside `runtime`; `compilers` is what a build with a compiler such as gcc-9 has as well.

    `additions` have names, and are for builds with some options. With `image` it has nothing of its own, and is the image
    of the toolchain of that name.
    """

    packages: tuple[Wish, ...] = ()
    compilers: Mapping[str, tuple[Wish, ...]] = field(default_factory=dict)
    additions: Mapping[AdditionName, Addition] = field(default_factory=dict)
    image: Name | None = None

    __pydantic_config__ = STRICT

    @property
    def empty(self) -> bool:
        """Whether the toolchain has no image of its own: it is that of `runtime`."""
        return not self.packages and not self.compilers and not self.additions

    def added(self, facts: Mapping[str, Value]) -> tuple[str, ...]:
        """The names of what a build with these facts has as well, sorted."""
        return tuple(
            sorted(
                name for name, each in self.additions.items() if any(holds(when, facts) for when in each.when)
            )
        )


def toolchain_packages(root: Path, name: str) -> ToolchainPackages:
    """The lists of a toolchain.

    Raises UsageError where it names the image of another toolchain and has packages too, or where that has no image.
    """
    document = read_yaml(_path(root, name))
    found: ToolchainPackages = typed(document, ToolchainPackages)
    if not found.image:
        return found
    if not found.empty:
        raise UsageError(
            "a toolchain with the image of another has no packages of its own",
            "remove the key 'image', or the others",
            where=document.at(("image",)),
        )
    owners = [
        each for each in toolchains(root) if not typed(read_yaml(_path(root, each)), ToolchainPackages).image
    ]
    if found.image not in owners:
        raise UsageError(
            f"{found.image!r} is not another toolchain with an image",
            f"choose one of {', '.join(owners)}",
            where=document.at(("image",)),
        )
    return found


def _path(root: Path, name: str) -> Path:
    return root / "docker" / name / "packages.yaml"


def toolchains(root: Path) -> list[str]:
    """The names of all toolchains, sorted."""
    return sorted(path.parent.name for path in (root / "docker").glob("*/packages.yaml"))
