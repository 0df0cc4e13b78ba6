"""What was found about this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One thing that a build needs of the machine.

    `cure` says what to do where it is not `good`; `fix` does it, where that is safe: it changes nothing but what Kiln
    made itself.
    """

    what: str
    good: bool
    found: str
    cure: str = ""
    fix: Callable[[], None] | None = field(default=None, compare=False, repr=False)
