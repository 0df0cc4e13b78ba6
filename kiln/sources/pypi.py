"""Files of a Python package index, found through the user's own pip configuration."""

from __future__ import annotations

import ast
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
import urllib3
from packaging.utils import canonicalize_name

from kiln.core import UsageError, parse_json, without_login
from kiln.recipe import PypiOrigin
from kiln.sources import certificates
from kiln.sources.download import Downloader
from kiln.sources.errors import AbsentError, OriginError
from kiln.sources.http import Logins, Session, raise_for_status
from kiln.sources.settings import Patience
from kiln.sources.watched import WatchedAdapter

# It takes a tenth of a second to import, and is only needed where a page is read.
if TYPE_CHECKING:
    from pypi_simple import ProjectPage

MAX_PAGE = 256 << 20  # bytes, of a page that lists files
_TRUE = {"1", "y", "yes", "t", "true", "on"}


@dataclass(frozen=True)
class Pip:
    """pip's settings of where packages are. Its URLs may hold logins: never show them as they are.

    `indexes` and `links` (pages or folders that list files) are in pip's order.
    """

    indexes: tuple[str, ...]
    links: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None

    def session(self, patience: Patience) -> Session:
        """An HTTP session with pip's certificates, proxy and logins."""
        session = Session(patience)
        session.auth = Logins.of((*self.indexes, *self.links))
        session.cert = self.client_cert
        # REQUESTS_CA_BUNDLE would win over the session's own setting; pip's is more specific.
        session.mount("https://", Trusting(self.trusted, self.cert, patience))
        if self.proxy:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        return session


class Trusting(WatchedAdapter):
    """Checks certificates as pip does: not those of trusted hosts, all others with pip's own authorities."""

    def __init__(self, trusted: tuple[str, ...], cert: str | None, patience: Patience) -> None:
        super().__init__(patience)
        self._trusted = trusted
        self._cert = cert

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        if parts.hostname in self._trusted or f"{parts.hostname}:{parts.port}" in self._trusted:
            options["verify"] = False
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        elif self._cert:
            options["verify"] = self._cert
        return super().send(request, *args, **options)


def configuration(environment: Mapping[str, str]) -> Pip:
    """What the pip of this interpreter would use; where there is no pip, what its variables say.

    Raises UsageError for a place that is not a URL, and for certificates that cannot be read.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    result = subprocess.run(
        command, env=dict(environment), capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if result.returncode == 0:
        return _with_certificates(parse(result.stdout))
    variables = {
        name[4:].lower().replace("_", "-"): value for name, value in environment.items() if name[:4] == "PIP_"
    }
    return _with_certificates(
        parse("".join(f":env:.{name}={value!r}\n" for name, value in variables.items()))
    )


def _with_certificates(pip: Pip) -> Pip:
    problem = certificates.problem_of(Path(pip.cert)) if pip.cert else ""
    if problem:
        raise UsageError(
            f"pip is configured with the certificates in {pip.cert}, which {problem}",
            "correct `cert` where `pip config debug` shows it",
        )
    return pip


def parse(listing: str) -> Pip:
    """pip's settings from what `pip config list` prints."""
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        if value:
            settings[key] = str(ast.literal_eval(value))

    def setting(name: str) -> str:
        sections = (":env:", "install", "download", "global")
        return next(filter(None, (settings.get(f"{section}.{name}") for section in sections)), "")

    import pypi_simple

    indexes = [setting("index-url") or pypi_simple.PYPI_SIMPLE_ENDPOINT, *setting("extra-index-url").split()]
    if setting("no-index").lower() in _TRUE:
        indexes = []
    links = setting("find-links").split()
    for place in (*indexes, *links):
        _check(place)
    return Pip(
        indexes=tuple(indexes),
        links=tuple(links),
        trusted=tuple(setting("trusted-host").split()),
        cert=setting("cert") or None,
        client_cert=setting("client-cert") or None,
        proxy=setting("proxy") or None,
    )


def _check(place: str) -> None:
    try:
        urlsplit(place).port  # noqa: B018  (all of it is read)
    except ValueError as error:
        raise UsageError(
            f"pip is configured with {without_login(place)!r}, which is not a URL",
            "correct it where `pip config debug` shows it",
        ) from error


def places(pip: Pip) -> Iterator[str]:
    """Where a file may be: local places first, then pip's order."""
    yield from sorted((*pip.links, *pip.indexes), key=lambda place: not is_local(place))


def is_local(place: str) -> bool:
    return urlsplit(place).scheme not in ("http", "https")


def locate(origin: PypiOrigin, place: str, pip: Pip, downloader: Downloader) -> str | Path:
    """The URL without login, or the path, at which one place has an origin's file.

    Raises AbsentError where the place does not have it, OriginError where it fails.
    """
    if is_local(place):
        return _local(origin, _path(place), index=place in pip.indexes)
    with pip.session(downloader.patience) as session:
        page = downloader.patiently(lambda: _page(origin, place, place in pip.indexes, session, downloader))
    url = without_login(_listed(origin, page))
    # A page of somebody else must not point to files of this machine, nor lead away from TLS.
    if is_local(url) or (place.startswith("https:") and not url.startswith("https:")):
        raise OriginError("lists the file at a place that is not followed")
    return url


def _local(origin: PypiOrigin, path: Path, index: bool) -> str | Path:
    page = path / canonicalize_name(origin.pypi) / "index.html" if index else path
    try:
        if not index and path.is_dir():
            if not (path / origin.file).is_file():
                raise AbsentError("has no such file")
            return path / origin.file
        html = page.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AbsentError("has no such project" if index else "is not there") from error
    except OSError as error:
        raise OriginError(f"cannot be read ({error.strerror})") from error
    url = _listed(origin, _parsed(origin, "text/html", html, page.as_uri()))
    return _path(url) if is_local(url) else url


def _page(
    origin: PypiOrigin, place: str, index: bool, session: Session, downloader: Downloader
) -> ProjectPage:
    from pypi_simple import ACCEPT_ANY

    address = without_login(place)
    if index:
        address = f"{address.rstrip('/')}/{canonicalize_name(origin.pypi)}/"
    with downloader.answer(session, address, {"Accept": ACCEPT_ANY}) as response:
        if index and response.status_code == 404:
            raise AbsentError("has no such project")
        raise_for_status(response)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return _parsed(origin, kind, downloader.read(response, MAX_PAGE), response.url)


def _parsed(origin: PypiOrigin, kind: str, body: bytes, url: str) -> ProjectPage:
    import pypi_simple

    try:
        if kind == "application/vnd.pypi.simple.v1+json":
            return pypi_simple.ProjectPage.from_json_data(parse_json(body), url)
        if kind in ("", "text/html", "application/vnd.pypi.simple.v1+html"):
            return pypi_simple.ProjectPage.from_html(origin.pypi, body, url)
        raise OriginError(f"is not a package index, but of the type {kind[:60]}")
    except (pypi_simple.UnsupportedRepoVersionError, ValueError, TypeError, LookupError) as error:
        raise OriginError("is not a package index that can be read") from error


def _listed(origin: PypiOrigin, page: ProjectPage) -> str:
    """The URL of the origin's file on a page, with the login that the page's own URL may have had."""
    others = []
    for package in page.packages:
        if package.filename == origin.file:
            sha256 = package.digests.get("sha256", origin.sha256)
            if sha256 == origin.sha256:
                return package.url.partition("#")[0]
            others.append(sha256)
    if others:
        raise OriginError(f"lists another file of that name, with the sha256 {others[0]}")
    raise AbsentError("has no such file")


def _path(place: str) -> Path:
    parts = urlsplit(place)
    return (
        Path(urllib.request.url2pathname(parts.path) if parts.scheme == "file" else place)
        .expanduser()
        .absolute()
    )
