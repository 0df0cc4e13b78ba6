"""The forms in which trees are packed."""

from __future__ import annotations

from typing import Literal

Kind = Literal["tar", "tar.gz", "zip"]


def kind_of(filename: str) -> Kind | None:
    """The form that a file's name stands for; None for one that is not made here."""
    suffixes: dict[str, Kind] = {".tar": "tar", ".tar.gz": "tar.gz", ".tgz": "tar.gz", ".zip": "zip"}
    return next((kind for suffix, kind in suffixes.items() if filename.endswith(suffix)), None)
