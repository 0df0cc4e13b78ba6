"""What a record claims of its wheel, and whether that is true."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from kiln.archive import inspect_wheel
from kiln.attest import signing
from kiln.attest.keys import PublicKey
from kiln.attest.provenance import PREDICATE
from kiln.attest.sbom import sbom_of
from kiln.attest.signing import RECORD, Signed
from kiln.build import record
from kiln.core import CompileError, parse_json, sha256_of
from kiln.plan import digest_of

_STAMP = re.compile(r"[^/]+\.dist-info/kiln\.json")


@dataclass(frozen=True)
class Claim:
    """`holds` is None for what is not claimed, or cannot be judged here; `text` says what was found."""

    what: str
    holds: Optional[bool]  # noqa: UP045
    text: str


@dataclass(frozen=True)
class Evidence:
    """A record's folder as it is. Of a published one the files `private` are not there, which is no damage."""

    folder: Path
    wheel: Path
    sums: Mapping[str, str]
    private: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        return sha256_of(self.wheel)

    def json(self, name: str) -> Any:
        return parse_json((self.folder / name).read_text(encoding="utf-8"))

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()


class _FalseError(Exception):
    """Why a claim is false."""


def evidence(folder: Path, private: frozenset[str] = frozenset()) -> Evidence | None:
    """The record in a folder; None where the folder holds none."""
    try:
        lines = (folder / record.SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        return None
    wheels = sorted(folder.glob("*.whl"))
    return Evidence(folder, wheels[0], sums, private) if len(wheels) == 1 else None


def claims(found: Evidence, keys: Sequence[PublicKey]) -> tuple[Claim, ...]:
    """Every claim of a record but for its smoke run; with `keys`, what none of them signed is false."""
    return (
        _claim("files", _files, found),
        _claim("wheel", _wheel, found),
        _claim("build key", _key, found),
        _claim("provenance", _provenance, found) if found.has(record.PROVENANCE) else _none("provenance"),
        _claim("sbom", _sbom, found) if found.has(record.SBOM) else _none("sbom"),
        _claim("reproduced", _reproduced, found)
        if found.has(record.REPRODUCED)
        else Claim("reproduced", None, "not yet: ./inv verify builds it again and compares"),
        _signature(found, keys),
    )


def _claim(what: str, judge: Callable[[Evidence], str], found: Evidence) -> Claim:
    try:
        return Claim(what, True, judge(found))
    except _FalseError as error:
        return Claim(what, False, str(error))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        return Claim(what, False, f"cannot be read ({type(error).__name__}: {error})")


def _none(what: str) -> Claim:
    return Claim(what, None, "there is none")


def _files(found: Evidence) -> str:
    there = {path.name for path in found.folder.iterdir() if path.name != record.SUMS}
    missing = set(found.sums) - there - found.private
    unknown = there - set(found.sums)
    if missing or unknown:
        raise _FalseError(
            "; ".join(
                f"{', '.join(sorted(names))} {what}"
                for names, what in ((missing, "is missing"), (unknown, "was never recorded"))
                if names
            )
        )
    for name in sorted(there):
        if sha256_of(found.folder / name) != found.sums[name]:
            raise _FalseError(f"{name} is not what was recorded")
    return f"{len(there)} files are what was recorded"


def _wheel(found: Evidence) -> str:
    try:
        inspect_wheel(found.wheel)
    except CompileError as error:
        raise _FalseError("its files differ from its own RECORD") from error
    return f"{found.wheel.name}, sha256 {found.digest}"


def _key(found: Evidence) -> str:
    """The key is the digest of the recorded inputs, and the same in the plan, the wheel and the provenance."""
    plan = found.json(record.PLAN)
    key = digest_of(plan["inputs"])
    said = {record.PLAN: plan["key"], "the wheel": _stamped(found.wheel)}
    if found.has(record.PROVENANCE):
        said[record.PROVENANCE] = _definition(found)["internalParameters"]["buildKey"]
    for where, value in said.items():
        if value != key:
            raise _FalseError(f"the recorded inputs give {key[:16]}…, but {where} says {str(value)[:16]}…")
    if found.json(record.TOOLCHAIN)["digest"] != digest_of(plan["inputs"]["toolchain"]):
        raise _FalseError(f"{record.TOOLCHAIN} is of another toolchain than the plan's")
    return f"{key[:16]}… is the digest of what is recorded"


def _stamped(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if _STAMP.fullmatch(name):
                return str(parse_json(archive.read(name))["build_key"])
    return "nothing"


def _definition(found: Evidence) -> Any:
    return found.json(record.PROVENANCE)["predicate"]["buildDefinition"]


def _provenance(found: Evidence) -> str:
    value, plan = found.json(record.PROVENANCE), found.json(record.PLAN)
    if value["predicateType"] != PREDICATE:
        raise _FalseError(f"it is not SLSA's provenance but {value['predicateType']}")
    if {"name": found.wheel.name, "digest": {"sha256": found.digest}} not in value["subject"]:
        raise _FalseError("it is about another wheel")
    dependencies = value["predicate"]["buildDefinition"]["resolvedDependencies"]
    listed = {(each["name"], digest) for each in dependencies for digest in each["digest"].values()}
    for each in _pinned(plan["inputs"]):
        if each not in listed:
            raise _FalseError(f"{each[0]} of the plan is not in it")
    parameters = value["predicate"]["buildDefinition"]["internalParameters"]
    shared = "".join(
        f"; {words}, {parameters[name]}"
        for name, words in (
            ("sharedCache", "compiled with a cache that others can write"),
            ("remoteExecutor", "compiled on machines of others"),
            ("distcc", "compiled with the help of other machines"),
        )
        if parameters.get(name)
    )
    checkout = [each for each in dependencies if each["annotations"]["kind"] == "checkout"]
    if not checkout:
        return f"{len(dependencies)} inputs; from no git checkout{shared}"
    state = "" if checkout[0]["annotations"]["clean"] else ", with changes that are not committed"
    commit = checkout[0]["digest"]["gitCommit"][:12]
    return f"{len(dependencies)} inputs; from commit {commit}{state}{shared}"


def _pinned(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a plan's inputs pin, by name and digest; a tree's digest is its own kind."""
    yield from ((each["name"], each["digest"]) for each in inputs["sources"])
    yield from ((each["path"], each["sha256"]) for each in (*inputs["scripts"], *inputs["patches"]))


def _sbom(found: Evidence) -> str:
    text = (found.folder / record.SBOM).read_text(encoding="utf-8")
    if text != sbom_of(found.wheel):
        raise _FalseError("it is not the one in the wheel")
    return f"{len(parse_json(text)['components'])} parts; the wheel carries the same"


def _reproduced(found: Evidence) -> str:
    """Whatever else it says, it has to be about this wheel."""
    if found.json(record.REPRODUCED)["sha256"] != found.digest:
        raise _FalseError("it is about another wheel")
    return "built again elsewhere, with the same bytes"


def _signature(found: Evidence, keys: Sequence[PublicKey]) -> Claim:
    what = "signature"
    try:
        seals = signing.signatures(found.folder)
    except ValueError as error:
        return Claim(what, False, f"{record.SIGNATURES}: {error}")
    if not seals:
        return Claim(what, False if keys else None, "not signed")
    try:
        for each in seals:
            _fits(each, found)
    except _FalseError as error:
        return Claim(what, False, str(error))
    signers = {key for each in seals for key, _ in each.envelope.signatures}
    if not keys:
        return Claim(what, None, f"by {', '.join(sorted(signers))}: give --key to check it")
    accepted = {
        each.predicate: each.envelope.accepted_by(keys) for each in seals if each.envelope.accepted_by(keys)
    }
    key = accepted.get(RECORD)
    if key is None or PREDICATE not in accepted:
        return Claim(what, False, f"not by a key that was given, but by {', '.join(sorted(signers))}")
    return Claim(what, True, f"by {key.name or key.id} ({key.id})")


def _fits(each: Signed, found: Evidence) -> None:
    """What a signature is over has to be what is here."""
    if each.subjects.get(found.wheel.name) != found.digest:
        raise _FalseError("it is the signature of another wheel")
    if each.predicate == PREDICATE:
        if (
            not found.has(record.PROVENANCE)
            or each.envelope.payload != (found.folder / record.PROVENANCE).read_bytes()
        ):
            raise _FalseError(f"{record.PROVENANCE} is not what was signed")
    elif each.predicate == RECORD:
        here = {
            path.name: sha256_of(path)
            for path in sorted(found.folder.iterdir())
            if path.name not in (record.SUMS, record.SIGNATURES)
        }
        signed = {
            name: digest
            for name, digest in each.subjects.items()
            if name in here or name not in found.private
        }
        for name in sorted(set(here) | set(signed)):
            if name == record.REPRODUCED and name not in signed:
                continue  # it joined the record later, and is signed when the record is signed again
            if here.get(name) != signed.get(name):
                raise _FalseError(f"{name} is not what was signed")
