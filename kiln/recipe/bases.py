"""Bases: the root file systems that toolchains start from, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kiln.core import STRICT, Integer, UsageError, read_yaml, typed


@dataclass(frozen=True)
class Base:
    """A root file system: a suite of Debian's archive, or the registry image `image` where it can be had.

    `python` is the version of its own interpreter, `glibc` that of its C library, `compilers` the major
    versions of gcc that its toolchain can install.
    """

    name: str
    suite: str
    python: str
    glibc: str
    compilers: tuple[Integer, ...] = ()
    image: Annotated[str, Field(pattern=r"^[a-z0-9./:_-]+@sha256:[0-9a-f]{64}$")] | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class _Bases:
    bases: tuple[Base, ...]

    __pydantic_config__ = STRICT


def base(root: Path, name: str) -> Base:
    path = root / "docker" / "bases.yaml"
    bases = {base.name: base for base in typed(read_yaml(path), _Bases).bases}
    if name not in bases:
        raise UsageError(f"{path}:1: there is no base {name!r}: add it, or choose one of {', '.join(bases)}")
    return bases[name]
