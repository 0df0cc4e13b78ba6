"""A small web server for an index on this machine: the static files, and JSON for clients that ask for it."""

from __future__ import annotations

import http.server
import io
import os
import re
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from kiln.core import BLOCK, SourceError, UsageError, plain
from kiln.index.pages import HTML, JSON


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012  (the base class declares it so)
        ".html": "text/html; charset=utf-8",
        ".json": "application/json",
        ".metadata": "text/plain; charset=utf-8",
        ".txt": "text/plain; charset=utf-8",
        ".xml": "text/xml; charset=utf-8",
        ".whl": "application/octet-stream",
        "": "application/octet-stream",
    }

    def send_head(self) -> _File | None:
        """What is asked for, or a part of it; a page of the simple index in the form that is asked for."""
        path = unquote(self.path.partition("?")[0].partition("#")[0])
        folder = path.startswith("/simple/") and path.endswith("/")
        kind = preferred(self.headers) if folder else ""
        name = ("index.json" if kind == JSON else "index.html") if path.endswith("/") else ""
        try:
            file = self._opened(path + name)
        except (OSError, SourceError, ValueError):
            self.send_error(404)
            return None
        if file is None:
            self.send_response(301)
            self.send_header("Location", quote(f"/{path.strip('/')}/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return None
        status = os.fstat(file.fileno())
        # A part of what may be another file by now is of no use.
        wanted = "" if "If-Range" in self.headers else self.headers.get("Range", "")
        part = span(wanted, status.st_size)
        self._left = part.stop - part.start
        if wanted and not self._left:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{status.st_size}")
        else:
            whole = self._left == status.st_size
            self.send_response(200 if whole else 206)
            if not whole:
                self.send_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{status.st_size}")
            self.send_header("Content-type", kind or self.guess_type(file.path))
            if kind:
                self.send_header("Vary", "Accept")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Last-Modified", self.date_time_string(status.st_mtime))
        self.send_header("Content-Length", str(self._left))
        self.end_headers()
        file.seek(part.start)
        return file

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """As many bytes as were announced."""
        while self._left and (block := source.read(min(self._left, BLOCK))):
            outputfile.write(block)
            self._left -= len(block)

    def _opened(self, path: str) -> _File | None:
        """A file of the index; None for a folder. Hidden names and links are not there: a link may lead out of it."""
        parts = [part for part in path.split("/") if part]
        if "\0" in path or any(part.startswith(".") for part in parts):
            raise ValueError(path)
        at = Path(self.directory)
        for part in parts:
            at /= part
            if at.is_symlink():
                raise ValueError(path)
        return None if at.is_dir() else _File(at)

    def log_message(self, format: str, *args: object) -> None:
        """No log: the terminal is for the user."""


class _File(io.BufferedReader):
    """A plain file, opened to be read."""

    def __init__(self, path: Path) -> None:
        with plain(path) as stream:
            super().__init__(io.FileIO(os.dup(stream.fileno())))
        self.path = str(path)


def span(wanted: str, size: int) -> range:
    """The bytes of a file that a header `Range` asks for, none where it has not these; all for what is not one range."""
    found = re.fullmatch(r"bytes=([0-9]{0,18})-([0-9]{0,18})", wanted.strip(), re.ASCII)
    if not found or not any(found.groups()):
        return range(size)
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return range(size)
    return range(min(int(first), size), min(int(last) + 1, size) if last else size)


def preferred(headers: Message) -> str:
    """The content type of PEP 691 that a request prefers; HTML where it names none that is served here."""
    best, weight = "text/html; charset=utf-8", 0.0
    for part in ",".join(headers.get_all("Accept") or []).split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        offered = {JSON: JSON, JSON.replace("v1", "latest"): JSON, HTML: HTML, "text/html": best}.get(kind)
        try:
            quality = next((float(each[2:]) for each in parameters if each.startswith("q=")), 1.0)
        except ValueError:
            quality = 0.0
        if offered and quality > weight:
            best, weight = offered, quality
    return best


def serve(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of an index on loopback; port 0 takes any free one. UsageError where there is no index or no port."""
    if not (folder / "simple" / "index.html").is_file():
        raise UsageError(f"{folder} is not a wheel index", "make one with `./inv index`")
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise UsageError(f"port {port} cannot be used ({error})", "choose another with --port") from error
