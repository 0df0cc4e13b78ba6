"""The vault: sources by the hash of their content, verified on every read."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kiln.core import BLOCK, SourceError, sha256_of, shown

Note = Callable[[str], None]


def no_note(_: str) -> None:
    """A note that is not shown."""


@dataclass(frozen=True)
class Vault:
    """A folder of files named by their sha256. Its methods raise OSError where the folder cannot be used."""

    root: Path

    def path(self, sha256: str) -> Path:
        return self.root / "sha256" / sha256[:2] / sha256

    def get(self, sha256: str, note: Note = no_note) -> Path | None:
        """The file with this hash; None where it is missing, or damaged, which `note` then says."""
        path = self.path(sha256)
        try:
            found = sha256_of(path)
        except FileNotFoundError:
            return None
        if found == sha256:
            return path
        note(f"{path} is damaged and is not used")
        return None

    def drop(self, sha256: str) -> None:
        """Delete a damaged file. The caller holds its lock, so that a good one is never deleted."""
        self.path(sha256).unlink(missing_ok=True)

    def partial(self, sha256: str) -> Path:
        """Where a download is kept until it is whole, so that a later process can resume it."""
        return self._folder("partial") / f"{sha256}.part"

    def add(self, file: Path, sha256: str) -> Path:
        """Copy a file into the vault; SourceError where its hash is another."""
        descriptor, name = tempfile.mkstemp(dir=self._folder("work"))
        copy = Path(name)
        try:
            with file.open("rb") as source, os.fdopen(descriptor, "wb") as target:
                shutil.copyfileobj(source, target, BLOCK)
            found = sha256_of(copy)
            if found != sha256:
                raise SourceError(f"{file} has the sha256 {found}, not {sha256}", "give the right file")
            return self._place(copy, sha256)
        finally:
            copy.unlink(missing_ok=True)

    def finish(self, sha256: str) -> Path:
        """Give a partial file its name. Only for one whose whole content the caller has hashed."""
        return self._place(self.partial(sha256), sha256)

    @contextlib.contextmanager
    def lock(self, sha256: str, note: Note = no_note) -> Iterator[None]:
        """Only one thread of one process at a time fetches a file. The kernel frees the lock in any case."""
        # Not opened for writing: another user may have made it.
        descriptor = os.open(self._folder("locks") / sha256, os.O_RDONLY | os.O_CREAT, 0o666)
        with os.fdopen(descriptor) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                note("another process fetches it already: waiting for that")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def workspace(self, sha256: str) -> Iterator[Path]:
        """An empty folder on the vault's file system, for the holder of this hash's lock."""
        # The name is fixed, so that what a killed process left is removed by the next.
        folder = self._folder("work") / sha256
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def tree_of(self, sha256: str, member: str | None) -> str | None:
        """The digest of the tree in an archive, as recorded by `record_tree`."""
        return _text(self._tree(sha256, member))

    def record_tree(self, sha256: str, member: str | None, tree: str) -> None:
        """Remember what is in an archive, so that it is not unpacked again only to be checked."""
        self._record(self._tree(sha256, member), tree)

    def packed(self, tree: str, kind: str) -> Path | None:
        """The archive that `record_packed` recorded for a tree, verified like every file."""
        sha256 = _text(self._packed(tree, kind))
        return self.get(sha256) if sha256 else None

    def record_packed(self, tree: str, kind: str, sha256: str) -> None:
        """Remember which file of the vault was made of a tree."""
        self._record(self._packed(tree, kind), sha256)

    def origin_of(self, sha256: str) -> str | None:
        """Where a file came from, as recorded by `record_origin`."""
        return _text(self._folder("origins") / sha256)

    def record_origin(self, sha256: str, origin: str) -> None:
        """Remember where a file came from; this is for people, nothing depends on it."""
        self._record(self._folder("origins") / sha256, shown(origin))

    def _record(self, path: Path, text: str) -> None:
        with tempfile.NamedTemporaryFile(
            "w", dir=self._folder("work"), delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o444)
        os.replace(file.name, path)  # noqa: PTH105

    def _packed(self, tree: str, kind: str) -> Path:
        return self._folder("packed") / f"{tree}.{kind}"

    def _tree(self, sha256: str, member: str | None) -> Path:
        return self._folder("trees") / f"{sha256}-{hashlib.sha256((member or '').encode()).hexdigest()[:16]}"

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _place(self, file: Path, sha256: str) -> Path:
        path = self.path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # half of it was fetched by another user
            file.chmod(0o444)
        # Not synced to the disk, which takes as long as the download: every read finds what a power cut damaged.
        file.replace(path)
        return path


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
