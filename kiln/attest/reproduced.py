"""`reproduced.json`: that a recorded wheel was built again, under which conditions, with the same bytes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

REPRODUCED = "reproduced.json"
FORMAT = 1


@dataclass(frozen=True)
class Checkout:
    """The commit of a checkout, empty where it is not one of git's, and whether it had no other changes."""

    commit: str
    clean: bool

    @classmethod
    def of(cls, root: Path) -> Checkout:
        commit = _git(root, "rev-parse", "HEAD")
        return cls(commit, bool(commit) and not _git(root, "status", "--porcelain"))


@dataclass(frozen=True)
class Environment:
    """A machine as a build sees it: around Kiln, and in its containers."""

    engine: str
    kernel: str
    home: str
    checkout: str
    umask: str
    jobs: int
    variables: Mapping[str, str]
    container: Mapping[str, str]


@dataclass(frozen=True)
class Reproduced:
    """A rebuild with equal bytes.

    `usual` is what builds have on the machine of the rebuild: no record says what the first build had. `begun` and
    `ended` are in UTC, `seconds` is how long the build took in all `runs`. `not_varied` gives the reason for each
    variation that was wanted and not possible; `left_out` are those that were not wanted.
    """

    build_key: str
    wheel: str
    sha256: str
    begun: str
    ended: str
    runs: int
    seconds: float
    kiln: Checkout
    varied: Sequence[str]
    not_varied: Mapping[str, str]
    left_out: Sequence[str]
    usual: Environment
    rebuild: Environment

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"


def _git(root: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", *command], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
