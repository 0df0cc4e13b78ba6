"""What a container has of its machine, where a build is repeated under other conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kiln.engine.run import Mount


@dataclass(frozen=True)
class Conditions:
    """What each container of a connection has beside what its run asks for. Nothing of it may change what is built.

    `hostname` is its host name, `user` the user id in place of the usual one where Kiln may choose it; empty values leave
    both to the engine. Commands are started by the programs `prefix`. `environment` never replaces a run's own variable.
    """

    hostname: str = ""
    user: int | None = None
    prefix: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()


USUAL = Conditions()
