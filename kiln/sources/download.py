"""One URL to one verified file: resumed where it was cut off, bounded, and hashed while it arrives."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO, Protocol, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import requests
import requests.auth
import requests.utils
import urllib3

from kiln.core import BLOCK, Hash, SourceError, hash_into

# The most that is taken where no size is recorded.
MAX_BYTES = 8 << 30
MAX_REDIRECTS = 8
# Blocks that may wait to be hashed.
AHEAD = 16
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}

T = TypeVar("T")


class Progress(Protocol):
    """Who is told how transfers go; called from several threads."""

    def begin(self, name: str, total: int | None) -> None: ...
    def advance(self, name: str, amount: int) -> None: ...
    def end(self, name: str) -> None: ...
    def note(self, text: str) -> None: ...


class OriginError(SourceError):
    """One origin does not give a file; the message is the reason alone, in a few words."""


class TransientError(OriginError):
    """An origin failed in a way that another attempt may cure."""


class UnreachableError(TransientError):
    """Nothing answers where an origin is."""


class WrongContentError(OriginError):
    """An origin gave all of a file, and it is another."""


@dataclass(frozen=True)
class Pinned:
    """What a file must be: its hash, and its size in bytes where that is known."""

    sha256: str
    size: int | None = None

    @property
    def limit(self) -> int:
        return MAX_BYTES if self.size is None else self.size


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to try again.

    `stall`: where less than `slowest` bytes a second come in that time, the connection is given up.
    `pauses`: the longest wait before each further attempt; how long it is, is drawn by chance.
    """

    connect: float = 15
    stall: float = 30
    slowest: int = 200
    pauses: tuple[float, ...] = (1, 4)


class Logins(requests.auth.AuthBase):
    """Logins for the sites they belong to, and the user's netrc for all others."""

    def __init__(self, known: Mapping[str, tuple[str, str]]) -> None:
        self._known = known

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        login = self._known.get(_site(url)) or requests.utils.get_netrc_auth(url)
        return requests.auth.HTTPBasicAuth(*login)(request) if login else request

    @classmethod
    def of(cls, urls: Iterator[str]) -> Logins:
        """The logins that are written inside URLs."""
        known = {}
        for url in urls:
            parts = urlsplit(url)
            if parts.username:
                known[_site(url)] = (unquote(parts.username), unquote(parts.password or ""))
        return cls(known)


class Session(requests.Session):
    """A session that follows no redirects: requests would first read all of their bodies."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No target, whatever the answer says."""


def without_login(text: str) -> str:
    """A URL, or a text with URLs in it, without what stands before their hosts: fit to be shown."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)


def host(url: str) -> str:
    """The host in a URL; nothing, for what is no URL with a host."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


@dataclass(frozen=True)
class Downloader:
    """Fetches files. `session` makes the HTTP session of one download; `stopped` ends all of them."""

    patience: Patience = field(default_factory=Patience)
    session: Callable[[], Session] = Session
    stopped: threading.Event = field(default_factory=threading.Event)

    def fetch(self, url: str, partial: Path, pinned: Pinned, name: str, progress: Progress) -> None:
        """Fill the file `partial` until it has the pinned hash, going on from what is there already.

        Raises OriginError with the reason where this URL does not give it, OSError where the file cannot be
        written. Half a file is kept, a wrong one is not.
        """
        resumed = partial.exists()

        def attempt() -> None:
            with self.session() as session, partial.open("a+b", buffering=0) as file:
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
        """The result of the first attempt that does not fail in a way that another may cure."""
        for pause in self.patience.pauses:
            with contextlib.suppress(TransientError):
                return attempt()
            if self.stopped.wait(pause * random.uniform(0.5, 1)):  # noqa: S311  (no secret)
                break
        return attempt()

    @contextlib.contextmanager
    def answer(
        self, session: Session, url: str, headers: Mapping[str, str], method: str = "GET"
    ) -> Iterator[requests.Response]:
        """The answer to a request, redirects followed, its body not yet read. Raises OriginError."""
        for _ in range(MAX_REDIRECTS + 1):
            with (
                reasons(),
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
                url = _redirected(url, response.headers["Location"])
        raise OriginError(f"redirects more than {MAX_REDIRECTS} times")

    def blocks(self, response: requests.Response) -> Iterator[bytes]:
        """A body as it arrives; OriginError for one that only trickles, and where all downloads are ended."""
        begun, count = time.monotonic(), 0
        while not self.stopped.is_set():
            # Not decoded: what is pinned are the bytes of the file itself.
            block: bytes = response.raw.read1(BLOCK, decode_content=False)
            if not block:
                return
            yield block
            count += len(block)
            waited = time.monotonic() - begun
            if waited > self.patience.stall:
                if count < self.patience.slowest * waited:
                    raise TransientError(f"stalls: {count} bytes in {waited:.0f} s")
                begun, count = time.monotonic(), 0
        raise OriginError("was stopped")


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
        digest = hashlib.sha256()
        self.file.seek(0)
        hash_into(self.file, digest)
        self.at = os.fstat(self.file.fileno()).st_size
        if self.at > self.pinned.limit:
            self._empty()
            digest = hashlib.sha256()
        kind = ""
        if self.at != self.pinned.size:
            headers = {"Range": f"bytes={self.at}-"} if self.at else {}
            with self.downloader.answer(self.session, url, headers) as response:
                kind = self._check(response)
                if self.at and response.status_code == 200:
                    self._empty()
                    digest = hashlib.sha256()
                self.progress.begin(self.name, self.pinned.size)
                self.progress.advance(self.name, self.at)
                with _beside(digest) as hashed:
                    for block in self.downloader.blocks(response):
                        hashed(block)
                        self._write(block)
        if self.pinned.size is not None and self.at < self.pinned.size:
            raise TransientError(f"ends after {self.at} of {self.pinned.size} bytes")
        if digest.hexdigest() != self.pinned.sha256:
            self._empty()
            raise WrongContentError(f"gives another file{kind}, with the sha256 {digest.hexdigest()}")

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
            found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if not found or int(found[1]) != self.at:
                raise OriginError("gives another part of the file than was asked for")
            begin = self.at
        kind = "text/html" in response.headers.get("Content-Type", "")
        told = " (a web page: a login, an error?)" if kind else ""
        length = response.headers.get("Content-Length", "")
        if self.pinned.size is not None and length.isdecimal() and begin + int(length) != self.pinned.size:
            raise OriginError(
                f"gives another file{told}, of {begin + int(length)} bytes and not {self.pinned.size}"
            )
        return told

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


def raise_for_status(response: requests.Response) -> None:
    """OriginError for every answer but success."""
    if response.status_code not in (200, 206):
        told = f"answers {response.status_code} {response.reason or ''}"[:80].rstrip()
        raise (TransientError if response.status_code in TRANSIENT else OriginError)(told)


@contextlib.contextmanager
def reasons() -> Iterator[None]:
    """The network library's errors as reasons in a few words; its own texts would show whole URLs."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise OriginError(
            "has a TLS certificate that is not trusted (REQUESTS_CA_BUNDLE names your own)"
        ) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise TransientError("does not answer in time") from error
    except requests.exceptions.ProxyError as error:
        raise TransientError("cannot be reached through the proxy") from error
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise OriginError("leads to something that is no URL") from error
    except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError) as error:
        raise TransientError("breaks off in the middle") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # A server that hangs up may answer the next time; one that is not there will not.
        cause = getattr(error.args[0] if error.args else None, "reason", None)
        nothing = isinstance(cause, urllib3.exceptions.NewConnectionError)
        raise (UnreachableError if nothing else TransientError)("cannot be reached") from error


def _redirected(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise OriginError("leads to something that is no URL") from error
    if scheme not in ("http", "https"):
        raise OriginError(f"redirects to {scheme}:, which is not followed")
    if scheme == "http" and urlsplit(url).scheme == "https":
        raise OriginError("redirects from https to http, which is not followed")
    return target


def _site(url: str) -> str:
    """The part of a URL that a login belongs to."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(parts.scheme)}"
