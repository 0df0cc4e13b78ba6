"""Two sockets in a container's folder by which its programs reach a shared cache, and nothing else.

Bazel speaks HTTP on one, ccache the protocol of Redis on the other: both can do that without a network. What answers is
this process, so that the cache's address and login are not in the container.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from kiln.core import BLOCK
from kiln.shared.client import CacheClient
from kiln.shared.stores import size_of

# Where the folder is in a container, and the two sockets in it.
FOLDER = "/kiln/cache"
HTTP, REDIS = "http", "redis"
# What one step may have open at once, and the largest object that it may give, in bytes.
CONNECTIONS, MOST = 200, 4 << 30
_PATH = re.compile(r"/(?:([A-Za-z0-9._-]{1,64})/)?(ac|cas)/([0-9a-f]{64})")
_KEY = re.compile(rb"[\x21-\x7e]{1,200}")


def variables(write: bool) -> dict[str, str]:
    """How the programs of a step find the two sockets."""
    options = f"connect-timeout=10000|operation-timeout=60000{'' if write else '|read-only=true'}"
    return {
        "KILN_SHARED_CACHE": f"{FOLDER}/{HTTP}",
        "CCACHE_REMOTE_STORAGE": f"redis+unix:{FOLDER}/{REDIS}|{options}",
    }


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


@contextlib.contextmanager
def opened(client: CacheClient, folder: Path) -> Iterator[None]:
    """Answer on both sockets in a folder until this context ends."""
    with contextlib.ExitStack() as stack:
        for name, handler in ((HTTP, _Http), (REDIS, _Redis)):
            stack.enter_context(serving(UnixServer(folder, name, handler, client)))
        yield


@contextlib.contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Answer with a server until this context ends."""
    with server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, name: str, handler: Any, client: Any = None) -> None:
        self.client = client
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        (folder / name).unlink(missing_ok=True)
        # A socket's path may have 107 bytes, and a home may have a longer one.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            super().__init__(f"/proc/self/fd/{handle}/{name}", handler)
        finally:
            os.close(handle)
        # The container's user may be another; nobody else gets into the folder.
        (folder / name).chmod(0o777)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._free.acquire()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a program that ends in the middle, or speaks nonsense, is on its own."""


class _Http(http.server.BaseHTTPRequestHandler):
    """Bazel's cache over HTTP: GET and PUT of /ac/HASH and /cas/HASH, also below one more folder."""

    protocol_version = "HTTP/1.1"
    server: UnixServer

    def do_GET(self) -> None:
        name = self._name()
        content = self.server.client.get(name) if name else None
        if content is None:
            self._answer(404)
            return
        with content:
            size = size_of(content) - content.tell()
            self._answer(200, size)
            _copy(content, self.wfile, size)

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", length) or int(length) > MOST:
            self.close_connection = True
            self._answer(413)
            return
        name = self._name()
        with tempfile.TemporaryFile(dir=self.server.client.work) as content:
            _copy(self.rfile, content, int(length))
            if name:
                self.server.client.put(name, content)
        self._answer(200)

    def _name(self) -> str:
        """The name of an object; empty for a path that is none's."""
        found = _PATH.fullmatch(self.path)
        if not found:
            return ""
        return f"cas/{found[3]}" if found[2] == "cas" else f"bazel/{found[1] or ''}/{found[3]}"

    def _answer(self, code: int, size: int = 0) -> None:
        self.send_response_only(code)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Redis(socketserver.StreamRequestHandler):
    """As much of Redis as ccache uses: GET, and SET of what may be written."""

    server: UnixServer

    def handle(self) -> None:
        while count := self._number(b"*"):
            command = self._word().upper()
            key = self._word() if count > 1 else b""
            if command == b"SET" and count == 3:
                self._set(key)
                continue
            for _ in range(count - 2):
                self._word()
            if command == b"GET":
                self._get(key)
            else:
                # Whether something is there: it never is, so that it is given. And nothing is removed.
                self.wfile.write(b":0\r\n" if command in (b"EXISTS", b"DEL") else b"+OK\r\n")

    def _get(self, key: bytes) -> None:
        content = self.server.client.get(self._name(key))
        if content is None:
            self.wfile.write(b"$-1\r\n")
            return
        with content:
            size = size_of(content) - content.tell()
            self.wfile.write(b"$%d\r\n" % size)
            _copy(content, self.wfile, size)
            self.wfile.write(b"\r\n")

    def _set(self, key: bytes) -> None:
        size = self._number(b"$")
        if size > MOST:
            raise ValueError("too large")
        with tempfile.TemporaryFile(dir=self.server.client.work) as content:
            _copy(self.rfile, content, size)
            self.rfile.read(2)
            self.server.client.put(self._name(key), content)
        self.wfile.write(b"+OK\r\n")

    def _name(self, key: bytes) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError("an odd key")
        return f"ccache/{key.decode()}"

    def _word(self) -> bytes:
        size = self._number(b"$")
        if size > 1024:
            raise ValueError("a long word")
        return self.rfile.read(size + 2)[:-2]

    def _number(self, mark: bytes) -> int:
        """The number behind a mark; 0 at the end. Raises ValueError for anything else."""
        line = self.rfile.readline(32)
        if not line:
            return 0
        found = re.fullmatch(rb"([*$])([0-9]{1,12})\r\n", line)
        if not found or found[1] != mark:
            raise ValueError("not Redis's protocol")
        return int(found[2])


def _copy(source: Readable, target: Writable, size: int) -> None:
    while size:
        block = source.read(min(size, BLOCK))
        if not block:
            raise ValueError("it breaks off in the middle")
        target.write(block)
        size -= len(block)
