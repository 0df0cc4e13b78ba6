"""`reproduced.json`: that a recorded wheel was built again, under which conditions, with the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from kiln.attest.revision import Revision

REPRODUCED = "reproduced.json"
FORMAT = 1


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
    kiln: Revision
    varied: Sequence[str]
    not_varied: Mapping[str, str]
    left_out: Sequence[str]
    usual: Environment
    rebuild: Environment

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"
