"""A static wheel index: a folder that any host serves, or that pip reads as it is.

At every moment, also after a kill, all files that the pages list are there and complete: files are written first, then
the manifest, then the pages. A file name never changes its content.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from kiln.attest import Signer
from kiln.core import (
    BLOCK,
    DifferenceError,
    Notes,
    SourceError,
    UsageError,
    hash_into,
    held,
    is_plain,
    new,
    parse_json,
    plain,
)
from kiln.index import listing, pages
from kiln.index.wheelhouse import Entry, Item

MANIFEST = "index.json"
FORMAT = 1
_LOCK = ".lock"
_Entries = TypeAdapter(tuple[Entry, ...])


@dataclass(frozen=True)
class Updated:
    """All entries of an index, and those of them that are new."""

    entries: tuple[Entry, ...]
    added: tuple[Entry, ...]


def read(folder: Path) -> tuple[Entry, ...]:
    """The entries of an index; none where there is no index yet. SourceError for a damaged manifest."""
    path = folder / MANIFEST
    try:
        return parse(_read(path), str(path))
    except FileNotFoundError:
        return ()


def address_of(folder: Path) -> str:
    """Where an index is published, as it was told; empty where it was not."""
    with contextlib.suppress(OSError, SourceError, ValueError, AttributeError):
        return str(parse_json(_read(folder / MANIFEST)).get("address", ""))
    return ""


def parse(manifest: bytes, where: str) -> tuple[Entry, ...]:
    """The entries that a manifest lists."""
    try:
        value = parse_json(manifest)
        if value["format"] != FORMAT:
            raise ValueError(f"format {value['format']}")
        return _Entries.validate_python(value["files"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise SourceError(
            f"{where} is not the manifest of an index that this Kiln reads",
            "restore it, or make the index again",
        ) from error


def items(folder: Path) -> tuple[Item, ...]:
    """An index's entries with their content, each compared with the manifest.

    Raises UsageError where there is no index, SourceError for a file that differs from the manifest.
    """
    entries = read(folder)
    if not entries:
        raise UsageError(f"{folder} is not a wheel index", "make one with `./inv index`")
    for entry in entries:
        _check(folder, entry)
    return tuple(
        Item(
            entry,
            folder / "files" / entry.file,
            _read(folder / "files" / f"{entry.file}.metadata") if entry.metadata else None,
            tuple(filter(is_plain, sorted((folder / "records" / entry.file).glob("*")))),
        )
        for entry in entries
    )


def sets_of(folder: Path) -> dict[str, bytes]:
    """The pinned sets that an index holds, by file name."""
    return {path.name: _read(path) for path in sorted((folder / "sets").glob("*.txt"))}


def update(
    target: Path,
    news: Iterable[Item],
    sets: Mapping[str, bytes],
    notes: Notes,
    signer: Signer | None = None,
    listed: listing.Listing | None = None,
    address: str = "",
) -> Updated:
    """Add files to the index in the folder `target`, which is made where it does not exist.

    With a `signer` its files are then listed and signed; or it gets the list `listed`, whose files it has to have.
    `address` is where it is published, for its feeds; an empty one leaves what is known. Existing files stay: raises
    DifferenceError for a file whose name is taken by other bytes, SourceError for one that was changed since it was added.
    """
    news = sorted(news, key=lambda item: item.entry.file)
    target.mkdir(parents=True, exist_ok=True)
    waiting = f"another process publishes to {target}: waiting for it"
    with held(target / _LOCK, fcntl.LOCK_EX, notes, waiting):
        known = read(target)
        for entry in known:
            _check(target, entry)
        if listed is None:
            listing.require_key(target, signer)
        entries = merged(known, (item.entry for item in news))
        address = address or address_of(target)
        before = {entry.file for entry in known}
        if listed:
            listing.check_newer(listed, listing.read(target), str(target))
            new = rendered(entries, {**sets_of(target), **sets}, address)
            hashed = {name: hashlib.sha256(text).hexdigest() for name, text in new.items()}
            listing.check_files(listed, {**listed.files, **hashed}, str(target))
        for item in news:
            if item.entry.file not in before:
                _place(target, item)
            for path in item.record:
                _write(target, target / "records" / item.entry.file / path.name, _read(path))
        for name, content in rendered(entries, {**sets_of(target), **sets}, address).items():
            _write(target, target / name, content)
        signed = listing.made(target, signer, time.time()) if signer else None
        if listed:
            signed = _list_of(listed, target)
        if signed:
            _write(target, target / listing.NAME, signed.encode())
    return Updated(entries, tuple(entry for entry in entries if entry.file not in before))


def _list_of(listed: listing.Listing, target: Path) -> str:
    """The list of a published index for a folder that has all its files now."""
    listing.check_files(listed, listing.files_of(target), str(target))
    return listed.envelope.to_json()


def merged(known: Iterable[Entry], news: Iterable[Entry]) -> tuple[Entry, ...]:
    """Two lists as one, in order; DifferenceError where a name would have two contents."""
    found = {entry.file: entry for entry in known}
    for entry in news:
        there = found.get(entry.file, entry)
        if there.sha256 != entry.sha256:
            raise DifferenceError(
                f"{entry.file} is in the index already with other bytes (sha256 {there.sha256[:16]}…, now "
                f"{entry.sha256[:16]}…), and published files never change",
                "give its recipe a new revision, or use another index",
            )
        found[entry.file] = replace(entry, built=entry.built or there.built)
    return tuple(sorted(found.values(), key=lambda entry: (entry.project, entry.version, entry.file)))


def rendered(entries: Iterable[Entry], sets: Mapping[str, bytes], address: str = "") -> dict[str, bytes]:
    """Every generated file by path, in the order in which they have to be written."""
    entries = tuple(entries)
    manifest = {
        "format": FORMAT,
        "files": [asdict(entry) for entry in entries],
        **({"address": address} if address else {}),
    }
    return {
        MANIFEST: (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode(),
        **{f"sets/{name}": content for name, content in sorted(sets.items())},
        **{name: text.encode() for name, text in pages.all_of(entries, sorted(sets), address).items()},
    }


def _check(folder: Path, entry: Entry) -> None:
    names = {entry.file: entry.sha256}
    if entry.metadata:
        names[f"{entry.file}.metadata"] = entry.metadata
    for name, expected in names.items():
        path = folder / "files" / name
        try:
            with plain(path) as stream:
                found = hash_into(stream, hashlib.sha256())
        except FileNotFoundError:
            found = "missing"
        if found != expected:
            raise SourceError(
                f"{path} is not what was published (sha256 {expected[:16]}…, now {found[:16]})",
                "restore it from a copy, or remove the whole index and make it again",
            )


def _place(target: Path, item: Item) -> None:
    """The file and its metadata in their place; SourceError where the file changed since it was read."""
    path = target / "files" / item.entry.file
    with _new(target, path) as copy:
        digest = hashlib.sha256()
        with plain(item.path) as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
                copy.write(block)
        if digest.hexdigest() != item.entry.sha256:
            raise SourceError(
                f"{item.path} changed while it was copied", "run again when nothing writes to it"
            )
    if item.metadata is not None:
        _write(target, path.with_name(f"{path.name}.metadata"), item.metadata)


def _write(target: Path, path: Path, content: bytes) -> None:
    """Give a file its content in one step; a file that has it already is not touched."""
    if is_plain(path) and _read(path) == content:
        return
    with _new(target, path) as copy:
        copy.write(content)


def _read(path: Path) -> bytes:
    with plain(path) as stream:
        return stream.read()


@contextlib.contextmanager
def _new(target: Path, path: Path) -> Iterator[BinaryIO]:
    """A temporary file that gets its name, durably, when it is complete. The caller holds the index's lock.

    Raises SourceError where a folder of the index is a link, which may lead out of it.
    """
    for folder in reversed(list(path.relative_to(target).parents)[:-1]):
        if (target / folder).is_symlink():
            raise SourceError(f"{target / folder} is a link", "put the folder itself there")
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = path.with_name(f".new-{path.name}")
    try:
        with new(copy) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)
