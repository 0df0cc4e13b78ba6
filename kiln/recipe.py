"""Recipe files to frozen dataclasses; every mistake is reported with file, line and key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import Field

from kiln.document import Document, read, typed
from kiln.errors import UsageError
from kiln.fields import STRICT, Integer, Name, RelativePath, Script, Value
from kiln.pack import kind_of
from kiln.source import Source


@dataclass(frozen=True)
class Option:
    """A choice that a recipe offers; it becomes a command-line option.

    `when` are conditions on the variant's axes: elsewhere there is no such choice.
    `in_name` are the values that the wheel's own name tells (true: all of them), so that its version need not.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    type: Literal["bool", "str"]
    default: Value
    help: str
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    in_name: bool | tuple[Value, ...] = False

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Step:
    """A script that runs in the toolchain: `scripts/…` beside its Dockerfile, or `common/…`."""

    name: Name
    run: Script
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Defaults:
    """The variant that is built when nothing else is asked for."""

    device: str
    base: str
    python: str
    cpu_features: str

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Variants:
    """The values that each axis of the recipe's matrix may take."""

    device: tuple[str, ...]
    base: tuple[str, ...]
    python: tuple[str, ...]
    defaults: Defaults

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Smoke:
    """The suite that a finished wheel must pass.

    `distributions` are the names of the wheels that it is for (default: the recipe's), `packages` what of them
    is imported (default: the names with underscores), `folders` what of this repository the suite reads too.
    """

    suite: RelativePath
    distributions: tuple[Name, ...] = ()
    packages: tuple[Name, ...] = ()
    folders: tuple[RelativePath, ...] = ()

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Recipe:
    """The description of one product version.

    A published wheel never changes: a recipe that gives other bytes under the same version has a new `revision`.
    """

    name: Name
    version: str
    summary: str
    homepage: str
    license: str
    toolchain: Name
    source_date_epoch: Annotated[Integer, Field(ge=315532800)]
    variants: Variants
    sources: tuple[Source, ...]
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    smoke: Smoke
    options: tuple[Option, ...] = ()
    include: tuple[RelativePath, ...] = ()
    revision: Annotated[Integer, Field(ge=1)] = 1
    task: Annotated[str, Field(pattern=r"^build-[a-z0-9-]+$")] | None = None

    __pydantic_config__ = STRICT

    @property
    def command(self) -> str:
        """The task that builds it."""
        return self.task or f"build-{self.name}"


@dataclass(frozen=True)
class Patch:
    """One change to one source tree, and the reason for it.

    `file` is beside the series, or in the folder of another version of the same recipe: `1.15.5/0004-grpc-gettid.patch`.
    """

    file: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._+-]*/)?\d{4}-[A-Za-z0-9._+-]+\.patch$")]
    tree: Name
    why: str
    upstream: str | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT

    def path(self, recipe: Recipe) -> str:
        """Where the file is in the folder of all patches for the recipe, whatever its version."""
        return self.file if "/" in self.file else f"{recipe.version}/{self.file}"


@dataclass(frozen=True)
class SourceList:
    sources: tuple[Source, ...]

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class _PatchList:
    patches: tuple[Patch, ...]

    __pydantic_config__ = STRICT


def describe(root: Path, name: str, version: str | None = None) -> Recipe:
    """A version of a recipe by itself, its default unless one is given: texts and options.

    Its lock and what it includes are left out.
    """
    recipe: Recipe = typed(read(find(root, name, version)), Recipe)
    return recipe


def versions(root: Path, name: str) -> list[str]:
    """Every version of a recipe, the newest last."""
    folders = (path.parent.name for path in (root / "recipes" / name).glob("*/recipe.yaml"))
    return sorted(folders, key=_version_order)


def line(root: Path, name: str) -> tuple[Recipe, ...]:
    """Every version of a recipe by itself: its default, then the others, the newest last."""
    own = describe(root, name)
    others = (each for each in versions(root, name) if each != own.version)
    return own, *(describe(root, name, each) for each in others)


def every(root: Path) -> list[Recipe]:
    """All versions of all recipes, each by itself."""
    folders = sorted(path.parent for path in (root / "recipes").glob("*/*/recipe.yaml"))
    return [describe(root, folder.parent.name, folder.name) for folder in folders]


def load(root: Path, name: str, version: str | None = None) -> Recipe:
    """The recipe `name`, its newest version unless one is given, with lock and included sources merged in.

    Raises UsageError that lists every mistake found, each with file, line and key.
    """
    path = find(root, name, version)
    document = read(path)
    recipe: Recipe = typed(document, Recipe)
    problems = _recipe_problems(recipe, document, path)
    documents = [document]
    sources = list(recipe.sources)
    included = [root / "recipes" / part for part in recipe.include]
    lock = path.with_name("sources.lock.yaml")
    for extra in [*included, *([lock] if lock.exists() else [])]:
        documents.append(read(extra))
        sources += typed(documents[-1], SourceList).sources
    problems += _source_problems(documents, recipe)
    if problems:
        raise UsageError("\n".join(problems))
    return Recipe(**{**recipe.__dict__, "sources": tuple(sources)})


def find(root: Path, name: str, version: str | None) -> Path:
    """The path of a recipe's file; UsageError names the recipes or versions there are."""
    folders = sorted(path.parent for path in (root / "recipes").glob("*/*/recipe.yaml"))
    names = sorted({folder.parent.name for folder in folders})
    if name not in names:
        folder = root / "recipes"
        raise UsageError(f"there is no recipe {name!r} in {folder}: choose one of {', '.join(names)}")
    versions = sorted((folder.name for folder in folders if folder.parent.name == name), key=_version_order)
    if version is not None and version not in versions:
        raise UsageError(f"recipe {name} has no version {version!r}: choose one of {', '.join(versions)}")
    return root / "recipes" / name / (version or _default_version(root, name, versions)) / "recipe.yaml"


def names(root: Path) -> list[str]:
    """Every recipe's name, sorted."""
    return sorted({path.parent.parent.name for path in (root / "recipes").glob("*/*/recipe.yaml")})


def patches(root: Path, recipe: Recipe) -> tuple[Patch, ...]:
    """The patches of a recipe in the order of their numbers; none where it has no series file."""
    folder = root / "patches" / recipe.name
    series = folder / recipe.version / "series.yaml"
    if not series.exists():
        return ()
    document = read(series)
    listed = typed(document, _PatchList).patches
    trees = {source.name for source in recipe.sources if not source.is_file}
    missing = [patch for patch in listed if not (folder / patch.path(recipe)).is_file()]
    problems = [
        document.error(("patches", number, key), message)
        for number, patch in enumerate(listed)
        for key, bad, message in (
            ("file", patch in missing, f"there is no patches/{recipe.name}/{patch.path(recipe)}"),
            ("tree", patch.tree not in trees, f"the recipe has no source tree named {patch.tree!r}"),
        )
        if bad
    ]
    problems += _condition_problems(document, "patches", [patch.when for patch in listed], recipe)
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(sorted(listed, key=lambda patch: patch.file.rpartition("/")[2]))


def options(recipe: Recipe, facts: Mapping[str, Value]) -> tuple[Option, ...]:
    """The options that a build with these facts has."""
    return tuple(option for option in recipe.options if holds(option.when, facts))


def holds(when: Mapping[str, tuple[Value, ...]], facts: Mapping[str, Value]) -> bool:
    """Whether every condition holds: `facts` are the variant's axes, the options' values, and the base's glibc."""
    return all(any(_fits(facts.get(key), value) for value in values) for key, values in when.items())


def _fits(fact: Value | None, value: Value) -> bool:
    """Whether a fact is a value, or a version in a range such as ">=2.30"."""
    if isinstance(fact, str) and isinstance(value, str) and value[:1] in ("<", ">"):
        return Version(fact) in SpecifierSet(value)
    return fact == value


def _default_version(root: Path, name: str, versions: list[str]) -> str:
    """The version named in recipes/<name>/default, else the newest."""
    default = root / "recipes" / name / "default"
    return default.read_text(encoding="utf-8").strip() if default.exists() else versions[-1]


def _version_order(text: str) -> tuple[int, Version, str]:
    try:
        return (1, Version(text), text)
    except InvalidVersion:
        return (0, Version("0"), text)


def _recipe_problems(recipe: Recipe, document: Document, path: Path) -> list[str]:
    problems = []
    folder = (path.parent.parent.name, path.parent.name)
    for key, expected in zip(("name", "version"), folder):
        if getattr(recipe, key) != expected:
            problems.append(
                document.error((key,), f"{getattr(recipe, key)!r} is not the folder's name {expected!r}")
            )
    for axis in ("device", "base", "python"):
        default = getattr(recipe.variants.defaults, axis)
        if default not in getattr(recipe.variants, axis):
            problems.append(
                document.error(
                    ("variants", "defaults", axis), f"{default!r} is not one of the values of variants.{axis}"
                )
            )
    seen: set[tuple[str, str]] = set()
    for number, option in enumerate(recipe.options):
        place = ("options", number)
        # One name may have several defaults for different conditions, never two for the same.
        identity = (option.name, _conditions(option.when))
        if identity in seen:
            problems.append(document.error((*place, "name"), f"option {option.name!r} is there twice"))
        seen.add(identity)
        if isinstance(option.default, bool) != (option.type == "bool"):
            problems.append(document.error((*place, "default"), f"the default is not of type {option.type}"))
    for part, conditions in (("options", recipe.options), ("steps", recipe.steps)):
        problems += _condition_problems(document, part, [each.when for each in conditions], recipe)
    return problems


def _conditions(when: Mapping[str, tuple[Value, ...]]) -> str:
    return repr(sorted((key, str(value)) for key, value in when.items()))


def _source_problems(documents: list[Document], recipe: Recipe) -> list[str]:
    problems: list[str] = []
    seen: dict[tuple[str, str, str], str] = {}
    for document in documents:
        listed = typed(document, SourceList).sources if document is not documents[0] else recipe.sources
        for number, source in enumerate(listed):
            place = ("sources", number)
            # One name may be pinned several times for different conditions, never twice for the same.
            identity = (source.use, source.name, _conditions(source.when))
            here = document.error((*place, "name"), f"source {source.name!r} is there twice")
            if identity in seen:
                problems.append(f"{here}; the first is at {seen[identity]}")
            seen.setdefault(identity, ":".join(here.split(":")[:2]))
            problems += [document.error((*place, *key), text) for key, text in _hash_problems(source)]
        problems += _condition_problems(document, "sources", [source.when for source in listed], recipe)
    return problems


def _hash_problems(source: Source) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Hashes that contradict each other, or that are missing: the key and the mistake."""
    hashes = {origin.sha256 for origin in source.origins}
    if source.tree and source.sha256:
        yield ("sha256",), "a source is a tree or a file: remove this key or the key 'tree'"
    elif not source.tree and not source.sha256 and len(hashes) > 1:
        yield ("origins",), "origins with different hashes need the key 'tree', or 'sha256' for a member"
    if source.tree_hash and (source.tree or source.sha256):
        yield ("tree_hash",), "only a file that is an archive as it is has a tree_hash"
    if source.packed and not source.tree:
        yield ("packed",), "only a tree can be packed: add the key 'tree'"
    if (source.packed or source.tree_hash) and not kind_of(source.file):
        key = "packed" if source.packed else "tree_hash"
        yield (key,), f"{source.file} is made as .tar, .tar.gz, .tgz or .zip only: give such a filename"
    if source.prepare and (source.packed or not source.tree):
        yield ("prepare",), "only a tree that is a folder can be prepared"
    if source.without and (source.prepare or not source.tree):
        yield ("without",), "only out of a tree as it is in its origins can files be left"
    for number, origin in enumerate(source.origins):
        if origin.member and not source.tree and not source.sha256:
            yield ("origins", number, "member"), "a member needs the key 'tree', or 'sha256' for a file"
        if source.sha256 and not origin.member and origin.sha256 != source.sha256:
            yield ("origins", number, "sha256"), "this is not the source's sha256, and there is no member"


def _condition_problems(
    document: Document, key: str, conditions: list[Mapping[str, tuple[Value, ...]]], recipe: Recipe
) -> list[str]:
    """Conditions on keys that are no fact of a build, and ranges of versions that are none."""
    known = {"python", "device", "base", "glibc", *(option.name for option in recipe.options)}
    unknown = [
        document.error((key, number, "when", name), f"no such condition: use {', '.join(sorted(known))}")
        for number, when in enumerate(conditions)
        for name in when
        if name not in known
    ]
    return unknown + [
        document.error((key, number, "when", name), f"{value!r} is no range of versions, such as '>=2.30'")
        for number, when in enumerate(conditions)
        for name, values in when.items()
        for value in values
        if isinstance(value, str) and value[:1] in ("<", ">") and not _is_range(value)
    ]


def _is_range(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True
