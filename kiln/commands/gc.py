"""What of Kiln's home and images no recipe needs any more, and its removal."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from kiln import plan
from kiln.build import cache
from kiln.commands.printing import megabytes, plain_table
from kiln.core import (
    Console,
    EngineError,
    Home,
    KilnError,
    UsageError,
    parse_json,
    read_yaml,
    remove,
    sha256_of,
    typed,
)
from kiln.engine import connect, toolchain
from kiln.index import SETS, read_sets
from kiln.models import LOCK
from kiln.plan import Request
from kiln.recipe import Catalogue, Source, SourceList, bases
from kiln.sources import Vault

if TYPE_CHECKING:
    from kiln.engine import Engine

_LEFT = "left by a process that was stopped"


@dataclass(frozen=True)
class Item:
    """Something that takes room: `size` in bytes, and why it is kept or not. An image has no paths."""

    kind: str
    name: str
    size: int
    keep: bool
    why: str
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Needs:
    """Hashes of files, of trees and of locks, image tags, names of what a home keeps, each with who needs it."""

    hashes: dict[str, str] = field(default_factory=dict)
    trees: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    interpreters: dict[str, str] = field(default_factory=dict)
    venvs: dict[str, str] = field(default_factory=dict)
    locks: dict[str, str] = field(default_factory=dict)
    caches: dict[str, str] = field(default_factory=dict)


def needs(catalogue: Catalogue) -> Needs:
    """The needs of every release of every recipe, for every variant.

    Raises UsageError where a recipe cannot be read: what it needs is not known then.
    """
    found = Needs()
    root = catalogue.root
    every = [(name, release) for name in catalogue.names() for release in catalogue.releases(name)]
    for name, release in every:
        loaded = catalogue.load(name, release)
        who = f"needed by {name} {release}"
        _need(found, loaded.sources, who)
        axes = loaded.variants
        for device, base, python in itertools.product(axes.device, axes.base, axes.python):
            # A Python that only comes with --python-prefix has no plan here; its images are those of others.
            with contextlib.suppress(UsageError):
                made = plan.make(catalogue, Request(name, release, device, base, python))
                for image in made.toolchain.images:
                    found.images.setdefault(toolchain.tag_of(image), who)
                found.interpreters.setdefault(made.interpreter_name, who)
                found.venvs.setdefault(made.venvs_name, who)
    for base in bases.bases(root):
        locked = catalogue.base_lock(base)
        # A choice of the command line, such as another compiler, has an image and packages of its own.
        _need(found, [locked.source(package) for package in locked.packages], f"needed by the base {base}")
        if locked.registry:
            found.hashes.setdefault(locked.registry.sha256, f"needed by the base {base}")
        for image in locked.of(base):
            found.images.setdefault(toolchain.tag_of(image), f"needed by the base {base}")
            for name in ("", *catalogue.names()):
                found.caches.setdefault(plan.cache_name(image, name), f"of {name or 'interpreters'}")
    for path in sorted(root.glob("layers/*/sources.yaml")):
        _need(found, typed(read_yaml(path), SourceList).sources, f"needed by {path.relative_to(root)}")
    listed = root / SETS
    if listed.exists():
        for each in read_sets(root):
            for published in each.published:
                _need(found, [published.source], f"needed by the set {each.name}")
    for path in sorted((*root.glob("layers/requirements-*.txt"), *root.glob("requirements/*.txt"))):
        found.locks.setdefault(sha256_of(path), f"made from {path.relative_to(root)}")
    return found


def _need(found: Needs, sources: Sequence[Source], who: str) -> None:
    for source in sources:
        hashes = [source.sha256, *(origin.sha256 for origin in source.origins)]
        for sha256 in filter(None, hashes):
            found.hashes.setdefault(sha256, who)
        for tree in filter(None, (source.tree, source.tree_hash)):
            found.trees.setdefault(tree, who)


def collect_garbage(
    catalogue: Catalogue,
    home: Home,
    environment: Mapping[str, str],
    console: Console,
    results: int,
    dry: bool,
) -> tuple[list[Item], list[Item]]:
    """Everything there is, and of what should have gone what could not; with `dry` nothing goes.

    Raises KilnError where another process uses the home.
    """
    needed = needs(catalogue)
    with contextlib.ExitStack() as stack:
        alone = stack.enter_context(home.alone())
        if not alone and not dry:
            raise KilnError(
                f"another kiln process is at work in {home.path} and may need what would go",
                "let it finish, then run again",
            )
        engine = None
        try:
            engine = stack.enter_context(connect(environment))
        except EngineError as error:
            console.note(f"images are not looked at: {error}")
        items = survey(needed, home, engine, cache.limit(environment), results)
        return items, [] if dry else collect(items, engine)


def run(
    catalogue: Catalogue,
    home: Home,
    environment: Mapping[str, str],
    console: Console,
    results: int,
    dry_run: bool,
) -> None:
    """Remove what nothing needs, or with `dry_run` only print it."""
    items, spared = collect_garbage(catalogue, home, environment, console, results, dry_run)
    show(items, spared, not dry_run, Console.for_output())


def show(items: Sequence[Item], spared: Sequence[Item], removed: bool, console: Console) -> None:
    """Every item that goes, with its reason, and in sums what is kept."""
    going = [item for item in items if not item.keep and item not in spared]
    table = plain_table("", "what", "MB", "why")
    for item in going:
        table.add_row("remove", f"{item.kind} {escape(item.name)}", megabytes(item.size), escape(item.why))
    kept: dict[tuple[str, str], list[int]] = {}
    for item in items:
        if item not in going:
            kept.setdefault((item.kind, "in use" if item in spared else item.why), []).append(item.size)
    for (kind, why), sizes in kept.items():
        table.add_row("keep", f"{len(sizes)} {kind}", megabytes(sum(sizes)), escape(why))
    console.table(table)
    size = megabytes(sum(item.size for item in going))
    if removed:
        console.say(f"\nremoved {len(going)}, {size} MB")
    else:
        console.say(f"\n{len(going)} to remove, {size} MB; nothing is removed before `--no-dry-run` says so")


def survey(needed: Needs, home: Home, engine: Engine | None, cache_size: int, results: int = 0) -> list[Item]:
    """Everything in the home, and Kiln's images, each with whether it is kept and why.

    `results` is how many finished builds of each variant are kept, the newest ones; 0 for all of them.
    `cache_size` is how many bytes the compile caches may take together.
    """
    vault = Vault(home.sources)
    return [
        *_sources(vault, needed),
        *_partials(vault, needed),
        *_finished(home, results),
        *(
            _item("wheel", path, False, _LEFT)
            if path.name.startswith(".")
            else _item("wheel", path, True, "built, its suite not passed: remove the folder by hand")
            for path in _in(home.untested)
        ),
        *(
            _item("verify", path, True, "not finished: `./inv verify` goes on from it, or remove it by hand")
            for path in _in(home.verify)
        ),
        *(
            _item(
                "rebuild", path, True, "not yet equal: `./inv rebuild` goes on from it, or remove it by hand"
            )
            for path in _in(home.rebuilds)
        ),
        *_named("interpreter", home.interpreters, needed.interpreters),
        *_named("venv", home.venvs, needed.venvs),
        *_environments(home, needed),
        *(_images(engine, needed) if engine else ()),
        *(_item("build", path, False, "left by a build that failed") for path in _in(home.builds)),
        *(_item("work", path, False, _LEFT) for path in (*_in(home.work), *_in(vault.root / "work"))),
        *_caches(home, needed, cache_size),
    ]


def collect(items: Sequence[Item], engine: Engine | None) -> list[Item]:
    """Remove what is not kept; the items that could not be removed. For one who is alone in the home."""
    spared = []
    for item in items:
        if item.keep:
            continue
        for path in item.paths:
            if path.is_dir() and not path.is_symlink():
                remove(path)
            else:
                path.unlink(missing_ok=True)
        if not item.paths and engine and not engine.remove_image(item.name):
            spared.append(item)
    return spared


def _sources(vault: Vault, needed: Needs) -> Iterator[Item]:
    packed = {record.read_text(encoding="utf-8"): record for record in _in(vault.root / "packed")}
    for path in sorted((vault.root / "sha256").glob("*/*")):
        sha256 = path.name
        record = packed.get(sha256)
        tree = record.name.partition(".")[0] if record else ""
        why = needed.hashes.get(sha256) or needed.trees.get(tree)
        records = [vault.root / "origins" / sha256, *(vault.root / "trees").glob(f"{sha256}-*")]
        records += [record] if record else []
        name = f"{sha256[:16]} {vault.origin_of(sha256) or ''}".rstrip()
        yield _item("source", path, why is not None, why or "no recipe names it", name, records)


def _partials(vault: Vault, needed: Needs) -> Iterator[Item]:
    for path in _in(vault.root / "partial"):
        sha256 = path.name.partition(".")[0]
        why = needed.hashes.get(sha256, "no recipe names it")
        whole = vault.path(sha256).exists()
        keep = sha256 in needed.hashes and not whole
        yield _item("partial", path, keep, "the whole file is there" if whole else why)


def _finished(home: Home, keep: int) -> Iterator[Item]:
    builds: dict[str, list[Path]] = {}
    for path in _in(home.results):
        builds.setdefault(_variant(path), []).append(path)
    for variant, paths in builds.items():
        newest = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
        for number, path in enumerate(newest):
            if not variant or path.name.startswith("."):
                yield _item("result", path, False, _LEFT)
            elif keep and number >= keep:
                yield _item(
                    "result", path, False, f"{keep} newer of {variant}", f"{path.name[:16]} {variant}"
                )
            else:
                yield _item("result", path, True, "a finished build", f"{path.name[:16]} {variant}")


def _variant(result: Path) -> str:
    """The folder of a result under dist/; nothing for one that was never whole."""
    try:
        return str(parse_json((result / "plan.json").read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _named(kind: str, folder: Path, needed: Mapping[str, str]) -> Iterator[Item]:
    for path in _in(folder):
        why = needed.get(path.name)
        yield _item(kind, path, why is not None, why or "no recipe's variant uses it")


def _environments(home: Home, needed: Needs) -> Iterator[Item]:
    for path in _in(home.environments):
        lock = path / LOCK
        why = needed.locks.get(sha256_of(lock)) if lock.is_file() else None
        yield _item("environment", path, why is not None, why or "made from no lock of this checkout")


def _images(engine: Engine, needed: Needs) -> Iterator[Item]:
    # The engine's images are shared by all homes of this machine.
    busy = "a build is under way" if engine.busy() else None
    for tag, size in sorted(engine.images(toolchain.IMAGES).items()):
        why = needed.images.get(tag) or busy
        yield Item("image", tag, size, why is not None, why or "no recipe's variant uses it")


def _caches(home: Home, needed: Needs, size: int) -> Iterator[Item]:
    """The compile caches; those of no recipe or toolchain go, and of the others what is over the size."""
    there = _in(home.ccache)
    unused = {path.name for path in there if plan.unshared_name(path.name) not in needed.caches}
    files = cache.excess(home.ccache, size, unused)
    over = dict.fromkeys((path.name for path in there), 0)
    for file in files:
        over[file.path.relative_to(home.ccache).parts[0]] += file.size
    for path in there:
        if path.name in unused:
            yield _item("cache", path, False, "no recipe's toolchain uses it")
        else:
            item = _item("cache", path, True, needed.caches[plan.unshared_name(path.name)])
            yield replace(item, size=item.size - over[path.name])
    if files:
        why = f"all are limited to {megabytes(size)} MB ({cache.VARIABLE})"
        name = f"{len(files)} files, the longest unused"
        yield Item("cache", name, sum(over.values()), False, why, tuple(file.path for file in files))


def _in(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _item(kind: str, path: Path, keep: bool, why: str, name: str = "", others: Sequence[Path] = ()) -> Item:
    return Item(kind, name or path.name, _size(path), keep, why, (path, *others))


def _size(path: Path) -> int:
    """The bytes of a file, or of all files below a folder."""
    with contextlib.suppress(FileNotFoundError):
        if not path.is_dir() or path.is_symlink():
            return path.lstat().st_size
        with os.scandir(path) as entries:
            return sum(_size(Path(entry.path)) for entry in entries)
    return 0
