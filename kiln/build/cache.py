"""The compile caches: how large they may become together, and which files go first."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.core import UsageError

VARIABLE = "KILN_CACHE_SIZE"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DEFAULT = 20 * 10**9


@dataclass(frozen=True)
class CachedFile:
    """A file of a cache; `used` is when it was last read or written, in seconds since 1970."""

    path: Path
    size: int
    used: float


def limit(environment: Mapping[str, str]) -> int:
    """The bytes that all caches together may take, from `KILN_CACHE_SIZE`; UsageError where it is not a size."""
    text = environment.get(VARIABLE)
    if not text:
        return DEFAULT
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)B?", text, re.ASCII)
    if not found or not int(found[1]):
        raise UsageError(f"{VARIABLE} is {text!r}, which is not a size", "give one such as 20G or 500M")
    return int(found[1]) * _UNITS[found[2]]


def excess(folder: Path, size: int, without: Container[str] = ()) -> list[CachedFile]:
    """The files of the caches in a folder that go so that the rest fits into `size` bytes: those unused for longest.

    The caches `without`, by name, do not count.
    On file systems that note reads once a day (relatime, the usual setting) the last use is known to a day.
    """
    counted = (file for file in _files(folder) if file.path.relative_to(folder).parts[0] not in without)
    files = sorted(counted, key=lambda file: file.used)
    over = sum(file.size for file in files) - size
    found = []
    for file in files:
        if over <= 0:
            break
        found.append(file)
        over -= file.size
    return found


def prune(folder: Path, size: int) -> int:
    """Remove what `excess` finds: the bytes that were freed. A build that misses a file makes it again."""
    files = excess(folder, size)
    for file in files:
        # Another build may have removed it, or put something else in its place.
        with contextlib.suppress(OSError):
            _unlink(folder, file.path.relative_to(folder).parts)
    return sum(file.size for file in files)


def _files(folder: Path) -> Iterator[CachedFile]:
    """The plain files below a folder in which containers write: no link is followed."""
    for parent, _, names, handle in os.fwalk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                yield CachedFile(Path(parent, name), status.st_size, max(status.st_atime, status.st_mtime))


def _unlink(folder: Path, parts: tuple[str, ...]) -> None:
    """Remove a file below a folder. Raises OSError where a folder on the way is a link by now."""
    with contextlib.ExitStack() as stack:
        handle = None
        for part in (str(folder), *parts[:-1]):
            handle = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            stack.callback(os.close, handle)
        os.unlink(parts[-1], dir_fd=handle)
