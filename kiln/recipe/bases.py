"""Bases: what toolchains start from, and the lock that pins every package of their images.

`recipes/bases/NAME/base.yaml` and `docker/TOOLCHAIN/packages.yaml` say which packages are wanted; the generated
`recipes/bases/NAME/lock.yaml` says which files those are, and which root file system they give.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, combinations
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from kiln.core import STRICT, Integer, Name, Sha256, Size, UsageError, VersionNumber, read_yaml, typed
from kiln.recipe.registry import Installed, Reference, RegistryImage
from kiln.recipe.source import DebianOrigin, Source
from kiln.recipe.toolchains import ToolchainPackages as ToolchainPackages
from kiln.recipe.toolchains import Wish
from kiln.recipe.toolchains import toolchain_packages as toolchain_packages
from kiln.recipe.toolchains import toolchains as toolchains

FOLDER = Path("recipes", "bases")
RUNTIME = "runtime"
BASE = "base"
# How long after its release a suite is in the snapshot service for certain; nothing in it changes before the next.
PUBLISHED = timedelta(days=2)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _sound_date(text: str) -> str:
    """A text that is a moment; ValueError for any other."""
    try:
        _moment(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date") from error
    return text


@dataclass(frozen=True)
class Base:
    """A suite of Debian's archive, of which the images of builds are made.

    `python` is the version of its own interpreter, `glibc` that of its C library, `compilers` the major versions of gcc
    that its toolchains can have. `packages` are in every image, `runtime` in the one where wheels are tested and in all
    toolchains. Images are made from nothing, or from the registry image `image`, which then has what the lists do not
    name. `name` is that of its folder.
    """

    suite: Name
    python: VersionNumber
    glibc: VersionNumber
    packages: tuple[Wish, ...]
    runtime: tuple[Wish, ...]
    name: str = ""
    compilers: tuple[Integer, ...] = ()
    image: Reference | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Suite:
    """A suite as it was when the lock was made: its date, and the sha256 of the signed InRelease that lists it."""

    name: Name
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"), AfterValidator(_sound_date)]
    inrelease: Sha256

    __pydantic_config__ = STRICT

    @property
    def epoch(self) -> int:
        """Its date in seconds since 1970."""
        return int(self._date.timestamp())

    @property
    def snapshot(self) -> str:
        """A moment at which the snapshot service has all of it."""
        return f"{self._date + PUBLISHED:%Y%m%dT%H%M%SZ}"

    @property
    def _date(self) -> datetime:
        return _moment(self.date)


@dataclass(frozen=True)
class Package:
    """One pinned package: `pool` is its path below an archive's root, `images` are those whose lists brought it in.

    What `base` brought in is in every image, what `runtime` did in every toolchain.
    """

    name: Name
    version: str
    arch: Name
    suite: Name
    pool: str
    size: Size
    sha256: Sha256
    sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    images: Annotated[tuple[Name, ...], Field(min_length=1)]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Root:
    """An image's root file system: its sha256 as a normal tar."""

    name: Name
    sha256: Sha256

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Image:
    """The packages of one image by name, and the sha256 of the root file system that they give.

    Every time in it is `epoch`, in seconds since 1970. `installed` is what it has from the image `registry` and does not
    replace.
    """

    base: str
    name: str
    root: str
    epoch: int
    packages: tuple[Package, ...]
    registry: RegistryImage | None = None
    installed: tuple[Installed, ...] = ()

    @property
    def identity(self) -> dict[str, Any]:
        """What enters the build key."""
        rows = [[each.name, each.version, each.arch, each.sha256] for each in self.packages]
        found = {"image": self.name, "root": self.root, "packages": _digest(rows)}
        if self.registry:
            there = [[each.name, each.version, each.arch] for each in self.installed]
            found |= {
                "registry": self.registry.image,
                "start": self.registry.sha256,
                "installed": _digest(there),
            }
        return found

    @property
    def size(self) -> int:
        """Of all packages, in bytes."""
        return sum(package.size for package in self.packages)


@dataclass(frozen=True)
class BaseLock:
    """The packages of a base's images. `seal` is the digest of all the rest, so that no edit goes unseen.

    `registry` is the image that they start from, if there is one, and `installed` are its packages.
    """

    suites: Annotated[tuple[Suite, ...], Field(min_length=1)]
    images: tuple[Root, ...]
    packages: tuple[Package, ...]
    seal: str = ""
    registry: RegistryImage | None = None
    installed: tuple[Installed, ...] = ()

    __pydantic_config__ = STRICT

    def contains(self, package: Package, image: str) -> bool:
        """Whether a package is in an image; one with further packages has those of its toolchain, too."""
        return not _has_all_of(image).isdisjoint(package.images)

    def image(self, base: str, name: str) -> Image | None:
        """An image of the base of this name; None where the lock has none."""
        root = next((each for each in self.images if each.name == name), None)
        return self.made(base, root.name, root.sha256) if root else None

    def of(self, base: str) -> tuple[Image, ...]:
        """All images, for the base of this name."""
        return tuple(self.made(base, root.name, root.sha256) for root in self.images)

    def made(self, base: str, name: str, root: str) -> Image:
        """An image with this digest of its root file system."""
        lists = _has_all_of(name)
        packages = tuple(each for each in self.packages if not lists.isdisjoint(each.images))
        new = {each.name for each in packages}
        kept = tuple(each for each in self.installed if each.name not in new)
        return Image(base, name, root, self.suites[0].epoch, packages, self.registry, kept)

    def source(self, package: Package) -> Source:
        """A package as a source like any other."""
        suite = next((each for each in self.suites if each.name == package.suite), self.suites[0])
        origin = DebianOrigin(package.pool, package.sha256, package.size, None, package.sha1, suite.snapshot)
        return Source(package.name, (origin,))


def seal(value: Mapping[str, Any]) -> str:
    """The digest of a lock's content, without the seal itself."""
    return _digest({key: value[key] for key in value if key != "seal"})


def base(root: Path, name: str) -> Base:
    """A base of the repository `root`; UsageError names those that there are."""
    path = root / FOLDER / name / "base.yaml"
    known = bases(root)
    if name not in known:
        raise UsageError(
            f"there is no base {name!r}", f"add it, or choose one of {', '.join(known)}", where=str(path)
        )
    return replace(typed(read_yaml(path), Base), name=name)


def bases(root: Path) -> list[str]:
    """The names of all bases, sorted."""
    return sorted(path.parent.name for path in (root / FOLDER).glob("*/base.yaml"))


def lock_path(root: Path, name: str) -> Path:
    return root / FOLDER / name / "lock.yaml"


def made_path(root: Path, name: str) -> Path:
    """Where it is recorded what scripts of packages leave in a base's images, to name what differs."""
    return root / FOLDER / name / "made.txt"


def made(root: Path, name: str) -> dict[str, dict[str, str]]:
    """What scripts of packages leave in a base's images: for each image what is at which path."""
    found: dict[str, dict[str, str]] = {}
    path = made_path(root, name)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        if not line.startswith("#"):
            try:
                place, what, images = line.split("\t")
            except ValueError as error:
                raise UsageError(
                    "this is not a path, what is there, and the images", f"run `./inv lock --base {name}`",
                    where=f"{path}:{number}",
                ) from error  # fmt: skip
            for image in images.split():
                found.setdefault(image, {})[place] = what
    return found


def made_text(name: str, images: Mapping[str, Mapping[str, str]]) -> str:
    """The text that `made` reads."""
    rows: dict[tuple[str, str], list[str]] = {}
    for image, paths in images.items():
        for path, what in paths.items():
            rows.setdefault((path, what), []).append(image)
    lines = [f"{path}\t{what}\t{' '.join(there)}" for (path, what), there in sorted(rows.items())]
    head = f"# Generated by `./inv lock --base {name}`: what scripts of packages leave in its images."
    return "\n".join((head, *lines)) + "\n"


def base_lock(root: Path, name: str) -> BaseLock:
    """The lock of a base; UsageError where there is none, or where it is not what was generated."""
    path = lock_path(root, name)
    again = f"run `./inv lock --base {name}`"
    if not path.exists():
        raise UsageError(f"the packages of the base {name} are not locked", again, where=str(path))
    document = read_yaml(path)
    found: BaseLock = typed(document, BaseLock)
    if found.seal != seal(document.value):
        raise UsageError(
            "this lock is not what was generated",
            f"take back what was changed in it, or {again}",
            where=str(path),
        )
    return found


def wanted_images(base: Base, toolchains: Mapping[str, ToolchainPackages]) -> dict[str, tuple[str, ...]]:
    """The list of each image that a base has for these toolchains, by its name."""
    wanted = {BASE: base.packages, RUNTIME: base.packages + base.runtime}
    for name, lists in toolchains.items():
        if lists.empty or lists.image:
            continue
        own = wanted[RUNTIME] + lists.packages
        for added in _subsets(sorted(lists.additions)):
            more = tuple(wish for each in added for wish in lists.additions[each].packages)
            for extra in ((), *lists.compilers.values()):
                wanted[image_name(name, extra, added)] = own + extra + more
            if added:
                tested = tuple(wish for each in added for wish in lists.additions[each].runtime)
                wanted[runtime_name(name, added)] = wanted[RUNTIME] + tested
    return wanted


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))


def image_name(toolchain: str, extra: tuple[str, ...], added: tuple[str, ...] = ()) -> str:
    """The name of a toolchain's image with further packages, and with the additions of these names."""
    return "+".join((toolchain, *(each.replace("g++", "gxx") for each in extra), *added))


def runtime_name(toolchain: str, added: tuple[str, ...]) -> str:
    """The name of the image in which the wheels of builds with these additions are tested."""
    return "+".join((RUNTIME, *(f"{toolchain}-{each}" for each in added)))


def below_image(name: str) -> frozenset[str]:
    """The images with fewer of the further packages, of which an image has all packages."""
    first, *further = name.split("+")
    fewer = chain.from_iterable(combinations(further, count) for count in range(len(further)))
    return frozenset("+".join((first, *each)) for each in fewer)


def _has_all_of(image: str) -> frozenset[str]:
    """The images, itself among them, of which an image has all packages."""
    return frozenset({BASE} if image == BASE else {BASE, RUNTIME, image, *below_image(image)})


def image(root: Path, base: Base, lock: BaseLock, name: str, asked: tuple[str, ...]) -> Image:
    """The image of a name, for the list of packages `asked`.

    Raises UsageError where the lock does not have the image or a package of the list, or is that of another registry
    image.
    """
    found = lock.image(base.name, name)
    has = [{each.name for each in found.packages}, {each.name for each in found.installed}] if found else []
    there = set().union(*has)
    lacking = [each for each in asked if not each.startswith("?") and each not in there]
    start = lock.registry.image if lock.registry else None
    what = ""
    if start != base.image:
        what = f"the lock starts from {start or 'nothing'}, and the base from {base.image or 'nothing'}"
    elif found is None or lacking:
        what = f"the lock does not have {', '.join(lacking) or f'the image {name}'}"
    if found is None or what:
        raise UsageError(what, f"run `./inv lock --base {base.name}`", where=str(lock_path(root, base.name)))
    return found


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
