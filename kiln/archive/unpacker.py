"""Archives to trees: nothing is written outside the target, whatever an archive holds."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import os
import posixpath
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from kiln.core import BLOCK, SourceError

MAX_BYTES = 8 << 30
MAX_ENTRIES = 500_000
# What an archive may unpack to, relative to its own size; source code packs to a tenth at best.
MAX_RATIO = 200
ALWAYS_BYTES = 64 << 20
# Links' targets and tar's extended headers are read as a whole; content is read by the block.
MAX_METADATA = 1 << 20

_BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError,
    ValueError, RuntimeError, struct.error,
)  # fmt: skip


class _RefusedError(Exception):
    """Why an archive is not unpacked."""


@dataclass(frozen=True)
class _Entry:
    """One entry of an archive; `target` is of a link, `content` of a file."""

    path: str
    kind: Literal["folder", "file", "symlink", "hardlink"]
    executable: bool = False
    target: str = ""
    content: BinaryIO | None = None


def unpack(
    archive: Path,
    target: Path,
    member: str | None = None,
    epoch: int = 0,
    without: Collection[str] = (),
) -> None:
    """Unpack a tar archive (plain, gzip, xz, bzip2) or a zip archive into the new folder `target`.

    Only the files and links below the folder `member` are taken, without that prefix, and none of those whose
    paths there are in `without`. Modes become 0644 or
    0755, every time `epoch` (seconds since 1970). What a tree's digest does not see is left out: empty
    folders, and all that is named `.git`.

    Raises SourceError for an archive that is broken, too large, or tries to reach outside `target`, and
    leaves nothing behind.
    """
    if target.is_symlink() or (target.exists() and any(target.iterdir())):
        raise SourceError(f"{archive} is not unpacked to {target}, which is not empty: remove that folder")
    try:
        budget = _Budget(archive.stat().st_size)
        target.mkdir(parents=True, exist_ok=True)
        tree = _Tree(target, budget, frozenset(without))
        with _entries(archive, budget) as entries:
            for entry in entries:
                budget.entry()
                tree.take(entry, member)
        if tree.empty:
            raise _RefusedError(f"it has no files below {member!r}" if member else "it has no files")
        tree.finish(epoch)
    except _RefusedError as error:
        _discard(target)
        raise SourceError(f"{archive} is not unpacked: {error}; use another origin") from error
    except _BROKEN as error:
        _discard(target)
        raise SourceError(f"{archive} is broken ({_reason(error)}): fetch it again") from error
    except OSError as error:
        _discard(target)
        if isinstance(error, gzip.BadGzipFile) or error.errno is None:
            raise SourceError(f"{archive} is broken ({_reason(error)}): fetch it again") from error
        if error.errno == errno.ENAMETOOLONG:
            raise SourceError(
                f"{archive} is not unpacked: it has too long a name; use another origin"
            ) from error
        raise SourceError(
            f"{archive} cannot be unpacked to {target} ({error.strerror}): make room there, or look "
            "at its rights"
        ) from error
    except BaseException:
        _discard(target)
        raise


def extract(archive: Path, member: str, target: Path) -> None:
    """Write the one file `member` of an archive as the new file `target`, within the bounds of `unpack`.

    Raises SourceError for an archive that is broken or too large, or has no such file.
    """
    try:
        budget = _Budget(archive.stat().st_size)
        found = False
        with _entries(archive, budget) as entries:
            for entry in entries:
                budget.entry()
                if entry.kind == "file" and entry.content and _checked(entry.path) == _checked(member):
                    found = True  # an archive that was appended to: the last one counts
                    with target.open("wb") as file:
                        while block := entry.content.read(BLOCK):
                            budget.spend(len(block))
                            file.write(block)
        if not found:
            raise _RefusedError(f"it has no file {member!r}")
    except (_RefusedError, *_BROKEN, OSError) as error:
        raise SourceError(f"nothing is taken from {archive}: {_reason(error)}; use another origin") from error


class _Budget:
    """What one archive may still unpack to."""

    def __init__(self, size: int) -> None:
        self.limit = min(MAX_BYTES, max(ALWAYS_BYTES, MAX_RATIO * size))
        self._bytes = self.limit
        self._entries = MAX_ENTRIES

    def spend(self, count: int) -> None:
        self._bytes -= count
        if self._bytes < 0:
            raise _RefusedError(f"it unpacks to more than {self.limit} bytes, far too much for its size")

    def entry(self) -> None:
        self._entries -= 1
        if self._entries < 0:
            raise _RefusedError(f"it has more than {MAX_ENTRIES} entries")


class _Tree:
    """A folder that an archive's entries are written into.

    Links are made after all files, so that no write can go through one.
    """

    def __init__(self, root: Path, budget: _Budget, without: frozenset[str]) -> None:
        self._root = root
        self._without = without
        self._budget = budget
        self._kinds: dict[str, str] = {"": "folder"}
        self._links: dict[str, str] = {}

    @property
    def empty(self) -> bool:
        return len(self._kinds) == 1

    def take(self, entry: _Entry, member: str | None) -> None:
        whole = _checked(entry.path)
        inner = _below(whole, member)
        if inner is None or inner in self._without or ".git" in inner.split("/"):
            return
        if entry.kind == "folder":
            if self._kinds.get(inner, "folder") != "folder":
                raise _RefusedError(f"{entry.path!r} is there twice, as different things")
            return
        if inner == "":
            raise _RefusedError(f"{entry.path!r} is not a folder")
        self._make_room(inner, "link" if entry.kind == "symlink" else "file")
        if entry.kind == "symlink":
            self._links[inner] = _inside(inner, entry.target)
            self._kinds[inner] = "link"
            return
        if entry.kind == "hardlink":
            # A copy: a patch to one name must not change the other.
            linked = _below(_checked(entry.target), member)
            if linked is None or linked == inner or self._kinds.get(linked) != "file":
                raise _RefusedError(
                    f"{entry.path!r} is a hard link to {entry.target!r}, which is no file before it"
                )
            executable = bool((self._root / linked).stat().st_mode & stat.S_IXUSR)
            with (self._root / linked).open("rb") as content:
                self._write(inner, content, executable)
        elif entry.content is not None:
            self._write(inner, entry.content, entry.executable)
        self._kinds[inner] = "file"

    def _make_room(self, path: str, kind: str) -> None:
        """Make the folders above a path; refuse where they or the path itself are something else."""
        parts = path.split("/")
        for count in range(1, len(parts)):
            parent = "/".join(parts[:count])
            if self._kinds.get(parent, "folder") != "folder":
                raise _RefusedError(f"{path!r} lies below {parent!r}, which is no folder")
            if parent not in self._kinds:
                (self._root / parent).mkdir()
                self._kinds[parent] = "folder"
        there = self._kinds.get(path)
        if there == kind == "file":  # an archive that was appended to: the last one counts
            (self._root / path).unlink()
        elif there:
            raise _RefusedError(f"{path!r} is there twice, as different things")

    def _write(self, path: str, content: BinaryIO, executable: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(self._root / path, flags, 0o600), "wb", buffering=0) as file:
            while block := content.read(BLOCK):
                self._budget.spend(len(block))
                file.write(block)
            os.fchmod(file.fileno(), 0o755 if executable else 0o644)

    def finish(self, epoch: int) -> None:
        """Make the links, check where they lead, and set the times."""
        for path, target in self._links.items():
            (self._root / path).symlink_to(target)
        root = os.path.realpath(self._root)
        for path, target in self._links.items():
            # Links may lead over other links, which a look at the text alone does not see.
            if not (os.path.realpath(self._root / path) + "/").startswith(root + "/"):
                raise _RefusedError(f"{path!r} is a link to {target!r}, outside the tree")
        # Deepest first: to write into a folder sets its time.
        for path in sorted(self._kinds, key=lambda path: path.count("/") + bool(path), reverse=True):
            item = self._root / path
            if self._kinds[path] == "folder":
                item.chmod(0o755)
            os.utime(item, (epoch, epoch), follow_symlinks=False)


def _checked(path: str) -> str:
    """An entry's path in normal form; refused where it could lead outside."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path or "\n" in path:
        raise _RefusedError(f"the path {path!r} is not one inside a tree")
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _below(path: str, member: str | None) -> str | None:
    """A path relative to the folder `member`, "" for that folder itself, None for all else."""
    if not member:
        return path
    folder = member.strip("/")
    if path == folder:
        return ""
    return path[len(folder) + 1 :] if path.startswith(folder + "/") else None


def _inside(path: str, target: str) -> str:
    """The target of the link `path`, refused where its text leads outside the tree."""
    if not target or "\0" in target or target.startswith("/"):
        raise _RefusedError(f"{path!r} is a link to {target!r}, outside the tree")
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if end == ".." or end.startswith("../"):
        raise _RefusedError(f"{path!r} is a link to {target!r}, outside the tree")
    return target


@contextlib.contextmanager
def _entries(archive: Path, budget: _Budget) -> Iterator[Iterator[_Entry]]:
    with archive.open("rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"PK"):
            with zipfile.ZipFile(file) as opened:
                yield _zip_entries(opened)
        else:
            with _decompressed(file, start) as plain:
                bounded = _Bounded(plain, budget)
                with tarfile.open(fileobj=bounded, mode="r:") as tar:
                    yield _tar_entries(tar)


def _decompressed(file: BinaryIO, start: bytes) -> BinaryIO:
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.BZ2File(file)  # type: ignore[return-value]
    return file


class _Bounded(io.RawIOBase):
    """A stream that is only read forwards, never much at once, and not beyond a multiple of the budget.

    tarfile reads an extended header as a whole, whatever size it says it has.
    """

    def __init__(self, stream: BinaryIO, budget: _Budget) -> None:
        self._stream = stream
        # Headers and padding: at most 1 KiB for an entry, in archives of many tiny files.
        self._left = budget.limit + MAX_ENTRIES * 1024
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_METADATA:
            raise _RefusedError(f"it has a header of {size} bytes")
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
            raise _RefusedError("it unpacks to far too much for its size")
        return b"".join(parts)

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self._at:
            raise _RefusedError("its entries are not in order")
        while self._at < offset:
            if not self.read(min(MAX_METADATA, offset - self._at)):
                break
        return self._at


def _tar_entries(tar: tarfile.TarFile) -> Iterator[_Entry]:
    while info := tar.next():
        tar.members.clear()  # type: ignore[attr-defined]  # half a million of them would only fill the memory
        if info.isdir():
            yield _Entry(info.name, "folder")
        elif info.issym():
            yield _Entry(info.name, "symlink", target=info.linkname)
        elif info.islnk():
            yield _Entry(info.name, "hardlink", target=info.linkname)
        elif info.isreg() and not info.issparse():
            content = tar.extractfile(info)
            yield _Entry(info.name, "file", bool(info.mode & stat.S_IXUSR), content=content)  # type: ignore[arg-type]
        else:
            raise _RefusedError(f"{info.name!r} is a device, a pipe or another thing that no source tree has")


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in archive.infolist():
        mode = info.external_attr >> 16
        kind = stat.S_IFMT(mode)
        if info.flag_bits & 1:
            raise _RefusedError(f"{info.filename!r} is encrypted")
        if info.is_dir():
            yield _Entry(info.filename, "folder")
        elif kind == stat.S_IFLNK:
            with archive.open(info) as content:
                target = content.read(MAX_METADATA + 1)
            if len(target) > MAX_METADATA:
                raise _RefusedError(f"{info.filename!r} is a link to a name of {len(target)} bytes")
            yield _Entry(info.filename, "symlink", target=os.fsdecode(target))
        elif kind in (0, stat.S_IFREG):
            with archive.open(info) as content:
                yield _Entry(info.filename, "file", bool(mode & stat.S_IXUSR), content=content)  # type: ignore[arg-type]
        else:
            raise _RefusedError(
                f"{info.filename!r} is a device, a pipe or another thing that no source tree has"
            )


def _reason(error: BaseException) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def _discard(target: Path) -> None:
    if not target.is_symlink():
        shutil.rmtree(target, ignore_errors=True)
