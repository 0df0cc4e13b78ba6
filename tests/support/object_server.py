"""A cache server on loopback, such as a plain web server with WebDAV is one, and Redis: both can be made to go wrong."""

from __future__ import annotations

import contextlib
import http.server
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

KINDS = ("well", "gone", "error", "full", "altered", "drip", "hang", "cut")


class Objects:
    """What a server keeps, by path; `mode` is how it answers (one of `KINDS`), `login` what it wants to see, if anything.

    `asked` has the method and path of each request, `seen` the Authorization of each.
    """

    def __init__(self, login: str = "") -> None:
        self.kept: dict[str, bytes] = {}
        self.mode = "well"
        self.login = login
        self.asked: list[tuple[str, str]] = []
        self.seen: list[str] = []
        self.over = threading.Event()
        self.url = ""

    def body(self, path: str) -> bytes | None:
        found = self.kept.get(path)
        if found is not None and self.mode == "altered":
            return found[:-1] + bytes([found[-1] ^ 1])
        return found


class _Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: Objects

    def do_GET(self) -> None:
        if not self._begin():
            return
        body = self.objects.body(self.path)
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if body and self.objects.mode == "cut":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif body and self.objects.mode == "drip":
            for number in range(len(body)):
                if self.objects.over.wait(0.02):
                    break
                self.wfile.write(body[number : number + 1])
        else:
            self.wfile.write(body or b"")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self._begin():
            return
        full = self.objects.mode == "full"
        if not full:
            self.objects.kept[self.path] = body
        self._answer(507 if full else 201)

    def _begin(self) -> bool:
        objects = self.objects
        objects.asked.append((self.command, self.path))
        objects.seen.append(self.headers.get("Authorization", ""))
        if objects.mode == "gone":
            self.close_connection = True
        elif objects.mode == "hang":
            objects.over.wait()
            self.close_connection = True
        elif objects.mode == "error":
            self._answer(500)
        elif objects.login and objects.seen[-1] != objects.login:
            self._answer(401)
        else:
            return True
        return False

    def _answer(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Redis(socketserver.StreamRequestHandler):
    """As much of Redis as a cache needs; `login` is the password."""

    objects: Objects

    def handle(self) -> None:
        known = not self.objects.login
        while line := self.rfile.readline():
            words = [self._word() for _ in range(int(line[1:]))]
            name, key = words[0].decode(), words[1].decode()
            self.objects.asked.append((name, key))
            if self.objects.mode == "gone":
                return
            if name == "AUTH":
                known = key == self.objects.login
                self.wfile.write(b"+OK\r\n" if known else b"-WRONGPASS it is another one\r\n")
            elif not known:
                self.wfile.write(b"-NOAUTH Authentication required.\r\n")
            elif name == "SET":
                self.objects.kept[key] = words[2]
                self.wfile.write(b"+OK\r\n")
            else:
                body = self.objects.body(key)
                self.wfile.write(b"$-1\r\n" if body is None else b"$%d\r\n%s\r\n" % (len(body), body))

    def _word(self) -> bytes:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2]


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def object_server(kind: str = "http", login: str = "") -> Iterator[Objects]:
    """A server of its kind, `http` or `redis`, with nothing in it."""
    objects = Objects(login)
    handler = type("Handler", (_Redis if kind == "redis" else _Http,), {"objects": objects})
    with _Tcp(("127.0.0.1", 0), handler) as server:
        objects.url = f"{kind}://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield objects
        objects.over.set()
        server.shutdown()
