"""Answers of web servers: every byte has a floor of speed, and what is not the file, such as a head, is bounded."""

from __future__ import annotations

import functools
import http.client
import io
import socket
import time
from typing import Any

import requests.adapters
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from kiln.sources.errors import TransientError
from kiln.sources.settings import Patience

# Of a head with its `100 Continue`s, or of trailers: how many lines, and how many bytes a line may have.
MAX_LINES, MAX_LINE = 300, 1 << 16


class WatchedAdapter(requests.adapters.HTTPAdapter):
    """requests' adapter, each of whose answers is read within `patience`."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._patience)

    def proxy_manager_for(self, proxy: str, **options: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        # A SOCKS proxy has connections of its own kind, which only have a timeout for each read.
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _pools(self._patience)
        return manager


@functools.cache
def _pools(patience: Patience) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    answer = functools.partial(_Answer, patience=patience)
    plain = type("Plain", (HTTPConnection,), {"response_class": answer})
    secure = type("Secure", (HTTPSConnection,), {"response_class": answer})
    return {
        "http": type("PlainPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class _Answer(http.client.HTTPResponse):
    """An answer of which every byte, also those that the library reads for itself, comes through a `_Reader`."""

    def __init__(self, sock: socket.socket, *args: Any, patience: Patience, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = _Reader(_Metered(self.fp.detach(), sock, patience))


class _Metered(io.RawIOBase):
    """The bytes of a socket; TransientError where fewer arrive than the floor of speed asks for.

    Only the time spent in waiting for the server counts, not that in which nobody reads.
    """

    def __init__(self, stream: io.RawIOBase, sock: socket.socket, patience: Patience) -> None:
        self._stream, self._socket, self._patience = stream, sock, patience
        self._waited, self._count = 0.0, 0
        self._lines, self._in_lines = 0, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        stall = self._patience.stall
        # Above nought, which would mean not to wait at all.
        self._socket.settimeout(max(0.001, stall - max(self._waited, self._in_lines)))
        begun = time.monotonic()
        count = self._stream.readinto(buffer)
        waited = time.monotonic() - begun
        self._waited += waited
        self._count += count or 0
        if self._lines:
            self._in_lines += waited
        if self._waited > stall:
            if self._count < self._patience.slowest * self._waited:
                raise TransientError(f"stalls: {self._count} bytes in {self._waited:.0f} s")
            self._waited, self._count = 0.0, 0
        return count

    def line_begins(self) -> None:
        """Another line, directly after the last one; TransientError for too many, or where they take too long."""
        self._lines += 1
        if self._lines > MAX_LINES:
            raise TransientError(f"answers with more than {MAX_LINES} lines that belong to no file")
        if self._in_lines > self._patience.stall:
            raise TransientError("does not answer in time")

    def lines_end(self) -> None:
        self._lines, self._in_lines = 0, 0.0

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Reader(io.BufferedReader):
    """Lines in a row, which are not a file's bytes, are few, short, and all within one deadline."""

    raw: _Metered

    def readline(self, size: int | None = -1, /) -> bytes:
        self.raw.line_begins()
        return super().readline(MAX_LINE + 1 if size is None or size < 0 else size)

    def read(self, size: int | None = -1, /) -> bytes:
        self.raw.lines_end()
        return super().read(size)

    def read1(self, size: int = -1, /) -> bytes:
        self.raw.lines_end()
        return super().read1(size)

    def readinto(self, buffer: Any, /) -> int:
        self.raw.lines_end()
        return super().readinto(buffer)
