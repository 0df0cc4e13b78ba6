"""What a lock looks up in the vault, in mirrors and on the network, because a source tree does not say it."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kiln import archive
from kiln.core import SourceError, UsageError, md5_of, sha256_of
from kiln.lock.forge import Archive
from kiln.lock.pinning import Means, Wanted
from kiln.sources import Downloader, FetchSettings, NoProgress, OriginError, Pinned, Vault, gitarchive


@dataclass
class Lookup:
    """Answers, each looked up once. `folder` may hold files that were downloaded by hand, under any names."""

    vault: Vault
    settings: FetchSettings
    work: Path
    folder: Path | None = None
    _commits: dict[tuple[str, str], str | None] = field(default_factory=dict)
    _by_md5: dict[str, Path] | None = None

    @property
    def means(self) -> Means:
        return Means(self.commit, self.vault.get, self.by_md5, self.export)

    def commit(self, repository: str, reference: str) -> str | None:
        """The commit of a tag, from the first mirror that has it, else from the repository itself."""
        key = (repository, reference)
        if key not in self._commits:
            found = (
                gitarchive.tag(place, reference, self.settings.environment)
                for place in self._places(repository)
            )
            self._commits[key] = next((commit for commit in found if commit), None)
        return self._commits[key]

    def by_md5(self, wanted: Wanted) -> Path | None:
        """The file with the MD5 that the tree records, from the folder or one of its URLs, in the vault."""
        if self._by_md5 is None:
            self._by_md5 = {md5_of(file): file for file in self._files()}
        file = self._by_md5.get(wanted.md5)
        if file is not None:
            return self.vault.add(file, sha256_of(file))
        if self.settings.offline:
            return None
        downloader = Downloader(self.settings.patience)
        pinned = Pinned(wanted.md5, algorithm="md5")
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            target = Path(folder) / "file"
            for url in wanted.urls:
                with contextlib.suppress(OriginError):
                    downloader.fetch(url, target, pinned, wanted.name, NoProgress())
                    return self.vault.add(target, sha256_of(target))
        return None

    def export(self, of: Archive, commit: str, member: str) -> tuple[str, str] | None:
        """The sha256 of the archive of a commit, and the digest of the tree in it, from a local mirror."""
        for place in self._places(of.repository):
            if not gitarchive.is_local(place):
                continue
            with tempfile.TemporaryDirectory(dir=self.work) as folder:
                tree = Path(folder) / "tree"
                try:
                    target, sha256 = gitarchive.export(
                        Path(place), commit, of.prefix, of.format, Path(folder), self.settings.environment
                    )
                    archive.unpack(target, tree, member)
                    digest = archive.tree_digest(tree)
                except (OriginError, SourceError):
                    continue
                self.vault.add(target, sha256)
                return sha256, digest
        return None

    def _places(self, repository: str) -> Iterator[str]:
        for place in gitarchive.mirrors(repository, self.settings.git_mirrors):
            if gitarchive.is_local(place) or not self.settings.offline:
                yield place
        if not self.settings.offline:
            yield repository

    def _files(self) -> Iterator[Path]:
        if self.folder is None:
            return
        try:
            yield from sorted(file for file in self.folder.iterdir() if file.is_file())
        except OSError as error:
            raise UsageError(
                f"{self.folder} cannot be listed ({error.strerror})", "name a folder with files"
            ) from error
