"""Sources to verified files: from the vault, else from the first origin that gives the right bytes."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar
from urllib.parse import urlsplit

from kiln import archive, debian, gitarchive, npm, pack, pypi
from kiln.download import (
    Downloader,
    Logins,
    OriginError,
    Patience,
    Pinned,
    Progress,
    Session,
    UnreachableError,
    WrongContentError,
    host,
    without_login,
)
from kiln.errors import SourceError, UsageError
from kiln.home import remove
from kiln.source import DebianOrigin, FileOrigin, GitOrigin, NpmOrigin, Origin, PypiOrigin, Source, UrlOrigin
from kiln.vault import Note, Vault, sha256_of

__all__ = [
    "Obtained", "Patience", "Progress", "Settings", "Vault", "adopt", "obtain", "unpack_tree",
]  # fmt: skip

PLACEHOLDERS = {"host", "path", "url", "sha256", "filename"}
GIT_PLACEHOLDERS = {"owner", "repo"}
# Who keeps what has gone from its own place: TensorFlow's mirror, and the Wayback Machine, whose `id_` asks
# for the bytes as they were, from the time nearest to the year that most of the recipes' URLs are of.
FALLBACKS = (
    "https://storage.googleapis.com/mirror.tensorflow.org/{host}/{path}",
    "http://mirror.tensorflow.org/{host}/{path}",
    "https://web.archive.org/web/2020id_/{url}",
)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Settings:
    """How this machine gets sources; nothing in it changes which bytes they are.

    `mirrors` and `git_mirrors` are templates of URLs or absolute paths, asked before the origins themselves,
    `fallbacks` after them. They may hold logins, which are used and never shown.
    """

    offline: bool = False
    mirrors: tuple[str, ...] = ()
    git_mirrors: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = FALLBACKS
    parallel: int = 4
    per_host: int = 2
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], offline: bool = False, git_mirrors: str = ""
    ) -> Settings:
        """What the KILN_… variables say, after what was asked for; UsageError for what is no template.

        `git_mirrors` are templates separated by spaces, asked before those of KILN_GIT_MIRRORS.
        """
        web, git = ("http", "https"), ("http", "https", "ssh", "git", "file")
        fallbacks = environment.get("KILN_FALLBACKS")

        def variable(name: str, schemes: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
            return _templates(name, environment.get(name, ""), schemes, known)

        return cls(
            offline=offline or environment.get("KILN_OFFLINE", "0") not in ("", "0"),
            mirrors=variable("KILN_MIRRORS", web, PLACEHOLDERS),
            git_mirrors=(
                *_templates("--git-mirror", git_mirrors, git, GIT_PLACEHOLDERS),
                *variable("KILN_GIT_MIRRORS", git, GIT_PLACEHOLDERS),
            ),
            fallbacks=FALLBACKS if fallbacks is None
            else () if fallbacks in ("", "0")
            else variable("KILN_FALLBACKS", web, PLACEHOLDERS),
        )  # fmt: skip


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

    Mirrors are asked first, then the origins in the recipe's order, then the fallbacks; every one that fails
    is told in one note.
    A tree is checked against its digest as well.

    Raises SourceError that lists all that cannot be had, with the reasons and the ways to supply it.
    """
    stopped = threading.Event()
    fetcher = _Fetcher(vault, settings, progress, stopped)
    try:
        results = each(fetcher.obtain, sources, settings.parallel)
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
    pinned = {origin.sha256: origin.size for source in sources for origin in source.origins}
    pinned |= {source.sha256: None for source in sources if source.sha256 and source.sha256 not in pinned}
    wanted = {sha256: size for sha256, size in pinned.items() if vault.get(sha256) is None}
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
                    vault.record_origin(sha256, str(file))
    except OSError as error:
        raise SourceError(
            f"{error.filename or folder} cannot be copied to the vault {vault.root} ({error.strerror}): "
            "look at its rights, and make room"
        ) from error
    return tuple(found)


def supplies(sources: Sequence[Source], vault: Vault, settings: Settings) -> list[list[str]]:
    """For each source every place that would be asked for it, in order; none of them is asked."""
    fetcher = _Fetcher(vault, settings, _Unheard(), threading.Event())
    return [[way.text for _, way in fetcher.ways(source)] for source in sources]


def fallbacks(origin: Origin, settings: Settings) -> list[str]:
    """Where an origin's file may be when its own place is gone."""
    url = origin.url if isinstance(origin, UrlOrigin) else ""
    # A recipe may name a fallback's address itself: there is no mirror of the mirror.
    others = (each for each in settings.fallbacks if not url.startswith(each.partition("{")[0]))
    return _filled(others, origin)


def unpack_tree(obtained: Obtained, target: Path, epoch: int) -> None:
    """Unpack a tree source into the new folder `target`; SourceError where it is not the pinned tree.

    What is still to be prepared has no digest of its own: its archive has.
    """
    source = obtained.source
    archive.unpack(obtained.path, target, obtained.origin_value.member, epoch, source.without)
    if obtained.source.prepare:
        return
    found = archive.tree_digest(target)
    if found != obtained.source.tree:
        raise SourceError(
            f"{obtained.source.name} from {obtained.origin} is the tree {found}, not {obtained.source.tree}: "
            "correct the recipe's tree or member"
        )


def settle_prepared(source: Source, tree: Path, epoch: int) -> None:
    """Make a tree that the script `prepare` has worked on what `unpack_tree` would leave of the same tree.

    Raises SourceError where it is not the pinned one.
    """
    found = archive.tree_digest(tree)
    if found != source.tree:
        raise SourceError(
            f"{source.name} as {source.prepare} leaves it is the tree {found}, not {source.tree}: correct "
            "the script, or the recipe's tree"
        )
    plain = tree.with_name(f".{tree.name}.tar")
    pack.pack(tree, plain, "tar")
    remove(tree)
    archive.unpack(plain, tree, epoch=epoch)
    plain.unlink()


def adopt_packed(file: Path, source: Source, vault: Vault, origin: str) -> None:
    """Take an archive for a tree, from wherever it comes: only what it unpacks to counts.

    Raises SourceError where that is not the tree.
    """
    tree = str(source.tree)
    with vault.lock(tree), vault.workspace(tree) as folder:
        archive.unpack(file, folder / "tree")
        found = archive.tree_digest(folder / "tree")
        if found != tree:
            raise SourceError(f"{file} is the tree {found}, not {tree}: make it again")
        _pack(source, folder, vault, origin)


def packed_kind(source: Source) -> pack.Kind:
    """The form of the archive that is made of a source's tree."""
    return (pack.kind_of(source.file) if source.packed else None) or "tar"


def _pack(source: Source, folder: Path, vault: Vault, origin: str) -> Path:
    """The verified `tree` in a folder as the archive of that tree, in the vault."""
    kind = packed_kind(source)
    pack.pack(folder / "tree", folder / "packed", kind)
    sha256 = sha256_of(folder / "packed")
    path = vault.add(folder / "packed", sha256)
    vault.record_packed(str(source.tree), kind, sha256)
    vault.record_origin(sha256, origin)
    return path


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
        self._npm: npm.Npm | None = None
        self._hosts: dict[str, threading.Semaphore] = {}
        self._unreachable: set[str] = set()

    def obtain(self, source: Source) -> Obtained | _Missing:
        failures: list[tuple[str, str]] = []
        useless: set[Origin] = set()
        found = self._there(source, failures, useless)
        if found:
            return found
        absent: Counter[Origin] = Counter()
        for origin, way in self.ways(source):
            try:
                path = None if origin in useless else self._fetch(source, origin, way, failures)
            except pypi.AbsentError as error:
                # Not told: that one place of several does not have a file is how pip's places are.
                failures.append((way.text, str(error)))
                absent[origin] += 1
                continue
            settled = path and self._settled(source, origin, path, failures)
            if settled:
                return self._obtained(source, origin, settled)
            if path:
                useless.add(origin)
        for origin, count in absent.items():
            self._note(source)(f"{origin} is not in {count} of the places that pip looks in")
        return _Missing(source, tuple(failures))

    def _there(
        self, source: Source, failures: list[tuple[str, str]], useless: set[Origin]
    ) -> Obtained | None:
        """The source out of the vault alone; origins whose files do not hold it become `useless`."""
        path = self._vault.get(source.sha256, self._note(source)) if source.sha256 else None
        if path:
            return Obtained(source, path, str(source.origins[0]), source.origins[0])
        if source.tree and not source.prepare:
            path = self._vault.packed(source.tree, packed_kind(source))
            if path:
                return self._obtained(source, source.origins[0], path)
        for origin in source.origins:
            path = self._vault.get(origin.sha256, self._note(source))
            settled = path and self._settled(source, origin, path, failures)
            if settled:
                return self._obtained(source, origin, settled)
            if path:
                useless.add(origin)
        return None

    def ways(self, source: Source) -> Iterator[tuple[Origin, _Way]]:
        """Every way to one of a source's files, once, in the order in which they are asked."""
        seen: set[tuple[str, str]] = set()
        for phase in (self._mirrored, self._own, self._fallbacks):
            for origin in source.origins:
                for way in phase(source, origin):
                    if (origin.sha256, way.text) not in seen:
                        seen.add((origin.sha256, way.text))
                        yield origin, way

    def _settled(
        self, source: Source, origin: Origin, path: Path, failures: list[tuple[str, str]]
    ) -> Path | None:
        """What the source is in an origin's verified file: that file, or a member; None where it is not."""
        if source.sha256 and origin.member:
            return self._member(source, origin, path, failures)
        if path.name != origin.sha256:
            return path  # made of a commit's tree
        if not self._is_tree(source, origin, path, failures):
            return None
        return self._packed(source, origin, path) if source.packed else path

    def _packed(self, source: Source, origin: Origin, path: Path) -> Path:
        """The archive of the tree in an origin's file, which is known to be the right one."""
        tree = str(source.tree)
        with self._vault.lock(tree), self._vault.workspace(tree) as folder:
            archive.unpack(path, folder / "tree", origin.member, without=source.without)
            return _pack(source, folder, self._vault, f"the tree of {origin}")

    def _obtained(self, source: Source, origin: Origin, path: Path) -> Obtained:
        if source.tree and path.name != origin.sha256:
            # An archive of the tree alone.
            text = self._vault.origin_of(path.name) or f"the tree {source.tree}"
            return Obtained(source, path, text, replace(origin, sha256=path.name, size=None, member=None))
        return Obtained(source, path, str(origin), origin)

    def _member(
        self, source: Source, origin: Origin, path: Path, failures: list[tuple[str, str]]
    ) -> Path | None:
        """The one file of an archive that is the source, in the vault under its own hash."""
        sha256, member = str(source.sha256), str(origin.member)
        where = f"{origin}, member {member},"
        with self._vault.lock(sha256), self._vault.workspace(sha256) as folder:
            try:
                archive.extract(path, member, folder / "member")
            except SourceError as error:
                self._failed(source, where, f"is not there: {error}", failures)
                return None
            found = sha256_of(folder / "member")
            if found != sha256:
                self._failed(source, where, f"is another file, with the sha256 {found}", failures)
                return None
            added = self._vault.add(folder / "member", sha256)
            self._vault.record_origin(sha256, f"{origin}, member {member}")
            return added

    def _fetch(
        self, source: Source, origin: Origin, way: _Way, failures: list[tuple[str, str]]
    ) -> Path | None:
        """An origin's file by one way; None where that fails, AbsentError where it merely has it not."""
        with self._vault.lock(origin.sha256, self._note(source)):
            path = self._vault.get(origin.sha256)
            if path:
                return path  # another process was faster
            self._vault.drop(origin.sha256)
            if self._settings.offline and not way.local:
                failures.append((way.text, "was not asked: offline"))
                return None
            try:
                path = way.run()
            except pypi.AbsentError:
                raise
            except OriginError as error:
                self._failed(source, way.text, str(error), failures)
                return None
            if path.name == origin.sha256:
                self._vault.record_origin(origin.sha256, way.text.removesuffix(","))
            return path

    def _is_tree(self, source: Source, origin: Origin, path: Path, failures: list[tuple[str, str]]) -> bool:
        """Whether an archive has the source's tree in it; always, where that is not what is pinned."""
        if source.tree is None or source.prepare:
            return True
        part = _part(source, origin)
        found = self._vault.tree_of(origin.sha256, part)
        if found != source.tree:  # a record of another tree may be a damaged one
            with self._vault.lock(origin.sha256), self._vault.workspace(origin.sha256) as folder:
                try:
                    archive.unpack(path, folder / "tree", origin.member, without=source.without)
                    found = archive.tree_digest(folder / "tree")
                except SourceError as error:
                    self._failed(source, str(origin), str(error), failures)
                    return False
            self._vault.record_tree(origin.sha256, part, found)
        if found != source.tree:
            self._failed(source, str(origin), f"gives the tree {found}, not {source.tree}", failures)
        return found == source.tree

    def _failed(self, source: Source, where: str, reason: str, failures: list[tuple[str, str]]) -> None:
        failures.append((where, reason))
        self._note(source)(f"{where} {reason}")

    def _note(self, source: Source) -> Note:
        return lambda text: self._progress.note(f"{source.name}: {text}")

    def _mirrored(self, source: Source, origin: Origin) -> Iterator[_Way]:
        return self._at(_filled(self._settings.mirrors, origin), source, origin)

    def _own(self, source: Source, origin: Origin) -> Iterator[_Way]:
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

    def _fallbacks(self, source: Source, origin: Origin) -> Iterator[_Way]:
        return self._at(fallbacks(origin, self._settings), source, origin)

    def _at(self, places: Iterable[str], source: Source, origin: Origin) -> Iterator[_Way]:
        for place in places:
            if place.startswith("/"):
                yield self._copy(place, Path(place), origin)
            else:
                yield self._download(place, source, origin, self._session)

    def _download(self, url: str, source: Source, origin: Origin, session: Callable[[], Session]) -> _Way:
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

    def _tarball(self, source: Source, origin: NpmOrigin) -> _Way:
        def run() -> Path:
            settings = self._npm_configuration()
            urls = npm.tarballs(origin, settings, self._downloader)
            return self._first(urls, source, origin, settings.session)

        return _Way(str(origin), False, run)

    def _deb(self, source: Source, origin: DebianOrigin) -> _Way:
        def run() -> Path:
            return self._first(debian.urls(origin, os.environ), source, origin, self._session)

        return _Way(str(origin), False, run)

    def _first(
        self, urls: Sequence[str], source: Source, origin: Origin, session: Callable[[], Session]
    ) -> Path:
        """An origin's file from the first of several URLs that has it; OriginError of the last."""
        *others, last = urls
        for url in others:
            with contextlib.suppress(OriginError):
                return self._download(url, source, origin, session).run()
        return self._download(last, source, origin, session).run()

    def _recreate(self, repository: str, source: Source, origin: GitOrigin) -> _Way:
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

        return _Way(text, gitarchive.is_local(repository), run)

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
        self._note(source)(f"{text} {why}, but the right tree, which is taken")
        return _pack(source, folder, self._vault, f"the tree of {text}")

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


def _part(source: Source, origin: Origin) -> str | None:
    """What of an archive a tree is: a name for the vault's records."""
    return "\n".join([origin.member or "", *source.without]) if source.without else origin.member


class _Unheard:
    """Progress that nobody watches."""

    def begin(self, name: str, total: int | None) -> None: ...
    def advance(self, name: str, amount: int) -> None: ...
    def end(self, name: str) -> None: ...
    def note(self, text: str) -> None: ...


def each(work: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
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


def _templates(name: str, text: str, schemes: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
    templates = tuple(text.split())
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


def _filled(templates: Iterable[str], origin: Origin) -> list[str]:
    """Where mirrors would have a file, without the templates that ask for what the origin has not."""
    if isinstance(origin, FileOrigin):
        return []
    values = {"sha256": origin.sha256, "filename": origin.filename}
    if isinstance(origin, UrlOrigin):
        parts = urlsplit(origin.url)
        path = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
        values.update(host=parts.hostname or "", path=path, url=origin.url)
    keys = re.compile(r"\{(.*?)\}")
    fitting = (template for template in templates if set(keys.findall(template)) <= set(values))
    return [keys.sub(lambda found: values[found[1]], template) for template in fitting]


def _ways_out(missing: Sequence[_Missing], total: int) -> str:
    lines = [f"{len(missing)} of {total} sources cannot be had:"]
    for each in missing:
        files = (
            f"  {each.source.name}: {origin.filename}, sha256 {origin.sha256}"
            + (f", {origin.size} bytes" if origin.size is not None else "")
            for origin in each.source.origins
        )
        lines += dict.fromkeys(files)
        lines += [f"    {where} {reason}" for where, reason in each.failures]
    lines.append(
        "put the files, under any names, into a folder and run `./inv fetch RECIPE --folder FOLDER`; "
        "or name a mirror in KILN_MIRRORS (such as https://mirror.example/{host}/{path}) or mirrored "
        "repositories in KILN_GIT_MIRRORS (such as /mirrors/{owner}/{repo}.git); or run again "
        "when the network is back"
    )
    return "\n".join(lines)
