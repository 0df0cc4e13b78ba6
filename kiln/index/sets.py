"""Pinned sets: complete environments, every package with its hash, made from the recipes' own pins.

A set takes the wheels of an index where they were built, what the makers published where not, and for the rest the
packages that the recipes' smoke suites run with.
"""

from __future__ import annotations

import email
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kiln import recipe
from kiln.core import STRICT, Name, UsageError, Value, read_yaml, typed
from kiln.index import wheelhouse
from kiln.index.wheelhouse import Entry, Item
from kiln.recipe import Catalogue, Source
from kiln.sources import Obtained

Obtain = Callable[[Sequence[Source]], Iterable[Obtained]]
SETS = "requirements/sets.yaml"
BUILDERS = ("setuptools", "wheel")


@dataclass(frozen=True)
class Published:
    """The wheel that is used where a recipe's wheel was not built: one that its makers published."""

    recipe: Name
    source: Source

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Set:
    """An environment: recipes as NAME/RELEASE, of which the first one's pins win."""

    name: Name
    summary: str
    recipes: tuple[str, ...]
    python: tuple[str, ...]
    device: tuple[str, ...]
    published: tuple[Published, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Sets:
    sets: tuple[Set, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class MadeSets:
    """The sets as text by file name, and every file that they or the built wheels need and Kiln did not build."""

    texts: Mapping[str, bytes]
    items: tuple[Item, ...]


def make_sets(catalogue: Catalogue, built: Sequence[Item], obtain: Obtain) -> MadeSets:
    """Every set whose first wheel there is, with the wheels `built`.

    Raises UsageError where a set's packages do not fit together, SourceError where one is not available.
    """
    maker = _Maker(catalogue, {item.entry.file: item for item in built}, obtain)
    texts: dict[str, bytes] = {}
    needed: dict[str, Item] = {}
    for each in read_sets(catalogue.root):
        for device in each.device:
            for python in each.python:
                found = maker.set(each, device, python)
                if found is None:
                    continue
                text, items = found
                texts[f"{each.name}-cp{python.replace('.', '')}-{device}.txt"] = text.encode()
                needed.update((item.entry.file, item) for item in items)
    for item in built:
        needed.update((other.entry.file, other) for other in maker.dependencies(item))
    return MadeSets(texts, tuple(item for item in needed.values() if not item.entry.built))


def read_sets(root: Path) -> tuple[Set, ...]:
    """The sets that a repository lists; UsageError with file, line and key for a mistake."""
    return typed(read_yaml(root / SETS), Sets).sets


class _Maker:
    def __init__(self, catalogue: Catalogue, built: Mapping[str, Item], obtain: Obtain) -> None:
        self._catalogue = catalogue
        self._built = built
        self._obtain = obtain
        self._known: dict[str, Item] = {}

    def set(self, wanted: Set, device: str, python: str) -> tuple[str, list[Item]] | None:
        """The text of a set for one device and Python, and the files that it lists, and pip.

        None where its first recipe's wheel, what it is for, was neither built nor published.
        """
        pins: dict[str, Source] = {}
        roots: list[Item] = []
        notes: list[str] = []
        for each in wanted.recipes:
            name, _, release = each.partition("/")
            facts = self._facts(name, release, {"device": device, "python": python})
            for project, source in self._pins(name, release, facts).items():
                pins.setdefault(project, source)
            item = self._own(name, release, device, python) or self._published(wanted, name, facts)
            if item is None and each == wanted.recipes[0]:
                return None
            roots += [item] if item else []
            notes.append(_note(f"{name} {release}", item))
        first, _, release = wanted.recipes[0].partition("/")
        where = f"the set {wanted.name} for Python {python} on {device} in {SETS}"
        items = self._closure(roots, pins, python, where)
        facts = self._facts(first, release, {"device": device, "python": python})
        installer = self._pins(first, release, facts, "build").get("pip")
        pip = self._item(installer) if installer else None
        head = [
            f"# {wanted.summary}, for Python {python} on {device} (Linux, x86-64).",
            "# Made by `./inv sets`: do not edit. Install with `pip install --require-hashes -r` from an index that",
            "# holds all of it (`./inv index --with-dependencies`).",
            *notes,
        ]
        text = "\n".join([*head, *_installer(pip), *map(_pin, items), ""])
        return text, [*items, *([pip] if pip else [])]

    def dependencies(self, item: Item) -> list[Item]:
        """What a built wheel is installed with, as its recipe pins it for the smoke suite."""
        built = item.entry.built
        if built is None:
            return []
        axes = {"device": built.device, "base": built.base, "python": built.python}
        if not self._catalogue.has(built.recipe, built.release):
            return []  # a recipe that this checkout no longer has
        pins = self._pins(built.recipe, built.release, self._facts(built.recipe, built.release, axes))
        return self._closure([item], pins, built.python, f"the recipe {built.recipe} {built.release}")[1:]

    def _facts(self, name: str, release: str, axes: Mapping[str, str]) -> dict[str, Value]:
        loaded = self._catalogue.load(name, release)
        # Of glibc's version nothing depends that only an installed wheel needs.
        facts = {**asdict(loaded.variants.defaults), "glibc": "0", **axes}
        return {**{option.name: option.default for option in recipe.options(loaded, facts)}, **facts}

    def _pins(
        self, name: str, release: str, facts: Mapping[str, Value], use: str = "smoke"
    ) -> dict[str, Source]:
        chosen = (
            source
            for source in self._catalogue.load(name, release).sources
            if source.use == use and recipe.holds(source.when, facts)
        )
        return {canonicalize_name(source.name): source for source in chosen}

    def _own(self, name: str, release: str, device: str, python: str) -> Item | None:
        """The wheel that was built of a recipe's own choices; of several revisions the newest.

        One without machine code is for every Python 3 and every device, whatever it was built with.
        """
        wheels = [
            item
            for item in self._built.values()
            if item.entry.built
            and item.entry.is_default
            and not item.entry.built.choices
            and (item.entry.built.recipe, item.entry.built.release) == (name, release)
            and (
                item.entry.is_universal
                or (item.entry.built.device, item.entry.built.python) == (device, python)
            )
        ]
        return max(wheels, key=lambda item: item.entry.version, default=None)

    def _published(self, wanted: Set, name: str, facts: Mapping[str, Value]) -> Item | None:
        for each in wanted.published:
            if each.recipe == name and recipe.holds(each.source.when, facts):
                return self._item(each.source)
        return None

    def _item(self, source: Source) -> Item:
        if source.digest not in self._known:
            (found,) = self._obtain([source])
            self._known[source.digest] = wheelhouse.item(found.path, name=source.file)
        return self._known[source.digest]

    def _closure(
        self, roots: Sequence[Item], pins: Mapping[str, Source], python: str, where: str
    ) -> list[Item]:
        """The roots and all that they need, of which each requirement is met by exactly one pin."""
        found = {item.entry.project: item for item in roots}
        waiting = list(roots)
        while waiting:
            item = waiting.pop()
            for requirement in _requirements(item, python):
                name = canonicalize_name(requirement.name)
                if name not in found and name not in pins:
                    raise UsageError(
                        f"{item.entry.file} needs {requirement}, which nothing pins",
                        "add it to the recipe's smoke sources",
                        where=where,
                    )
                if name not in found:
                    found[name] = self._item(pins[name])
                    waiting.append(found[name])
                if not requirement.specifier.contains(found[name].entry.version, prereleases=True):
                    raise UsageError(
                        f"{item.entry.file} needs {requirement}, but {found[name].entry.file} is pinned",
                        "change one of the two",
                        where=where,
                    )
        ours = [item.entry.project for item in roots]
        return [*roots, *(found[name] for name in sorted(found) if name not in ours)]


def _requirements(item: Item, python: str) -> Iterator[Requirement]:
    """What a package needs on Linux for a Python version. A source distribution needs what builds it."""
    if item.metadata is None:
        yield from map(Requirement, BUILDERS)
        return
    environment = {
        "python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux",
        "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix", "extra": "",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    for text in email.message_from_bytes(item.metadata).get_all("Requires-Dist") or ():
        requirement = Requirement(text)
        if _applies(requirement.marker, environment):
            yield requirement


def _applies(marker: Marker | None, environment: dict[str, str]) -> bool:
    return marker is None or marker.evaluate(dict(environment))


def _note(what: str, item: Item | None) -> str:
    if item is None:
        return f"# {what}: not built here, and not published for this Python: left out"
    entry: Entry = item.entry
    if entry.built is None:
        return f"# {what}: not built here; {entry.file} is what others published"
    built = entry.built
    return f"# {what}: built by Kiln, {built.passed} smoke tests passed; build key {built.key}"


def _installer(pip: Item | None) -> Iterator[str]:
    """The pip that the wheel was tested with: an older one may not know its tags."""
    if pip:
        version = pip.entry.version
        yield f"# Tested with pip {version}; with an older one, `pip install pip=={version}` from the same index first."


def _pin(item: Item) -> str:
    return f"{item.entry.project}=={item.entry.version} \\\n    --hash=sha256:{item.entry.sha256}"
