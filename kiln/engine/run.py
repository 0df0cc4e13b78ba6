"""What runs in a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiln.plan import Limits


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine at a fixed path in a container."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Run:
    """One command in one container of one image. `label` is how the container is found again.

    `memory` is how many bytes all its processes together may use; 0 is no limit of its own.
    """

    image: str
    command: tuple[str, ...]
    label: str
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    workdir: str = "/"
    limits: Limits = field(default_factory=Limits)
    memory: int = 0
