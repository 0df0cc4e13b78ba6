"""What machines share: a cache of compiled objects, and an engine that runs actions. Where each is, and its login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kiln.core import STRICT, UsageError, read_yaml, typed, without_login

OPTION = "--remote-cache"
URL, WRITE, LOGIN, KEY = (f"KILN_REMOTE_CACHE{end}" for end in ("", "_WRITE", "_LOGIN", "_KEY"))
EXECUTOR_OPTION, EXECUTOR, EXECUTOR_LOGIN = (
    "--remote-executor", "KILN_REMOTE_EXECUTOR", "KILN_REMOTE_EXECUTOR_LOGIN",
)  # fmt: skip
# What holds a secret: nothing that Kiln starts needs it.
SECRETS = (LOGIN, KEY, EXECUTOR_LOGIN)
GRPC = ("grpc", "grpcs")
SCHEMES = ("http", "https", "redis", "rediss", *GRPC)
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
class RemoteExecutor:
    """The key `remote_executor` of config.yaml; the file holds a login (USER:PASSWORD or a token)."""

    url: str
    login_file: str = ""

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Config:
    """`kiln/config.yaml` in the user's folder of settings; either key may be its URL alone."""

    remote_cache: str | RemoteCache = ""
    remote_executor: str | RemoteExecutor = ""

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class SharedCache:
    """A shared cache. `login` is USER:PASSWORD or a token, `key` what those who trust each other share, or empty."""

    url: str
    write: bool = False
    login: str = field(default="", repr=False)
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Executor:
    """An engine that speaks the remote execution API. `login` is USER:PASSWORD or a token, or empty."""

    url: str
    login: str = field(default="", repr=False)

    @property
    def instance(self) -> str:
        """The name of the instance that the address names after its host; usually empty."""
        return urlsplit(self.url).path.strip("/")


def shared_cache(environment: Mapping[str, str], url: str = "", write: bool = False) -> SharedCache | None:
    """The cache that the option `url`, else the environment, else config.yaml names; None for none, or for `off`.

    What config.yaml says of a cache counts for its own URL alone. Raises UsageError where a setting cannot be used.
    """
    found = _config(environment).remote_cache
    configured = RemoteCache(found) if isinstance(found, str) else found
    chosen = url or environment.get(URL, "") or configured.url
    if not chosen or chosen == OFF:
        return None
    where = OPTION if url else URL if environment.get(URL) else "remote_cache"
    checked = _checked(chosen, where, "cache", LOGIN, SCHEMES)
    own = configured if checked == configured.url.rstrip("/") else RemoteCache(checked)
    return SharedCache(
        checked,
        write or own.write or environment.get(WRITE, "0") not in ("", "0"),
        environment.get(LOGIN, "") or _secret(own.login_file, environment),
        environment.get(KEY, "") or _secret(own.key_file, environment),
    )


def remote_executor(environment: Mapping[str, str], url: str = "") -> Executor | None:
    """The engine that the option `url`, else the environment, else config.yaml names; None for none, or for `off`.

    The login file of config.yaml counts for its own URL alone. Raises UsageError where a setting cannot be used.
    """
    found = _config(environment).remote_executor
    configured = RemoteExecutor(found) if isinstance(found, str) else found
    chosen = url or environment.get(EXECUTOR, "") or configured.url
    if not chosen or chosen == OFF:
        return None
    where = EXECUTOR_OPTION if url else EXECUTOR if environment.get(EXECUTOR) else "remote_executor"
    checked = _checked(chosen, where, "remote executor", EXECUTOR_LOGIN, GRPC)
    file = configured.login_file if checked == configured.url.rstrip("/") else ""
    return Executor(checked, environment.get(EXECUTOR_LOGIN, "") or _secret(file, environment))


def config_path(environment: Mapping[str, str]) -> Path:
    """Where config.yaml is, whether it exists or not."""
    folder = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME') or Path.home()}/.config"
    return Path(folder, "kiln", "config.yaml")


def _config(environment: Mapping[str, str]) -> Config:
    path = config_path(environment)
    return typed(read_yaml(path), Config) if path.exists() else Config()


def _checked(url: str, where: str, what: str, login: str, schemes: tuple[str, ...]) -> str:
    """A URL without what may stand at its end."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment:
        example = "grpc://HOST:PORT" if schemes == GRPC else "http://HOST:PORT/FOLDER or grpc://HOST:PORT"
        raise UsageError(
            f"{where} is {without_login(url)!r}, which is not the address of a {what}",
            f"give one such as {example} ({', '.join(schemes)}), or {OFF}",
        )
    if "@" in parts.netloc:
        raise UsageError(
            f"{where} has a login in the address, which other users of this machine can read",
            f"put it into {login}, or into a file that the key login_file of config.yaml names",
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
