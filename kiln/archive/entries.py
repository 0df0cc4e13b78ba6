"""What is in an archive, entry by entry, within a budget: no bomb fills the disk or the memory."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

MAX_BYTES = 8 << 30
MAX_ENTRIES = 500_000
# What an archive may unpack to, relative to its own size; source code packs to a tenth at best.
MAX_RATIO = 200
ALWAYS_BYTES = 64 << 20
# Links' targets and tar's extended headers are read as a whole; content is read by the block.
MAX_METADATA = 1 << 20

# What the libraries raise for an archive that is broken.
BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError,
    ValueError, RuntimeError, struct.error,
)  # fmt: skip


class RefusedError(Exception):
    """Why an archive is not unpacked."""


@dataclass(frozen=True)
class Entry:
    """One entry of an archive; `target` is of a link, `content` of a file."""

    path: str
    kind: Literal["folder", "file", "symlink", "hardlink"]
    executable: bool = False
    target: str = ""
    content: BinaryIO | None = None


class Budget:
    """How much one archive of `size` bytes may still unpack to."""

    def __init__(self, size: int) -> None:
        self.limit = min(MAX_BYTES, max(ALWAYS_BYTES, MAX_RATIO * size))
        self._bytes = self.limit
        self._entries = MAX_ENTRIES

    def spend(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise RefusedError(f"it unpacks to more than {self.limit} bytes, far too much for its size")

    def entry(self) -> None:
        self._entries -= 1
        if self._entries < 0:
            raise RefusedError(f"it has more than {MAX_ENTRIES} entries")


@contextlib.contextmanager
def entries_of(archive: Path, budget: Budget) -> Iterator[Iterator[Entry]]:
    """The entries of a tar archive (plain, gzip, xz, bzip2) or a zip archive, in its order.

    Raises RefusedError for what no source tree has, and one of BROKEN or OSError for a broken archive.
    """
    with archive.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"PK"):
            with zipfile.ZipFile(file) as opened:
                yield _zip_entries(opened)
        else:
            with decompressed(file, start) as plain:
                bounded = Bounded(plain, budget)
                with tarfile.open(fileobj=bounded, mode="r:") as tar:
                    yield _tar_entries(tar)


def decompressed(file: BinaryIO, start: bytes) -> BinaryIO:
    """The bytes behind a compression, which is known by the first of them."""
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)  # type: ignore[return-value]
    return file


class Bounded(io.RawIOBase):
    """A stream that is only read forwards, never much at once, and not beyond its bound.

    tarfile reads an extended header as a whole, whatever size it says it has.
    """

    def __init__(self, stream: BinaryIO, budget: Budget) -> None:
        self._stream = stream
        # Headers and padding: at most 1 KiB for an entry, in archives of many tiny files.
        self._left = budget.limit + MAX_ENTRIES * 1024
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_METADATA:
            raise RefusedError(f"it has a header of {size} bytes")
        parts = []
        while size:
            part = self._stream.read(size)
            if not part:
                break
            parts.append(part)
            size -= len(part)
            self._at += len(part)
            self._left -= len(part)
        if self._left < 0:
            raise RefusedError("it unpacks to far too much for its size")
        return b"".join(parts)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self._at:
            raise RefusedError("its entries are not in order")
        while self._at < offset:
            if not self.read(min(MAX_METADATA, offset - self._at)):
                break
        return self._at


def _tar_entries(tar: tarfile.TarFile) -> Iterator[Entry]:
    while info := tar.next():
        tar.members.clear()  # type: ignore[attr-defined]  # half a million of them would only fill the memory
        if info.isdir():
            yield Entry(info.name, "folder")
        elif info.issym():
            yield Entry(info.name, "symlink", target=info.linkname)
        elif info.islnk():
            yield Entry(info.name, "hardlink", target=info.linkname)
        elif info.isreg() and not info.issparse():
            content = tar.extractfile(info)
            yield Entry(info.name, "file", bool(info.mode & stat.S_IXUSR), content=content)  # type: ignore[arg-type]
        else:
            raise RefusedError(f"{info.name!r} is a device, a pipe or another thing that no source tree has")


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if not info.filename:
            raise RefusedError("it has an entry without a name")
        if info.flag_bits & 1:
            raise RefusedError(f"{info.filename!r} is encrypted")
        if info.is_dir():
            yield Entry(info.filename, "folder")
        elif kind == stat.S_IFLNK:
            with archive.open(info) as content:
                target = content.read(MAX_METADATA + 1)
            if len(target) > MAX_METADATA:
                raise RefusedError(f"{info.filename!r} is a link to a name of {len(target)} bytes")
            yield Entry(info.filename, "symlink", target=os.fsdecode(target))
        elif kind in (0, stat.S_IFREG):
            with archive.open(info) as content:
                yield Entry(info.filename, "file", bool(mode & stat.S_IXUSR), content=content)  # type: ignore[arg-type]
        else:
            raise RefusedError(
                f"{info.filename!r} is a device, a pipe or another thing that no source tree has"
            )
