"""What keeps the objects of a shared cache: a web server that takes PUT, Redis, or a server that speaks gRPC."""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Protocol
from urllib.parse import urlsplit

from kiln.core import BLOCK
from kiln.shared.settings import SharedCache
from kiln.sources import OriginError, Patience

if TYPE_CHECKING:
    import requests

    from kiln.sources import Session

# How long a cache may take: what is slower than this is compiled here.
PATIENCE = Patience(connect=5, stall=20, slowest=20_000, pauses=())
REDIS_PORT = 6379


class StoreError(Exception):
    """Why a store did not do what it was asked to, in a few words."""


class Store(Protocol):
    """Objects by their names. `most` is the size in bytes of the largest that it takes."""

    most: int

    def get(self, name: str, target: BinaryIO) -> bool:
        """Write an object to a file; False where there is none. Raises StoreError."""

    def put(self, name: str, content: BinaryIO, size: int) -> None:
        """Keep `size` bytes under a name. Raises StoreError."""


def store_of(cache: SharedCache, patience: Patience = PATIENCE) -> Store:
    """The store at the address of a cache."""
    if cache.url.startswith("grpc"):
        from kiln.shared.channel import authorised, channel_to
        from kiln.shared.remote import RemoteStore

        return RemoteStore(channel_to(cache.url), cache.url, authorised(cache.login), patience)
    if cache.url.startswith("redis"):
        return RedisStore(cache.url, cache.login, patience)
    return HttpStore(cache.url, cache.login, patience)


class HttpStore:
    """A web server: an object is the file of its name below the URL. Redirects are not followed."""

    most = 4 << 30

    def __init__(self, url: str, login: str, patience: Patience) -> None:
        self._url, self._patience = url, patience
        basic = f"Basic {base64.b64encode(login.encode()).decode()}"
        self._login = basic if ":" in login else f"Bearer {login}" if login else ""
        self._idle: queue.LifoQueue[Session] = queue.LifoQueue()

    def get(self, name: str, target: BinaryIO) -> bool:
        with self._answer("GET", name) as answer:
            if answer.status_code in (404, 410):
                return False
            self._require(answer, 200)
            while block := answer.raw.read1(BLOCK, decode_content=False):
                target.write(block)
        return True

    def put(self, name: str, content: BinaryIO, size: int) -> None:
        body = _Timed(content, size, self._patience)
        with self._answer("PUT", name, body) as answer:
            self._require(answer, 200, 201, 204)

    @contextlib.contextmanager
    def _answer(self, method: str, name: str, body: _Timed | None = None) -> Iterator[requests.Response]:
        """The answer to a request. A connection of an earlier one is used where there is one."""
        from kiln.sources import Session, reasons

        try:
            session = self._idle.get_nowait()
        except queue.Empty:
            session = Session(self._patience)
        times = (self._patience.connect, self._patience.stall)
        try:
            with reasons(self._url), session.request(
                method, f"{self._url}/{name}", data=body, headers={"Accept-Encoding": "identity"},
                auth=self._authorised if self._login else None, stream=True, timeout=times,
            ) as answer:  # fmt: skip
                yield answer
        except OriginError as error:
            raise StoreError(str(error)) from error
        finally:
            self._idle.put(session)

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._login
        return request

    def _require(self, answer: requests.Response, *codes: int) -> None:
        if answer.status_code not in codes:
            raise StoreError(f"answers {answer.status_code} {answer.reason or ''}"[:80].rstrip())


class _Timed:
    """A body to send, which ends with StoreError where a server takes it too slowly."""

    def __init__(self, content: BinaryIO, size: int, patience: Patience) -> None:
        self._content, self._size, self._count = content, size, 0
        self._patience, self._begun = patience, time.monotonic()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(BLOCK), b"")

    def read(self, size: int = -1) -> bytes:
        took = time.monotonic() - self._begun
        if took > self._patience.stall and self._count < took * self._patience.slowest:
            raise StoreError(f"takes too long: {self._count} bytes in {took:.0f} s")
        block = self._content.read(size)
        self._count += len(block)
        return block


class RedisStore:
    """Redis, or what speaks its protocol; with TLS for rediss://."""

    # It keeps all in memory.
    most = 64 << 20

    def __init__(self, url: str, login: str, patience: Patience) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or REDIS_PORT)
        self._tls = parts.scheme == "rediss"
        self._first = []
        if login:
            self._first.append((b"AUTH", *(part.encode() for part in login.split(":", 1) if part)))
        if parts.path.strip("/"):
            self._first.append((b"SELECT", parts.path.strip("/").encode()))
        self._patience = patience

    def get(self, name: str, target: BinaryIO) -> bool:
        with self._connection() as redis:
            redis.ask(b"GET", name.encode())
            size = redis.bulk()
            if size >= 0:
                redis.copy(size, target)
        return size >= 0

    def put(self, name: str, content: BinaryIO, size: int) -> None:
        with self._connection() as redis:
            redis.ask(b"SET", name.encode(), more=1)
            redis.send(b"$%d\r\n" % size)
            while block := content.read(BLOCK):
                redis.send(block)
            redis.send(b"\r\n")
            redis.status()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[_Redis]:
        try:
            with socket.create_connection(self._address, self._patience.connect) as plain:
                context = ssl.create_default_context() if self._tls else None
                with (
                    context.wrap_socket(plain, server_hostname=self._address[0]) if context else plain as sock
                ):
                    redis = _Redis(sock, self._patience)
                    for words in self._first:
                        redis.ask(*words)
                        redis.status()
                    yield redis
        except (TimeoutError, socket.timeout) as error:
            raise StoreError("does not answer in time") from error
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or "does not speak Redis's protocol"
            raise StoreError(str(reason)) from error


class _Redis:
    """One connection. Everything on it together is as fast as the floor of speed, or ends with TimeoutError."""

    def __init__(self, sock: socket.socket, patience: Patience) -> None:
        self._socket, self._patience = sock, patience
        self._begun, self._count = time.monotonic(), 0
        self._rest = b""

    def ask(self, *words: bytes, more: int = 0) -> None:
        """A command, of which `more` words are still to be sent."""
        parts = (b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self.send(b"*%d\r\n" % (len(words) + more) + b"".join(parts))

    def send(self, data: bytes) -> None:
        self._wait()
        self._socket.sendall(data)
        self._count += len(data)

    def status(self) -> None:
        line = self._line()
        if not line.startswith(b"+"):
            raise StoreError(f"answers {line.lstrip(b'-').decode('utf-8', 'replace')[:60]}")

    def bulk(self) -> int:
        """The size of the value that follows; -1 for none."""
        line = self._line()
        if not line.startswith(b"$"):
            raise StoreError(f"answers {line.lstrip(b'-').decode('utf-8', 'replace')[:60]}")
        return int(line[1:])

    def copy(self, size: int, target: BinaryIO) -> None:
        while size:
            block = self._rest[:size] or self._receive(min(size, BLOCK))
            self._rest = self._rest[len(block) :] if self._rest else b""
            target.write(block)
            size -= len(block)

    def _line(self) -> bytes:
        while b"\r\n" not in self._rest:
            if len(self._rest) > 1024:
                raise ValueError("a line without end")
            self._rest += self._receive(1024)
        line, _, self._rest = self._rest.partition(b"\r\n")
        return line

    def _receive(self, size: int) -> bytes:
        self._wait()
        block = self._socket.recv(size)
        if not block:
            raise StoreError("breaks off in the middle")
        self._count += len(block)
        return block

    def _wait(self) -> None:
        """Wait no longer than is left for what has come and gone until now."""
        left = self._patience.stall + self._count / self._patience.slowest - (time.monotonic() - self._begun)
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


def size_of(file: BinaryIO) -> int:
    """The bytes of an open file, also of those that are still to be written out; its position stays."""
    at = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(at)
    return size
