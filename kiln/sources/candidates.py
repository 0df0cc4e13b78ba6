"""The candidates for a source's files: mirrors, the origins of its recipe, fallbacks.

Here alone it is decided what is done for each kind of origin.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kiln import archive
from kiln.core import SourceError, UsageError, without_login
from kiln.recipe import (
    DebianOrigin,
    FileOrigin,
    FolderOrigin,
    GitOrigin,
    NpmOrigin,
    Origin,
    PypiOrigin,
    Source,
    UrlOrigin,
    pack_folder,
)
from kiln.sources import debian, gitarchive, npm, settings, trees
from kiln.sources.address import host
from kiln.sources.errors import OriginError, UnreachableError, WrongContentError
from kiln.sources.pinned import Pinned
from kiln.sources.progress import Progress
from kiln.sources.route import Route
from kiln.sources.settings import FetchSettings, Patience
from kiln.sources.vault import Vault

# Imported where a file is really fetched: a source in the vault needs no network library.
if TYPE_CHECKING:
    from kiln.sources.download import Downloader
    from kiln.sources.http import Session
    from kiln.sources.pypi import Pip


@dataclass(frozen=True)
class Candidate:
    """One way to get an origin's file; `run` returns its path in the vault or raises OriginError.

    `text` is the place as a person reads it, `asked` the same in a word or two: a host, a program, a path.
    """

    text: str
    asked: str
    local: bool
    run: Callable[[], Path]


class Candidates:
    """The candidates of one machine, with what threads share: settings of pip, hosts that do not answer."""

    def __init__(
        self, vault: Vault, settings: FetchSettings, progress: Progress, stopped: threading.Event
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._environment = settings.environment
        self._progress = progress
        self._stopped = stopped
        self._lock = threading.Lock()
        self._known_pip: Pip | None = None
        self._known_route: Route | None = None
        self._known_archives: tuple[str, ...] | None = None
        self._hosts: dict[str, threading.Semaphore] = {}
        self._dead: dict[str, str] = {}

    def of(self, source: Source) -> Iterator[tuple[Origin, Candidate]]:
        """Every candidate for one of a source's files, once, in the order in which they are tried."""
        seen: set[tuple[str, str]] = set()
        phases = (self._own,) if source.is_local else (self._mirrored, self._own, self._fallbacks)
        for phase in phases:
            for origin in source.origins:
                for candidate in phase(source, origin):
                    if (origin.sha256, candidate.text) not in seen:
                        seen.add((origin.sha256, candidate.text))
                        yield origin, candidate

    def _mirrored(self, source: Source, origin: Origin) -> Iterator[Candidate]:
        return self._at(settings.mirrored(origin, self._settings), source, origin)

    def _own(self, source: Source, origin: Origin) -> Iterator[Candidate]:
        if isinstance(origin, UrlOrigin):
            yield self._download(origin.url, source, origin)
        elif isinstance(origin, PypiOrigin):
            from kiln.sources import pypi

            for place in pypi.places(self._pip):
                yield self._package(place, source, origin)
        elif isinstance(origin, NpmOrigin):
            yield self._tarball(source, origin)
        elif isinstance(origin, FileOrigin):
            yield self._copy(str(origin), Path(origin.path), origin)
        elif isinstance(origin, FolderOrigin):
            yield self._folder(origin)
        elif isinstance(origin, DebianOrigin):
            for url in debian.urls(origin, self._archives, self._environment):
                yield replace(self._download(url, source, origin, self._apt_session), asked="Debian")
        else:
            for repository in (*gitarchive.mirrors(origin.git, self._settings.git_mirrors), origin.git):
                yield self._recreate(repository, source, origin)

    def _fallbacks(self, source: Source, origin: Origin) -> Iterator[Candidate]:
        return self._at(settings.fallbacks(origin, self._settings), source, origin)

    def _at(self, places: Iterable[str], source: Source, origin: Origin) -> Iterator[Candidate]:
        for place in places:
            if place.startswith("/"):
                yield self._copy(place, Path(place), origin)
            else:
                yield self._download(place, source, origin)

    def _download(
        self, url: str, source: Source, origin: Origin, session: Callable[[Patience], Session] | None = None
    ) -> Candidate:
        def run() -> Path:
            downloader = self._downloader(session or self._session)
            with self._host(url), self._reaching():
                downloader.fetch(
                    without_login(url),
                    self._vault.partial(origin.sha256),
                    Pinned(origin.sha256, origin.size),
                    source.name if source.tree else source.file,
                    self._progress,
                )
            return self._vault.finish(origin.sha256)

        return Candidate(without_login(url), host(url), False, run)

    def _copy(self, text: str, file: Path, origin: Origin) -> Candidate:
        def run() -> Path:
            if not (os.access(file, os.R_OK) and file.is_file()):
                raise OriginError("is not a file that can be read")
            try:
                return self._vault.add(file, origin.sha256)
            except SourceError as error:
                raise OriginError("is another file") from error

        return Candidate(text, str(file), True, run)

    def _folder(self, origin: FolderOrigin) -> Candidate:
        root = self._settings.root

        def run() -> Path:
            if root is None:
                raise OriginError("is a folder of a checkout, and none was named")
            with self._vault.workspace(origin.sha256) as folder:
                try:
                    return self._vault.add(pack_folder(root, origin, folder), origin.sha256)
                except UsageError as error:
                    raise OriginError(str(error)) from error
                except SourceError as error:
                    raise OriginError("was changed after the build was planned: run again") from error

        return Candidate(str(origin), "checkout", True, run)

    def _package(self, place: str, source: Source, origin: PypiOrigin) -> Candidate:
        from kiln.sources import pypi

        text = f"{origin}, in {without_login(place)},"

        def run() -> Path:
            with self._reaching():
                found = pypi.locate(origin, place, self._pip, self._downloader(self._session))
            if isinstance(found, Path):
                return self._copy(text, found, origin).run()
            if self._settings.offline:
                raise OriginError("lists the file on another machine: offline")
            return self._download(found, source, origin, self._pip.session).run()

        return Candidate(text, "pip", pypi.is_local(place), run)

    def _tarball(self, source: Source, origin: NpmOrigin) -> Candidate:
        patience = self._settings.patience

        def packed(url: str) -> Path:
            with self._vault.workspace(origin.sha256) as folder:
                made = npm.download(url, folder, self._environment, patience)
                try:
                    return self._vault.add(made, origin.sha256)
                except SourceError as error:
                    raise WrongContentError(f"gives another file at {without_login(url)}") from error

        def downloaded(url: str) -> Path:
            def session(patience: Patience) -> Session:
                return npm.route(self._environment).taken_by(self._session(patience, url), patience)

            return self._download(url, source, origin, session).run()

        def run() -> Path:
            urls = npm.urls(origin, self._environment, patience)
            return _first(urls, packed if npm.program(self._environment) else downloaded)

        return Candidate(str(origin), "npm", False, run)

    def _recreate(self, repository: str, source: Source, origin: GitOrigin) -> Candidate:
        text = f"git: {without_login(repository)} at {origin.commit[:12]}"

        def run() -> Path:
            with self._host(repository), self._vault.workspace(origin.sha256) as folder:
                try:
                    made = gitarchive.recreate(origin, repository, folder, self._environment)
                except OriginError as error:
                    if source.prepare or not (source.tree or source.tree_hash):
                        raise
                    if not (source.without or isinstance(error, WrongContentError)):
                        raise
                    return self._tree_of_commit(source, origin, folder, text, error)
                made.replace(self._vault.partial(origin.sha256))
            return self._vault.finish(origin.sha256)

        asked = f"git {host(repository) or without_login(repository)}"
        return Candidate(text, asked, gitarchive.is_local(repository), run)

    def _tree_of_commit(
        self, source: Source, origin: GitOrigin, folder: Path, text: str, why: OriginError
    ) -> Path:
        """The archive of a commit's tree, where that is the right one and only the forge's archive is not."""
        wanted = source.tree or source.tree_hash
        made = gitarchive.loose(origin, folder, self._environment, source.without)
        try:
            archive.unpack(made, folder / "tree", origin.member, without=source.without)
            found = archive.tree_digest(folder / "tree")
        except SourceError as error:
            raise OriginError(f"{why}: {error}") from error
        if found != wanted:
            raise OriginError(f"{why}, and another tree, {found}, not {wanted}")
        if source.tree is None:
            raise OriginError(
                f"{why}, but the recorded tree {wanted}: --accept-tree-hash builds from that, under another key"
            )
        self._progress.note(f"{source.name}: {text} {why}, but the right tree, which is used")
        return trees.pack_tree(source, folder, self._vault, f"the tree of {text}")

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """A host that could not be reached, after all attempts, is not asked for other files."""
        try:
            yield
        except UnreachableError as error:
            self._dead.setdefault(error.host.partition(" ")[0], error.host)
            raise

    def _host(self, url: str) -> threading.Semaphore:
        with self._lock:
            return self._hosts.setdefault(host(url), threading.Semaphore(self._settings.per_host))

    def _session(self, patience: Patience, *urls: str) -> Session:
        """An HTTP session with the logins that are written in these URLs and in the mirrors'."""
        from kiln.sources.http import Logins, Session

        session = Session(patience)
        session.auth = Logins.of((*urls, *self._settings.mirrors, *self._settings.fallbacks))
        return session

    def _apt_session(self, patience: Patience) -> Session:
        """An HTTP session that goes by apt's proxies and certificates."""
        with self._lock:
            if self._known_route is None:
                self._known_route = debian.route(self._environment)
        return self._known_route.taken_by(self._session(patience), patience)

    def _downloader(self, session: Callable[[Patience], Session]) -> Downloader:
        from kiln.sources.download import Downloader

        return Downloader(self._settings.patience, session, self._stopped, self._dead)

    @property
    def _pip(self) -> Pip:
        from kiln.sources import pypi

        with self._lock:
            if self._known_pip is None:
                self._known_pip = pypi.configuration(self._environment)
            return self._known_pip

    @property
    def _archives(self) -> tuple[str, ...]:
        with self._lock:
            if self._known_archives is None:
                self._known_archives = debian.mirrors(self._environment)
            return self._known_archives


def _first(urls: Sequence[str], fetch: Callable[[str], Path]) -> Path:
    """An origin's file from the first of several URLs that has it; OriginError of the last."""
    *others, last = urls
    for url in others:
        with contextlib.suppress(OriginError):
            return fetch(url)
    return fetch(last)
