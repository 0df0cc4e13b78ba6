"""A source that was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kiln.recipe import Origin, Source


@dataclass(frozen=True)
class Obtained:
    """A source and the verified file in the vault that it was found as: itself, or a tree's archive.

    `origin` is the text of `origin_value` for the record. `failures` are the places that were asked before, each with
    the reason why it did not give the file.
    """

    source: Source
    path: Path
    origin: str
    origin_value: Origin
    failures: tuple[tuple[str, str], ...] = field(default=(), compare=False)
