"""Bases: the root file systems that toolchains start from, as data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kiln.core import STRICT, Integer, UsageError, read_yaml, typed


@dataclass(frozen=True)
class Base:
    """A root file system: a suite of Debian's archive, or the registry image `image` where it is available.

    `name` is that of its folder. `python` is the version of its own interpreter, `glibc` that of its C library,
    `compilers` the major versions of gcc that its toolchain can install.
    """

    suite: str
    python: str
    glibc: str
    name: str = ""
    compilers: tuple[Integer, ...] = ()
    image: Annotated[str, Field(pattern=r"^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$")] | None = None

    __pydantic_config__ = STRICT


def base(root: Path, name: str) -> Base:
    """The base of a name; UsageError names those that the repository `root` has."""
    folder = root / "recipes" / "bases"
    path = folder / name / "base.yaml"
    if not path.exists():
        known = ", ".join(sorted(each.parent.name for each in folder.glob("*/base.yaml"))) or "none"
        raise UsageError(
            f"{path} does not exist", f"describe the base {name} there, or choose one of {known}"
        )
    return replace(typed(read_yaml(path), Base), name=name)
