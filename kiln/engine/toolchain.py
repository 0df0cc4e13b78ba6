"""The images of builds, made of pinned packages alone and named by the digest of what is in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiln import archive, sources
from kiln.archive import debs
from kiln.core import Console, DifferenceError, EngineError, Home, sha256_of
from kiln.engine import start
from kiln.engine.run import Mount
from kiln.plan import Plan
from kiln.recipe import BaseLock, Image, Package, bases
from kiln.sources import FetchSettings, Vault

if TYPE_CHECKING:
    from kiln.engine.engine import Engine

# Every image of Kiln's has a tag that begins so.
IMAGES = "localhost/kiln/"
SCRIPTS = Path("docker", "base")
# Where the packages are while they are installed: a folder that no finished image keeps anything in.
PACKAGES = "/tmp/packages"  # noqa: S108


@dataclass(frozen=True)
class Images:
    """The tags of a build's images."""

    runtime: str
    toolchain: str


def ensure(
    root: Path, plan: Plan, engine: Engine, home: Home, settings: FetchSettings, console: Console
) -> Images:
    """The images of a plan, made where they are not there yet, from the vault where that has their packages.

    Raises SourceError for a package that is not available, EngineError where one cannot be installed, DifferenceError
    where what they give is not the locked root file system.
    """
    maker = Maker(root, engine, home, settings, console)
    for image in plan.toolchain.images:
        maker.ensure(plan.toolchain.lock, image)
    return images_of(plan)


def images_of(plan: Plan) -> Images:
    """The tags of a plan's images, whether they are there or not."""
    return Images(tag_of(plan.toolchain.runtime), tag_of(plan.toolchain.image))


def tag_of(image: Image) -> str:
    """The tag of an image, by the digest of its root file system."""
    return f"{IMAGES}{image.base}-{image.name.replace('+', '-')}:{image.root[:32]}"


@dataclass(frozen=True)
class Maker:
    """Makes images on one engine, with the packages in one home's vault."""

    root: Path
    engine: Engine
    home: Home
    settings: FetchSettings
    console: Console

    def ensure(self, lock: BaseLock, image: Image) -> str:
        """The tag of an image of a lock, made where it is not there yet; raises what the function `ensure` does."""
        tag = tag_of(image)
        if not self.engine.has_image(tag):
            with self.home.lock(f"image-{image.root[:16]}", self.console):
                if not self.engine.has_image(tag):  # another build may have made it meanwhile
                    self._make(lock, image, tag)
        return tag

    def obtain(self, lock: BaseLock, image: Image) -> dict[str, Path]:
        """The packages of an image as verified files of the vault, by their sha256."""
        wanted = [lock.source(package) for package in image.packages]
        with self.console.transfers() as transfers:
            obtained = sources.obtain(wanted, Vault(self.home.sources), self.settings, transfers)
        return {each.path.name: each.path for each in obtained}

    def install(self, lock: BaseLock, image: Image, files: Mapping[str, Path], folder: Path) -> Path:
        """The root file system of an image as a normal tar in the empty `folder`, from packages by their sha256.

        Raises EngineError with what was printed last where they cannot be installed, or where there is no room.
        """
        unpacked, exported, normal = (folder / name for name in ("unpacked.tar", "exported.tar", "root.tar"))
        packages = folder / "packages"
        # The same for each run of this home: what a killed one has left is found by it.
        label = f"install-{hashlib.sha256(f'{self.home.path} {image.name}'.encode()).hexdigest()[:16]}"
        last: list[str] = []
        what = f"making the image {image.name} ({len(image.packages)} packages)"
        with self.console.status(what) as line, self._room():
            _write_archive(self.root, lock, image, files, packages)
            beginning = self.start(image)
            if beginning is None:
                beginning = unpacked
                debs.unpacked((files[each.sha256] for each in _basic(lock, image)), unpacked)

            def listen(text: str) -> None:
                line(text)
                last[:] = [*last[-14:], text]

            command = ("/bin/sh", f"{PACKAGES}/install.sh")
            mount = Mount(packages, PACKAGES)
            status = self.engine.install(beginning, command, label, mount, exported, listen)
            unpacked.unlink(missing_ok=True)
            if status:
                raise EngineError(
                    f"the packages of the image {image.name} cannot be installed ({status})",
                    "run again; where it fails again, correct what its last lines say",
                    detail="\n".join(f"  {text}" for text in last),
                )
            line("bringing it into its normal form")
            archive.normalise(exported, normal, image.epoch)
            exported.unlink()
        return normal

    def start(self, image: Image) -> Path | None:
        """The root file system of the registry image that an image starts from; None where it starts from nothing."""
        if image.registry is None:
            return None
        return start.obtain(image.registry, self.engine, self.home, self.settings, self.console)

    def take(self, made: Path, tag: str) -> None:
        """A root file system as an image of the engine."""
        with self.console.status(f"importing {tag}"), self._room():
            self.engine.import_root(made, tag)

    def _make(self, lock: BaseLock, image: Image, tag: str) -> None:
        files = self.obtain(lock, image)
        with tempfile.TemporaryDirectory(dir=self.home.work) as folder:
            made = self.install(lock, image, files, Path(folder))
            found = sha256_of(made)
            if found != image.root:
                raise DifferenceError(
                    f"the image {image.name} has the digest {found} and not {image.root}: "
                    + _difference(self.root, image, files, made, self.start(image)),
                    f"take back what was changed in {SCRIPTS}, or run `./inv lock --base {image.base}` and look at "
                    "the difference",
                    where=str(bases.lock_path(self.root, image.base)),
                )
            self.take(made, tag)

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """A disk that is full as EngineError."""
        try:
            yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise EngineError(
                f"there is no room in {self.home.path} to make an image ({error.strerror})",
                "make room (`./inv gc` shows what nothing needs) or set KILN_HOME to a larger disk, then run again",
            ) from error


def _write_archive(root: Path, lock: BaseLock, image: Image, files: Mapping[str, Path], folder: Path) -> None:
    """An archive of apt with an image's packages and nothing else, and the lists that install.sh reads."""
    folder.mkdir()
    index, wanted = [], []
    for package in image.packages:
        name = _file(package)
        _link(files[package.sha256], folder / name)
        control = debs.control(files[package.sha256])
        index.append(f"{control}\nFilename: ./{name}\nSize: {package.size}\nSHA256: {package.sha256}\n\n")
        wanted.append(f"{package.name}={package.version}\n")
    texts = {
        "Packages": index,
        "wanted": wanted,
        "base": [f"{PACKAGES}/{_file(package)}\n" for package in _basic(lock, image)],
        # Every file has been verified by its hash.
        "sources.list": [f"deb [trusted=yes] file:{PACKAGES} ./\n"],
        "install.sh": [(root / SCRIPTS / "install.sh").read_text(encoding="utf-8")],
    }
    for name, lines in texts.items():
        (folder / name).write_text("".join(lines), encoding="utf-8")


def _file(package: Package) -> str:
    return f"{package.name}_{package.sha256[:16]}.deb"


def _basic(lock: BaseLock, image: Image) -> list[Package]:
    """The packages that a root file system is made of before anything runs in it; none where it is that of an image."""
    return [] if image.registry else [each for each in image.packages if lock.contains(each, bases.BASE)]


def _link(file: Path, target: Path) -> None:
    """A second name for a file, or a copy where its file system is another."""
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(file, target)


def made_by_scripts(
    image: Image, files: Mapping[str, Path], made: Path, beginning: Path | None
) -> dict[str, str]:
    """What a root file system has at each path where it is not what a package has there; "nothing" where it has none.

    `beginning` is the root file system that it started from, if there was one.
    """
    expected = _expected(image, files, beginning)
    found = debs.entries(made)
    paths = sorted({*expected, *found})
    return {path: found.get(path, "nothing") for path in paths if expected.get(path) != found.get(path)}


def _expected(image: Image, files: Mapping[str, Path], beginning: Path | None) -> dict[str, str]:
    there = debs.entries(beginning) if beginning else {}
    return there | debs.contents(files[package.sha256] for package in image.packages)


def _difference(
    root: Path, image: Image, files: Mapping[str, Path], made: Path, beginning: Path | None
) -> str:
    """The first file at which a root file system is not what was locked."""
    recorded = bases.made(root, image.base).get(image.name, {})
    expected = _expected(image, files, beginning) | recorded
    locked = {path: what for path, what in expected.items() if what != "nothing"}
    return debs.first_difference(locked, debs.entries(made)) or "no file differs but their order"
