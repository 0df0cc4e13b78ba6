"""A small web server for an index on this machine: the static files, and JSON for clients that ask for it."""

from __future__ import annotations

import http.server
import os
from email.message import Message
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from kiln.core import UsageError
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

    def send_head(self):  # type: ignore[no-untyped-def]
        """A page of the simple index in the form that is asked for, anything else as it is."""
        self._kind = ""
        path = self.path.partition("?")[0]
        folder = path == "/simple/" or (path.startswith("/simple/") and path.endswith("/"))
        if folder:
            self._kind = preferred(self.headers)
            if self._kind == JSON:
                self.path = path + "index.json"
        if "\0" in unquote(path) or any(part.startswith(".") for part in unquote(path).split("/")):
            self.send_error(404)
            return None
        return super().send_head()

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Content-type" and self._kind and value.startswith(("text/html", "application/json")):
            super().send_header("Vary", "Accept")
            value = self._kind
        super().send_header(keyword, value)

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """No listings: files without a link are not shown."""
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """No log: the terminal is for the user."""


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
