"""A tree as an archive whose bytes depend on the tree alone."""

from __future__ import annotations

import os
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kiln.archive.kind import Kind
from kiln.core import BLOCK, SourceError

# The first moment that a zip archive can record: 1980-01-01.
EPOCH = 315532800
_STORED = 65535  # the most bytes in a block of deflate that is not compressed


def pack(tree: Path, target: Path, kind: Kind) -> None:
    """Write the files and links of a tree as the new archive `target`: one order, one time, two modes.

    Raises SourceError for a name that the form cannot hold.
    Nothing is compressed: what a compressor makes of the same bytes changes with its version.
    """
    with target.open("wb") as file:
        if kind == "zip":
            _zip(tree, file)
        elif kind == "tar":
            _tar(tree, file)
        else:
            with _Stored(file) as stream:
                _tar(tree, stream)


def _files(tree: Path) -> Iterator[tuple[str, Path]]:
    paths = [Path(folder, name) for folder, _, names in os.walk(tree) for name in names]
    links = [Path(folder, name) for folder, names, _ in os.walk(tree) for name in names]
    paths += [path for path in links if path.is_symlink()]
    named = ((path.relative_to(tree).as_posix(), path) for path in paths)
    yield from sorted(item for item in named if ".git" not in item[0].split("/"))


def _mode(path: Path) -> int:
    return 0o755 if path.lstat().st_mode & 0o100 else 0o644


def _tar(tree: Path, file: BinaryIO | _Stored) -> None:
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as archive:  # type: ignore[call-overload]
        for name, path in _files(tree):
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = EPOCH, _mode(path)
            if path.is_symlink():
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)  # noqa: PTH115  (Path would change it)
                archive.addfile(info)
            else:
                info.size = path.stat().st_size
                with path.open("rb") as content:
                    archive.addfile(info, content)


def _zip(tree: Path, file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        for name, path in _files(tree):
            _in_utf8(name)
            info = zipfile.ZipInfo(name, time.gmtime(EPOCH)[:6])
            info.create_system = 3  # Unix, whose modes these are
            if path.is_symlink():
                info.external_attr = 0o120777 << 16
                archive.writestr(info, os.readlink(os.fsencode(path)))  # noqa: PTH115
            else:
                info.external_attr = (0o100000 | _mode(path)) << 16
                info.file_size = path.stat().st_size
                with path.open("rb") as content, archive.open(info, "w") as member:
                    while block := content.read(BLOCK):
                        member.write(block)


def _in_utf8(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SourceError(
            f"the name {name.encode(errors='surrogateescape')!r} is not UTF-8, which a zip needs",
            "pack the tree as tar.gz",
        ) from error


class _Stored:
    """A gzip stream of blocks that are not compressed, written by hand: a library's blocks are its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rest = b""
        self._crc = 0
        self._size = 0

    def __enter__(self) -> _Stored:
        self._file.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")
        return self

    def write(self, data: bytes) -> int:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        data = self._rest + data
        at = 0
        while len(data) - at > _STORED:
            self._block(data[at : at + _STORED], last=False)
            at += _STORED
        self._rest = data[at:]
        return len(data)

    def __exit__(self, *_: object) -> None:
        self._block(self._rest, last=True)
        self._file.write(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))

    def _block(self, data: bytes, last: bool) -> None:
        self._file.write(struct.pack("<BHH", last, len(data), len(data) ^ 0xFFFF) + data)
