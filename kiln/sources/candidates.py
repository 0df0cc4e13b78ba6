"""The ways to a source's files: mirrors, the origins of its recipe, fallbacks."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kiln import archive
from kiln.core import SourceError
from kiln.recipe import DebianOrigin, FileOrigin, GitOrigin, NpmOrigin, Origin, PypiOrigin, Source, UrlOrigin
from kiln.sources import debian, gitarchive, npm, pypi, settings, trees
from kiln.sources.download import (
    Downloader,
    Logins,
    OriginError,
    Pinned,
    Progress,
    Session,
    UnreachableError,
    WrongContentError,
    host,
    without_login,
)
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault


@dataclass(frozen=True)
class Candidate:
    """One way to get an origin's file; `run` returns its path in the vault or raises OriginError."""

    text: str
    local: bool
    run: Callable[[], Path]


class Candidates:
    """The ways of one machine, with what the threads that go them share: sessions, hosts that do not answer."""

    def __init__(
        self, vault: Vault, settings: FetchSettings, progress: Progress, stopped: threading.Event
    ) -> None:
        self._vault = vault
        self._settings = settings
        self._progress = progress
        self._downloader = Downloader(settings.patience, self._session, stopped)
        self._lock = threading.Lock()
        self._pip: pypi.Pip | None = None
        self._npm: npm.Npm | None = None
        self._hosts: dict[str, threading.Semaphore] = {}
        self._unreachable: set[str] = set()

    def of(self, source: Source) -> Iterator[tuple[Origin, Candidate]]:
        """Every way to one of a source's files, once, in the order in which they are asked."""
        seen: set[tuple[str, str]] = set()
        for phase in (self._mirrored, self._own, self._fallbacks):
            for origin in source.origins:
                for way in phase(source, origin):
                    if (origin.sha256, way.text) not in seen:
                        seen.add((origin.sha256, way.text))
                        yield origin, way

    def _mirrored(self, source: Source, origin: Origin) -> Iterator[Candidate]:
        return self._at(settings.mirrored(origin, self._settings), source, origin)

    def _own(self, source: Source, origin: Origin) -> Iterator[Candidate]:
        if isinstance(origin, UrlOrigin):
            yield self._download(origin.url, source, origin, self._session)
        elif isinstance(origin, PypiOrigin):
            for place in pypi.places(self._pip_configuration()):
                yield self._package(place, source, origin)
        elif isinstance(origin, NpmOrigin):
            yield self._tarball(source, origin)
        elif isinstance(origin, FileOrigin):
            yield self._copy(str(origin), Path(origin.path), origin)
        elif isinstance(origin, DebianOrigin):
            yield self._deb(source, origin)
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
                yield self._download(place, source, origin, self._session)

    def _download(
        self, url: str, source: Source, origin: Origin, session: Callable[[], Session]
    ) -> Candidate:
        def run() -> Path:
            downloader = Downloader(self._downloader.patience, session, self._downloader.stopped)
            with self._host(url), self._reaching(url):
                downloader.fetch(
                    without_login(url),
                    self._vault.partial(origin.sha256),
                    Pinned(origin.sha256, origin.size),
                    source.name if source.tree else source.file,
                    self._progress,
                )
            return self._vault.finish(origin.sha256)

        return Candidate(without_login(url), False, run)

    def _copy(self, text: str, file: Path, origin: Origin) -> Candidate:
        def run() -> Path:
            if not (os.access(file, os.R_OK) and file.is_file()):
                raise OriginError("is no file that can be read")
            try:
                return self._vault.add(file, origin.sha256)
            except SourceError as error:
                raise OriginError("is another file") from error

        return Candidate(text, True, run)

    def _package(self, place: str, source: Source, origin: PypiOrigin) -> Candidate:
        text = f"{origin}, in {without_login(place)},"

        def run() -> Path:
            pip = self._pip_configuration()
            found = pypi.locate(origin, place, pip, self._downloader)
            if isinstance(found, Path):
                return self._copy(text, found, origin).run()
            if self._settings.offline:
                raise OriginError("lists the file on another machine: offline")
            return self._download(found, source, origin, pip.session).run()

        return Candidate(text, pypi.is_local(place), run)

    def _tarball(self, source: Source, origin: NpmOrigin) -> Candidate:
        def run() -> Path:
            settings = self._npm_configuration()
            urls = npm.tarballs(origin, settings, self._downloader)
            return self._first(urls, source, origin, settings.session)

        return Candidate(str(origin), False, run)

    def _deb(self, source: Source, origin: DebianOrigin) -> Candidate:
        def run() -> Path:
            return self._first(debian.urls(origin, os.environ), source, origin, self._session)

        return Candidate(str(origin), False, run)

    def _first(
        self, urls: Sequence[str], source: Source, origin: Origin, session: Callable[[], Session]
    ) -> Path:
        """An origin's file from the first of several URLs that has it; OriginError of the last."""
        *others, last = urls
        for url in others:
            with contextlib.suppress(OriginError):
                return self._download(url, source, origin, session).run()
        return self._download(last, source, origin, session).run()

    def _recreate(self, repository: str, source: Source, origin: GitOrigin) -> Candidate:
        text = f"git: {without_login(repository)} at {origin.commit[:12]}"

        def run() -> Path:
            with self._host(repository), self._vault.workspace(origin.sha256) as folder:
                try:
                    made = gitarchive.recreate(origin, repository, folder, os.environ)
                except OriginError as error:
                    if source.prepare or not (source.tree or source.tree_hash):
                        raise
                    if not (source.without or isinstance(error, WrongContentError)):
                        raise
                    return self._tree_of_commit(source, origin, folder, text, error)
                made.replace(self._vault.partial(origin.sha256))
            return self._vault.finish(origin.sha256)

        return Candidate(text, gitarchive.is_local(repository), run)

    def _tree_of_commit(
        self, source: Source, origin: GitOrigin, folder: Path, text: str, why: OriginError
    ) -> Path:
        """The archive of a commit's tree, where that is the right one and only the forge's archive is not."""
        wanted = source.tree or source.tree_hash
        made = gitarchive.loose(origin, folder, os.environ, source.without)
        try:
            archive.unpack(made, folder / "tree", origin.member, without=source.without)
            found = archive.tree_digest(folder / "tree")
        except SourceError as error:
            raise OriginError(f"{why}: {error}") from error
        if found != wanted:
            raise OriginError(f"{why}, and another tree, {found}, not {wanted}")
        if source.tree is None:
            raise OriginError(
                f"{why}, but the very tree {wanted}: --accept-tree-hash builds from that, under another key"
            )
        self._progress.note(f"{source.name}: {text} {why}, but the right tree, which is taken")
        return trees.pack_tree(source, folder, self._vault, f"the tree of {text}")

    def _session(self) -> Session:
        session = Session()
        session.auth = Logins.of(iter((*self._settings.mirrors, *self._settings.fallbacks)))
        return session

    @contextlib.contextmanager
    def _reaching(self, url: str) -> Iterator[None]:
        """A host that could not be reached, however patiently, is not asked for other files."""
        server = urlsplit(url).netloc.rpartition("@")[2]
        if server in self._unreachable:
            raise OriginError("was not asked: its host could not be reached")
        try:
            yield
        except UnreachableError:
            self._unreachable.add(server)
            raise

    def _host(self, url: str) -> threading.Semaphore:
        with self._lock:
            return self._hosts.setdefault(host(url), threading.Semaphore(self._settings.per_host))

    def _pip_configuration(self) -> pypi.Pip:
        with self._lock:
            if self._pip is None:
                self._pip = pypi.configuration(os.environ)
            return self._pip

    def _npm_configuration(self) -> npm.Npm:
        with self._lock:
            if self._npm is None:
                self._npm = npm.configuration(os.environ)
            return self._npm
