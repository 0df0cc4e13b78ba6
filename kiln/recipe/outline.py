"""What the command line says of a recipe, from its file alone: nothing is checked, so that help is quick."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kiln.core import Document, Place, UsageError
from kiln.recipe.releases import of_release, releases_of

if TYPE_CHECKING:
    from kiln.core import Value


@dataclass(frozen=True)
class Choice:
    """An option of a recipe, as the command line has it."""

    name: str
    type: str
    default: Value
    help: str


@dataclass(frozen=True)
class Outline:
    """A recipe's name, the task that builds it, and its options; `problem` says what of it cannot be read."""

    name: str
    command: str
    summary: str = ""
    options: tuple[Choice, ...] = ()
    problem: str = ""


def outline(name: str, document: Document, default: str) -> Outline:
    """A recipe from its own file; UsageError where that does not have a recipe's form."""
    own = of_release(document, default).value
    return Outline(
        name, command(name, own.get("task")), str(own.get("summary", "")), tuple(options(document))
    )


def broken(name: str, path: Path, error: UsageError) -> Outline:
    """A recipe whose file cannot be read: its task is there all the same, and says why."""
    try:
        task = re.search(r"^task:\s*(build-[a-z0-9-]+)\s*$", path.read_text(encoding="utf-8"), re.M)
    except (OSError, UnicodeDecodeError):
        task = None
    return Outline(name, command(name, task and task[1]), problem=str(error))


def command(name: str, task: object) -> str:
    """The task that builds a recipe: the one that it names, else that of its own name."""
    return str(task or f"build-{name}")


def options(document: Document) -> Iterator[Choice]:
    """The options of all releases of a recipe's file; UsageError where they do not have an option's form."""
    parts: dict[Place, Mapping[str, Any]] = {(): document.value}
    parts.update({("releases", each): document.value["releases"][each] for each in releases_of(document)})
    for place, part in parts.items():
        listed = part.get("options", ())
        for number, option in enumerate(listed if isinstance(listed, tuple) else ()):
            if not _is_choice(option):
                message = "an option has a name, a type, a default of that type, and a help"
                raise UsageError(document.error((*place, "options", number), message))
            yield Choice(option["name"], option["type"], option["default"], option["help"])


def _is_choice(option: Any) -> bool:
    if not isinstance(option, Mapping):
        return False
    kinds = {"bool": bool, "str": str}
    default = kinds.get(str(option.get("type")))
    texts = all(isinstance(option.get(key), str) for key in ("name", "help"))
    return texts and default is not None and isinstance(option.get("default"), default)
