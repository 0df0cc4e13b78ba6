"""The digest of a tree of files."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from kiln.core import SourceError, sha256_of


def tree_digest(folder: Path) -> str:
    """The canonical digest of a tree: of names, contents and executable bits, and of nothing else.

    Raises SourceError for what a tree must not hold: devices, pipes, sockets, names with a line break.
    """
    digest = hashlib.sha256()
    for path, item in sorted(_files(os.fsencode(folder), b"")):
        digest.update(_row(path, item) + path + b"\n")
    return digest.hexdigest()


def _files(folder: bytes, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The path of every file and link below a folder, relative to the tree and as it is."""
    with os.scandir(folder) as items:
        for item in items:
            if item.name == b".git":
                continue
            if item.is_dir(follow_symlinks=False):
                yield from _files(item.path, prefix + item.name + b"/")
            else:
                yield prefix + item.name, item.path


def _row(path: bytes, item: bytes) -> bytes:
    """The type and the content's hash of one file or link."""
    if b"\n" in path:
        raise SourceError(f"{os.fsdecode(item)!r} has a line break in its name", "rename it")
    status = os.lstat(item)
    if stat.S_ISLNK(status.st_mode):
        return b"l %s " % hashlib.sha256(os.readlink(item)).hexdigest().encode()  # noqa: PTH115
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{os.fsdecode(item)} is neither a file, a folder nor a link", "remove it")
    kind = b"x" if status.st_mode & stat.S_IXUSR else b"f"
    return b"%s %s " % (kind, sha256_of(Path(os.fsdecode(item))).encode())
