"""An index as others see it: a folder, or what a web host serves. Nothing in it is trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

from kiln.core import BLOCK, SourceError, UsageError, without_login
from kiln.index import folder as indexed
from kiln.index.wheelhouse import Entry
from kiln.sources import AbsentError, Downloader, OriginError, whole

T = TypeVar("T")
# The longest file that is read as a whole: pages, manifests, lists.
MOST = 64 << 20


@dataclass(frozen=True)
class PublishedIndex:
    """`address` is a folder's path or a URL, without a slash at its end."""

    address: str

    @classmethod
    def at(cls, address: str) -> PublishedIndex:
        """The index at an address, which may also be that of its `simple/`; UsageError for a URL with a login."""
        if urlsplit(address).username is not None:
            raise UsageError(
                f"{without_login(address)} is written with a login, which a shell remembers",
                "put it in ~/.netrc",
            )
        return cls(
            address.rstrip("/").removesuffix("/simple") if address.startswith("http") else address.rstrip("/")
        )

    def entries(self) -> tuple[Entry, ...]:
        """What its manifest lists; UsageError where there is no index."""
        text = self.text(indexed.MANIFEST)
        if text is None:
            raise UsageError(
                f"{self.address} is not a wheel index that Kiln made", "name the index that has simple/"
            )
        return indexed.parse(text.encode(), f"{self.address}/{indexed.MANIFEST}")

    def record(self, file: str) -> list[str]:
        """The names of the files of a wheel's record, but for the wheel; those that its sums list and it has."""
        sums = self.text(f"records/{file}/SHA256SUMS")
        if sums is None:
            return []
        names = [line.partition("  ")[2] for line in sums.splitlines()]
        fit = (
            name for name in names if name and "/" not in name and not name.startswith(".") and name != file
        )
        return ["SHA256SUMS", *(name for name in fit if name != "build.log")]

    def text(self, path: str) -> str | None:
        """A file as text; None where there is none."""
        content = self._taken(path, lambda blocks: whole(blocks, MOST))
        return None if content is None else content.decode("utf-8", "replace")

    def sha256(self, path: str) -> str | None:
        """The hash of a file; None where there is none."""

        def take(blocks: Iterator[bytes]) -> str:
            digest = hashlib.sha256()
            for block in blocks:
                digest.update(block)
            return digest.hexdigest()

        return self._taken(path, take)

    def save(self, path: str, target: Path) -> None:
        """Copy a file, where there is one."""

        def take(blocks: Iterator[bytes]) -> None:
            with target.open("wb") as file:
                file.writelines(blocks)

        self._taken(path, take)

    def _taken(self, path: str, take: Callable[[Iterator[bytes]], T]) -> T | None:
        """What `take` makes of a file's content; None where there is none.

        Raises SourceError where it cannot be read, or is too long.
        """
        try:
            if self.address.startswith("http"):
                # A cache on the way must not answer with an older file than the others are of.
                headers = {"Cache-Control": "no-cache"}
                return Downloader().taken(f"{self.address}/{quote(path)}", take, headers)
            root, file = Path(self.address), Path(self.address, path)
            if not file.is_file() or root.resolve() not in file.resolve().parents:
                return None
            with file.open("rb") as stream:
                return take(iter(lambda: stream.read(BLOCK), b""))
        except AbsentError:
            return None
        except OriginError as error:
            raise SourceError(
                f"{self.address}/{path} {error}", "check the address and the index there, or try again later"
            ) from error
