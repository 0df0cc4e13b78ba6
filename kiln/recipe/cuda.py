"""CUDA toolkits: what each compiles with and for, as data under recipes/cuda/."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from packaging.version import Version
from pydantic import Field

from kiln.core import STRICT, Integer, UsageError, VersionNumber, read_yaml, typed

PREFIX = "cuda-"
# What `--cuda` without a version asks for: the first such device that the recipe lists.
ANY = "cuda"

Capability = Annotated[str, Field(pattern=r"^[1-9]\d?\.\d$")]


@dataclass(frozen=True)
class Toolkit:
    """What a release of the toolkit can do.

    `newest_gcc` is the last major version of gcc that nvcc takes as its host compiler; `capabilities` are the
    compute capabilities that it makes machine code for, in order; `defaults` those that a wheel has when nothing
    is asked for. `driver` is the oldest that runs what it makes natively, `driver_ptx` the oldest that can
    also compile its PTX.
    """

    version: VersionNumber
    release: VersionNumber
    newest_gcc: Integer
    capabilities: tuple[Capability, ...]
    defaults: tuple[Capability, ...]
    driver: VersionNumber
    driver_ptx: VersionNumber

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Architectures:
    """What a wheel has code for: machine code for each of `native`, and PTX of `ptx`, which newer GPUs compile."""

    native: tuple[str, ...]
    ptx: str
    default: bool

    @property
    def text(self) -> str:
        """One text for each choice, so that equal builds have equal keys: nothing for the toolkit's own."""
        return "" if self.default else ",".join(self.native)


def pick(devices: Iterable[str], asked: str) -> str | None:
    """The one of a recipe's devices that is asked for: itself, or for ANY the first with CUDA; None if there is none."""
    return next(
        (each for each in devices if each == asked or (asked == ANY and each.startswith(PREFIX))), None
    )


def toolkit(root: Path, device: str) -> Toolkit | None:
    """The toolkit of a device such as cuda-11.8; None for a device without one.

    Raises UsageError where the repository `root` has no such toolkit.
    """
    return known(root, device.removeprefix(PREFIX)) if device.startswith(PREFIX) else None


def known(root: Path, version: str) -> Toolkit:
    """The toolkit of a version; UsageError where the repository does not describe it."""
    path = root / "recipes" / "cuda" / version / "toolkit.yaml"
    if not path.exists():
        raise UsageError(
            f"{path} does not exist",
            f"describe CUDA {version} there, or choose one of {', '.join(versions(root))}",
        )
    found: Toolkit = typed(read_yaml(path), Toolkit)
    return found


def versions(root: Path) -> list[str]:
    """The versions of CUDA that the repository describes, the oldest first."""
    found = (path.parent.name for path in (root / "recipes" / "cuda").glob("*/toolkit.yaml"))
    return sorted((version for version in found if re.fullmatch(r"[0-9]+(\.[0-9]+)*", version)), key=Version)


def host_compiler(kit: Toolkit, base: str, compilers: Iterable[int], asked: str = "") -> str:
    """The package of the g++ that nvcc calls: that of the compiler `asked` for, such as gcc-9, else the newest.

    Raises UsageError where nvcc does not take that one, or none that the base offers.
    """
    if asked:
        version = int(asked.rpartition("-")[2]) if re.fullmatch(r"gcc-\d+", asked) else 0
        if not 0 < version <= kit.newest_gcc:
            raise UsageError(
                f"CUDA {kit.version} compiles with gcc {kit.newest_gcc} at most, and --compiler is {asked}",
                f"give gcc-{kit.newest_gcc} or an older one that the recipe has",
            )
        return f"g++-{version}"
    offered = sorted(compilers)
    fitting = [version for version in offered if version <= kit.newest_gcc]
    if not fitting:
        has = " to ".join(str(version) for version in dict.fromkeys((offered or [0])[:1] + offered[-1:]))
        raise UsageError(
            f"CUDA {kit.version} compiles with gcc {kit.newest_gcc} at most, and the base {base} offers gcc {has}",
            "choose a newer CUDA, or a base with an older compiler",
        )
    return f"g++-{fitting[-1]}"


def architectures(kit: Toolkit, asked: str, others: Iterable[Toolkit] = ()) -> Architectures:
    """What `--cuda-arch` comes to: a list such as 7.5,8.6, or nothing for the toolkit's defaults.

    PTX is that of the newest. Raises UsageError for what the toolkit does not compile for, with the one of `others`
    that does.
    """
    wanted = {part for part in re.split(r"[,;\s]+", asked.strip()) if part} or set(kit.defaults)
    unknown = sorted(wanted - set(kit.capabilities))
    if unknown:
        able = [other.version for other in others if wanted <= set(other.capabilities)]
        raise UsageError(
            f"CUDA {kit.version} does not compile for the compute capability {', '.join(unknown)}: "
            f"choose of {', '.join(kit.capabilities)}"
            + (f"; or give --cuda={able[-1]}, which has all that you ask for" if able else "")
        )
    native = tuple(sorted(wanted, key=Version))
    return Architectures(native, native[-1], native == kit.defaults)
