"""The parts of source trees that an option may list: folders, such as the modules of a library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kiln.core import STRICT, Name, UsageError, Value
from kiln.recipe import Parts


@dataclass(frozen=True)
class Group:
    """Folders by patterns of their names: under which conditions they can be listed, or `why` they cannot."""

    names: tuple[str, ...]
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    why: str | None = None

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Folders:
    """The folders of a tree that an option may list: those in which `files` (`modules/*/CMakeLists.txt`) has one.

    The first of the `groups` that has a folder's name counts for it; one that none has may be listed always.
    """

    option: str
    tree: Name
    files: Annotated[str, Field(pattern=r"^[^*]*/\*/[^*]+$")]
    groups: tuple[Group, ...] = ()

    __pydantic_config__ = STRICT


def read_parts(trees: Mapping[str, Path], wanted: tuple[Folders, ...]) -> tuple[Parts, ...]:
    """The parts that the trees, by name, have; UsageError for a tree with none."""
    return tuple(each for folders in wanted for each in _parts(trees[folders.tree], folders))


def _parts(tree: Path, folders: Folders) -> Iterator[Parts]:
    names = sorted(path.parent.name for path in tree.glob(folders.files))
    if not names:
        raise UsageError(f"{tree} has no {folders.files}", "give the folder of a whole source tree")
    groups = (*folders.groups, Group(("*",)))
    of: dict[int, list[str]] = {}
    for name in names:
        number = next(
            n for n, group in enumerate(groups) if any(fnmatchcase(name, each) for each in group.names)
        )
        of.setdefault(number, []).append(name)
    for number, found in sorted(of.items()):
        group = groups[number]
        yield Parts(folders.option, tuple(found), group.when, group.why)
