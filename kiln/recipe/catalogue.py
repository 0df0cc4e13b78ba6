"""The recipes of a repository: every file is read once, and every release checked once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kiln.core import Document, UsageError, read_yaml, sha256_of, typed
from kiln.recipe.outline import Outline, broken, options, outline
from kiln.recipe.releases import for_release, of_release, releases_of

if TYPE_CHECKING:
    from kiln.recipe.bases import Base, BaseLock, Image, ToolchainPackages
    from kiln.recipe.cuda import Toolkit
    from kiln.recipe.model import LockFile, Patch, Recipe
    from kiln.recipe.source import Source
    from kiln.recipe.verified import Verified

T = TypeVar("T")
FILE = "recipe.yaml"
LOCK = "sources.lock.yaml"


class Catalogue:
    """The recipes of the repository `root`.

    The recipe NAME is in recipes/NAME/recipe.yaml. A folder in recipes/NAME with a recipe.yaml of its own has further
    releases of it, which share too little with the others. What cannot be read costs the recipe that it belongs to,
    and no other one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[tuple[Hashable, ...], Any] = {}

    def names(self) -> list[str]:
        """Every recipe's name, sorted."""
        return sorted(path.parent.name for path in (self.root / "recipes").glob(f"*/{FILE}"))

    def outlines(self) -> list[Outline]:
        """What the command line says of each recipe; one with a file that cannot be read has its `problem`."""
        return [self._outline(name) for name in self.names()]

    def releases(self, name: str) -> list[str]:
        """Every release of a recipe, the newest last; UsageError where one of its files cannot be read."""
        return sorted((each for path in self._files(name) for each in self._releases(path)), key=_order)

    def has(self, name: str, release: str) -> bool:
        """Whether there is such a release; UsageError where the file that may have it cannot be read."""
        return name in self.names() and release in self.releases(name)

    def every(self) -> tuple[list[Recipe], tuple[str, ...]]:
        """All releases of all recipes as `describe` has them, and why others cannot be read, a line each."""
        found: list[Recipe] = []
        problems: dict[str, None] = {}
        for path in (path for name in self.names() for path in self._files(name)):
            try:
                found += [self._described(path, each)[1] for each in sorted(self._releases(path), key=_order)]
            except UsageError as error:
                problems[str(error).splitlines()[0]] = None
        return found, tuple(problems)

    def default(self, name: str) -> str:
        """The release that is built when none is named: the recipe's own choice, else its newest."""
        own = self._files(name)[0]
        releases = self._releases(own)
        chosen: str | None = self._read(own).value.get("default")
        return chosen or max(releases, key=_order)

    def describe(self, name: str, release: str = "") -> Recipe:
        """A release of a recipe, its default unless one is named, without its lock and what it includes.

        Raises UsageError for a recipe or a release that does not exist, with those that do, and for every mistake
        in the recipe's file, with its line and key.
        """
        return self._described(self._find(name, release), release or self.default(name))[1]

    def load(self, name: str, release: str = "") -> Recipe:
        """A release of a recipe, its default unless one is named, with its lock and what it includes merged in.

        Raises UsageError as `describe` does, for mistakes in these files too.
        """
        path = self._find(name, release)
        return self._once(self._load, path, release or self.default(name))

    def line(self, name: str) -> Iterator[Recipe]:
        """Every release of a recipe as `describe` has it: its default, then the others, the newest last."""
        own = self.describe(name)
        yield own
        yield from (self.describe(name, each) for each in self.releases(name) if each != own.version)

    def folder(self, name: str, release: str = "") -> Path:
        """The folder below recipes/ that a release's recipe.yaml is in."""
        return self._find(name, release).parent.relative_to(self.root / "recipes")

    def folders(self, name: str) -> dict[Path, tuple[str, ...]]:
        """The folders of a recipe's files, and the releases of each in the file's order."""
        return {path.parent: self._releases(path) for path in self._files(name)}

    def patches(self, recipe: Recipe) -> tuple[Patch, ...]:
        """The patches of a recipe in the order of their numbers; none where it has no series file."""
        return self._once(self._patches, recipe.name, recipe.version)

    def patch_folder(self, recipe: Recipe) -> Path:
        """Where a recipe's patches are, relative to the repository."""
        return "patches" / self.folder(recipe.name, recipe.version)

    def verified(self, name: str, release: str = "") -> Verified:
        """What was seen of the releases that are in one file with this one."""
        from kiln.recipe.verified import verified

        return self._once(verified, self._find(name, release).parent)

    def base(self, name: str) -> Base:
        """The base of a name; UsageError where there is none."""
        from kiln.recipe.bases import base

        return self._once(base, self.root, name)

    def base_lock(self, name: str) -> BaseLock:
        """The lock of a base; UsageError where there is none, or where it is not what was generated."""
        from kiln.recipe.bases import base_lock

        return self._once(base_lock, self.root, name)

    def image(self, base: str, name: str) -> Image:
        """An image of a base; UsageError where the base's lock does not have it as its lists say."""
        return self._once(self._image, base, name)

    def _image(self, base: str, name: str) -> Image:
        from kiln.recipe.bases import BASE, RUNTIME, image, toolchains, wanted_images

        first, *further = name.split("+")
        # An image in which wheels are tested has names of what a toolchain adds: opencv-desktop.
        added = [
            each for each in toolchains(self.root) if any(part.startswith(f"{each}-") for part in further)
        ]
        lists = {each: self.toolchain_packages(each) for each in {first, *added} - {BASE, RUNTIME}}
        wanted = wanted_images(self.base(base), lists)
        return image(self.root, self.base(base), self.base_lock(base), name, wanted.get(name, ()))

    def toolchain_packages(self, name: str) -> ToolchainPackages:
        """The lists of a toolchain."""
        from kiln.recipe.bases import toolchain_packages

        return self._once(toolchain_packages, self.root, name)

    def files(self, place: Path) -> tuple[tuple[str, str], ...]:
        """The paths and the sha256 of the files in a folder, or of a file, without what no build reads.

        UsageError for a file that cannot be read.
        """
        return self._once(self._hashed, place)

    def _hashed(self, place: Path) -> tuple[tuple[str, str], ...]:
        from kiln.recipe.folders import files_in

        try:
            return tuple(
                (each.as_posix(), sha256_of(self.root / each)) for each in files_in(self.root, [place])
            )
        except OSError as error:
            raise UsageError(
                f"{error.filename} cannot be read ({error.strerror})", "restore it from version control"
            ) from error

    def toolkit(self, device: str) -> Toolkit | None:
        """The CUDA toolkit of a device; None for a device without one, UsageError where there is none."""
        from kiln.recipe.cuda import toolkit

        return self._once(toolkit, self.root, device)

    def _once(self, function: Callable[..., T], *arguments: Hashable) -> T:
        """What a function gives for these arguments, called at most once."""
        key = (function.__name__, *arguments)
        if key not in self._known:
            self._known[key] = function(*arguments)
        found: T = self._known[key]
        return found

    def _read(self, path: Path) -> Document:
        return self._once(read_yaml, path)

    def _releases(self, path: Path) -> tuple[str, ...]:
        return releases_of(self._read(path))

    def _files(self, name: str) -> list[Path]:
        """The files of a recipe, its own first."""
        folder = self.root / "recipes" / name
        if name not in self.names():
            known = ", ".join(self.names()) or "none"
            raise UsageError(
                f"there is no recipe {name!r} in {self.root / 'recipes'}", f"choose one of {known}"
            )
        return [folder / FILE, *sorted(folder.glob(f"*/{FILE}"))]

    def _find(self, name: str, release: str) -> Path:
        """The file that a release is in. A file that cannot be read counts only where the release is in no other."""
        files = self._files(name)
        release = release or self.default(name)
        found: list[Path] = []
        problems: list[UsageError] = []
        for path in files:
            try:
                found += [path] if release in self._releases(path) else []
            except UsageError as error:
                problems.append(error)
        if len(found) > 1:
            there = self._read(found[0]).at(("releases", release))
            message = f"this release is there twice; the first is at {there}"
            raise UsageError(self._read(found[1]).error(("releases", release), message))
        if found:
            return found[0]
        if problems:
            raise problems[0]
        known = ", ".join(self.releases(name))
        raise UsageError(f"recipe {name} has no release {release!r}", f"choose one of {known}")

    def _outline(self, name: str) -> Outline:
        own, *others = self._files(name)
        try:
            found = outline(name, self._read(own), self.default(name))
        except UsageError as error:
            return broken(name, own, error)
        for path in others:
            try:
                found = replace(found, options=(*found.options, *options(self._read(path))))
            except UsageError as error:
                found = replace(found, problem=str(error))
        return found

    def _described(self, path: Path, release: str) -> tuple[Document, Recipe]:
        return self._once(self._describe, path, release)

    def _describe(self, path: Path, release: str) -> tuple[Document, Recipe]:
        from kiln.recipe.checks import recipe_problems
        from kiln.recipe.model import Recipe

        document = of_release(self._read(path), release)
        recipe = typed(document, Recipe)
        name = path.relative_to(self.root / "recipes").parts[0]
        _raise(recipe_problems(recipe, document, name))
        return document, recipe

    def _load(self, path: Path, release: str) -> Recipe:
        from kiln.recipe.checks import place_problems, source_problems
        from kiln.recipe.folders import settled

        document, recipe = self._described(path, release)
        _raise(list(place_problems(recipe, document, self.root)))
        files = [(document, recipe.sources)]
        files += [self._included(self.root / "recipes" / part, release) for part in recipe.include]
        lock = path.with_name(LOCK)
        parts = recipe.parts
        if lock.exists():
            locked, content = self._locked(lock, path, recipe)
            files.append((locked, content.sources))
            parts += content.parts
        _raise(source_problems(files, recipe))
        found = (source for _, sources in files for source in sources)
        return replace(recipe, sources=tuple(settled(self.root, source) for source in found), parts=parts)

    def _included(self, path: Path, release: str) -> tuple[Document, tuple[Source, ...]]:
        from kiln.recipe.model import SourceList

        def read(path: Path, release: str) -> tuple[Document, tuple[Source, ...]]:
            document = self._read(path)
            document = for_release(document, release) if release else document
            return document, typed(document, SourceList).sources

        conditional = any(place[-2:] == ("when", "release") for place in self._read(path).lines)
        return self._once(read, path, release if conditional else "")

    def _locked(self, lock: Path, path: Path, recipe: Recipe) -> tuple[Document, LockFile]:
        from kiln.recipe.model import LockFile

        document = for_release(self._read(lock), recipe.version, self._releases(path))
        found = typed(document, LockFile)
        if recipe.version not in found.releases:
            command = f"./inv lock {recipe.name}/{recipe.version}"
            _raise([document.error(("releases",), f"{recipe.version} is not in this lock: run `{command}`")])
        return document, found

    def _patches(self, name: str, release: str) -> tuple[Patch, ...]:
        from kiln.recipe.checks import patch_problems
        from kiln.recipe.model import PatchList

        path = self._find(name, release)
        folder = "patches" / self.folder(name, release)
        series = self.root / folder / "series.yaml"
        if not series.exists():
            return ()
        document = for_release(self._read(series), release, self._releases(path), {"release": release})
        listed = typed(document, PatchList).patches
        _raise(patch_problems(listed, document, self.root, folder, self.load(name, release)))
        return tuple(sorted(listed, key=lambda patch: patch.file))


def _raise(problems: list[str]) -> None:
    if problems:
        raise UsageError("\n".join(problems))


def _order(release: str) -> tuple[int, Any, str]:
    """Releases in the order of their versions; what is not a version comes first."""
    from packaging.version import InvalidVersion, Version

    try:
        return (1, Version(release), release)
    except InvalidVersion:
        return (0, Version("0"), release)
