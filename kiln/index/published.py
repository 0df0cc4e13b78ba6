"""An index as others see it: a folder, or what a web host serves. Nothing in it is trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from kiln.core import BLOCK, SourceError, UsageError, without_login
from kiln.index import folder as indexed
from kiln.index.wheelhouse import Entry

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
        content = b"".join(self._blocks(path, MOST))
        return content.decode("utf-8", "replace") if content else None

    def sha256(self, path: str) -> str | None:
        """The hash of a file; None where there is none."""
        digest, some = hashlib.sha256(), False
        for block in self._blocks(path):
            digest.update(block)
            some = True
        return digest.hexdigest() if some else None

    def save(self, path: str, target: Path) -> None:
        """Copy a file, where there is one."""
        with target.open("wb") as file:
            for block in self._blocks(path):
                file.write(block)
        if target.stat().st_size == 0:
            target.unlink()

    def _blocks(self, path: str, most: int = 0) -> Iterator[bytes]:
        """A file's content; nothing where there is none. SourceError where it cannot be read, or is too long."""
        read = 0
        opened = self._downloaded(path) if self.address.startswith("http") else self._opened(path)
        with opened as blocks:
            for block in blocks:
                read += len(block)
                if most and read > most:
                    raise SourceError(
                        f"{self.address}/{path} is too long to be what it says", "ask its maker"
                    )
                yield block

    @contextmanager
    def _opened(self, path: str) -> Iterator[Iterator[bytes]]:
        root, file = Path(self.address), Path(self.address, path)
        if not file.is_file() or root.resolve() not in file.resolve().parents:
            yield iter(())
            return
        with file.open("rb") as stream:
            yield iter(lambda: stream.read(BLOCK), b"")

    @contextmanager
    def _downloaded(self, path: str) -> Iterator[Iterator[bytes]]:
        import requests

        url = f"{self.address}/{quote(path)}"
        try:
            # A cache on the way must not answer with an older file than the others are of.
            headers = {"Cache-Control": "no-cache", "Accept-Encoding": "identity"}
            with requests.get(url, stream=True, timeout=(20, 60), headers=headers) as answer:
                if answer.status_code in (404, 410):
                    yield iter(())
                    return
                answer.raise_for_status()
                yield answer.iter_content(BLOCK)
        except requests.RequestException as error:
            raise SourceError(
                f"{url} does not answer ({type(error).__name__})", "check the address, or try again later"
            ) from error
