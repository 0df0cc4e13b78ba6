"""Releases: one file describes several, and each is read as if the file were about it alone.

`releases` in a recipe's file is a table: for each release, the keys of the recipe that it changes, and values that
are taken by their names in braces elsewhere in the file. In every file of a recipe, an item of a list with
`when: {release: …}` is there for these releases only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from kiln.core import Document, Place, UsageError
from kiln.recipe.conditions import fits, is_range, is_sound_range

# The keys of a recipe that a release may change.
KEYS = frozenset((
    "summary", "homepage", "license", "toolchain", "source_date_epoch", "variants", "sources", "steps", "smoke",
    "options", "parts", "refusals", "stand_ins", "include", "revision",
))  # fmt: skip
_VALUE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def releases_of(document: Document) -> tuple[str, ...]:
    """The releases of a recipe's file, in its order; UsageError where its table of releases is not one."""
    value = document.value if isinstance(document.value, dict) else {}
    table = value.get("releases")
    if "version" in value:
        problem = document.error(("version",), "no such key here; name the version in the table 'releases'")
    elif table is None:
        problem = document.error((), "the key 'releases' is missing; add it")
    elif not isinstance(table, dict) or not table or not all(isinstance(row, dict) for row in table.values()):
        problem = document.error(
            ("releases",), "give a table: for each release the keys that it has of its own"
        )
    elif value.get("default", next(iter(table))) not in tuple(table):
        known = ", ".join(table)
        problem = document.error(
            ("default",), f"{value['default']!r} is not a release: choose one of {known}"
        )
    else:
        return tuple(table)
    raise UsageError(problem)


def of_release(document: Document, release: str) -> Document:
    """A recipe's file as if it were about one release; UsageError with every mistake in the release's values."""
    known = releases_of(document)
    row: Mapping[str, Any] = document.value["releases"][release]
    values = {key: value for key, value in row.items() if key not in KEYS}
    shared = {key: value for key, value in document.value.items() if key not in ("releases", "default")}
    reading = _Reading(document, release, known, {**values, "release": release})
    found: dict[str, Any] = {key: reading.read(value, (key,), (key,)) for key, value in shared.items()}
    for key in row:
        if key in KEYS:
            changed = reading.read(row[key], ("releases", release, key), (key,))
            merges = isinstance(changed, dict) and isinstance(found.get(key), dict)
            found[key] = {**found[key], **changed} if merges else changed
    found["version"] = release
    reading.put(("releases", release), ("version",))
    used = set(_names([shared, *document.value["releases"].values()]))
    for key, value in values.items():
        if not isinstance(value, (str, int)):
            reading.problem(("releases", release, key), f"{value!r} is not a text; put it in quotes")
        elif key not in used:
            reading.problem(
                ("releases", release, key),
                f"this is not a key of a recipe, and no text below has {{{key}}}; look for a misspelling",
            )
    return reading.document(found)


def for_release(
    document: Document, release: str, known: Collection[str] = (), values: Mapping[str, Any] | None = None
) -> Document:
    """Another file of a recipe, with the parts that count for a release.

    Raises UsageError for a condition on none of the releases that are `known`; none are, in a file that recipes share.
    """
    reading = _Reading(document, release, known, values)
    return reading.document(reading.read(document.value, (), ()))


class _Reading:
    """One pass over a document; remembers where in the file each part of the result stands."""

    def __init__(
        self, document: Document, release: str, known: Collection[str], values: Mapping[str, Any] | None
    ) -> None:
        self._document = document
        self._release = release
        self._known = known
        self._values = values
        self._places: dict[Place, Place] = {}
        self._problems: dict[str, int] = {}

    def document(self, value: Any) -> Document:
        if self._problems:
            raise UsageError("\n".join(sorted(self._problems, key=lambda each: self._problems[each])))
        return Document(self._document.path, value, self._document.read_lines, self._places)

    def problem(self, place: Place, message: str) -> None:
        self._problems[self._document.error(place, message)] = self._document.line(place)

    def put(self, there: Place, here: Place) -> None:
        """What is at the place `there` in the file is at `here` in the result."""
        if here != there:
            self._places[here] = there

    def read(self, value: Any, there: Place, here: Place) -> Any:
        self.put(there, here)
        if isinstance(value, dict):
            return {key: self.read(item, (*there, key), (*here, key)) for key, item in value.items()}
        if isinstance(value, tuple):
            found: list[Any] = []
            for number, item in enumerate(value):
                kept = self._for_release(item, (*there, number))
                if kept is not None:
                    found.append(self.read(kept, (*there, number), (*here, len(found))))
            return tuple(found)
        if isinstance(value, str) and self._values is not None and "{" in value:
            return self._filled(value, self._values, there, here)
        return value

    def _for_release(self, item: Any, place: Place) -> Any:
        """An item of a list without its condition on the release; None where that does not hold."""
        when = item.get("when") if isinstance(item, dict) else None
        if not isinstance(when, dict) or "release" not in when:
            return item
        for wanted in when["release"]:
            if not self._is_known(wanted):
                choices = ", ".join((*self._known, f"or a range such as '>={self._release}'"))
                self.problem(
                    (*place, "when", "release"), f"{wanted!r} is not a release: use {choices}, in quotes"
                )
                return None
        if not any(fits(self._release, wanted) for wanted in when["release"]):
            return None
        rest = {key: value for key, value in when.items() if key != "release"}
        return {key: value for key, value in {**item, "when": rest}.items() if key != "when" or rest}

    def _is_known(self, wanted: Any) -> bool:
        if is_range(wanted):
            return is_sound_range(wanted)
        return wanted in self._known if self._known else isinstance(wanted, str)

    def _filled(self, text: str, values: Mapping[str, Any], there: Place, here: Place) -> Any:
        """A text with the release's values in it; a value that stands alone keeps its type, and its own place."""
        for name in _VALUE.findall(text):
            if name not in values:
                self.problem(
                    there,
                    f"release {self._release} has no value {name!r}: add it to releases.{self._release}, or look "
                    "for a misspelling",
                )
                return text
        alone = _VALUE.fullmatch(text)
        if alone:
            if alone[1] != "release":
                self.put(("releases", self._release, alone[1]), here)
            return values[alone[1]]
        return _VALUE.sub(lambda match: str(values[match[1]]), text)


def _names(value: Any) -> Iterator[str]:
    """The names of all values that texts take."""
    if isinstance(value, str):
        yield from _VALUE.findall(value)
    elif isinstance(value, dict):
        yield from _names(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _names(each)
