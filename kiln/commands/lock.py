"""`./inv lock`: from the command line's words to the lock file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kiln import archive, lock, recipe, sources
from kiln.commands.printing import short_path
from kiln.core import Console, DifferenceError, Home, SourceError, UsageError, named_paths
from kiln.lock import Lookup
from kiln.recipe import Source
from kiln.sources import unpack_tree


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


def make_lock(
    root: Path,
    request: Request,
    home: Home,
    settings: sources.FetchSettings,
    progress: sources.Progress,
) -> lock.Lock:
    """Generate a lock and write it; with `check` only compare it.

    Raises UsageError for what is not there or cannot be read, SourceError for a tree that is not available or a
    download that cannot be pinned, DifferenceError where `check` finds another lock.
    """
    folder = lock.find(root, request.recipe, request.release or None)
    names = lock.read_settings(folder).trees
    vault = sources.Vault(home.sources)
    with tempfile.TemporaryDirectory(dir=home.work) as work:
        trees = _Trees(Path(work), vault, settings, progress)
        given = _given(request.tree, names)
        missing = [name for name in names if name not in given]
        if missing:
            given.update(trees.of_recipe(root, folder, missing))
        lookup = Lookup(vault, settings, Path(work), Path(request.folder) if request.folder else None)
        repositories = _folder(request.repositories) if request.repositories else None

        def available(name: str, source: Source, member: str) -> Path | None:
            if repositories and (repositories / name).is_dir():
                return repositories / name
            return trees.of_external(source, member)

        made = lock.generate(folder, given, lookup.means, available, named_paths(request.needed, "--needed"))
    if request.output:
        made = replace(made, path=Path(request.output).expanduser())
    if request.check:
        if made.changed:
            raise DifferenceError(
                f"{made.path} is not what its trees and {lock.SETTINGS} give",
                f"run `./inv lock {folder.parent.name}/{folder.name}` and look at the difference",
            )
    else:
        made.write()
    return made


def run(
    root: Path,
    request: Request,
    home: Home,
    settings: sources.FetchSettings,
    console: Console,
) -> None:
    """Generate a lock and print what is in it."""
    with console.transfers() as transfers:
        made = make_lock(root, request, home, settings, transfers)
    show(made, Console.for_output())


def show(made: lock.Lock, console: Console) -> None:
    """What a lock holds, and what a person should know about it."""
    for note in made.notes:
        console.note(note)
    devices = sorted({str(value) for source in made.sources for value in source.when.get("device", ())})
    parts = [
        f"{device}: {sum(device in source.when.get('device', ()) for source in made.sources)}"
        for device in devices
    ]
    console.say(
        f"{short_path(made.path)}: {len(made.sources)} sources" + "".join(f", for {part}" for part in parts)
    )


@dataclass(frozen=True)
class _Trees:
    """Trees out of the vault and wherever it is filled from, unpacked for one run."""

    work: Path
    vault: sources.Vault
    settings: sources.FetchSettings
    progress: sources.Progress

    def of_recipe(self, root: Path, folder: Path, names: Iterable[str]) -> dict[str, Path]:
        """The source trees that a recipe pins."""
        if not (folder / "recipe.yaml").exists():
            raise UsageError(
                f"{folder} has no recipe.yaml that says where its trees are", "name one with --tree"
            )
        pinned = {each.name: each for each in recipe.load(root, folder.parent.name, folder.name).sources}
        wanted = [pinned[name] for name in names if name in pinned and pinned[name].tree]
        lost = sorted(set(names) - {source.name for source in wanted})
        if lost:
            raise UsageError(
                f"{folder / 'recipe.yaml'} has no source tree named {', '.join(lost)}",
                f"correct the key 'trees' of {folder / lock.SETTINGS}",
            )
        return {
            each.source.name: self._unpacked(each)
            for each in sources.obtain(wanted, self.vault, self.settings, self.progress)
        }

    def of_external(self, source: Source, member: str) -> Path | None:
        """The tree of an external repository; None where it is not available, after a note."""
        try:
            (obtained,) = sources.obtain([source], self.vault, self.settings, self.progress)
            if source.tree:
                return self._unpacked(obtained)
            target = self.work / source.name
            archive.unpack(obtained.path, target, member or None)
        except SourceError as error:
            self.progress.note(f"{source.name} is not available: {error.sentence}")
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
    unknown = sorted(set(found) - set(names))
    if unknown:
        raise UsageError(f"--tree names {', '.join(unknown)}: the lock is read from {', '.join(names)}")
    return {name: _folder(str(path)) for name, path in found.items()}


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder", "name one")
    return path
