"""Licences that a person accepts before files under them are fetched: asked for once, then remembered.

Accepting them changes nothing in a build, and is not a part of its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from kiln.core import STRICT, Console, Home, Name, UsageError, read_yaml, typed
from kiln.recipe import Source

OPTION = "--accept-cuda-eula"
VARIABLE = "KILN_ACCEPT_CUDA_EULA"


@dataclass(frozen=True)
class Terms:
    """One licence: where its text is, and what in it matters to people who pass a wheel on."""

    id: Name
    title: str
    url: str
    note: str

    __pydantic_config__ = STRICT

    @property
    def digest(self) -> str:
        """A hash of the terms: changed terms under the same name are asked for again."""
        return hashlib.sha256("\n".join(astuple(self)).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.id}: {self.title}\n    {self.url}\n    {self.note}"


@dataclass(frozen=True)
class LicenceList:
    licences: tuple[Terms, ...]

    __pydantic_config__ = STRICT


def terms(root: Path, sources: Iterable[Source]) -> tuple[Terms, ...]:
    """The licences among those of some sources that have to be accepted."""
    path = root / "recipes" / "cuda" / "licences.yaml"
    if not path.exists():
        return ()
    licences = {source.license for source in sources}
    listed = typed(read_yaml(path), LicenceList).licences
    return tuple(each for each in listed if each.id in licences)


def given(option: bool, environment: Mapping[str, str]) -> bool:
    """Whether this run accepts them, by its option or by a variable, which is for scripts."""
    return option or environment.get(VARIABLE, "0") not in ("", "0")


def open_terms(wanted: Iterable[Terms], home: Home) -> list[Terms]:
    """Those that nobody has accepted in this home yet."""
    return [each for each in wanted if _remembered(home, each) != each.digest]


def require(wanted: Iterable[Terms], home: Home, accept: bool, console: Console) -> None:
    """Make sure that every licence is accepted, and remember those that are now.

    Raises UsageError that shows what is to be read, and how to accept it.
    """
    asked = open_terms(wanted, home)
    if not asked:
        return
    shown = "\n  ".join(str(each) for each in asked)
    if not accept:
        raise UsageError(
            "this build uses files under licences of their own",
            f"read them, then run again with {OPTION} (once; or set {VARIABLE}=1)",
            detail=f"  {shown}",
        )
    console.note(f"accepted, and remembered in {home.path}:\n  {shown}")
    for each in asked:
        path = _path(home, each)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(each.digest + "\n", encoding="utf-8")
        partial.replace(path)


def _path(home: Home, each: Terms) -> Path:
    return home.path / "licences" / each.id


def _remembered(home: Home, each: Terms) -> str:
    path = _path(home, each)
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
