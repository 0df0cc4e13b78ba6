"""Archives made as a test wants, of trees that are values: files and links by path."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union


@dataclass(frozen=True)
class File:
    data: bytes = b""
    executable: bool = False


@dataclass(frozen=True)
class Link:
    target: str


Tree = Mapping[str, Union[File, Link]]
PACKED = {"tar": bytes, "tar.gz": gzip.compress, "tar.xz": lzma.compress, "tar.bz2": bz2.compress}
FORMATS = [*PACKED, "zip"]


def pack(tree: Tree, form: str, order: Sequence[str] | None = None, time: int = 0, prefix: str = "") -> bytes:
    """An archive of a tree; entries in the given order, all of one time, below a prefix."""
    names = tree if order is None else order
    entries = {prefix + name: tree[name] for name in names}
    return zipped(entries, time) if form == "zip" else PACKED[form](tarred(entries, time))


def tarred(tree: Tree, time: int = 0) -> bytes:
    return tar([header(name, entry, time) for name, entry in tree.items()])


def header(name: str, entry: File | Link, time: int = 0) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mtime = time
    if isinstance(entry, Link):
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
        return info, b""
    info.mode, info.size = 0o700 if entry.executable else 0o640, len(entry.data)
    return info, entry.data


def special(name: str, kind: bytes, linkname: str = "") -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info, b""


def tar(entries: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for info, data in entries:
            target.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(tree: Tree, time: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, entry in tree.items():
            info = zipfile.ZipInfo(name, (1980 + time % 100, 1, 1, 0, 0, 0))
            info.create_system = 3
            if isinstance(entry, Link):
                info.external_attr = 0o120777 << 16
                target.writestr(info, entry.target.encode("utf-8", "surrogateescape"))
            else:
                info.external_attr = (0o100755 if entry.executable else 0o100644) << 16
                target.writestr(info, entry.data)
    return buffer.getvalue()


def write(tree: Tree, folder: Path) -> Path:
    """The tree as files on the disk."""
    for name, entry in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            path.symlink_to(entry.target)
        else:
            path.write_bytes(entry.data)
            path.chmod(0o744 if entry.executable else 0o600)
    return folder
