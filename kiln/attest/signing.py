"""The signatures of a record: one over the provenance, one over the list of all its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.attest import dsse
from kiln.attest.keys import Signer
from kiln.attest.provenance import STATEMENT
from kiln.build import Record, record
from kiln.core import UsageError, parse_json, sha256_of

# The statement over a record: the sha256 of every file in it, but for its sums and the signatures themselves.
RECORD = "urn:kiln:record:1"
_UNSIGNED = {record.SUMS, record.SIGNATURES}


@dataclass(frozen=True)
class Signed:
    """What one envelope says: a statement, which may be signed by nobody that a person knows."""

    envelope: dsse.Envelope
    predicate: str
    subjects: Mapping[str, str]


def sign(found: Record, signer: Signer) -> Record:
    """The record with signatures of this key, in place of its earlier ones; those of other keys stay.

    UsageError where the record has no provenance.
    """
    source = found.folder / record.PROVENANCE
    if not source.exists():
        raise UsageError(
            f"{found.folder} has no {record.PROVENANCE}", "build it with this version of Kiln, then sign it"
        )
    files = sorted(path for path in found.folder.iterdir() if path.name not in _UNSIGNED)
    over = statement({path.name: sha256_of(path) for path in files}, RECORD, {"buildKey": found.plan.key})
    own = [dsse.sealed(payload, signer).to_json() for payload in (source.read_bytes(), over)]
    others = [
        each.envelope.to_json()
        for each in signatures(found.folder)
        if all(key != signer.public.id for key, _ in each.envelope.signatures)
    ]
    return record.add(found, record.SIGNATURES, "".join([*others, *own]))


def withdraw(found: Record, name: str, pages: record.Pages | None = None) -> Record:
    """The record without one of its files, and without its signatures where one is over that file.

    `pages`, which are made of the others, are written anew where no signature is left.
    """
    signed = signatures(found.folder)
    over = any(name in each.subjects for each in signed)
    names = {name, record.SIGNATURES} if over else {name}
    return record.take_out(found, names, None if signed and not over else pages)


def signatures(folder: Path) -> tuple[Signed, ...]:
    """The envelopes beside a record; none where it is not signed. ValueError for what is not an envelope."""
    path = folder / record.SIGNATURES
    if not path.exists():
        return ()
    return tuple(opened(line) for line in path.read_text(encoding="utf-8").splitlines() if line)


def opened(line: str) -> Signed:
    """One envelope with a statement in it; ValueError where it is something else."""
    envelope = dsse.parse(line)
    try:
        value = parse_json(envelope.payload)
        if envelope.type != dsse.IN_TOTO or value["_type"] != STATEMENT:
            raise ValueError("not an in-toto statement")
        subjects = {str(each["name"]): str(each["digest"]["sha256"]) for each in value["subject"]}
        return Signed(envelope, str(value["predicateType"]), subjects)
    except (KeyError, TypeError) as error:
        raise ValueError("not an in-toto statement") from error


def statement(files: Mapping[str, str], kind: str, predicate: Mapping[str, object]) -> bytes:
    """A statement over some files by their sha256, as bytes to sign."""
    value = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": files[name]}} for name in sorted(files)],
        "predicateType": kind,
        "predicate": dict(predicate),
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
