"""Trees: sources of which not an archive but what is in it is pinned."""

from __future__ import annotations

from pathlib import Path

from kiln import archive
from kiln.core import SourceError, remove, sha256_of
from kiln.recipe import Source
from kiln.sources.obtained import Obtained
from kiln.sources.vault import Vault


def unpack_tree(obtained: Obtained, target: Path, epoch: int) -> None:
    """Unpack a tree source into the new folder `target`; SourceError where it is not the pinned tree.

    A tree that is still to be prepared has no digest of its own; its archive has.
    """
    source = obtained.source
    archive.unpack(obtained.path, target, obtained.origin_value.member, epoch, source.without)
    if source.prepare:
        return
    found = archive.tree_digest(target)
    if found != source.tree:
        raise SourceError(
            f"{source.name} from {obtained.origin} is the tree {found}, not {source.tree}",
            "correct the recipe's tree or member",
        )


def settle_prepared(source: Source, tree: Path, epoch: int) -> None:
    """Bring a tree that the script `prepare` has worked on into the form in which `unpack_tree` leaves a tree.

    Raises SourceError where it is not the pinned one.
    """
    found = archive.tree_digest(tree)
    if found != source.tree:
        raise SourceError(
            f"{source.name} as {source.prepare} leaves it is the tree {found}, not {source.tree}",
            "correct the script, or the recipe's tree",
        )
    plain = tree.with_name(f".{tree.name}.tar")
    archive.pack(tree, plain, "tar")
    remove(tree)
    archive.unpack(plain, tree, epoch=epoch)
    plain.unlink()


def adopt_packed(file: Path, source: Source, vault: Vault, origin: str) -> None:
    """Use an archive as a tree, wherever it comes from: only what it unpacks to counts.

    Raises SourceError where that is not the tree.
    """
    tree = str(source.tree)
    with vault.lock(tree), vault.workspace(tree) as folder:
        archive.unpack(file, folder / "tree")
        found = archive.tree_digest(folder / "tree")
        if found != tree:
            raise SourceError(f"{file} is the tree {found}, not {tree}", "make it again")
        pack_tree(source, folder, vault, origin)


def packed_kind(source: Source) -> archive.Kind:
    """The form of the archive that is made of a source's tree."""
    return (archive.kind_of(source.file) if source.packed else None) or "tar"


def pack_tree(source: Source, folder: Path, vault: Vault, origin: str) -> Path:
    """The verified `tree` in a folder as the archive of that tree, in the vault."""
    kind = packed_kind(source)
    archive.pack(folder / "tree", folder / "packed", kind)
    sha256 = sha256_of(folder / "packed")
    path = vault.add(folder / "packed", sha256)
    vault.record_packed(str(source.tree), kind, sha256)
    vault.record_origin(sha256, origin)
    return path
