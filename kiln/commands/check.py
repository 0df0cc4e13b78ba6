"""What is claimed of a wheel, a record or an index, and whether it is true: the task `check`."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.markup import escape

from kiln import attest, smoke
from kiln.attest import Claim, PublicKey
from kiln.build import record
from kiln.commands.printing import plain_table
from kiln.core import Console, DifferenceError, Home, SmokeError, UsageError, parse_json, sha256_of
from kiln.index import Entry, PublishedIndex, listing
from kiln.plan import digest_of

# What a published record does not have.
PRIVATE = frozenset({record.LOG})


@dataclass(frozen=True)
class Checked:
    """All claims of one thing: a wheel, or the index around it."""

    subject: str
    claims: tuple[Claim, ...]

    @property
    def false(self) -> list[Claim]:
        return [each for each in self.claims if each.holds is False]


def run(target: str, keys: Sequence[Path], home: Home, json_wanted: bool, console: Console) -> None:
    """Check a target and print every claim. DifferenceError for the first that is false."""
    known = [attest.public_key(path) for path in keys]
    with console.status("checking"):
        checked = check(target, known, home)
    if json_wanted:
        rows = [
            {"subject": each.subject, "claims": [asdict(claim) for claim in each.claims]} for each in checked
        ]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        _show(checked)
    for each in checked:
        for claim in each.false:
            raise DifferenceError(
                f"{each.subject}: {claim.what}: {claim.text}",
                "do not install it; get it again from its maker, or build it yourself",
            )


def check(target: str, keys: Sequence[PublicKey], home: Home) -> list[Checked]:
    """The claims of a target: a wheel beside its record, the record's folder, an index's folder, or an index's URL.

    UsageError where it is none of these.
    """
    if target.startswith(("http://", "https://")):
        return list(_index(PublishedIndex.at(target), keys, home))
    path = Path(target)
    if (path / "simple").is_dir():
        return list(_index(PublishedIndex.at(str(path.absolute())), keys, home))
    folder = path if path.is_dir() else path.parent
    found = attest.evidence(folder)
    if not path.exists() or found is None or (path.is_file() and path.resolve() != found.wheel.resolve()):
        raise UsageError(
            f"{target} is neither a wheel beside its record, nor a record, nor an index",
            "name a folder under dist/, the wheel in it, an index's folder, or its URL",
        )
    return [Checked(found.wheel.name, _record(found, keys))]


def _record(found: attest.Evidence, keys: Sequence[PublicKey]) -> tuple[Claim, ...]:
    return (*attest.claims(found, keys), _smoke(found))


def _smoke(found: attest.Evidence) -> Claim:
    """Whether the suite passed, and the smoke key is the digest of what is recorded of it."""
    what = "smoke"
    try:
        outcome = smoke.read_results(found.folder)
        about = found.json(record.PLAN)["smoke"]
        key = digest_of(
            {"suite": about["suite"], "sources": about["sources"], "key": found.json(record.PLAN)["key"]}
        )
        said = (found.folder / record.SMOKE_KEY).read_text(encoding="utf-8").strip()
    except (SmokeError, OSError, ValueError, KeyError, TypeError) as error:
        return Claim(what, False, f"there is no readable report ({error})")
    if outcome.failures:
        return Claim(what, False, f"{len(outcome.failures)} failed, {outcome.failures[0].name} first")
    if not outcome.count("passed"):
        return Claim(what, False, "no test passed")
    if not key == about["key"] == said:
        return Claim(what, False, "the report is of another suite than the recorded one")
    return Claim(what, True, smoke.summary(outcome))


# An index


def _index(place: PublishedIndex, keys: Sequence[PublicKey], home: Home) -> Iterator[Checked]:
    text = place.text(listing.NAME)
    if text is None:
        claim = Claim("signed list", False if keys or _highest(home, place) else None, "not signed")
        yield Checked(place.address, (claim,))
        entries, listed = place.entries(), None
    else:
        listed = listing.parse(text, f"{place.address}/{listing.NAME}")
        yield Checked(place.address, tuple(_list(listed, place, keys, home)))
        entries = place.entries()
    for entry in entries:
        if entry.built:
            yield Checked(entry.file, _published(entry, place, keys))


def _list(
    listed: listing.Listing, place: PublishedIndex, keys: Sequence[PublicKey], home: Home
) -> Iterator[Claim]:
    key = listed.envelope.accepted_by(keys)
    names = ", ".join(listed.signers)
    if key:
        yield Claim("signed list", True, f"by {key.name or key.id} ({key.id}), {listed.date}")
    elif keys:
        yield Claim("signed list", False, f"not by a key that was given, but by {names}")
    else:
        yield Claim("signed list", None, f"by {names}: give --key to check it")
    digest = listed.envelope.payload_sha256
    before = _highest(home, place)
    if (
        before
        and (listed.version, digest) != (before.version, before.digest)
        and listed.version <= before.version
    ):
        yield Claim(
            "version", False, f"{listed.version} is shown, but version {before.version} was seen before"
        )
    else:
        yield Claim("version", True if key else None, f"{listed.version} of {listed.date}")
        if key:
            _remember(home, place, Seen(listed.version, digest))
    wrong = [name for name, sha256 in sorted(listed.files.items()) if place.sha256(name) != sha256]
    if wrong:
        yield Claim("files", False, f"{wrong[0]} is missing or not what was signed ({len(wrong)} files)")
    else:
        yield Claim("files", True, f"{len(listed.files)} files are what was signed")


def _published(entry: Entry, place: PublishedIndex, keys: Sequence[PublicKey]) -> tuple[Claim, ...]:
    """The claims of a wheel in an index, with its record as it is published there."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "record")
        folder.mkdir()
        place.save(f"files/{entry.file}", folder / entry.file)
        for name in place.record(entry.file):
            place.save(f"records/{entry.file}/{name}", folder / name)
        found = attest.evidence(folder, PRIVATE)
        if found is None:
            return (Claim("record", False, "the index has no record of it"),)
        same = Claim(
            "index", sha256_of(found.wheel) == entry.sha256, "its sha256 is the one that the index lists"
        )
        if not same.holds:
            same = Claim("index", False, "it is not the file that the index lists")
        return (same, *_record(found, keys))


# What was seen before


@dataclass(frozen=True)
class Seen:
    """The newest signed list that was seen of an index."""

    version: int
    digest: str


def _memory(home: Home) -> Path:
    return home.path / "indexes.json"


def _all_seen(home: Home) -> dict[str, dict[str, object]]:
    with contextlib.suppress(OSError, ValueError):
        value = parse_json(_memory(home).read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return value
    return {}


def _highest(home: Home, place: PublishedIndex) -> Seen | None:
    value = _all_seen(home).get(place.address)
    return Seen(int(str(value["version"])), str(value["digest"])) if value else None


def _remember(home: Home, place: PublishedIndex, seen: Seen) -> None:
    with home.lock("indexes", Console()):
        value = {**_all_seen(home), place.address: asdict(seen)}
        partial = _memory(home).with_suffix(".partial")
        partial.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(_memory(home))


def _show(checked: Sequence[Checked]) -> None:
    marks = {True: "yes", False: "NO", None: "-"}
    console = Console.for_output()
    for each in checked:
        table = plain_table("claim", "true", "what was found")
        for claim in each.claims:
            table.add_row(claim.what, marks[claim.holds], escape(claim.text))
        console.say(each.subject)
        console.table(table)
        console.say()
