"""One URL to one verified file: resumed where it was cut off, bounded, and hashed while it arrives."""

from __future__ import annotations

import contextlib
import os
import random
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, TypeVar

import requests

from kiln.core import BLOCK, Hash, hash_into
from kiln.sources.address import server
from kiln.sources.errors import AbsentError, OriginError, TransientError, WrongContentError
from kiln.sources.http import Session, content_length, raise_for_status, reasons, redirected
from kiln.sources.pinned import Pinned
from kiln.sources.progress import Progress
from kiln.sources.settings import Patience

MAX_REDIRECTS = 8
# Blocks that may wait to be hashed.
AHEAD = 16

T = TypeVar("T")


@dataclass(frozen=True)
class Downloader:
    """Fetches files. `session` makes the HTTP session of one download; `stopped` ends all of them.

    `dead` has the servers that are not asked, each with the sentence that says why.
    """

    patience: Patience = field(default_factory=Patience)
    session: Callable[[Patience], Session] = Session
    stopped: threading.Event = field(default_factory=threading.Event)
    dead: Mapping[str, str] = field(default_factory=dict)

    def fetch(self, url: str, partial: Path, pinned: Pinned, name: str, progress: Progress) -> None:
        """Fill the file `partial` until it has the pinned digest, continuing from what is there already.

        Raises OriginError with the reason where this URL does not give it, OSError where the file cannot be
        written. Half a file is kept, a wrong one is not.
        """
        resumed = partial.exists()

        def attempt() -> None:
            with self.session(self.patience) as session, partial.open("a+b", buffering=0) as file:
                _Transfer(self, session, file, pinned, name, progress).run(url)

        try:
            try:
                self.patiently(attempt)
            except WrongContentError:
                # What was there already may have come from somewhere else.
                if not resumed:
                    raise
                self.patiently(attempt)
        finally:
            progress.end(name)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """The result of the first attempt that does not fail in a way that another may fix."""
        for pause in self.patience.pauses:
            with contextlib.suppress(TransientError):
                return attempt()
            if self.stopped.wait(pause * random.uniform(0.5, 1)):  # noqa: S311  (no secret)
                break
        return attempt()

    def taken(
        self, url: str, take: Callable[[Iterator[bytes]], T], headers: Mapping[str, str] | None = None
    ) -> T:
        """What `take` makes of a body as it arrives; another attempt calls it again, with a body from its start.

        Raises AbsentError where there is nothing at the URL, OriginError with the reason where it does not give it.
        """

        def attempt() -> T:
            with (
                self.session(self.patience) as session,
                self.answer(session, url, headers or {}) as response,
            ):
                if response.status_code in (404, 410):
                    raise AbsentError(f"answers {response.status_code}")
                raise_for_status(response)
                return take(self.blocks(response))

        return self.patiently(attempt)

    @contextlib.contextmanager
    def answer(
        self, session: Session, url: str, headers: Mapping[str, str], method: str = "GET"
    ) -> Iterator[requests.Response]:
        """The answer to a request, redirects followed, its body not yet read. Raises OriginError."""
        for _ in range(MAX_REDIRECTS + 1):
            if server(url) in self.dead:
                raise OriginError("was not asked: its host could not be reached", host=self.dead[server(url)])
            with (
                reasons(url),
                session.request(
                    method,
                    url,
                    headers={"Accept-Encoding": "identity", **headers},
                    stream=True,
                    timeout=(self.patience.connect, self.patience.stall),
                ) as response,
            ):
                if not response.is_redirect:
                    yield response
                    return
                url = redirected(url, response.headers["Location"])
        raise OriginError(f"redirects more than {MAX_REDIRECTS} times")

    def blocks(self, response: requests.Response) -> Iterator[bytes]:
        """A body as it arrives; OriginError where all downloads are ended."""
        while not self.stopped.is_set():
            # Not decoded: what is pinned are the bytes of the file itself.
            block: bytes = response.raw.read1(BLOCK, decode_content=False)
            if not block:
                return
            yield block
        raise OriginError("was stopped")

    def read(self, response: requests.Response, limit: int) -> bytes:
        """A whole body; OriginError for one of more than `limit` bytes."""
        return whole(self.blocks(response), limit)


def whole(blocks: Iterable[bytes], limit: int) -> bytes:
    """All blocks as one; OriginError for more than `limit` bytes."""
    body = bytearray()
    for block in blocks:
        body += block
        if len(body) > limit:
            raise OriginError(f"has more than {limit} bytes")
    return bytes(body)


@dataclass
class _Transfer:
    """One attempt to complete a file; `at` is the number of bytes that it has."""

    downloader: Downloader
    session: Session
    file: BinaryIO
    pinned: Pinned
    name: str
    progress: Progress
    at: int = 0

    def run(self, url: str) -> None:
        digest = self.pinned.hash()
        self.file.seek(0)
        hash_into(self.file, digest)
        self.at = os.fstat(self.file.fileno()).st_size
        if self.at > self.pinned.limit:
            self._empty()
            digest = self.pinned.hash()
        kind = ""
        if self.at != self.pinned.size:
            headers = {"Range": f"bytes={self.at}-"} if self.at else {}
            with self.downloader.answer(self.session, url, headers) as response:
                kind = self._check(response)
                if self.at and response.status_code == 200:
                    self._empty()
                    digest = self.pinned.hash()
                self.progress.begin(self.name, self.pinned.size)
                self.progress.advance(self.name, self.at)
                with _beside(digest) as hashed:
                    for block in self.downloader.blocks(response):
                        hashed(block)
                        self._write(block)
        if self.pinned.size is not None and self.at < self.pinned.size:
            raise TransientError(f"ends after {self.at} of {self.pinned.size} bytes")
        if digest.hexdigest() != self.pinned.digest:
            self._empty()
            found = f"{self.pinned.algorithm} {digest.hexdigest()}"
            raise WrongContentError(f"gives another file{kind}, with the {found}")

    def _check(self, response: requests.Response) -> str:
        """What a wrong file would be; an error where the answer's head already says that it is wrong."""
        if response.status_code == 416 and self.at:
            if self.pinned.size is not None:
                raise OriginError("gives another file, which is shorter")
            self._empty()
            raise WrongContentError("has less of the file than is here already")
        raise_for_status(response)
        begin = 0
        if response.status_code == 206:
            found = re.match(r"bytes ([0-9]{1,18})-", response.headers.get("Content-Range", ""))
            if not found or int(found[1]) != self.at:
                raise OriginError("gives another part of the file than was asked for")
            begin = self.at
        page = "text/html" in response.headers.get("Content-Type", "")
        kind = " (a web page: a login, an error?)" if page else ""
        length = content_length(response)
        if self.pinned.size is not None and length is not None and begin + length != self.pinned.size:
            raise OriginError(
                f"gives another file{kind}, of {begin + length} bytes and not {self.pinned.size}"
            )
        return kind

    def _write(self, block: bytes) -> None:
        if self.at + len(block) > self.pinned.limit:
            self._empty()
            raise OriginError(f"gives another file, of more than {self.pinned.limit} bytes")
        view = memoryview(block)
        while view:
            view = view[self.file.write(view) :]
        self.at += len(block)
        self.progress.advance(self.name, len(block))

    def _empty(self) -> None:
        self.file.truncate(0)
        self.at = 0


@contextlib.contextmanager
def _beside(digest: Hash) -> Iterator[Callable[[bytes], None]]:
    """Adds blocks to a digest in a thread of its own, so that receiving and writing go on meanwhile."""
    blocks: SimpleQueue[bytes | None] = SimpleQueue()
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(AHEAD):
        room.put(None)

    def work() -> None:
        while (block := blocks.get()) is not None:
            digest.update(block)
            room.put(None)

    def add(block: bytes) -> None:
        room.get()
        blocks.put(block)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield add
    finally:
        blocks.put(None)
        thread.join()
