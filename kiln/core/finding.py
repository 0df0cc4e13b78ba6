"""What was found about this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that a build needs of the machine."""

    what: str
    good: bool
    found: str
    cure: str
