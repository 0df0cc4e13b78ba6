"""Where what machines share is: a cache of compiled objects, an engine that runs actions, machines that compile files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kiln.core import STRICT, UsageError, read_yaml, typed, without_login

OFF = "off"
URL, WRITE, LOGIN, KEY = (f"KILN_REMOTE_CACHE{end}" for end in ("", "_WRITE", "_LOGIN", "_KEY"))
EXECUTOR, EXECUTOR_LOGIN = "KILN_REMOTE_EXECUTOR", "KILN_REMOTE_EXECUTOR_LOGIN"
DISTCC_OPTION, DISTCC = "--distcc", "KILN_DISTCC"
# Variables that keep a build to its own machine.
ALONE = dict.fromkeys((URL, EXECUTOR, DISTCC), OFF)
# What holds a secret: nothing that Kiln starts needs it.
SECRETS = (LOGIN, KEY, EXECUTOR_LOGIN)
GRPC = ("grpc", "grpcs")
SCHEMES = ("http", "https", "redis", "rediss", *GRPC)
_HELPER = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})(?:/([0-9]{1,3}))?")


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
        return instance_of(self.url)


@dataclass(frozen=True)
class Helper:
    """A machine that compiles for others, `jobs` files at once."""

    host: str
    port: int
    jobs: int = 4

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class _Address:
    """An address of `what`, with one of `schemes`, that an option, a variable or a key of config.yaml gives."""

    option: str
    variable: str
    key: str
    what: str
    login: str
    schemes: tuple[str, ...]

    def chosen(self, environment: Mapping[str, str], given: str, configured: str) -> str:
        """The address that the option, else the environment, else config.yaml gives; empty for none, or for `off`.

        Raises UsageError where it cannot be used.
        """
        named = environment.get(self.variable, "")
        found = given or named or configured
        if not found or found == OFF:
            return ""
        return self._checked(found, self.option if given else self.variable if named else self.key)

    def _checked(self, url: str, where: str) -> str:
        """A URL without what may stand at its end."""
        try:
            parts = urlsplit(url)
            fits = parts.scheme in self.schemes and parts.hostname and parts.port != 0
        except ValueError:
            fits = False
        if not fits or parts.query or parts.fragment:
            example = (
                "grpc://HOST:PORT" if self.schemes == GRPC else "http://HOST:PORT/FOLDER or grpc://HOST:PORT"
            )
            raise UsageError(
                f"{where} is {without_login(url)!r}, which is not the address of a {self.what}",
                f"give one such as {example} ({', '.join(self.schemes)}), or {OFF}",
            )
        if "@" in parts.netloc:
            raise UsageError(
                f"{where} has a login in the address, which other users of this machine can read",
                f"put it into {self.login}, or into a file that the key login_file of config.yaml names",
            )
        return url.rstrip("/")


_CACHE = _Address("--remote-cache", URL, "remote_cache", "cache", LOGIN, SCHEMES)
_EXECUTOR = _Address(
    "--remote-executor", EXECUTOR, "remote_executor", "remote executor", EXECUTOR_LOGIN, GRPC
)


def instance_of(url: str) -> str:
    """The name of the instance that an address names after its host; usually empty."""
    return urlsplit(url).path.strip("/")


def shared_cache(environment: Mapping[str, str], url: str = "", write: bool = False) -> SharedCache | None:
    """The cache that the option `url`, else the environment, else config.yaml names; None for none, or for `off`.

    What config.yaml says of a cache counts for its own URL alone. Raises UsageError where a setting cannot be used.
    """
    found = _config(environment).remote_cache
    configured = RemoteCache(found) if isinstance(found, str) else found
    checked = _CACHE.chosen(environment, url, configured.url)
    if not checked:
        return None
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
    checked = _EXECUTOR.chosen(environment, url, configured.url)
    if not checked:
        return None
    file = configured.login_file if checked == configured.url.rstrip("/") else ""
    return Executor(checked, environment.get(EXECUTOR_LOGIN, "") or _secret(file, environment))


def helpers_of(environment: Mapping[str, str], text: str = "") -> tuple[Helper, ...]:
    """The machines that the option `text`, else the environment names, as HOST:PORT/JOBS,…; none for `off`.

    Raises UsageError for anything else.
    """
    chosen = text or environment.get(DISTCC, "")
    if not chosen or chosen == OFF:
        return ()
    return tuple(helper_of(each, DISTCC_OPTION if text else DISTCC) for each in chosen.split(","))


def helper_of(text: str, where: str) -> Helper:
    """A machine as HOST:PORT or HOST:PORT/JOBS; UsageError for anything else."""
    found = _HELPER.fullmatch(text.strip())
    if not found or int(found[2]) > 65535 or found[3] == "0":
        raise UsageError(
            f"{where} has {text!r}, which is not a machine with a port", "give HOST:PORT or HOST:PORT/JOBS"
        )
    return Helper(found[1].strip("[]"), int(found[2]), int(found[3] or 4))


def config_path(environment: Mapping[str, str]) -> Path:
    """Where config.yaml is, whether it exists or not."""
    folder = environment.get("XDG_CONFIG_HOME") or f"{environment.get('HOME') or Path.home()}/.config"
    return Path(folder, "kiln", "config.yaml")


def _config(environment: Mapping[str, str]) -> Config:
    path = config_path(environment)
    return typed(read_yaml(path), Config) if path.exists() else Config()


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
