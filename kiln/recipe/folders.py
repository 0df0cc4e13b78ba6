"""Folders of the repository as sources: what a recipe pins by its name alone, and each checkout by its content."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from kiln import archive
from kiln.core import UsageError, sha256_of
from kiln.recipe.source import FolderOrigin, Source

# What tools and editors leave behind, and no build reads: caches, hidden files, backups, swap files.
_UNREAD = re.compile(r"__pycache__|\..*|.*~|#.*#|.*\.(pyc|swp|bak|orig|rej)")
_TREE, _PACKED = "tree", "packed.tar"


def files_in(root: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """The files in some folders of a repository, or named themselves, without what no build reads; relative to `root`."""
    for folder in folders:
        named = [root / folder] if (root / folder).is_file() else sorted((root / folder).rglob("*"))
        for path in (each.relative_to(root) for each in named if each.is_file()):
            if not any(map(_UNREAD.fullmatch, path.parts)):
                yield path


def settled(root: Path, source: Source) -> Source:
    """A source with the digests of its folder as the checkout `root` has it; a source of another kind as it is.

    Raises UsageError for a folder that is not there, or that has links in it.
    """
    origin = source.origins[0]
    if not isinstance(origin, FolderOrigin):
        return source
    with tempfile.TemporaryDirectory() as name:
        packed = pack_folder(root, origin, Path(name))
        found = replace(origin, sha256=sha256_of(packed), size=packed.stat().st_size)
        return replace(source, origins=(found,), tree=archive.tree_digest(Path(name, _TREE)))


def pack_folder(root: Path, origin: FolderOrigin, work: Path) -> Path:
    """A folder of the checkout as an archive of its files alone, in the empty folder `work`.

    Raises UsageError for a folder that is not there, or that has links in it.
    """
    tree, packed = work / _TREE, work / _PACKED
    folder = root / origin.folder
    tree.mkdir()
    try:
        for part in origin.only or ("",):
            _check(root, folder / part)
            for path in files_in(folder, [Path(part)]):
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(folder / path, tree / path)
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder} cannot be read ({error.strerror})",
            "check its permissions, or restore it from version control",
        ) from error
    archive.pack(tree, packed, "tar")
    return packed


def _check(root: Path, path: Path) -> None:
    """Raises UsageError for a path that is not there, or that is, lies below or has in it a link."""
    above = (each for each in path.parents if root in each.parents)
    if not path.exists():
        raise UsageError(f"{path} is not there", "restore it from version control, or correct the recipe")
    for each in (*above, path, *path.rglob("*")):
        if each.is_symlink() and not any(map(_UNREAD.fullmatch, each.relative_to(root).parts)):
            raise UsageError(
                f"{each} is a link", "put the file itself there: a link may lead out of the checkout"
            )
