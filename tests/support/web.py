"""A web server on loopback that answers as well or as badly as a test wants, and who listens to transfers."""

from __future__ import annotations

import contextlib
import http.server
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path


class Request(http.server.BaseHTTPRequestHandler):
    """One request, answered by the site's next answer for its path."""

    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        self.site.asked.append((self.path, self.headers.get("Range", "")))
        self.site.headers.append(dict(self.headers))
        with contextlib.suppress(ConnectionError):
            self.site.next_answer(self.path)(self)

    def start(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            # The body then ends where the connection does.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def first(self) -> int:
        """The first byte that is asked for."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


Answer = Callable[[Request], None]


class Site:
    """`asked` holds the path and the Range of every request, `headers` all its headers."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        self._answers: dict[str, list[Answer]] = {}
        handler = type("Handler", (Request,), {"site": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.port = self._server.server_address[1]
        self.address = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def put(self, path: str, *answers: Answer) -> str:
        """The URL of a path that gives these answers one after the other, the last one for ever."""
        self._answers[path] = list(answers)
        return self.address + path

    def next_answer(self, path: str) -> Answer:
        answers = self._answers.get(path, [status(404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def times(self, path: str) -> int:
        return [asked for asked, _ in self.asked].count(path)

    def __enter__(self) -> Site:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def content(data: bytes, kind: str = "application/octet-stream", ranges: bool = True, **more: str) -> Answer:
    """All of a file, or the rest that is asked for."""

    def answer(request: Request) -> None:
        first = request.first() if ranges else 0
        headers = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in more.items()}}
        if first >= len(data) > 0:
            request.start(416, {"Content-Length": "0", "Content-Range": f"bytes */{len(data)}"})
        elif first:
            span = f"bytes {first}-{len(data) - 1}/{len(data)}"
            request.start(206, {**headers, "Content-Length": str(len(data) - first), "Content-Range": span})
            request.wfile.write(data[first:])
        else:
            request.start(200, {**headers, "Content-Length": str(len(data))})
            request.wfile.write(data)

    return answer


def unsized(data: bytes, kind: str = "application/octet-stream") -> Answer:
    """All of a file, without saying how long it is."""

    def answer(request: Request) -> None:
        request.start(200, {"Content-Type": kind})
        request.wfile.write(data)

    return answer


def cut(data: bytes, count: int) -> Answer:
    """A file of which only `count` bytes come before the connection ends."""

    def answer(request: Request) -> None:
        request.start(200, {"Content-Length": str(len(data))})
        request.wfile.write(data[:count])
        request.close_connection = True

    return answer


def stalled(data: bytes, count: int) -> Answer:
    """A file of which `count` bytes come, and then nothing more while the site is up."""

    def answer(request: Request) -> None:
        request.start(200, {"Content-Length": str(len(data))})
        request.wfile.write(data[:count])
        request.site.over.wait()

    return answer


def endless(block: bytes) -> Answer:
    def answer(request: Request) -> None:
        request.start(200, {})
        while not request.site.over.is_set():
            request.wfile.write(block)

    return answer


def dripping(before: bytes, drip: bytes) -> Answer:
    """Bytes, and then again and again a few more, slowly, while the site is up."""

    def answer(request: Request) -> None:
        request.wfile.write(before)
        while not request.site.over.wait(0.02):
            request.wfile.write(drip)

    return answer


def flooding(before: bytes, block: bytes) -> Answer:
    """Bytes, and then the same block without end, as fast as it is taken."""

    def answer(request: Request) -> None:
        request.wfile.write(before)
        while not request.site.over.is_set():
            request.wfile.write(block)

    return answer


def status(code: int) -> Answer:
    return lambda request: request.start(code, {"Content-Length": "0"})


def redirect(location: str) -> Answer:
    return lambda request: request.start(302, {"Content-Length": "0", "Location": location})


def raw(reply: bytes) -> Answer:
    """Something that need not be HTTP."""

    def answer(request: Request) -> None:
        request.wfile.write(reply)
        request.close_connection = True

    return answer


def certificate(folder: Path) -> Path:
    """A key and a certificate for 127.0.0.1, which nobody trusts unless told to."""
    file, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-keyout", key, "-out", file,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + key.read_bytes())
    return file


class Listener:
    """Hears how transfers go: the notes, and the bytes that came."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.count = 0
        self.under_way: set[str] = set()

    def begin(self, name: str, total: int | None) -> None:
        self.under_way.add(name)

    def advance(self, name: str, amount: int) -> None:
        self.count += amount

    def end(self, name: str) -> None:
        self.under_way.discard(name)

    def note(self, text: str) -> None:
        self.notes.append(text)


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """An address at which nothing listens, for as long as it is held."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
