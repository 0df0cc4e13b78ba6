"""A web server on loopback that gives what it is told to."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator


class Server:
    """`answers` are bodies by path, `redirects` targets by path; `asked` is what it was asked.

    Also a proxy: of an address of another machine, `answers` has the whole URL.
    """

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.heads = True
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.command, self.path, self.headers.get("Authorization")))
                body = server.answers.get(self.path)
                target = server.redirects.get(self.path)
                self.send_response(302 if target else 404 if body is None else 200)
                if target:
                    self.send_header("Location", target)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                if self.command == "GET":
                    with contextlib.suppress(ConnectionError):
                        self.wfile.write(body or b"")

            def do_HEAD(self) -> None:
                if server.heads:
                    self.do_GET()
                else:
                    self.send_error(405)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def server() -> Iterator[Server]:
    made = Server()
    try:
        yield made
    finally:
        made.close()


class Notes:
    """What one run told of its progress."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, name: str, total: int | None) -> None: ...
    def advance(self, name: str, amount: int) -> None: ...
    def end(self, name: str) -> None: ...
    def note(self, text: str) -> None:
        self.notes.append(text)
