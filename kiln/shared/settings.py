"""A cache of compiled objects that machines share: where it is, whether this build writes to it, and its login."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kiln.core import STRICT, UsageError, read_yaml, typed, without_login

OPTION = "--remote-cache"
URL, WRITE, LOGIN, KEY = (f"KILN_REMOTE_CACHE{end}" for end in ("", "_WRITE", "_LOGIN", "_KEY"))
# What holds a secret: nothing that Kiln starts needs it.
SECRETS = (LOGIN, KEY)
SCHEMES = ("http", "https", "redis", "rediss")
OFF = "off"


@dataclass(frozen=True)
class RemoteCache:
    """The key `remote_cache` of config.yaml; the files hold a login (USER:PASSWORD or a token), and the shared key."""

    url: str
    write: bool = False
    login_file: str = ""
    key_file: str = ""

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Config:
    """`kiln/config.yaml` in the user's folder of settings; `remote_cache` may be its URL alone."""

    remote_cache: str | RemoteCache = ""

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class SharedCache:
    """A shared cache. `login` is USER:PASSWORD or a token, `key` what those who trust each other share, or empty."""

    url: str
    write: bool = False
    login: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """A short name for what was compiled with it: two caches are trusted differently."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:8]


def shared_cache(environment: Mapping[str, str], url: str = "", write: bool = False) -> SharedCache | None:
    """The cache that the option `url`, else the environment, else config.yaml names; None for none, or for `off`.

    What config.yaml says of a cache counts for its own URL alone. Raises UsageError where a setting cannot be used.
    """
    configured = _configured(environment)
    chosen = url or environment.get(URL, "") or configured.url
    if not chosen or chosen == OFF:
        return None
    checked = _checked(chosen, OPTION if url else URL if environment.get(URL) else "remote_cache")
    own = configured if checked == configured.url.rstrip("/") else RemoteCache(checked)
    return SharedCache(
        checked,
        write or own.write or environment.get(WRITE, "0") not in ("", "0"),
        environment.get(LOGIN, "") or _secret(own.login_file, environment),
        environment.get(KEY, "") or _secret(own.key_file, environment),
    )


def config_path(environment: Mapping[str, str]) -> Path:
    """Where config.yaml is, whether it exists or not."""
    folder = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME') or Path.home()}/.config"
    return Path(folder, "kiln", "config.yaml")


def _configured(environment: Mapping[str, str]) -> RemoteCache:
    path = config_path(environment)
    if not path.exists():
        return RemoteCache("")
    found = typed(read_yaml(path), Config).remote_cache
    return RemoteCache(found) if isinstance(found, str) else found


def _checked(url: str, where: str) -> str:
    """A URL without what may stand at its end."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in SCHEMES and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment:
        raise UsageError(
            f"{where} is {without_login(url)!r}, which is not the address of a cache",
            f"give one such as http://HOST:PORT/FOLDER or redis://HOST:PORT ({', '.join(SCHEMES)}), or {OFF}",
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"{where} has a login in the address, which other users of this machine can read",
            f"put it into {LOGIN}, or into a file that the key login_file of config.yaml names",
        )
    return url.rstrip("/")


def _secret(file: str, environment: Mapping[str, str]) -> str:
    """The one line of a file; empty where none is named."""
    if not file:
        return ""
    path = Path(file).expanduser()
    if not path.is_absolute():
        path = config_path(environment).parent / path
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"{path}, which config.yaml names, cannot be read ({reason})", "write the file, or drop its key"
        ) from error
