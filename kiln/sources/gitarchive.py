"""A forge's archive, recreated bit for bit from the git repository that it was made from."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from kiln.core import BLOCK, without_login
from kiln.recipe import GitOrigin
from kiln.sources.address import host
from kiln.sources.errors import OriginError, WrongContentError
from kiln.sources.pinned import MAX_BYTES, Pinned

# Not git's own compression, whose bytes are others.
_PLAIN = ("tar.tar.gz.command=gzip -cn",)
_PATIENT = ("http.lowSpeedLimit=200", "http.lowSpeedTime=30")
# GitHub's zip archives carry the local time of its servers. The rule instead of the zone's name, which
# not every machine knows.
_FORGE_ZONE = "PST8PDT,M3.2.0,M11.1.0"
# What git, its HTTP library and ssh say where nothing answers.
_UNREACHABLE = re.compile(
    r"(?i)could ?n[o']t (resolve|connect)|failed to connect|connection (refused|timed out)|unable to look up"
    r"|no route to host|network is unreachable|proxy CONNECT|CONNECT tunnel|name or service not known"
)
# Variables that would point git to another repository, as they do inside a hook.
_LOCAL = re.compile(
    r"GIT_(DIR|WORK_TREE|COMMON_DIR|INDEX_FILE|NAMESPACE|PREFIX|SHALLOW_FILE|OBJECT_DIRECTORY"
    r"|ALTERNATE_OBJECT_DIRECTORIES|CONFIG|CONFIG_PARAMETERS|CONFIG_COUNT|GRAFT_FILE|REPLACE_REF_BASE"
    r"|ATTR_SOURCE)"
)


def mirrors(repository: str, templates: tuple[str, ...]) -> list[str]:
    """Where the user's mirrors would have a repository: templates with `{owner}` and `{repo}` filled in."""
    parts = urlsplit(repository).path.strip("/").removesuffix(".git").split("/")
    if len(parts) < 2 or not all(re.fullmatch(r"(?!\.+$)[A-Za-z0-9._-]+", part) for part in parts):
        return []
    owner, repo = "/".join(parts[:-1]), parts[-1]
    return [template.replace("{owner}", owner).replace("{repo}", repo) for template in templates]


def is_local(repository: str) -> bool:
    return repository.startswith("/")


def recreate(origin: GitOrigin, repository: str, folder: Path, environment: Mapping[str, str]) -> Path:
    """The archive of the origin's commit, made inside the empty `folder` from a remote or a local repository.

    Raises OriginError where git fails, WrongContentError where the bytes are not the pinned ones.
    """
    clone = _clone(repository, folder / "clone", environment)
    try:
        if not is_local(repository):
            _fetch(clone, repository, [origin.commit, "--depth=1"], environment)
        return _archive(clone, origin, folder / "archive", environment)
    except WrongContentError:
        if not _substitutes(clone, origin.commit, environment):
            raise
    except OriginError:
        # Not every server gives a commit by its hash; one that gives nothing at all fails below again.
        if is_local(repository):
            raise
    # Attributes may put the names of tags and abbreviated hashes into files, which depend on all there is.
    unshallow = ["--unshallow"] if (clone / "shallow").exists() else []
    refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    _fetch(clone, repository, [*refs, *unshallow], environment)
    return _archive(clone, origin, folder / "archive", environment)


def tag(repository: str, name: str, environment: Mapping[str, str]) -> str | None:
    """The commit that a tag of a repository names; None where there is no such tag or repository."""
    command = _command(
        ["ls-remote", "--", repository, f"refs/tags/{name}", f"refs/tags/{name}^{{}}"], _PATIENT, None
    )
    with _started(command, _variables(environment)) as process:
        output, _ = process.communicate()
    found = [line.split("\t")[0] for line in output.decode("ascii", "replace").splitlines()]
    # Of an annotated tag the second line is the commit that it is on.
    return found[-1] if found and re.fullmatch(r"[0-9a-f]{40}", found[-1]) else None


def export(
    repository: Path, commit: str, prefix: str, format: str, folder: Path, environment: Mapping[str, str]
) -> tuple[Path, str]:
    """The archive of a commit that is not pinned yet, made inside the empty `folder`, and its sha256.

    Raises OriginError where git fails.
    """
    clone = _clone(str(repository), folder / "clone", environment)
    target = folder / "archive"
    return target, _written(clone, commit, prefix, format, target, environment, MAX_BYTES)


def _clone(repository: str, clone: Path, environment: Mapping[str, str]) -> Path:
    """A repository of Kiln's own, in which git works: another one's configuration may change bytes and run programs.

    It has the objects of a local repository at once, those of a remote one when they are fetched.
    """
    _git(["init", "--quiet", "--bare", "--template=", str(clone)], environment)
    if is_local(repository):
        _borrow(clone, Path(repository))
    return clone


def _borrow(clone: Path, repository: Path) -> None:
    """Let a repository use the objects of another one on this machine, and nothing else of it."""
    for objects in (repository / "objects", repository / ".git" / "objects"):
        if objects.is_dir() and "\n" not in str(objects):
            (clone / "objects" / "info").mkdir(parents=True, exist_ok=True)
            (clone / "objects" / "info" / "alternates").write_bytes(os.fsencode(objects) + b"\n")
            return
    raise OriginError("is not a git repository")


def loose(
    origin: GitOrigin, folder: Path, environment: Mapping[str, str], without: Collection[str] = ()
) -> Path:
    """The archive that `recreate` has just refused in `folder`, whatever its bytes: its tree may be right.

    The files `without`, below the origin's member, are left out: they may be missing in the repository.
    Raises OriginError where git fails.
    """
    target = folder / "loose"
    parts = (origin.commit, origin.prefix, origin.format)
    named = [posixpath.join(origin.member or "", path) for path in without]
    excluded = [name[len(origin.prefix) :] for name in named if name.startswith(origin.prefix)]
    _written(folder / "clone", *parts, target, environment, MAX_BYTES, excluded)
    return target


def _archive(repository: Path, origin: GitOrigin, target: Path, environment: Mapping[str, str]) -> Path:
    limit = Pinned(origin.sha256, origin.size).limit
    found = _written(repository, origin.commit, origin.prefix, origin.format, target, environment, limit)
    if found != origin.sha256:
        raise WrongContentError(f"gives another archive, with the sha256 {found}")
    return target


def _written(
    repository: Path,
    commit: str,
    prefix: str,
    format: str,
    target: Path,
    environment: Mapping[str, str],
    limit: int,
    excluded: Sequence[str] = (),
) -> str:
    """Write an archive of at most `limit` bytes to a file: its sha256."""
    paths = ["--", ".", *(f":(exclude,literal){path}" for path in excluded)] if excluded else []
    arguments = ["archive", f"--format={format}", f"--prefix={prefix}", commit, *paths]
    command = _command(arguments, _PLAIN, repository)
    variables = {**_isolated(environment, repository), "TZ": _FORGE_ZONE}
    digest, size = hashlib.sha256(), 0
    errors = target.with_name("errors")
    with (
        errors.open("wb") as stderr,
        target.open("wb") as file,
        _started(command, variables, stderr) as process,
    ):
        assert process.stdout is not None  # noqa: S101  (for the type checker)
        while block := process.stdout.read(BLOCK):
            size += len(block)
            if size > limit:
                process.kill()
                raise WrongContentError(f"gives another archive, of more than {limit} bytes")
            digest.update(block)
            file.write(block)
    # Where an object is missing, git leaves half an archive.
    if process.returncode:
        raise OriginError(_said(errors.read_bytes()))
    return digest.hexdigest()


def _substitutes(repository: Path, commit: str, environment: Mapping[str, str]) -> bool:
    """Whether the attributes of a commit let git write into files what it knows about the commit."""
    command = ["grep", "-q", "export-subst", commit, "--", ":(glob)**/.gitattributes"]
    with _started(_command(command, (), repository), _isolated(environment, repository)) as process:
        process.communicate()
    return process.returncode == 0


def _fetch(clone: Path, repository: str, what: list[str], environment: Mapping[str, str]) -> None:
    # A local repository with missing objects must not fetch them from elsewhere.
    allowed = {"GIT_ALLOW_PROTOCOL": "file" if is_local(repository) else "https:http:ssh:git:file"}
    options = [argument for argument in what if argument.startswith("--")]
    refs = [argument for argument in what if not argument.startswith("--")]
    try:
        _git(
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", *options, "--", repository, *refs],
            {**environment, **allowed}, _PATIENT, clone,
        )  # fmt: skip
    except OriginError as error:
        if _UNREACHABLE.search(error.what):
            raise OriginError(error.what, host=f"{host(repository)} cannot be reached by git") from error
        raise


def _git(
    arguments: list[str],
    environment: Mapping[str, str],
    settings: tuple[str, ...] = (),
    repository: Path | None = None,
) -> None:
    command = _command(arguments, settings, repository)
    with _started(command, _variables(environment), subprocess.PIPE) as process:
        _, errors = process.communicate()
    if process.returncode:
        raise OriginError(_said(errors))


def _started(
    command: list[str], variables: dict[str, str], stderr: BinaryIO | int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
        )
    except FileNotFoundError as error:
        raise OriginError("needs git, which is not installed") from error


def _command(arguments: list[str], settings: tuple[str, ...], repository: Path | None) -> list[str]:
    place = ["-C", os.fspath(repository)] if repository else []
    return ["git", *place, *(part for setting in settings for part in ("-c", setting)), *arguments]


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a git that looks only in the named repository and never asks for a password."""
    kept = {name: value for name, value in environment.items() if not _LOCAL.fullmatch(name)}
    return {
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=15",
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
    }


def _isolated(environment: Mapping[str, str], repository: Path) -> dict[str, str]:
    """The environment of a git without a user's and the system's configuration, and without network."""
    empty = {"HOME": str(repository), "XDG_CONFIG_HOME": str(repository), "GIT_CONFIG_GLOBAL": os.devnull}
    variables = {**_variables(environment), **empty, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ALLOW_PROTOCOL": ""}
    variables.pop("GZIP", None)  # options that gzip would take from there
    return variables


def _said(errors: bytes) -> str:
    """The first line in which git says what is wrong, without logins."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    wrong = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return "git says: " + without_login((wrong or lines or ["nothing"])[0])[:200]
