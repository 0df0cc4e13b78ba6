"""Generating a lock, from the command line's words to the file: which trees are read, and whence."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kiln import archive, lock, recipe, sources
from kiln.errors import DifferenceError, SourceError, UsageError
from kiln.home import Home
from kiln.lookup import Lookup
from kiln.source import Source
from kiln.trees import unpack_tree


@dataclass(frozen=True)
class Request:
    """What a person asked for: `tree` is `DIR` or `NAME=DIR,…`, `needed` is `DEVICE=FILE,…`.

    `repositories` is a folder of the trees of external repositories, each under its name; `folder` one of
    files that were downloaded by hand. `output` is the file that is written instead of the recipe's own lock.
    """

    recipe: str
    release: str = ""
    tree: str = ""
    needed: str = ""
    repositories: str = ""
    folder: str = ""
    output: str = ""
    check: bool = False


def run(
    root: Path,
    request: Request,
    home: Home,
    settings: sources.Settings,
    environment: Mapping[str, str],
    progress: sources.Progress,
) -> lock.Lock:
    """Generate a lock and write it; with `check` only compare it.

    Raises UsageError for what is not there or cannot be read, SourceError for a tree that cannot be had or a
    download that cannot be pinned, DifferenceError where `check` finds another lock.
    """
    folder = lock.find(root, request.recipe, request.release or None)
    names = lock.settings(folder).trees
    vault = sources.Vault(home.sources)
    with tempfile.TemporaryDirectory(dir=home.work) as work:
        trees = _Trees(Path(work), vault, settings, progress)
        given = _given(request.tree, names)
        missing = [name for name in names if name not in given]
        if missing:
            given.update(trees.of_recipe(root, folder, missing))
        lookup = Lookup(
            vault, settings, environment, Path(work), Path(request.folder) if request.folder else None
        )
        repositories = _folder(request.repositories) if request.repositories else None

        def at_hand(name: str, source: Source, member: str) -> Path | None:
            if repositories and (repositories / name).is_dir():
                return repositories / name
            return trees.of_external(source, member)

        made = lock.generate(folder, given, lookup.means, at_hand, named_paths(request.needed, "--needed"))
    if request.output:
        made = replace(made, path=Path(request.output).expanduser())
    if request.check:
        if made.changed:
            raise DifferenceError(
                f"{made.path} is not what its trees and {lock.SETTINGS} give: run `./inv lock "
                f"{folder.parent.name}/{folder.name}` and look at the difference"
            )
    else:
        made.write()
    return made


@dataclass(frozen=True)
class _Trees:
    """Trees out of the vault and wherever it is filled from, unpacked for one run."""

    work: Path
    vault: sources.Vault
    settings: sources.Settings
    progress: sources.Progress

    def of_recipe(self, root: Path, folder: Path, names: Iterable[str]) -> dict[str, Path]:
        """The source trees that a recipe pins."""
        if not (folder / "recipe.yaml").exists():
            raise UsageError(
                f"{folder} has no recipe.yaml that says where its trees are: name one with --tree"
            )
        pinned = {each.name: each for each in recipe.load(root, folder.parent.name, folder.name).sources}
        wanted = [pinned[name] for name in names if name in pinned and pinned[name].tree]
        lost = sorted(set(names) - {source.name for source in wanted})
        if lost:
            raise UsageError(
                f"{folder / 'recipe.yaml'} has no source tree named {', '.join(lost)}: correct the key "
                f"'trees' of {folder / lock.SETTINGS}"
            )
        return {
            each.source.name: self._unpacked(each)
            for each in sources.obtain(wanted, self.vault, self.settings, self.progress)
        }

    def of_external(self, source: Source, member: str) -> Path | None:
        """The tree of an external repository; None where it cannot be had, which was told."""
        try:
            (obtained,) = sources.obtain([source], self.vault, self.settings, self.progress)
            if source.tree:
                return self._unpacked(obtained)
            target = self.work / source.name
            archive.unpack(obtained.path, target, member or None)
        except SourceError as error:
            self.progress.note(f"{source.name} is not at hand: {str(error).splitlines()[0]}")
            return None
        return target

    def _unpacked(self, obtained: sources.Obtained) -> Path:
        target = self.work / obtained.source.name
        unpack_tree(obtained, target, 0)
        return target


def _given(text: str, names: tuple[str, ...]) -> dict[str, Path]:
    """The trees of the option --tree, by name; one without a name is the first."""
    if text and "=" not in text:
        text = f"{names[0]}={text}"
    found = named_paths(text, "--tree")
    strangers = sorted(set(found) - set(names))
    if strangers:
        raise UsageError(f"--tree names {', '.join(strangers)}: the lock is read from {', '.join(names)}")
    return {name: _folder(str(path)) for name, path in found.items()}


def named_paths(text: str, option: str) -> dict[str, Path]:
    """The value NAME=PATH,… of an option; UsageError where it is not of that form."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not all(name and path for name, _, path in pairs):
        raise UsageError(f"{option} {text!r} is not of the form NAME=PATH,…: correct it")
    return {name: Path(path).expanduser() for name, _, path in pairs}


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder: name one")
    return path
