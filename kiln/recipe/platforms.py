"""Distributions and their C library: who can install a wheel of a platform tag."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kiln.core import STRICT, read_yaml, typed

FILE = Path("recipes", "platforms.yaml")
Glibc = Annotated[str, Field(pattern=r"^2\.\d+$")]


@dataclass(frozen=True)
class Distribution:
    """The versions of a distribution, the oldest first, and the glibc of each."""

    name: str
    glibc: dict[str, Glibc]

    __pydantic_config__ = STRICT

    def oldest(self, glibc: str) -> str | None:
        """Its oldest version with this glibc or a newer one; None where it has none yet."""
        return next((version for version, own in self.glibc.items() if minor(own) >= minor(glibc)), None)


@dataclass(frozen=True)
class Platforms:
    distributions: tuple[Distribution, ...]

    __pydantic_config__ = STRICT


def distributions(root: Path) -> tuple[Distribution, ...]:
    """The distributions that the repository `root` knows; none where it has no list."""
    path = root / FILE
    listed: Platforms = typed(read_yaml(path), Platforms) if path.exists() else Platforms(())
    return listed.distributions


def glibc_of(tag: str) -> str:
    """The glibc that a manylinux tag promises to be enough."""
    old = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
    found = re.match(r"manylinux_(\d+)_(\d+)", tag)
    return f"{found[1]}.{found[2]}" if found else old[tag.partition("_")[0]]


def tag_of(glibc: str) -> str:
    """The newest manylinux tag that wheels built on this glibc can have."""
    return f"manylinux_{glibc.replace('.', '_')}"


def minor(glibc: str) -> int:
    """The number of a glibc after its `2.`."""
    return int(glibc.partition(".")[2])


def installs_on(known: Iterable[Distribution], glibc: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The distributions that have a glibc, each with its oldest such version, and those that do not."""
    oldest = [(each.name, each.oldest(glibc)) for each in known]
    return [(name, version) for name, version in oldest if version], [
        name for name, version in oldest if not version
    ]
