"""Tarballs of a registry of npm packages, found through the user's own npm configuration."""

from __future__ import annotations

import base64
import binascii
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import requests.auth
import requests.utils

from kiln.recipe import NpmOrigin
from kiln.sources.download import (
    Downloader,
    Logins,
    OriginError,
    Session,
    host,
    raise_for_status,
    without_login,
)
from kiln.sources.pypi import Trusting

# A package's listing names every version that there ever was.
MAX_LISTING = 64 << 20
_ACCEPT = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"
# Where npm looks for settings of the whole machine, for machines that have the settings but no npm.
_GLOBAL = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc")


@dataclass(frozen=True)
class Npm:
    """What npm is told about where packages are. Its URLs may hold logins: never show them as they are.

    `scopes` are the registries of packages such as `@scope/name`; `credentials` the Authorization headers,
    by the beginning of the URLs that they are for (`//host/path/`).
    """

    registry: str = ""
    scopes: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    cafile: str | None = None
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    noproxy: str = ""
    strict: bool = True

    def place(self, origin: NpmOrigin) -> str:
        """The registry that has an origin's package, as it is configured; OriginError where none is."""
        scope = origin.npm.partition("/")[0] if origin.npm.startswith("@") else ""
        registry = self.scopes.get(scope) or self.registry
        if urlsplit(registry).scheme not in ("http", "https"):
            raise OriginError("needs a registry: write `registry=URL` into ~/.npmrc, or install npm")
        return registry if registry.endswith("/") else registry + "/"

    def session(self) -> Session:
        """An HTTP session with npm's certificates, proxies and logins."""
        session = Session()
        registries = (self.registry, *self.scopes.values())
        session.auth = _Credentials(self.credentials, Logins.of(iter(registries)))
        trusted = () if self.strict else tuple(host(registry) for registry in registries)
        session.mount("https://", Trusting(trusted, self.cafile))
        if not requests.utils.should_bypass_proxies(without_login(self.registry), self.noproxy or None):
            session.proxies = dict(self.proxies)
        return session


class _Credentials(requests.auth.AuthBase):
    """The header of the longest beginning that a URL has, else the login of its site."""

    def __init__(self, headers: Mapping[str, str], logins: Logins) -> None:
        self._headers = headers
        self._logins = logins

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        address = (request.url or "").partition(":")[2]
        for beginning in sorted(self._headers, key=len, reverse=True):
            if address.startswith(beginning):
                request.headers["Authorization"] = self._headers[beginning]
                return request
        return self._logins(request)


def configuration(environment: Mapping[str, str]) -> Npm:
    """What npm would use here; where it is not installed, what its files and variables say."""
    asked = _asked(environment)
    variables = {
        _key(name[len("npm_config_") :]): value
        for name, value in environment.items()
        if name.lower().startswith("npm_config_") and value
    }
    settings: dict[str, str] = {}
    first = str(asked.get("globalconfig") or variables.get("globalconfig") or "")
    user = str(asked.get("userconfig") or variables.get("userconfig") or "~/.npmrc")
    for file in (*([first] if first else _GLOBAL), user):
        settings.update(_file(Path(file).expanduser(), environment))
    # npm shows every setting but the secret ones, which are only in the files and variables.
    shown = {key: _shown(value) for key, value in asked.items() if value is not None}
    return parse({**settings, **variables, **shown})


def parse(settings: Mapping[str, str]) -> Npm:
    """npm's settings, by the names that they have in its files."""
    https = settings.get("https-proxy") or settings.get("proxy", "")
    proxies = {"http": settings.get("proxy") or https, "https": https}
    return Npm(
        registry=settings.get("registry", ""),
        scopes={key.partition(":")[0]: value for key, value in settings.items() if _is_scope(key)},
        credentials=dict(_credentials(settings)),
        cafile=settings.get("cafile") or None,
        proxies={scheme: value for scheme, value in proxies.items() if value},
        noproxy=settings.get("noproxy", ""),
        strict=settings.get("strict-ssl", "true").lower() != "false",
    )


def tarballs(origin: NpmOrigin, npm: Npm, downloader: Downloader) -> tuple[str, ...]:
    """The URLs, without logins, at which the user's registry has an origin's file. Raises OriginError."""
    registry = npm.place(origin)
    with npm.session() as session:
        listing = downloader.patiently(lambda: _listing(origin, registry, session, downloader))
    return addresses(origin, registry, listing)


def addresses(origin: NpmOrigin, registry: str, listing: Any) -> tuple[str, ...]:
    """Where a registry's listing of a package says that an origin's file is; OriginError where it does not.

    A registry that mirrors another may still list the other's addresses: its own usual one comes first then.
    """
    try:
        url = str(listing["versions"][origin.version]["dist"]["tarball"])
    except (KeyError, TypeError) as error:
        raise OriginError("has no such version") from error
    base, listed = urlsplit(without_login(registry)), urlsplit(without_login(url))
    if listed.scheme not in ("http", "https"):
        raise OriginError("lists the file at a place that is not followed")
    if listed[:2] == base[:2]:
        return (listed.geturl(),)
    usual = f"{base.geturl()}{origin.npm}/-/{origin.filename}"
    # A page of somebody else must not lead away from TLS.
    return (usual,) if (base.scheme, listed.scheme) == ("https", "http") else (usual, listed.geturl())


def _listing(origin: NpmOrigin, registry: str, session: Session, downloader: Downloader) -> Any:
    url = without_login(registry) + quote(origin.npm, safe="@")
    with downloader.answer(session, url, {"Accept": _ACCEPT}) as response:
        if response.status_code == 404:
            raise OriginError("has no such package")
        raise_for_status(response)
        text = bytearray()
        for block in downloader.blocks(response):
            text += block
            if len(text) > MAX_LISTING:
                raise OriginError(f"gives a listing of more than {MAX_LISTING} bytes")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OriginError("is no registry of npm packages that can be read") from error


def _asked(environment: Mapping[str, str]) -> dict[str, Any]:
    """All that npm itself shows of its settings; nothing where there is no npm."""
    program = shutil.which("npm", path=environment.get("PATH"))
    if program is None:
        return {}
    # Not in the folder of the caller: a project's settings are not the user's.
    done = subprocess.run(
        [program, "config", "list", "--long", "--json"],
        env=dict(environment), cwd="/", capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        return {}


def _file(path: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The settings in one of npm's files; none where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        key, equals, value = line.strip().partition("=")
        if equals and key[0] not in "#;[":
            text = value.strip().strip("\"'")
            text = re.sub(r"\$\{([^}?]+)\??\}", lambda found: environment.get(found[1], found[0]), text)
            yield key.strip().strip("\"'"), text


def _credentials(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        beginning, _, name = key.rpartition(":")
        if not beginning.startswith("//"):
            continue
        place = beginning if beginning.endswith("/") else beginning + "/"
        if name == "_authToken":
            yield place, f"Bearer {value}"
        elif name == "_auth":
            yield place, f"Basic {value}"
        elif name == "username":
            try:
                password = base64.b64decode(settings.get(f"{beginning}:_password", ""))
            except binascii.Error:
                continue
            yield place, "Basic " + base64.b64encode(value.encode() + b":" + password).decode()


def _key(variable: str) -> str:
    """A setting's name as its variable writes it: `strict_ssl` for `strict-ssl`, but never inside a URL."""
    return variable if variable.startswith(("//", "@")) else variable.lower().replace("_", "-")


def _is_scope(key: str) -> bool:
    return key.startswith("@") and key.endswith(":registry")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
