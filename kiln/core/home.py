"""The folder where Kiln keeps its state, and the locks on what lies in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from kiln.core.errors import UsageError


class Notes(Protocol):
    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Home:
    """`$KILN_HOME`, by default the folder `kiln` in the user's cache folder."""

    path: Path

    @classmethod
    def of(cls, environment: Mapping[str, str], closed: bool = True) -> Home:
        """The home that an environment names, made where it does not exist; UsageError where that fails.

        Only this user gets into the folders in which containers write: what they make for a build of root's belongs to
        a user id that may be a person's. Where they are not `closed`, a folder above must be.
        """
        given = environment.get("KILN_HOME")
        path = Path(given).expanduser().absolute() if given else _default()
        home = cls(path)
        try:
            for folder in (
                home.sources, home.ccache, home.builds, home.results, home.untested, home.work, home.locks
            ):  # fmt: skip
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (home.ccache, home.builds, home.interpreters, home.venvs, home.verify, home.work):
                folder.mkdir(exist_ok=True)
                if closed:
                    folder.chmod(0o700)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be used as Kiln's home ({error.strerror})",
                "set KILN_HOME to a folder where this user may write",
            ) from error
        return home

    @property
    def sources(self) -> Path:
        """The vault."""
        return self.path / "sources"

    @property
    def ccache(self) -> Path:
        """The compile caches, each in a folder of its own for a toolchain and a recipe."""
        return self.path / "ccache"

    @property
    def builds(self) -> Path:
        """The working folders of builds under way, by build key."""
        return self.path / "builds"

    @property
    def results(self) -> Path:
        """Finished builds, by build key."""
        return self.path / "results"

    @property
    def untested(self) -> Path:
        """Wheels that were built and have not passed their smoke run yet, by build key."""
        return self.path / "untested"

    @property
    def interpreters(self) -> Path:
        """Interpreters built from source, by digest."""
        return self.path / "interpreters"

    @property
    def venvs(self) -> Path:
        """The virtual environments of builds, by the digest of what they are made of."""
        return self.path / "venvs"

    @property
    def environments(self) -> Path:
        """Python environments of programs that Kiln runs beside itself, by their packages' digest."""
        return self.path / "environments"

    @property
    def verify(self) -> Path:
        """Rebuilds under way of recorded wheels, by build key: each with a home of its own."""
        return self.path / "verify"

    @property
    def rebuilds(self) -> Path:
        """The checkouts and homes of rebuilds from a provenance, by the first 16 digits of their keys."""
        return self.path / "rebuilds"

    @property
    def work(self) -> Path:
        """Temporary files; nothing in it is ever read by another run."""
        return self.path / "work"

    @property
    def locks(self) -> Path:
        return self.path / "locks"

    @contextlib.contextmanager
    def lock(
        self, name: str, notes: Notes, waiting: str = "", left: Callable[[], float] | None = None
    ) -> Iterator[None]:
        """Only one process at a time holds a name. `waiting` and `left` are as for `held`."""
        waiting = waiting or f"another kiln process is at work on {name}: waiting for it"
        with held(self.locks / f"{name}.lock", fcntl.LOCK_EX, notes, waiting, left):
            yield

    @contextlib.contextmanager
    def in_use(self, notes: Notes) -> Iterator[None]:
        """As long as a process is in here, nothing in the home is removed by `./inv gc`."""
        waiting = f"`./inv gc` is at work in {self.path}: waiting for it"
        with held(self.locks / "use.lock", fcntl.LOCK_SH, notes, waiting):
            yield

    def tidy(self) -> None:
        """Remove the temporary files of runs that were killed; none while another process uses the home."""
        with self.alone() as alone:
            for path in self.work.iterdir() if alone else ():
                if path.is_dir() and not path.is_symlink():
                    remove(path)
                else:
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process uses the home; none begins to before this has ended."""
        with (self.locks / "use.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


def _default() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("kiln"))


@contextlib.contextmanager
def held(
    file: Path, kind: int, notes: Notes, waiting: str, left: Callable[[], float] | None = None
) -> Iterator[None]:
    """A lock on a file, of one of fcntl's kinds; the note `waiting` where another process holds it.

    The kernel frees it however the process ends. Raises UsageError for a link: it may lead to any file. `left` says how
    many seconds are left to wait; TimeoutError where none are.
    """
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(f"{file} is a link", "remove it, then run again") from error
        raise
    with os.fdopen(handle, "rb+", buffering=0) as stream:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            notes.note(waiting)
            _wait(stream, kind, left)
        yield


def _wait(stream: IO[bytes], kind: int, left: Callable[[], float] | None) -> None:
    if left is None:
        fcntl.flock(stream, kind)
        return
    while (seconds := left()) > 0:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
            return
        time.sleep(min(1.0, seconds))
    raise TimeoutError


def give(folder: Path, owner: int | None, all_inside: bool = False) -> None:
    """Make a folder writable for the user that builds run as; without an owner it already is."""
    folder.mkdir(parents=True, exist_ok=True)
    if owner is None:
        return
    if folder.lstat().st_uid != owner:
        os.chown(folder, owner, owner, follow_symlinks=False)
    if all_inside:
        # A container may be at work in there: each name is taken in its open folder, so that no link leads elsewhere.
        for _, folders, files, handle in os.fwalk(folder):
            for name in (*folders, *files):
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(name, dir_fd=handle, follow_symlinks=False).st_uid != owner:
                        os.chown(name, owner, owner, dir_fd=handle, follow_symlinks=False)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, also what was made read-only inside."""
    if folder.exists():
        shutil.rmtree(folder, onerror=_force)


def _force(function: object, path: str, _: object) -> None:
    # Another process may be removing the same folder.
    with contextlib.suppress(FileNotFoundError):
        os.chmod(Path(path).parent, 0o700)  # noqa: PTH101
        if Path(path).is_dir() and not Path(path).is_symlink():
            os.chmod(path, 0o700)  # noqa: PTH101
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)
