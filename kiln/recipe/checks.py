"""Mistakes in recipes that no type finds: each with its file, line and key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from kiln.archive import kind_of
from kiln.core import Document, Place, Value
from kiln.recipe.conditions import is_range, is_sound_range
from kiln.recipe.cuda import PREFIX
from kiln.recipe.model import Patch, Recipe
from kiln.recipe.source import FolderOrigin, Source


def recipe_problems(recipe: Recipe, document: Document, name: str) -> list[str]:
    """What is wrong in a recipe's own file; `name` is the folder that it is in."""
    problems = []
    if recipe.name != name:
        problems.append(document.error(("name",), f"{recipe.name!r} is not the folder's name {name!r}"))
    for axis in ("device", "base", "python", "glibc"):
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
        elif option.choices and option.default not in option.choices:
            problems.append(document.error((*place, "default"), "the default is not one of the choices"))
    for name, wheels in recipe.stand_ins.items():
        unknown = [each for each in (name, *wheels) if each not in recipe.smoke.distributions]
        if unknown:
            message = f"{unknown[0]!r} is not one of smoke.distributions"
            problems.append(document.error(("stand_ins", name), message))
    named = {option.name for option in recipe.options}
    problems += [
        document.error(("parts", number, "option"), f"there is no option {each.option!r}")
        for number, each in enumerate(recipe.parts)
        if each.option not in named
    ]
    for part, conditions in (
        ("options", recipe.options),
        ("parts", recipe.parts),
        ("refusals", recipe.refusals),
        ("steps", recipe.steps),
    ):
        problems += condition_problems(document, part, [each.when for each in conditions], recipe)
    exceptions = [each.unless for each in recipe.refusals]
    problems += condition_problems(document, "refusals", exceptions, recipe, "unless")
    return problems


def place_problems(recipe: Recipe, document: Document, root: Path) -> Iterator[str]:
    """What a recipe names that is not in the repository `root`."""
    variants, smoke = recipe.variants, recipe.smoke
    folders = (("suite",), smoke.suite), *((("folders", n), each) for n, each in enumerate(smoke.folders))
    named: list[tuple[Place, Path]] = [
        (("toolchain",), Path("docker", recipe.toolchain)),
        *((("include", number), Path("recipes", part)) for number, part in enumerate(recipe.include)),
        *((("smoke", *place), Path(folder)) for place, folder in folders),
    ]
    for number, name in enumerate(variants.base):
        named.append((("variants", "base", number), Path("recipes", "bases", name, "base.yaml")))
    for number, device in enumerate(variants.device):
        if device.startswith(PREFIX):
            file = Path("recipes", "cuda", device.removeprefix(PREFIX), "toolkit.yaml")
            named.append((("variants", "device", number), file))
    for place, path in named:
        if not (root / path).exists():
            yield document.error(place, f"there is no {path}; add it, or correct this")


def _conditions(when: Mapping[str, tuple[Value, ...]]) -> str:
    return repr(sorted((key, str(value)) for key, value in when.items()))


def source_problems(files: Sequence[tuple[Document, tuple[Source, ...]]], recipe: Recipe) -> list[str]:
    """What is wrong in a recipe's sources, by the files that they are in."""
    problems: list[str] = []
    seen: dict[tuple[str, str, str], tuple[Document, Place]] = {}
    upstream = recipe.smoke.upstream
    for document, listed in files:
        for number, source in enumerate(listed):
            place = ("sources", number)
            # One name may be pinned several times for different conditions, never twice for the same.
            identity = (source.use, source.name, _conditions(source.when))
            if identity in seen:
                here = document.error((*place, "name"), f"source {source.name!r} is there twice")
                first, there = seen[identity]
                problems.append(f"{here}; the first is at {first.at(there)}")
            else:
                seen[identity] = document, (*place, "name")
            problems += [document.error((*place, *key), text) for key, text in _hash_problems(source)]
        problems += condition_problems(document, "sources", [source.when for source in listed], recipe)
    if upstream and not any(
        source.name == upstream and source.tree for _, listed in files for source in listed
    ):
        message = f"{upstream!r} is not a source tree of this recipe"
        problems.append(files[0][0].error(("smoke", "upstream"), message))
    return problems


def _hash_problems(source: Source) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Hashes that contradict each other, or that are missing: the key and the mistake."""
    folders = [number for number, each in enumerate(source.origins) if isinstance(each, FolderOrigin)]
    if folders:
        yield from _folder_problems(source, folders[0])
        return
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


def _folder_problems(source: Source, number: int) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Keys that a source must not have whose digests are those of a folder of this repository."""
    own = "a folder's digests are taken from this checkout: remove this key"
    if len(source.origins) > 1:
        yield ("origins",), "a folder of this repository is a source's only origin"
    if source.use != "input":
        yield ("use",), "a folder is not a Python package: remove this key"
    for key in ("tree", "sha256", "tree_hash", "packed", "prepare", "without"):
        if getattr(source, key):
            yield (key,), own
    for key in ("sha256", "size", "member"):
        if getattr(source.origins[number], key) not in ("", None):
            yield ("origins", number, key), own


def condition_problems(
    document: Document,
    key: str,
    conditions: list[Mapping[str, tuple[Value, ...]]],
    recipe: Recipe,
    inner: str = "when",
) -> list[str]:
    """Conditions on keys that are no fact of a build, and ranges of versions that are none."""
    known = {"release", "python", "device", "base", "glibc", *(option.name for option in recipe.options)}
    unknown = [
        document.error((key, number, inner, name), f"no such condition: use {', '.join(sorted(known))}")
        for number, when in enumerate(conditions)
        for name in when
        if name not in known
    ]
    return unknown + [
        document.error((key, number, inner, name), f"{value!r} is not a range of versions, such as '>=2.30'")
        for number, when in enumerate(conditions)
        for name, values in when.items()
        for value in values
        if is_range(value) and not is_sound_range(value)
    ]


def patch_problems(
    patches: Iterable[Patch], document: Document, root: Path, folder: Path, recipe: Recipe
) -> list[str]:
    """What is wrong in a series of patches, whose files are in `folder` of the repository `root`."""
    listed = list(patches)
    trees = {source.name for source in recipe.sources if not source.is_file}
    problems = [
        document.error(("patches", number, key), message)
        for number, patch in enumerate(listed)
        for key, bad, message in (
            ("file", not (root / folder / patch.file).is_file(), f"there is no {folder / patch.file}"),
            ("tree", patch.tree not in trees, f"the recipe has no source tree named {patch.tree!r}"),
        )
        if bad
    ]
    return problems + condition_problems(document, "patches", [patch.when for patch in listed], recipe)
