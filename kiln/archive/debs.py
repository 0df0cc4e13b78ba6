"""Debian's packages as files: what is in them, without a Debian."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from kiln.archive.entries import BROKEN, Bounded, Budget, RefusedError, decompressed
from kiln.core import SourceError, hash_into

# Folders at the root that are links into /usr.
MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_MAGIC = b"!<arch>\n"
_HEADER = 60  # bytes
_MAX_CONTROL = 1 << 20  # bytes


@dataclass(frozen=True)
class Entry:
    """What a root file system has at one path: type, permissions, owners, and content or link."""

    path: str
    what: str


def control(package: Path) -> str:
    """The control file of a package, as it stands in an archive's index."""
    with _part(package, "control") as tar:
        for member in tar:
            file = tar.extractfile(member) if _name(member.name) == "control" else None
            if file:
                text = file.read(_MAX_CONTROL + 1)
                if len(text) > _MAX_CONTROL:
                    raise ValueError(f"its control file has more than {_MAX_CONTROL} bytes")
                return text.decode().strip("\n")
    raise SourceError(f"{package} has no control file", "fetch it again")


def unpacked(packages: Iterable[Path], target: Path) -> None:
    """Write the new tar `target` with the files of packages, on a root whose folders for programs are in /usr."""
    folders: set[str] = set()
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as result:
        for name in MERGED:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            result.addfile(link)
        for package in packages:
            with _part(package, "data") as tar:
                for member in tar:
                    member.name = _in_usr(member.name)
                    if not member.name or (member.isdir() and member.name in folders):
                        continue
                    if member.isdir():
                        folders.add(member.name)
                    if member.islnk():
                        member.linkname = _in_usr(member.linkname)
                    result.addfile(member, tar.extractfile(member) if member.isreg() else None)


def contents(packages: Iterable[Path]) -> dict[str, str]:
    """What the files of packages are, by path: the values of `entries`."""
    found = {}
    for package in packages:
        with _part(package, "data") as tar:
            found.update({_in_usr(name): what for name, what in _entries(tar)})
    return found


def entries(root: Path) -> dict[str, str]:
    """What a tar of a root file system has at each path, as a short text: its type, permissions, owners and content."""
    with tarfile.open(root) as tar:
        return dict(_entries(tar))


def status(root: Path) -> str:
    """What dpkg has recorded of its packages in a tar of a root file system; empty where it is not there."""
    with tarfile.open(root) as tar:
        for member in tar:
            file = tar.extractfile(member) if _name(member.name) == "var/lib/dpkg/status" else None
            if file:
                return file.read().decode()
    return ""


def first_difference(expected: dict[str, str], found: dict[str, str]) -> str:
    """The first path at which two root file systems differ, with how; empty where they are equal."""
    for path in sorted({*expected, *found}):
        if path not in found:
            return f"/{path} is missing"
        if path not in expected:
            return f"/{path} is not expected"
        if expected[path] != found[path]:
            return f"/{path} is {found[path]} and not {expected[path]}"
    return ""


def _entries(tar: tarfile.TarFile) -> Iterator[tuple[str, str]]:
    links: dict[str, str] = {}
    for member in tar:
        content = member.linkname
        if member.isreg():
            file = tar.extractfile(member)
            content = hash_into(file, hashlib.sha256())[:16] if file else ""  # type: ignore[arg-type]
            links[_in_usr(member.name)] = content
        elif member.islnk():
            content = links.get(_in_usr(member.linkname), member.linkname)
        kind: Literal["file", "folder", "link"] = (
            "folder" if member.isdir() else "link" if member.issym() else "file"
        )
        name = _name(member.name)
        if name:
            yield name, f"{kind} {member.mode & 0o7777:04o} {member.uid}:{member.gid} {content}".rstrip()


@contextlib.contextmanager
def _part(package: Path, which: Literal["control", "data"]) -> Iterator[tarfile.TarFile]:
    """The tar `control` or `data` of a package."""
    try:
        with package.open("rb") as file:
            size = _seek(file, f"{which}.tar")
            at = file.tell()
            start = file.read(6)
            file.seek(at)
            plain = decompressed(_Slice(file, size), start)  # type: ignore[arg-type]
            with tarfile.open(fileobj=Bounded(plain, Budget(size)), mode="r:") as tar:
                yield tar
    except (gzip.BadGzipFile, RefusedError, *BROKEN) as error:
        raise SourceError(
            f"{package} is not a package that can be read ({error})", "fetch it again"
        ) from error


def _seek(file: BinaryIO, name: str) -> int:
    """Go to the member of an archive of ar whose name begins so: its size in bytes."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it is no archive of ar")
    while header := file.read(_HEADER):
        size = int(header[48:58])
        if size < 0:
            raise ValueError(f"a part of it has {size} bytes")
        if header[:16].decode("ascii").startswith(name):
            return size
        file.seek(size + size % 2, 1)
    raise ValueError(f"it has no {name}")


class _Slice:
    """A part of a file, from where it stands, as a file that can be read and sought."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._start = file.tell()
        self._size = size
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        self._file.seek(self._start + self._at)
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _name(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _in_usr(path: str) -> str:
    name = _name(path)
    return f"usr/{name}" if name.partition("/")[0] in MERGED else name
