"""Sources to verified files: from the vault, else from the first origin that gives the right bytes."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar
from urllib.parse import urlsplit

from kiln import archive, gitarchive, pypi
from kiln.download import (
    Downloader,
    Logins,
    OriginError,
    Patience,
    Pinned,
    Progress,
    Session,
    host,
    without_login,
)
from kiln.errors import SourceError, UsageError
from kiln.recipe import GitOrigin, Origin, PypiOrigin, Source, UrlOrigin
from kiln.vault import Note, Vault, sha256_of

__all__ = [
    "Obtained", "Patience", "Progress", "Settings", "Vault", "adopt", "obtain", "unpack_tree",
]  # fmt: skip

PLACEHOLDERS = {"host", "path", "sha256", "filename"}
GIT_PLACEHOLDERS = {"owner", "repo"}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Settings:
    """How this machine gets sources; nothing in it changes which bytes they are.

    `mirrors` and `git_mirrors` are templates of URLs or absolute paths, asked before the origins themselves.
    They may hold logins, which are used and never shown.
    """

    offline: bool = False
    mirrors: tuple[str, ...] = ()
    git_mirrors: tuple[str, ...] = ()
    parallel: int = 4
    per_host: int = 2
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """What KILN_OFFLINE, KILN_MIRRORS and KILN_GIT_MIRRORS say; UsageError for what is no template."""
        return cls(
            offline=environment.get("KILN_OFFLINE", "0") not in ("", "0"),
            mirrors=_templates("KILN_MIRRORS", environment, ("http", "https"), PLACEHOLDERS),
            git_mirrors=_templates(
                "KILN_GIT_MIRRORS", environment, ("http", "https", "ssh", "git", "file"), GIT_PLACEHOLDERS
            ),
        )


@dataclass(frozen=True)
class Obtained:
    """A source and the verified file in the vault that it was found as: itself, or a tree's archive.

    `origin` is the text of `origin_value` for the record.
    """

    source: Source
    path: Path
    origin: str
    origin_value: Origin


@dataclass(frozen=True)
class _Missing:
    """A source that cannot be had, and each place that was asked with the reason it gave."""

    source: Source
    failures: tuple[tuple[str, str], ...]


def obtain(
    sources: Sequence[Source], vault: Vault, settings: Settings, progress: Progress
) -> tuple[Obtained, ...]:
    """Every source as a verified file of the vault, several at a time; those that are there touch no network.

    Origins are tried in the recipe's order, each after its mirrors; every one that fails is told in one note.
    A tree is checked against its digest as well.

    Raises SourceError that lists all that cannot be had, with the reasons and the ways to supply it.
    """
    stopped = threading.Event()
    fetcher = _Fetcher(vault, settings, progress, stopped)
    try:
        results = _each(fetcher.obtain, sources, settings.parallel)
    except OSError as error:
        raise SourceError(
            f"the vault {vault.root} cannot be used ({error.strerror or error}): make room and look at its "
            "rights, or set KILN_HOME to another folder"
        ) from error
    finally:
        stopped.set()
    missing = [result for result in results if isinstance(result, _Missing)]
    if missing:
        raise SourceError(_ways_out(missing, len(sources)))
    return tuple(result for result in results if isinstance(result, Obtained))


def adopt(folder: Path, sources: Sequence[Source], vault: Vault) -> tuple[Path, ...]:
    """Copy into the vault every file of a folder that is one of the sources, by its hash, whatever its name.

    Raises UsageError where there is no such folder, SourceError where a file cannot be read or copied.
    """
    known = {origin.sha256: origin.size for source in sources for origin in source.origins}
    wanted = {sha256: size for sha256, size in known.items() if vault.get(sha256) is None}
    sizes = set(wanted.values())
    found = []
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise UsageError(f"{folder} cannot be listed ({error.strerror}): name a folder with files") from error
    try:
        for file in files:
            if None in sizes or file.stat().st_size in sizes:
                sha256 = sha256_of(file)
                if sha256 in wanted:
                    found.append(vault.add(file, sha256))
    except OSError as error:
        raise SourceError(
            f"{error.filename or folder} cannot be copied to the vault {vault.root} ({error.strerror}): "
            "look at its rights, and make room"
        ) from error
    return tuple(found)


def unpack_tree(obtained: Obtained, target: Path, epoch: int) -> None:
    """Unpack a tree source into the new folder `target`; SourceError where it is not the pinned tree."""
    archive.unpack(obtained.path, target, obtained.origin_value.member, epoch)
    found = archive.tree_digest(target)
    if found != obtained.source.tree:
        raise SourceError(
            f"{obtained.source.name} from {obtained.origin} is the tree {found}, not {obtained.source.tree}: "
            "correct the recipe's tree or member"
        )


@dataclass(frozen=True)
class _Way:
    """One way to get an origin's file; `run` returns its path in the vault or raises OriginError."""

    text: str
    local: bool
    run: Callable[[], Path]


class _Fetcher:
    """What one call of `obtain` shares between its threads."""

    def __init__(
        self, vault: Vault, settings: Settings, progress: Progress, stopped: threading.Event
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._progress = progress
        self._downloader = Downloader(settings.patience, self._session, stopped)
        self._lock = threading.Lock()
        self._pip: pypi.Pip | None = None
        self._hosts: dict[str, threading.Semaphore] = {}

    def obtain(self, source: Source) -> Obtained | _Missing:
        failures: list[tuple[str, str]] = []
        absent = []
        for origin in source.origins:
            path = self._vault.get(origin.sha256, self._note(source))
            if path is None:
                absent.append(origin)
            elif self._is_tree(source, origin, path, failures):
                return Obtained(source, path, str(origin), origin)
        for origin in absent:
            path = self._fetch(source, origin, failures)
            if path and self._is_tree(source, origin, path, failures):
                return Obtained(source, path, str(origin), origin)
        return _Missing(source, tuple(failures))

    def _fetch(self, source: Source, origin: Origin, failures: list[tuple[str, str]]) -> Path | None:
        """An origin's file, by whichever way gives it; None where none does."""
        with self._vault.lock(origin.sha256, self._note(source)):
            path = self._vault.get(origin.sha256)
            if path:
                return path  # another process was faster
            self._vault.drop(origin.sha256)
            without = 0
            for way in self._ways(source, origin):
                if self._settings.offline and not way.local:
                    failures.append((way.text, "was not asked: offline"))
                    continue
                try:
                    return way.run()
                except pypi.AbsentError as error:
                    # Not told: that one place of several does not have a file is how pip's places are.
                    failures.append((way.text, str(error)))
                    without += 1
                except OriginError as error:
                    self._failed(source, way.text, str(error), failures)
            if without:
                self._note(source)(f"{origin} is not in {without} of the places that pip looks in")
        return None

    def _is_tree(self, source: Source, origin: Origin, path: Path, failures: list[tuple[str, str]]) -> bool:
        """Whether an archive has the source's tree in it; always, for a source that is a file."""
        if source.tree is None:
            return True
        found = self._vault.tree_of(origin.sha256, origin.member)
        if found != source.tree:  # a record of another tree may be a damaged one
            with self._vault.lock(origin.sha256), self._vault.workspace(origin.sha256) as folder:
                try:
                    archive.unpack(path, folder / "tree", origin.member)
                    found = archive.tree_digest(folder / "tree")
                except SourceError as error:
                    self._failed(source, str(origin), str(error), failures)
                    return False
            self._vault.record_tree(origin.sha256, origin.member, found)
        if found != source.tree:
            self._failed(source, str(origin), f"gives the tree {found}, not {source.tree}", failures)
        return found == source.tree

    def _failed(self, source: Source, where: str, reason: str, failures: list[tuple[str, str]]) -> None:
        failures.append((where, reason))
        self._note(source)(f"{where} {reason}")

    def _note(self, source: Source) -> Note:
        return lambda text: self._progress.note(f"{source.name}: {text}")

    def _ways(self, source: Source, origin: Origin) -> Iterator[_Way]:
        for template in self._settings.mirrors:
            place = _filled(template, origin)
            if place is not None and place.startswith("/"):
                yield self._copy(place, Path(place), origin)
            elif place is not None:
                yield self._download(place, source, origin, self._session)
        if isinstance(origin, UrlOrigin):
            yield self._download(origin.url, source, origin, self._session)
        elif isinstance(origin, PypiOrigin):
            for place in pypi.places(self._pip_configuration()):
                yield self._package(place, source, origin)
        else:
            for repository in (*gitarchive.mirrors(origin.git, self._settings.git_mirrors), origin.git):
                yield self._recreate(repository, origin)

    def _download(self, url: str, source: Source, origin: Origin, session: Callable[[], Session]) -> _Way:
        def run() -> Path:
            downloader = Downloader(self._downloader.patience, session, self._downloader.stopped)
            with self._host(url):
                downloader.fetch(
                    without_login(url),
                    self._vault.partial(origin.sha256),
                    Pinned(origin.sha256, origin.size),
                    source.name if source.tree else source.file,
                    self._progress,
                )
            return self._vault.finish(origin.sha256)

        return _Way(without_login(url), False, run)

    def _copy(self, text: str, file: Path, origin: Origin) -> _Way:
        def run() -> Path:
            if not (os.access(file, os.R_OK) and file.is_file()):
                raise OriginError("is no file that can be read")
            try:
                return self._vault.add(file, origin.sha256)
            except SourceError as error:
                raise OriginError("is another file") from error

        return _Way(text, True, run)

    def _package(self, place: str, source: Source, origin: PypiOrigin) -> _Way:
        text = f"{origin}, in {without_login(place)},"

        def run() -> Path:
            pip = self._pip_configuration()
            found = pypi.locate(origin, place, pip, self._downloader)
            if isinstance(found, Path):
                return self._copy(text, found, origin).run()
            if self._settings.offline:
                raise OriginError("lists the file on another machine: offline")
            return self._download(found, source, origin, pip.session).run()

        return _Way(text, pypi.is_local(place), run)

    def _recreate(self, repository: str, origin: GitOrigin) -> _Way:
        def run() -> Path:
            with self._host(repository), self._vault.workspace(origin.sha256) as folder:
                made = gitarchive.recreate(origin, repository, folder, os.environ)
                made.replace(self._vault.partial(origin.sha256))
            return self._vault.finish(origin.sha256)

        text = f"git: {without_login(repository)} at {origin.commit[:12]}"
        return _Way(text, gitarchive.is_local(repository), run)

    def _session(self) -> Session:
        session = Session()
        session.auth = Logins.of(iter(self._settings.mirrors))
        return session

    def _host(self, url: str) -> threading.Semaphore:
        with self._lock:
            return self._hosts.setdefault(host(url), threading.Semaphore(self._settings.per_host))

    def _pip_configuration(self) -> pypi.Pip:
        with self._lock:
            if self._pip is None:
                self._pip = pypi.configuration(os.environ)
            return self._pip


def _each(work: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
    """The results of `work` in order. Threads of an executor would hold up the end after an interrupt."""
    waiting: SimpleQueue[tuple[T, Future[R]]] = SimpleQueue()
    futures: list[Future[R]] = []
    for item in items:
        futures.append(Future())
        waiting.put((item, futures[-1]))

    def worker() -> None:
        while True:
            try:
                item, future = waiting.get_nowait()
            except Empty:
                return
            try:
                future.set_result(work(item))
            except BaseException as error:
                future.set_exception(error)

    for _ in range(min(threads, len(futures))):
        threading.Thread(target=worker, daemon=True).start()
    return [future.result() for future in futures]


def _templates(
    name: str, environment: Mapping[str, str], schemes: tuple[str, ...], known: set[str]
) -> tuple[str, ...]:
    templates = tuple(environment.get(name, "").split())
    for template in templates:
        unknown = set(re.findall(r"\{(.*?)\}", template)) - known
        if unknown or not (template.startswith("/") or _is_url(template, schemes)):
            raise UsageError(
                f"{name} has {without_login(template)!r}, which is no template: write an absolute path or a "
                f"URL ({', '.join(schemes)}), in which {', '.join(sorted(known))} may stand in braces"
            )
    return templates


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in schemes and (bool(parts.hostname) or parts.scheme == "file") and parts.port != 0
        )
    except ValueError:
        return False


def _filled(template: str, origin: Origin) -> str | None:
    """Where a mirror would have a file; None where the template asks for what the origin has not."""
    values = {"sha256": origin.sha256, "filename": origin.filename}
    if isinstance(origin, UrlOrigin):
        parts = urlsplit(origin.url)
        path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        values.update(host=parts.hostname or "", path=path)
    keys = re.findall(r"\{(.*?)\}", template)
    if not set(keys) <= set(values):
        return None
    return re.sub(r"\{(.*?)\}", lambda found: values[found[1]], template)


def _ways_out(missing: Sequence[_Missing], total: int) -> str:
    lines = [f"{len(missing)} of {total} sources cannot be had:"]
    for each in missing:
        for origin in each.source.origins:
            size = f", {origin.size} bytes" if origin.size is not None else ""
            lines.append(f"  {each.source.name}: {origin.filename}, sha256 {origin.sha256}{size}")
        lines += [f"    {where} {reason}" for where, reason in each.failures]
    lines.append(
        "put the files, under any names, into a folder and run `./inv fetch RECIPE --folder FOLDER`; "
        "or name a mirror in KILN_MIRRORS (such as https://mirror.example/{host}/{path}) or mirrored "
        "repositories in KILN_GIT_MIRRORS (such as /mirrors/{owner}/{repo}.git); or run again "
        "when the network is back"
    )
    return "\n".join(lines)
