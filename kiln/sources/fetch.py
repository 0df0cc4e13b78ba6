"""Sources to verified files: from the vault, else from the first origin that gives the right bytes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from kiln import archive
from kiln.core import SourceError, UsageError, sha256_of
from kiln.recipe import Origin, Source
from kiln.sources import certificates, trees
from kiln.sources.candidates import Candidate, Candidates
from kiln.sources.errors import AbsentError, OriginError
from kiln.sources.missing import Failure, Missing, unavailable
from kiln.sources.obtained import Obtained
from kiln.sources.progress import NoProgress, Progress
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Note, Vault

T = TypeVar("T")
R = TypeVar("R")


def obtain(
    sources: Sequence[Source], vault: Vault, settings: FetchSettings, progress: Progress
) -> tuple[Obtained, ...]:
    """Every source as a verified file of the vault, several at a time; for those in the vault no network is used.

    Files in the settings' folder are taken first; then mirrors are asked, the origins in the recipe's order, and the
    fallbacks; every failure is one note, that of a host one for all of its files. A tree is checked against its digest
    as well.

    Raises SourceError that lists all sources that are not available, with the reasons and the ways to supply them;
    UsageError where the folder cannot be listed, or a file of certificates that a variable names cannot be read.
    """
    if settings.folder:
        adopt(settings.folder, sources, vault)
    stopped = threading.Event()
    fetcher = _Fetcher(vault, settings, progress, Candidates(vault, settings, progress, stopped))
    try:
        results = each(fetcher.obtain, sources, settings.parallel)
    except OSError as error:
        raise SourceError(
            f"the vault {vault.root} cannot be used ({error.strerror or error})",
            "free disk space and check its permissions, or set KILN_HOME to another folder",
        ) from error
    finally:
        stopped.set()
    missing = [result for result in results if isinstance(result, Missing)]
    for line in fetcher.failing_hosts([each.source for each in missing]):
        progress.note(line)
    if missing:
        raise unavailable(missing, len(sources))
    return tuple(result for result in results if isinstance(result, Obtained))


def adopt(folder: Path, sources: Sequence[Source], vault: Vault) -> tuple[Path, ...]:
    """Copy into the vault every file of a folder that is one of the sources by its hash, under any name.

    Raises UsageError where the folder cannot be listed, SourceError where a file cannot be read or copied.
    """
    pinned = {origin.sha256: origin.size for source in sources for origin in source.origins}
    pinned |= {source.sha256: None for source in sources if source.sha256 and source.sha256 not in pinned}
    wanted = {sha256: size for sha256, size in pinned.items() if vault.get(sha256) is None}
    sizes = set(wanted.values())
    found = []
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be listed ({error.strerror})", "name a folder with files"
        ) from error
    try:
        for file in files:
            if None in sizes or file.stat().st_size in sizes:
                sha256 = sha256_of(file)
                if sha256 in wanted:
                    found.append(vault.add(file, sha256))
                    vault.record_origin(sha256, str(file))
    except OSError as error:
        raise SourceError(
            f"{error.filename or folder} cannot be copied to the vault {vault.root} ({error.strerror})",
            "check its permissions, and free disk space",
        ) from error
    return tuple(found)


def supplies(sources: Sequence[Source], vault: Vault, settings: FetchSettings) -> list[list[Candidate]]:
    """The candidates of each source, in the order in which they would be tried; none of them is."""
    candidates = Candidates(vault, settings, NoProgress(), threading.Event())
    return [[candidate for _, candidate in candidates.of(source)] for source in sources]


@dataclass(frozen=True)
class _Fetcher:
    """What one call of `obtain` shares between its threads."""

    vault: Vault
    settings: FetchSettings
    progress: Progress
    candidates: Candidates
    hosts: dict[str, set[str]] = field(default_factory=dict)

    def failing_hosts(self, missing: Sequence[Source]) -> list[str]:
        """A line for each host that failed as a whole, with the number of files that it was to give."""
        lost = {source.digest for source in missing}
        return [
            f"{why}: {_counted(len(wanted - lost), len(wanted & lost))}" for why, wanted in self.hosts.items()
        ]

    def obtain(self, source: Source) -> Obtained | Missing:
        failures: list[Failure] = []
        useless: set[Origin] = set()
        found = self._in_vault(source, failures, useless)
        if found:
            return found
        if not self.settings.offline:
            certificates.require(self.settings.environment)
        absent: Counter[Origin] = Counter()
        for origin, candidate in self.candidates.of(source):
            try:
                path = None if origin in useless else self._fetch(source, origin, candidate, failures)
            except AbsentError as error:
                # No note: it is normal that only one of pip's places has a file.
                failures.append(Failure(candidate.text, str(error), absent=True))
                absent[origin] += 1
                continue
            settled = path and self._settled(source, origin, path, failures)
            if settled:
                told = tuple((each.where, each.reason) for each in failures)
                return replace(self._obtained(source, origin, settled), failures=told)
            if path:
                useless.add(origin)
        # Where a host cannot be reached, that alone is worth a note.
        for origin, count in () if any(each.host for each in failures) else absent.items():
            self._note(source)(f"{origin} is not in {count} of the places where pip looks")
        return Missing(source, tuple(failures))

    def _in_vault(self, source: Source, failures: list[Failure], useless: set[Origin]) -> Obtained | None:
        """The source from the vault alone; origins whose files do not hold it are added to `useless`."""
        path = self.vault.get(source.sha256, self._note(source)) if source.sha256 else None
        if path:
            return Obtained(source, path, str(source.origins[0]), source.origins[0])
        if source.tree and not source.prepare:
            path = self.vault.packed(source.tree, trees.packed_kind(source))
            if path:
                return self._obtained(source, source.origins[0], path)
        for origin in source.origins:
            path = self.vault.get(origin.sha256, self._note(source))
            settled = path and self._settled(source, origin, path, failures)
            if settled:
                return self._obtained(source, origin, settled)
            if path:
                useless.add(origin)
        return None

    def _settled(self, source: Source, origin: Origin, path: Path, failures: list[Failure]) -> Path | None:
        """The source in an origin's verified file: the file itself, or a member; None where it is not in it."""
        if source.sha256 and origin.member:
            return self._member(source, origin, path, failures)
        if path.name != origin.sha256:
            return path  # made of a commit's tree
        if not self._is_tree(source, origin, path, failures):
            return None
        return self._packed(source, origin, path) if source.packed else path

    def _packed(self, source: Source, origin: Origin, path: Path) -> Path:
        """The archive of the tree in an origin's file, which was checked before."""
        tree = str(source.tree)
        with self.vault.lock(tree), self.vault.workspace(tree) as folder:
            archive.unpack(path, folder / "tree", origin.member, without=source.without)
            return trees.pack_tree(source, folder, self.vault, f"the tree of {origin}")

    def _obtained(self, source: Source, origin: Origin, path: Path) -> Obtained:
        if source.tree and path.name != origin.sha256:
            # An archive of the tree alone.
            text = self.vault.origin_of(path.name) or f"the tree {source.tree}"
            return Obtained(source, path, text, replace(origin, sha256=path.name, size=None, member=None))
        return Obtained(source, path, str(origin), origin)

    def _member(self, source: Source, origin: Origin, path: Path, failures: list[Failure]) -> Path | None:
        """The one file of an archive that is the source, in the vault under its own hash."""
        sha256, member = str(source.sha256), str(origin.member)
        where = f"{origin}, member {member},"
        with self.vault.lock(sha256), self.vault.workspace(sha256) as folder:
            try:
                archive.extract(path, member, folder / "member")
            except SourceError as error:
                self._failed(source, where, f"is not there: {error}", failures)
                return None
            found = sha256_of(folder / "member")
            if found != sha256:
                self._failed(source, where, f"is another file, with the sha256 {found}", failures)
                return None
            added = self.vault.add(folder / "member", sha256)
            self.vault.record_origin(sha256, f"{origin}, member {member}")
            return added

    def _fetch(
        self, source: Source, origin: Origin, candidate: Candidate, failures: list[Failure]
    ) -> Path | None:
        """An origin's file from one candidate; None where that fails, AbsentError where it does not have the file."""
        with self.vault.lock(origin.sha256, self._note(source)):
            path = self.vault.get(origin.sha256)
            if path:
                return path  # another process was faster
            self.vault.drop(origin.sha256)
            if self.settings.offline and not candidate.local:
                failures.append(Failure(candidate.text, "was not asked: offline"))
                return None
            try:
                path = candidate.run()
            except AbsentError:
                raise
            except OriginError as error:
                if error.host:
                    failures.append(Failure(candidate.text, str(error), error.host))
                    self.hosts.setdefault(error.host, set()).add(source.digest)
                else:
                    self._failed(source, candidate.text, str(error), failures)
                return None
            if path.name == origin.sha256:
                self.vault.record_origin(origin.sha256, candidate.text.removesuffix(","))
            return path

    def _is_tree(self, source: Source, origin: Origin, path: Path, failures: list[Failure]) -> bool:
        """Whether an archive holds the source's tree; true where a tree is not what is pinned."""
        if source.tree is None or source.prepare:
            return True
        part = _part(source, origin)
        found = self.vault.tree_of(origin.sha256, part)
        if found != source.tree:  # a record of another tree may be a damaged one
            with self.vault.lock(origin.sha256), self.vault.workspace(origin.sha256) as folder:
                try:
                    archive.unpack(path, folder / "tree", origin.member, without=source.without)
                    found = archive.tree_digest(folder / "tree")
                except SourceError as error:
                    self._failed(source, str(origin), str(error), failures)
                    return False
            self.vault.record_tree(origin.sha256, part, found)
        if found != source.tree:
            self._failed(source, str(origin), f"gives the tree {found}, not {source.tree}", failures)
        return found == source.tree

    def _failed(self, source: Source, where: str, reason: str, failures: list[Failure]) -> None:
        failures.append(Failure(where, reason))
        self._note(source)(f"{where} {reason}")

    def _note(self, source: Source) -> Note:
        return lambda text: self.progress.note(f"{source.name}: {text}")


def _part(source: Source, origin: Origin) -> str | None:
    """Which part of an archive a tree is: a name for the vault's records."""
    return "\n".join([origin.member or "", *source.without]) if source.without else origin.member


def each(work: Callable[[T], R], items: Iterable[T], threads: int) -> list[R]:
    """The results of `work` in order. Threads of an executor would delay the end after an interrupt."""
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


def _counted(found: int, lost: int) -> str:
    parts = [f"{_files(found)} taken from elsewhere"] if found else []
    return ", ".join([*parts, f"{_files(lost)} not available"] if lost else parts)


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count} files are"
