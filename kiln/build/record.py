"""A finished build: kept by its key, checked whenever it is used, published under dist/."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln.core import BLOCK, SourceError, Value, is_plain, parse_json, plain, remove, sha256_of
from kiln.plan import Plan, Variant

SUMS = "SHA256SUMS"
PLAN = "plan.json"
LOG = "build.log"
SMOKE_KEY = "smoke.key"
TOOLCHAIN = "toolchain.json"
PROVENANCE = "provenance.intoto.jsonl"
SBOM = "sbom.cdx.json"
REPRODUCED = "reproduced.json"
SIGNATURES = "signatures.dsse.jsonl"
ATTESTATIONS = (PROVENANCE, SBOM, REPRODUCED, SIGNATURES)
MEASURED = "measured.json"
REPORT = "report.html"

# What is made of the other files of a record, by file name.
Pages = Mapping[str, Callable[[Path], str]]


@dataclass(frozen=True)
class RecordedPlan:
    """What a plan.json says of the build: its key, its folder under dist/, and what was asked for.

    `interpreter` is its executable, `kind` where it came from (base, prefix or source).
    """

    key: str
    folder: str
    recipe: str
    release: str
    variant: Variant
    options: Mapping[str, Value]
    interpreter: str
    kind: str


@dataclass(frozen=True)
class Record:
    """A finished build whose files are all as they were recorded.

    `reports` are the files of its smoke run; `smoke_key` names that run, and is empty where none was passed yet.
    """

    folder: Path
    plan: RecordedPlan
    wheel: Path
    log: Path
    reports: tuple[Path, ...]
    smoke_key: str

    @property
    def described(self) -> dict[str, str]:
        """What was written of the wheel and its build, whatever the tests of it say, by file name."""
        names = (PROVENANCE, SBOM, REPRODUCED, MEASURED)
        return {
            name: (self.folder / name).read_text("utf-8", "replace")
            for name in names
            if (self.folder / name).exists()
        }


@dataclass(frozen=True)
class Damage:
    """A folder of a finished build in which `file` is missing, unexpected, or not what was recorded."""

    folder: Path
    file: str


def write(
    results: Path,
    plan: Plan,
    wheel: Path,
    log: Path,
    reports: Sequence[Path],
    described: Mapping[str, str] | None = None,
    pages: Pages | None = None,
) -> Record:
    """Keep a finished build as `results/<key>`, whole or not at all; the caller holds the key's lock.

    `reports` are the files of the smoke run, `described` what is written of the build of the wheel, by file name.
    `pages` are made of all that, from the folder in which it lies.
    """
    files = {wheel.name: wheel, LOG: log, **{each.name: each for each in reports}}
    texts = {SMOKE_KEY: plan.smoke_key + "\n", **(described or {})}
    return _write(results / plan.key, plan, files, texts, pages or {})


def keep(
    folder: Path, plan: Plan, wheel: Path, log: Path, described: Mapping[str, str] | None = None
) -> Record:
    """Keep a wheel that is built and not tested yet as `folder/<key>`."""
    return _write(folder / plan.key, plan, {wheel.name: wheel, LOG: log}, described or {}, {})


def add(record: Record, name: str, text: str, pages: Pages | None = None) -> Record:
    """A finished build with one file more, or another in its place: all of it is written anew, whole or not at all.

    So are `pages`, which are made of the others.
    """
    with _whole(record.folder) as copy:
        _copy(record.folder, copy)
        (copy / name).write_text(text, encoding="utf-8")
        _make(copy, pages or {})
        _sum(copy)
    return _whole_record(record.folder)


def take_out(record: Record, names: Collection[str], pages: Pages | None = None) -> Record:
    """A finished build without some files: all of it is written anew, as `add` does."""
    with _whole(record.folder) as copy:
        _copy(record.folder, copy, names)
        _make(copy, pages or {})
        _sum(copy)
    return _whole_record(record.folder)


def find(results: Path, key: str) -> Record | Damage | None:
    """The finished build of a key, after every file in it was compared with its SHA256SUMS."""
    folder = results / key
    return read(folder) if folder.exists() else None


def read(folder: Path) -> Record | Damage:
    """A finished build, after every file in it was compared with its SHA256SUMS."""
    wrong = _damage(folder)
    plan = None if wrong else read_plan(folder)
    if plan is None:
        return Damage(folder, wrong or PLAN)
    wheel = next(folder.glob("*.whl"))
    own = {wheel.name, PLAN, TOOLCHAIN, LOG, SMOKE_KEY, SUMS, MEASURED, REPORT, *ATTESTATIONS}
    key = folder / SMOKE_KEY
    return Record(
        folder=folder,
        plan=plan,
        wheel=wheel,
        log=folder / LOG,
        reports=tuple(path for path in sorted(folder.iterdir()) if path.name not in own),
        smoke_key=key.read_text("utf-8", "replace").strip() if key.exists() else "",
    )


def read_plan(folder: Path) -> RecordedPlan | None:
    """What the plan.json in a folder says, as it is; None where it is missing or not a plan."""
    try:
        value = parse_json((folder / PLAN).read_text(encoding="utf-8"))
        inputs = value["inputs"]
        return RecordedPlan(
            key=str(value["key"]),
            folder=str(value["folder"]),
            recipe=str(inputs["recipe"]),
            release=str(inputs["version"]),
            variant=Variant(**{axis: str(value) for axis, value in inputs["variant"].items()}),
            options=dict(inputs["options"]),
            interpreter=str(inputs["interpreter"]["executable"]),
            kind=str(inputs["interpreter"]["kind"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def publish(record: Record, target: Path) -> Record:
    """A finished build at its place under dist/, copied where it is not there already, whole and equal."""
    there = read(target) if target.exists() and _same(record.folder, target) else None
    if isinstance(there, Record):
        return there
    with _whole(target) as copy:
        _copy(record.folder, copy)
    return _whole_record(target)


def _write(
    folder: Path, plan: Plan, files: Mapping[str, Path], texts: Mapping[str, str], pages: Pages
) -> Record:
    with _whole(folder) as copy:
        for name, file in files.items():
            # From a folder in which containers write: a link there may lead to any file of this machine.
            with plain(file) as source, (copy / name).open("wb") as target:
                shutil.copyfileobj(source, target, BLOCK)
        for name, text in {PLAN: plan.to_json(), TOOLCHAIN: plan.toolchain.to_json(), **texts}.items():
            (copy / name).write_text(text, encoding="utf-8")
        _make(copy, pages)
        _sum(copy)
    return _whole_record(folder)


def _copy(folder: Path, target: Path, without: Collection[str] = ()) -> None:
    for file in sorted(folder.iterdir()):
        if file.name not in without:
            shutil.copyfile(file, target / file.name)


def _make(folder: Path, pages: Pages) -> None:
    for name, page in pages.items():
        (folder / name).write_text(page(folder), encoding="utf-8")


def _sum(folder: Path) -> None:
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _whole_record(folder: Path) -> Record:
    found = read(folder)
    if isinstance(found, Damage):
        raise OSError(f"{folder / found.file} changed while it was written")
    return found


def _damage(folder: Path) -> str | None:
    """The first file that is missing, unexpected, or not what SHA256SUMS says; None where there is none."""
    try:
        with plain(folder / SUMS) as stream:
            lines = stream.read().decode("utf-8").splitlines()
        recorded = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, SourceError, ValueError):
        return SUMS
    there = {path.name for path in folder.iterdir() if path.name != SUMS}
    odd = [name for name in there if not is_plain(folder / name)]
    if odd:
        return min(odd)
    if there != set(recorded) or not any(name.endswith(".whl") for name in there):
        return min(there ^ set(recorded), default="the wheel")
    return next(
        (name for name, sha256 in sorted(recorded.items()) if sha256_of(folder / name) != sha256), None
    )


def _same(one: Path, other: Path) -> bool:
    try:
        return (one / SUMS).read_bytes() == (other / SUMS).read_bytes()
    except OSError:
        return False


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `target`, durably, once all has been written into it.

    What a killed run left under the two temporary names is removed first.
    """
    folder, old = (target.with_name(f".{kind}-{target.name}") for kind in ("partial", "old"))
    remove(folder)
    remove(old)
    folder.mkdir(parents=True)
    try:
        yield folder
        for path in folder.iterdir():
            path.chmod(0o644)
            _sync(path)
        _sync(folder)
        if target.exists():
            target.rename(old)
        folder.rename(target)
        _sync(target.parent)
    finally:
        remove(folder)
        remove(old)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
