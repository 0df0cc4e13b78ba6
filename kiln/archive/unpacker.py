"""Archives to trees: nothing is written outside the target, whatever an archive holds."""

from __future__ import annotations

import errno
import gzip
import os
import posixpath
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from kiln.archive.entries import BROKEN, Budget, Entry, RefusedError, entries_of
from kiln.core import BLOCK, SourceError

# Characters of a reason that are shown.
LONGEST = 500


def unpack(
    archive: Path,
    target: Path,
    member: str | None = None,
    epoch: int = 0,
    without: Collection[str] = (),
) -> None:
    """Unpack a tar archive (plain, gzip, xz, bzip2) or a zip archive into the new folder `target`.

    Only the files and links below the folder `member` are taken, without that prefix, and none of those whose
    paths there are in `without`. Modes become 0644 or 0755, every time `epoch` (seconds since 1970). What a
    tree's digest does not cover is left out: empty folders, and everything that is named `.git`.

    Raises SourceError for an archive that is broken, too large, or tries to reach outside `target`, and
    leaves nothing behind.
    """
    if target.is_symlink() or (target.exists() and any(target.iterdir())):
        raise SourceError(f"{archive} is not unpacked to {target}, which is not empty", "remove that folder")
    try:
        budget = Budget(archive.stat().st_size)
        target.mkdir(parents=True, exist_ok=True)
        tree = _Tree(target, budget, frozenset(without))
        with entries_of(archive, budget) as entries:
            for entry in entries:
                budget.entry()
                tree.take(entry, member)
        if tree.empty:
            raise RefusedError(f"it has no files below {member!r}" if member else "it has no files")
        tree.finish(epoch)
    except RefusedError as error:
        _discard(target)
        raise SourceError(f"{archive} is not unpacked: {_reason(error)}", "use another origin") from error
    except BROKEN as error:
        _discard(target)
        raise SourceError(f"{archive} is broken ({_reason(error)})", "fetch it again") from error
    except OSError as error:
        _discard(target)
        if isinstance(error, gzip.BadGzipFile) or error.errno is None:
            raise SourceError(f"{archive} is broken ({_reason(error)})", "fetch it again") from error
        if error.errno == errno.ENAMETOOLONG:
            raise SourceError(
                f"{archive} is not unpacked: a name in it is too long", "use another origin"
            ) from error
        raise SourceError(
            f"{archive} cannot be unpacked to {target} ({error.strerror})",
            "free disk space there, or check its permissions",
        ) from error
    except BaseException:
        _discard(target)
        raise


def extract(archive: Path, member: str, target: Path) -> None:
    """Write the one file `member` of an archive as the new file `target`, within the bounds of `unpack`.

    Raises SourceError for an archive that is broken or too large, or has no such file.
    """
    try:
        budget = Budget(archive.stat().st_size)
        found = False
        with entries_of(archive, budget) as entries:
            for entry in entries:
                budget.entry()
                if entry.kind == "file" and entry.content and _checked(entry.path) == _checked(member):
                    found = True  # an archive that was appended to: the last one counts
                    with target.open("wb") as file:
                        while block := entry.content.read(BLOCK):
                            budget.spend(len(block))
                            file.write(block)
        if not found:
            raise RefusedError(f"it has no file {member!r}")
    except (RefusedError, *BROKEN, OSError) as error:
        raise SourceError(
            f"{member!r} is not taken from {archive}: {_reason(error)}", "use another origin"
        ) from error


class _Tree:
    """A folder that an archive's entries are written into.

    Links are made after all files, so that no write can go through one.
    """

    def __init__(self, root: Path, budget: Budget, without: frozenset[str]) -> None:
        self._root = root
        self._without = without
        self._budget = budget
        self._kinds: dict[str, str] = {"": "folder"}
        self._links: dict[str, str] = {}

    @property
    def empty(self) -> bool:
        return len(self._kinds) == 1

    def take(self, entry: Entry, member: str | None) -> None:
        whole = _checked(entry.path)
        inner = _below(whole, member)
        if inner is None or inner in self._without or ".git" in inner.split("/"):
            return
        if entry.kind == "folder":
            if self._kinds.get(inner, "folder") != "folder":
                raise RefusedError(f"{entry.path!r} appears twice, as different things")
            return
        if inner == "":
            raise RefusedError(f"{entry.path!r} is not a folder")
        self._make_room(inner, "link" if entry.kind == "symlink" else "file")
        if entry.kind == "symlink":
            self._links[inner] = _inside(inner, entry.target)
            self._kinds[inner] = "link"
            return
        if entry.kind == "hardlink":
            # A copy: a patch to one name must not change the other.
            linked = _below(_checked(entry.target), member)
            if linked is None or linked == inner or self._kinds.get(linked) != "file":
                raise RefusedError(
                    f"{entry.path!r} is a hard link to {entry.target!r}, which is not a file before it"
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
                raise RefusedError(f"{path!r} lies below {parent!r}, which is not a folder")
            if parent not in self._kinds:
                (self._root / parent).mkdir()
                self._kinds[parent] = "folder"
        there = self._kinds.get(path)
        if there == kind == "file":  # an archive that was appended to: the last one counts
            (self._root / path).unlink()
        elif there:
            raise RefusedError(f"{path!r} appears twice, as different things")

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
            # Links may lead through other links, which their texts alone do not show.
            if not (os.path.realpath(self._root / path) + "/").startswith(root + "/"):
                raise RefusedError(f"{path!r} is a link to {target!r}, outside the tree")
        # Deepest first: to write into a folder sets its time.
        for path in sorted(self._kinds, key=lambda path: path.count("/") + bool(path), reverse=True):
            item = self._root / path
            if self._kinds[path] == "folder":
                item.chmod(0o755)
            os.utime(item, (epoch, epoch), follow_symlinks=False)


def _checked(path: str) -> str:
    """An entry's path in normal form; refused where it could lead outside."""
    if path.startswith("/") or ".." in path.split("/") or "\0" in path or "\n" in path:
        raise RefusedError(f"the path {path!r} is not a path inside a tree")
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
        raise RefusedError(f"{path!r} is a link to {target!r}, outside the tree")
    end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if end == ".." or end.startswith("../"):
        raise RefusedError(f"{path!r} is a link to {target!r}, outside the tree")
    return target


def _reason(error: BaseException) -> str:
    text = str(error).strip().rstrip(".") or type(error).__name__
    # A name or a link in an archive may be of any length.
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _discard(target: Path) -> None:
    if not target.is_symlink():
        shutil.rmtree(target, ignore_errors=True)
