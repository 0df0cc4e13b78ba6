"""Tarballs of npm packages: through npm itself, else from the registry that the user's npm settings name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kiln.core import without_login
from kiln.recipe import NpmOrigin
from kiln.sources.errors import OriginError
from kiln.sources.route import Route, sound
from kiln.sources.settings import Patience

_SETTING = re.compile(r"^[ \t]*([^=#;\[\s][^=\n]*?)[ \t]*=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_ERROR = re.compile(r"npm (?:error|ERR!) (?!code |syscall |errno |path )(?:404 )?(.+)")


def program(environment: Mapping[str, str]) -> str | None:
    """The npm in PATH."""
    return shutil.which("npm", path=environment.get("PATH", os.defpath))


def urls(origin: NpmOrigin, environment: Mapping[str, str], patience: Patience) -> tuple[str, ...]:
    """The URLs of an origin's tarball, which may hold a login, in the order in which they are asked.

    Raises OriginError where no registry is configured, or where it does not have the package.
    """
    npm, scope = program(environment), origin.npm.partition("/")[0]
    if npm is None:
        known = settings(environment)
    else:
        lines = _run(npm, ["config", "get", f"{scope}:registry", "registry"], environment, patience)
        known = {key: value for key, _, value in (line.partition("=") for line in lines.splitlines())}
    found = (known.get(f"{scope}:registry"), known.get("registry"))
    registry = next((each for each in found if each and each.startswith(("http://", "https://"))), None)
    if registry is None:
        raise OriginError("needs a registry", "install npm, or write `registry=URL` into ~/.npmrc")
    if npm is None:
        return addresses(origin, registry)
    listed = _run(npm, ["view", f"{origin.npm}@{origin.version}", "dist.tarball"], environment, patience)
    return addresses(origin, registry, listed.strip())


def addresses(origin: NpmOrigin, registry: str, listed: str = "") -> tuple[str, ...]:
    """Where a registry has a tarball: at the address that it lists, or below its own.

    A registry that mirrors another one may still list the other's addresses: its own usual one comes first then.
    """
    usual = f"{registry.rstrip('/')}/{origin.npm}/-/{origin.filename}"
    base, other = urlsplit(without_login(registry)), urlsplit(listed)
    if other[:2] == base[:2]:
        return (listed,)
    # What a page lists must not lead away from TLS, nor to files of this machine.
    follow = other.scheme == "https" or other.scheme == base.scheme
    return (usual, listed) if follow else (usual,)


def download(url: str, folder: Path, environment: Mapping[str, str], patience: Patience) -> Path:
    """The tarball at a URL as npm downloads it into the empty `folder`, with the user's logins, proxies and certificates.

    Redirects are followed as npm does it. Nothing in the package is run. Raises OriginError with npm's reason.
    """
    npm = program(environment) or "npm"
    # The cache is new, and preferred: npm would download the tarball three times.
    options = [
        "--ignore-scripts",
        "--prefer-offline",
        f"--cache={folder}/cache",
        f"--pack-destination={folder}",
    ]
    _run(npm, ["pack", *options, url], environment, patience)
    files = list(folder.glob("*.tgz"))
    if len(files) != 1:
        raise OriginError("gives no tarball to npm")
    return files[0]


def settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings in variables and, after them, in the user's .npmrc, for machines without npm."""
    variables = {
        name[len("npm_config_") :].lower(): value
        for name, value in environment.items()
        if name.lower().startswith("npm_config_") and value
    }
    file = Path(variables.get("userconfig") or Path(environment.get("HOME", "~"), ".npmrc")).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    lines = {key.strip("\"'"): _value(value, environment) for key, value in _SETTING.findall(text)}
    return {**lines, **variables}


def route(environment: Mapping[str, str]) -> Route:
    """The proxies and certificates in the settings of npm, for machines without npm.

    Raises UsageError where its file of certificates cannot be read, or has none.
    """
    known = {key.replace("_", "-"): value for key, value in settings(environment).items()}
    both = known.get("proxy", "")
    proxies = {"http": both, "https": known.get("https-proxy", "") or both}
    proxies |= {
        f"{scheme}://{host.strip()}": ""
        for host in known.get("noproxy", "").split(",")
        if host
        for scheme in ("http", "https")
    }
    found = {key: value for key, value in proxies.items() if value or "//" in key}
    return sound(Route(found, known.get("cafile", "")), "npm", "`cafile` in ~/.npmrc")


def _value(text: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([^}?]+)\??\}", lambda found: environment.get(found[1], found[0]), text.strip("\"'"))


def _run(npm: str, arguments: list[str], environment: Mapping[str, str], patience: Patience) -> str:
    """npm's output; OriginError with its reason where it fails."""
    pauses = patience.pauses or (1,)
    options = [
        "--loglevel=error", "--no-update-notifier", f"--fetch-retries={len(patience.pauses)}",
        f"--fetch-retry-mintimeout={1000 * min(pauses):.0f}", f"--fetch-retry-maxtimeout={1000 * max(pauses):.0f}",
    ]  # fmt: skip
    # Not in the caller's folder: a project's settings are not the user's.
    done = subprocess.run(
        [npm, *arguments, *options], env=dict(environment), cwd="/", stdin=subprocess.DEVNULL,
        capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        said = _ERROR.search(done.stderr)
        raise OriginError(f"npm says: {without_login(said[1])[:200] if said else 'nothing'}")
    return done.stdout
