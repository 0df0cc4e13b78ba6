"""The checkout that a build is made from, as git knows it."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kiln.core import without_login


@dataclass(frozen=True)
class Revision:
    """`commit` is empty where the folder is not a git checkout; `repository` where it has no remote with a URL.

    A checkout is `clean` where all its files are the commit's.
    """

    commit: str = ""
    repository: str = ""
    clean: bool = False


def revision_of(root: Path) -> Revision:
    """The state of the checkout whose top folder is `root`."""
    top = git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root.resolve():
        return Revision()
    changed = git(root, "status", "--porcelain")
    return Revision(
        commit=git(root, "rev-parse", "--verify", "--quiet", "HEAD") or "",
        repository=public_url(git(root, "remote", "get-url", "origin") or ""),
        clean=changed == "",
    )


def public_url(text: str) -> str:
    """A URL without a login, a query or a fragment, each of which may hold a secret; empty for a path.

    An address as ssh takes it (user@host:path) is a URL of ssh.
    """
    ssh = re.fullmatch(r"(?:[^@/:]+@)?([^/:@]+):(?!//)(.+)", text)
    if ssh:
        text = f"ssh://{ssh[1]}/{ssh[2].lstrip('/')}"
    if not re.match(r"[a-z][a-z0-9+.-]*://[^/]", text):
        return ""
    return re.split(r"[?#]", without_login(text), maxsplit=1)[0]


def git(root: Path, *arguments: str) -> str | None:
    """What git prints, without the last line break; None where it fails or is not installed."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None
