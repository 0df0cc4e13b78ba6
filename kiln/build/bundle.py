"""Everything that one plan needs in one tar, for machines without a network.

The first member is the manifest; then come the files of the vault and the root file systems of the images, each
named by its sha256. The same plan, files and images give the same bytes. Nothing that is read is trusted before its hash
matches.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

from pydantic import Field, TypeAdapter, ValidationError

from kiln import archive
from kiln.core import (
    BLOCK,
    STRICT,
    Console,
    DifferenceError,
    Home,
    Integer,
    Sha256,
    SourceError,
    UsageError,
    sha256_of,
)
from kiln.engine import toolchain
from kiln.plan import Plan
from kiln.recipe import Image
from kiln.sources import Obtained, Vault, adopt_packed

if TYPE_CHECKING:
    from kiln.engine import Engine

FORMAT = 1
MANIFEST = "kiln-bundle.json"
MAX_MANIFEST = 16 << 20

# No line break, quote or reference: the variables become part of an instruction to the engine.
VARIABLE = r"""^[A-Za-z_][A-Za-z0-9_]*=[^"'`\\$\x00-\x1f]*$"""


@dataclass(frozen=True)
class Packed:
    """One file of a bundle, at `files/<sha256>`.

    `tree` is the digest of what it unpacks to, if it is not a published file but was packed from that tree. `tag` and
    `environment` are set for the root file system of an image.
    """

    sha256: Sha256
    size: Annotated[Integer, Field(ge=0)]
    tree: str = ""
    tag: str = ""
    environment: tuple[Annotated[str, Field(pattern=VARIABLE)], ...] = ()

    __pydantic_config__ = STRICT

    @property
    def name(self) -> str:
        return f"files/{self.sha256}"


@dataclass(frozen=True)
class Manifest:
    """What is in a bundle, in this order, and the plan that it was made for: its key and the digests of its inputs."""

    format: Annotated[Integer, Field(ge=FORMAT, le=FORMAT)]
    key: Sha256
    folder: str
    inputs: dict[str, object]
    files: tuple[Packed, ...]

    __pydantic_config__ = STRICT


def write(
    planned: Plan, obtained: Sequence[Obtained], roots: Sequence[tuple[Packed, Path]], target: Path
) -> None:
    """Write a bundle of sources and of the images' root file systems; a failure leaves no file."""
    files = {each.path: _packed(each) for each in obtained}
    listed = sorted(((packed, path) for path, packed in files.items()), key=lambda item: item[0].sha256)
    listed += sorted(roots, key=lambda root: root[0].tag)
    manifest = Manifest(
        FORMAT, planned.key, str(planned.folder), planned.inputs, tuple(packed for packed, _ in listed)
    )
    text = json.dumps(asdict(manifest), indent=1, sort_keys=True).encode() + b"\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
            _add(tar, MANIFEST, len(text), io.BytesIO(text), planned)
            for packed, path in listed:
                with path.open("rb") as content:
                    _add(tar, packed.name, packed.size, content, planned)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def take(
    file: Path, planned: Plan, vault: Vault, engine: Engine | None, home: Home, console: Console
) -> None:
    """Take from a bundle what a plan needs and is missing here: files into the vault, images into the engine.

    Without an engine no image is taken. Raises UsageError if the file cannot be read, SourceError if it is not a bundle
    or is damaged.
    """
    try:
        stream = file.open("rb")
    except OSError as error:
        raise UsageError(
            f"the bundle cannot be read ({error.strerror})",
            "name a file that `./inv bundle` made",
            where=str(file),
        ) from error
    images = toolchain.images_of(planned)
    roots = dict(zip((images.runtime, images.toolchain), (image.root for image in planned.toolchain.images)))
    tags = {tag for tag in roots if engine and not engine.has_image(tag)}
    trees = {source.tree: source for source in planned.sources if source.tree and not source.prepare}
    wanted = {
        sha256 for source in (*planned.sources, *planned.toolchain.packages)
        for sha256 in (source.sha256, *(origin.sha256 for origin in source.origins)) if sha256
    }  # fmt: skip
    wanted |= {image.registry.sha256 for image in planned.toolchain.images if image.registry}
    with stream, _source_errors(file):
        members = _members(stream)
        manifest = _manifest(members, stream)
        if manifest.key != planned.key:
            console.note(f"{file.name} is for another plan ({manifest.folder}): only what fits is taken")
        for packed in manifest.files:
            found = next(members, ("its end", 0))
            if found != (packed.name, packed.size):
                raise _RefusedError(
                    f"{packed.name} is missing: in its place is {found[0]!r} with {found[1]} bytes"
                )
            if engine and packed.tag in tags:
                if packed.sha256 != roots[packed.tag]:
                    raise _RefusedError(f"{packed.name} is not the root file system of {packed.tag}")
                console.note(f"the image {packed.tag} is taken from {file.name}")
                with tempfile.TemporaryDirectory(dir=home.work) as folder:
                    _copy(stream, packed, Path(folder) / "root.tar")
                    engine.import_root(Path(folder) / "root.tar", packed.tag, packed.environment)
            elif packed.tree in trees:
                with tempfile.TemporaryDirectory(dir=home.work) as folder:
                    _copy(stream, packed, Path(folder) / packed.sha256)
                    origin = f"the bundle {file.name}"
                    adopt_packed(Path(folder) / packed.sha256, trees[packed.tree], vault, origin)
            elif not packed.tag and packed.sha256 in wanted:
                with vault.lock(packed.sha256, console.note):
                    if vault.get(packed.sha256, console.note) is None:
                        _copy(stream, packed, vault.partial(packed.sha256))
                        vault.finish(packed.sha256)
                        vault.record_origin(packed.sha256, f"the bundle {file.name}")
        if next(members, None) is not None:
            raise _RefusedError("it contains more than its manifest lists")


class _RefusedError(Exception):
    """Why a bundle is not used."""


@contextlib.contextmanager
def _source_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except _RefusedError as error:
        raise SourceError(
            f"the bundle is not used ({error})", "copy it again, or make it again", where=str(file)
        ) from error


def _members(stream: BinaryIO) -> Iterator[tuple[str, int]]:
    """Name and size of each member, with the stream at its content; content that is not read is skipped.

    A bundle has only plain files with short names; anything else that a tar may contain is refused.
    """
    end = os.fstat(stream.fileno()).st_size
    while True:
        head = stream.read(tarfile.BLOCKSIZE)
        if head == bytes(tarfile.BLOCKSIZE):
            return
        try:
            info = tarfile.TarInfo.frombuf(head, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise _RefusedError("it is incomplete, or not a tar file") from error
        after = stream.tell() + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if info.type != tarfile.REGTYPE or info.size < 0 or after > end:
            raise _RefusedError(f"{info.name!r} is incomplete, or not a plain file")
        yield info.name, info.size
        stream.seek(after)


def _manifest(members: Iterator[tuple[str, int]], stream: BinaryIO) -> Manifest:
    name, size = next(members, ("", 0))
    if name != MANIFEST or size > MAX_MANIFEST:
        raise _RefusedError(f"its first member is not {MANIFEST}")
    try:
        return TypeAdapter(Manifest).validate_json(stream.read(size))
    except ValidationError as error:
        raise _RefusedError(f"this version of Kiln cannot read its {MANIFEST}") from error


def _copy(stream: BinaryIO, packed: Packed, target: Path) -> None:
    """Copy one member's content; content with another hash is removed and refused."""
    digest, left = hashlib.sha256(), packed.size
    with target.open("wb") as file:
        while left and (block := stream.read(min(BLOCK, left))):
            digest.update(block)
            file.write(block)
            left -= len(block)
    if digest.hexdigest() != packed.sha256:
        target.unlink()
        raise _RefusedError(f"{packed.name} has the sha256 {digest.hexdigest()}")


def _packed(obtained: Obtained) -> Packed:
    sha256, source = obtained.path.name, obtained.source
    published = {source.sha256, *(origin.sha256 for origin in source.origins)}
    return Packed(sha256, obtained.path.stat().st_size, "" if sha256 in published else str(source.tree))


def root_of(tag: str, image: Image, engine: Engine, folder: Path) -> tuple[Packed, Path]:
    """An image's root file system, as a file in `folder` that is named by its hash.

    Raises DifferenceError where it is not the locked one.
    """
    exported, normal = folder / "exported", folder / "normal"
    engine.export_root(tag, exported)
    archive.normalise(exported, normal, image.epoch)
    exported.unlink()
    sha256 = sha256_of(normal)
    if sha256 != image.root:
        raise DifferenceError(
            f"the image {tag} has the digest {sha256} and not {image.root}",
            "remove it from the container engine and run again",
        )
    return Packed(sha256, normal.stat().st_size, tag=tag), normal.rename(folder / sha256)


def _add(tar: tarfile.TarFile, name: str, size: int, content: BinaryIO, planned: Plan) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, planned.recipe.source_date_epoch
    tar.addfile(info, content)
