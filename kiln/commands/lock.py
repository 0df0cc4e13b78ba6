"""`./inv lock`: from the command line's words to the lock file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln import archive, lock, recipe, sources
from kiln.commands.printing import short_path
from kiln.core import Console, DifferenceError, Home, SourceError, UsageError, named_paths
from kiln.lock import Lookup
from kiln.recipe import Catalogue, Recipe, Source
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


def make_locks(
    catalogue: Catalogue,
    request: Request,
    home: Home,
    settings: sources.FetchSettings,
    progress: sources.Progress,
) -> list[lock.Lock]:
    """Generate a recipe's locks, or one release's part of one, and write them; with `check` only compare them.

    Raises UsageError for what is not there or cannot be read, SourceError for a tree that is not available or a
    download that cannot be pinned, DifferenceError where `check` finds another lock.
    """
    maker = _Maker(catalogue, request, home, settings, progress)
    made = [maker.make(folder, releases) for folder, releases in _wanted(catalogue, request).items()]
    for each in made:
        if not request.check:
            each.write()
        elif each.changed:
            raise DifferenceError(
                f"{each.path} is not what its trees and {lock.SETTINGS} give",
                f"run `./inv lock {'/'.join(filter(None, (request.recipe, request.release)))}` and look at the difference",
            )
    return made


def run(
    catalogue: Catalogue,
    request: Request,
    home: Home,
    settings: sources.FetchSettings,
    console: Console,
) -> None:
    """Generate locks and print what is in them."""
    with home.in_use(console), console.transfers() as transfers:
        made = make_locks(catalogue, request, home, settings, transfers)
    for each in made:
        show(each, Console.for_output())


def show(made: lock.Lock, console: Console) -> None:
    """What a lock holds for each release, and what a person should know about it."""
    for note in made.notes:
        console.note(note)
    for release, content in made.contents.items():
        needing = [device for source in content.sources for device in source.when.get("device", ())]
        parts = [f", for {device}: {needing.count(device)}" for device in sorted(set(needing), key=str)]
        console.say(f"{short_path(made.path)}, {release}: {len(content.sources)} sources{''.join(parts)}")


def _wanted(catalogue: Catalogue, request: Request) -> dict[Path, list[str]]:
    """The folders whose locks are generated, and for which releases: the one that is named, else all."""
    folders = catalogue.folders(request.recipe)
    if request.release:
        found = {
            catalogue.root / "recipes" / catalogue.folder(request.recipe, request.release): [request.release]
        }
    else:
        found = {folder: list(each) for folder, each in folders.items() if (folder / lock.SETTINGS).exists()}
    if not any((folder / lock.SETTINGS).exists() for folder in found):
        raise UsageError(
            f"{next(iter(found or folders))} has no {lock.SETTINGS}",
            "write there how its lock is made, or name a recipe whose build system downloads",
        )
    of_one = [f"--{name}" for name in ("tree", "needed", "repositories", "output") if getattr(request, name)]
    releases = [release for each in found.values() for release in each]
    if of_one and len(releases) > 1:
        raise UsageError(
            f"{of_one[0]} is for one release, and {request.recipe} has {', '.join(releases)}",
            f"name one, such as {request.recipe}/{catalogue.default(request.recipe)}",
        )
    return found


@dataclass(frozen=True)
class _Maker:
    """Makes the locks that a request is about."""

    catalogue: Catalogue
    request: Request
    home: Home
    settings: sources.FetchSettings
    progress: sources.Progress

    def make(self, folder: Path, wanted: Sequence[str]) -> lock.Lock:
        """The lock in a recipe's folder with new parts for the releases that are wanted."""
        request = self.request
        path = folder / recipe.LOCK
        before = lock.read(path)
        contents: dict[str, lock.Content] = {}
        notes: dict[str, None] = {}
        for release in self.catalogue.folders(request.recipe)[folder]:
            if release in wanted:
                made = self._generate(folder, release, before)
                contents[release] = made.content
                notes.update(dict.fromkeys(made.notes))
            elif release in before:
                contents[release] = before[release]
        if request.output:
            path, contents = Path(request.output).expanduser(), {each: contents[each] for each in wanted}
        text = lock.render(f"./inv lock {request.recipe}", contents)
        return lock.Lock(path, text, {each: contents[each] for each in wanted}, tuple(notes))

    def _generate(self, folder: Path, release: str, before: Mapping[str, lock.Content]) -> lock.Generated:
        request = self.request
        settings = lock.read_settings(folder, release, self.catalogue.folders(request.recipe)[folder])
        vault = sources.Vault(self.home.sources)
        with tempfile.TemporaryDirectory(dir=self.home.work) as work:
            trees = _Trees(Path(work), vault, self.settings, self.progress)
            given = _given(request.tree, settings.trees)
            missing = [name for name in settings.trees if name not in given]
            if missing:
                given.update(
                    trees.of_recipe(self.catalogue.describe(request.recipe, release), folder, missing)
                )
            files = Path(request.folder) if request.folder else None
            lookup = Lookup(vault, self.settings, Path(work), files)
            repositories = _folder(request.repositories) if request.repositories else None

            def available(name: str, source: Source, member: str) -> Path | None:
                if repositories and (repositories / name).is_dir():
                    return repositories / name
                return trees.of_external(source, member)

            earlier = [*before.values(), *([before[release]] if release in before else [])]
            needed = named_paths(request.needed, "--needed")
            return lock.generate(folder, settings, earlier, given, lookup.means, available, needed)


@dataclass(frozen=True)
class _Trees:
    """Trees out of the vault and wherever it is filled from, unpacked for one release."""

    work: Path
    vault: sources.Vault
    settings: sources.FetchSettings
    progress: sources.Progress

    def of_recipe(self, described: Recipe, folder: Path, names: Iterable[str]) -> dict[str, Path]:
        """The source trees that a recipe pins."""
        pinned = {each.name: each for each in described.sources}
        wanted = [pinned[name] for name in names if name in pinned and pinned[name].tree]
        missing = sorted(set(names) - {source.name for source in wanted})
        if missing:
            raise UsageError(
                f"{folder / recipe.FILE} has no source tree named {', '.join(missing)}",
                f"correct the key 'trees' of {folder / lock.SETTINGS}, or name the tree with --tree",
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
