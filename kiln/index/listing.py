"""The signed list of an index: every file with its sha256, a version that only grows, and a date.

With it a mirror that alters a file, leaves one out, or shows an older state of the index is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from kiln import attest
from kiln.attest import Signer, dsse
from kiln.core import DifferenceError, SourceError, UsageError, is_plain, parse_json, plain, sha256_of

NAME = "signed.dsse.json"
KIND = "urn:kiln:index:1"


@dataclass(frozen=True)
class Listing:
    """`files` are the sha256 of every file by path; `date` is the moment of the signature, in UTC."""

    version: int
    date: str
    files: Mapping[str, str]
    envelope: dsse.Envelope

    @property
    def signers(self) -> tuple[str, ...]:
        return tuple(key for key, _ in self.envelope.signatures)


def parse(text: str, where: str) -> Listing:
    """A list from its file; SourceError where it is not one."""
    try:
        found = attest.opened(text)
        predicate = parse_json(found.envelope.payload)["predicate"]
        if found.predicate != KIND:
            raise ValueError(f"it is {found.predicate}")
        return Listing(int(predicate["version"]), str(predicate["date"]), found.subjects, found.envelope)
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{where} is not the signed list of an index ({error})", "restore it from a copy"
        ) from error


def read(folder: Path) -> Listing | None:
    """The list of an index; None where it is not signed."""
    path = folder / NAME
    try:
        with plain(path) as stream:
            text = stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    return parse(text, str(path))


def made(folder: Path, signer: Signer, now: float) -> str | None:
    """The list of the files as they are now, one version on; None where the present one is right and of this key."""
    before, files = read(folder), files_of(folder)
    if before and before.files == files and before.envelope.accepted_by([signer.public]):
        return None
    date = datetime.fromtimestamp(int(now), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    version = before.version + 1 if before else 1
    payload = attest.statement(files, KIND, {"version": version, "date": date})
    return dsse.sealed(payload, signer).to_json()


def files_of(folder: Path) -> dict[str, str]:
    """The sha256 of every file of an index by its path, but for the list itself and for hidden files."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if is_plain(path))
    return {
        path.as_posix(): sha256_of(folder / path)
        for path in paths
        if path.as_posix() != NAME and not any(part.startswith(".") for part in path.parts)
    }


def require_key(folder: Path, signer: Signer | None) -> None:
    """UsageError where files of a signed index would change without a new signature."""
    if signer is None and (folder / NAME).exists():
        raise UsageError(
            f"{folder} has a signed list of its files, which has to be signed again",
            "give --sign KEY, or remove the list to have an index that is not signed",
            where=NAME,
        )


def check_newer(source: Listing, there: Listing | None, place: str) -> None:
    """DifferenceError where the list at a place is a newer one, or another one of the same version."""
    if there is None or there.version < source.version:
        return
    if there.version > source.version or there.files != source.files:
        raise DifferenceError(
            f"{place} has version {there.version} of the signed list, and this is version {source.version}",
            "make the index from what is published there, and sign that",
        )


def check_files(source: Listing, files: Mapping[str, str], place: str) -> None:
    """DifferenceError where the files of a place, by their sha256, would not be those of the list."""
    wrong = sorted(name for name in {*source.files, *files} if source.files.get(name) != files.get(name))
    if wrong:
        raise DifferenceError(
            f"{place} would have {wrong[0]}, which is not what the signed list has",
            "run `./inv index --sign KEY` again, in an index that has all that is published there",
        )
