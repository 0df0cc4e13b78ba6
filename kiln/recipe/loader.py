"""Recipe files to frozen dataclasses; every mistake is reported with file, line and key."""

from __future__ import annotations

from pathlib import Path

from packaging.version import InvalidVersion, Version

from kiln.core import UsageError, read_yaml, typed
from kiln.recipe.checks import condition_problems, recipe_problems, source_problems
from kiln.recipe.model import Patch, PatchList, Recipe, SourceList


def describe(root: Path, name: str, version: str | None = None) -> Recipe:
    """A version of a recipe by itself, its default unless one is given: texts and options.

    Its lock and what it includes are left out.
    """
    recipe: Recipe = typed(read_yaml(find(root, name, version)), Recipe)
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
    document = read_yaml(path)
    recipe: Recipe = typed(document, Recipe)
    problems = recipe_problems(recipe, document, path)
    documents = [document]
    sources = list(recipe.sources)
    included = [root / "recipes" / part for part in recipe.include]
    lock = path.with_name("sources.lock.yaml")
    for extra in [*included, *([lock] if lock.exists() else [])]:
        documents.append(read_yaml(extra))
        sources += typed(documents[-1], SourceList).sources
    problems += source_problems(documents, recipe)
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
    document = read_yaml(series)
    listed = typed(document, PatchList).patches
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
    problems += condition_problems(document, "patches", [patch.when for patch in listed], recipe)
    if problems:
        raise UsageError("\n".join(problems))
    return tuple(sorted(listed, key=lambda patch: patch.file.rpartition("/")[2]))


def _default_version(root: Path, name: str, versions: list[str]) -> str:
    """The version named in recipes/<name>/default, else the newest."""
    default = root / "recipes" / name / "default"
    return default.read_text(encoding="utf-8").strip() if default.exists() else versions[-1]


def _version_order(text: str) -> tuple[int, Version, str]:
    try:
        return (1, Version(text), text)
    except InvalidVersion:
        return (0, Version("0"), text)
