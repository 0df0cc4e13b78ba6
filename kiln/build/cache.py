"""The compile caches: how large they may become, and which files go first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.core import UsageError

VARIABLE = "KILN_CACHE_SIZE"
DEFAULT = "20G"
# ccache reads its limit from here and keeps to it; Bazel 0.26 never removes anything from its disk cache.
_CCACHE_SETTINGS = "ccache.conf"
_BAZEL = "bazel"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class CachedFile:
    """A file of a cache; `used` is when it was last read or written, in seconds since 1970."""

    path: Path
    size: int
    used: float


def limit(environment: Mapping[str, str]) -> int:
    """The bytes that each of the two caches may take, from `KILN_CACHE_SIZE`; UsageError where it is not a size."""
    text = environment.get(VARIABLE) or DEFAULT
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)B?", text, re.ASCII)
    if not found or not int(found[1]):
        raise UsageError(f"{VARIABLE} is {text!r}, which is not a size", "give one such as 20G or 500M")
    return int(found[1]) * _UNITS[found[2]]


def configure(folder: Path, size: int) -> None:
    """Write the limit where ccache reads it."""
    settings, text = folder / _CCACHE_SETTINGS, f"max_size = {max(1, size // 10**6)}M\n"
    if not settings.is_file() or settings.read_text(encoding="utf-8") != text:
        partial = settings.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(settings)


def excess(folder: Path, size: int) -> list[CachedFile]:
    """The files of Bazel's disk cache that go so that the rest fits into `size` bytes: those unused for longest.

    On file systems that note reads once a day (relatime, the usual setting) the last use is known to a day.
    """
    files = sorted(_files(folder / _BAZEL), key=lambda file: file.used)
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
        file.path.unlink(missing_ok=True)
    return sum(file.size for file in files)


def _files(folder: Path) -> Iterator[CachedFile]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            yield CachedFile(Path(entry.path), status.st_size, max(status.st_atime, status.st_mtime))
