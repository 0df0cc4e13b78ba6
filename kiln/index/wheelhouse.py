"""The wheelhouse: finished results, and what an index needs to know about each file in it."""

from __future__ import annotations

import email
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Optional

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version
from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from kiln import archive, smoke
from kiln.build import record
from kiln.core import STRICT, Sha256, SmokeError, SourceError, UsageError, parse_json, sha256_of
from kiln.recipe import NATIVE

# The one file of a result that is not published: the log is long, and describes the machine.
PRIVATE = {"build.log"}
# What the page for people links to, where a record has it, with what it calls it.
SHOWN = {
    record.REPORT: "report",
    record.PROVENANCE: "provenance",
    record.SBOM: "SBOM",
    record.PLAN: "plan",
    record.SIGNATURES: "signatures",
    record.REPRODUCED: "✓ built again, same bytes",
}
_DATE = r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?$"
MAX_METADATA = 16 << 20  # bytes of a METADATA that is read


def _file_name(text: str) -> str:
    project_and_version(text)
    return text


@dataclass(frozen=True)
class Built:
    """How a wheel was built and tested: the variant, the choices that are not the recipe's own, the counts.

    `date` is when it was built, in UTC, empty where no provenance says it. `files` are those of its record for people.
    """

    recipe: str
    release: str
    key: Sha256
    device: str
    base: str
    python: str
    cpu_features: str
    choices: tuple[str, ...]
    passed: int
    skipped: int
    date: Annotated[str, Field(pattern=_DATE)] = ""
    files: tuple[str, ...] = ()
    glibc: str = NATIVE

    __pydantic_config__ = STRICT


@dataclass(frozen=True)
class Entry:
    """A file of an index. `metadata` is the sha256 of its metadata; `built` is None for a file of others.

    A stand-in has no files and `stands_for` a built wheel, which it requires.
    """

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+!-]*$"), AfterValidator(_file_name)]
    sha256: Sha256
    size: int
    requires_python: Optional[str] = None  # noqa: UP045  (read by pydantic on Python 3.9)
    metadata: Optional[Sha256] = None  # noqa: UP045
    built: Optional[Built] = None  # noqa: UP045
    stands_for: Optional[str] = None  # noqa: UP045

    __pydantic_config__ = STRICT

    @property
    def is_own(self) -> bool:
        """Whether Kiln made it."""
        return self.built is not None or self.stands_for is not None

    @property
    def project(self) -> str:
        return project_and_version(self.file)[0]

    @property
    def version(self) -> Version:
        return project_and_version(self.file)[1]

    @property
    def is_universal(self) -> bool:
        """Whether it is a wheel for every Python 3 on every machine."""
        return self.file.endswith("-py3-none-any.whl")

    @property
    def is_default(self) -> bool:
        """Whether a plain requirement chooses it: the local part of its version is a number, or empty."""
        return (self.version.local or "1").isdigit()


@dataclass(frozen=True)
class Item:
    """An entry with its content: the file, its metadata, and the files of its record."""

    entry: Entry
    path: Path
    metadata: bytes | None = None
    record: tuple[Path, ...] = ()


def project_and_version(file: str) -> tuple[str, Version]:
    """The normalised project name and the version in a file's name; ValueError where it has none."""
    try:
        if file.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(file)
        else:
            name, version = parse_sdist_filename(file)
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        raise ValueError(str(error)) from error
    return name, version


def results_in(folders: Iterable[Path]) -> Iterator[Path]:
    """The results in some folders, each once, in order; UsageError for a folder without any."""
    found: set[Path] = set()
    for folder in folders:
        here = {path.parent.resolve() for path in folder.rglob(record.SUMS)}
        here = {path for path in here if not path.name.startswith(".")}
        if not here:
            raise UsageError(
                f"{folder} holds no finished result", "build one (`./inv build-opencv`), or name its folder"
            )
        found |= here
    yield from sorted(found)


def read_result(folder: Path) -> Item:
    """A result, after it was checked that its files are the recorded ones, its smoke suite passed, its wheel is sound.

    Raises SourceError for a damaged result, SmokeError for one that did not pass, CompileError for a wheel that
    differs from its own RECORD.
    """
    found = record.read(folder)
    if isinstance(found, record.Damage):
        raise SourceError(
            f"{folder / found.file} is not what was recorded", "remove the folder and build it again"
        )
    outcome = smoke.read_results(folder)
    if outcome.failures or not outcome.count("passed"):
        what = (
            f"failed {', '.join(case.name for case in outcome.failures[:3])}"
            if outcome.failures
            else "passed no smoke test"
        )
        raise SmokeError(f"the wheel in {folder} {what}, and is not published", "fix it and build it again")
    archive.inspect_wheel(found.wheel)
    others = (each for each in sorted(folder.iterdir()) if each != found.wheel and each.name not in PRIVATE)
    return item(found.wheel, _built(found, outcome), tuple(others))


def item(
    path: Path,
    built: Built | None = None,
    records: tuple[Path, ...] = (),
    name: str = "",
    stands_for: str | None = None,
) -> Item:
    """A file as an index lists it, under its own name or another; SourceError where it is not a package."""
    file = name or path.name
    metadata = _metadata(path, file) if file.endswith(".whl") else None
    fields = email.message_from_bytes(metadata or b"")
    try:
        project, version = project_and_version(file)
        if metadata and (canonicalize_name(str(fields["Name"])), Version(str(fields["Version"]))) != (
            project,
            version,
        ):
            raise ValueError(f"its metadata say {fields['Name']} {fields['Version']}")
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path} is not a package that an index can list ({error})", "give another file"
        ) from error
    requires = fields.get("Requires-Python")
    value = {
        "file": file,
        "sha256": sha256_of(path),
        "size": path.stat().st_size,
        "requires_python": None if requires is None else str(requires),
        "metadata": hashlib.sha256(metadata).hexdigest() if metadata else None,
        "built": None if built is None else asdict(built),
        "stands_for": stands_for,
    }
    try:
        # By the rules of the manifest: what that would refuse must not get into it.
        entry: Entry = TypeAdapter(Entry).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SourceError(
            f"{path} is not a package that an index can list ({key}: {first['msg']})", "give another file"
        ) from error
    return Item(entry, path, metadata, records)


def _metadata(path: Path, file: str) -> bytes:
    """The METADATA of a wheel, from its one .dist-info folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (
                each
                for each in archive.namelist()
                if each.endswith(".dist-info/METADATA") and each.count("/") == 1
            )
            with archive.open(name) as stream:
                content = stream.read(MAX_METADATA + 1)
            if len(content) > MAX_METADATA:
                raise ValueError(f"its metadata have more than {MAX_METADATA} bytes")
            return content
    # A password, and a method that Python does not know, are a RuntimeError and its NotImplementedError.
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError, EOFError, zlib.error) as error:
        raise SourceError(f"{path} ({file}) is not a wheel", "give the right file") from error


def _built(found: record.Record, outcome: smoke.SmokeResult) -> Built:
    plan = found.plan
    return Built(
        recipe=plan.recipe,
        release=plan.release,
        key=plan.key,
        **asdict(plan.variant),
        choices=tuple(Path(plan.folder).name.split("+")[1:]),
        passed=outcome.count("passed"),
        skipped=outcome.count("skipped"),
        date=_date(found.folder),
        files=tuple(name for name in SHOWN if (found.folder / name).exists()),
    )


def _date(folder: Path) -> str:
    """When the wheel of a record was built, as its provenance says it; empty where none does."""
    try:
        statement = parse_json((folder / record.PROVENANCE).read_text(encoding="utf-8"))
        date = str(statement["predicate"]["runDetails"]["metadata"]["finishedOn"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return date if re.match(_DATE, date) else ""
