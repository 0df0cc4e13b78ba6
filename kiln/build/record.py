"""The finished result of a build: kept by its key, checked whenever it is used, published under dist/."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln.core import remove, sha256_of
from kiln.plan import Plan

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Damage:
    """A result that is there but is not what was recorded."""

    folder: Path
    file: str


def write(results: Path, plan: Plan, wheel: Path, log: Path, smoke: Sequence[Path]) -> Path:
    """Keep a finished build as `results/<key>`, whole or not at all; the caller holds the key's lock.

    `smoke` are the reports of the smoke run.
    """
    with _whole(results / plan.key) as folder:
        for file, name in ((wheel, wheel.name), (log, "build.log"), *((file, file.name) for file in smoke)):
            shutil.copyfile(file, folder / name)
        (folder / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        (folder / "smoke.key").write_text(plan.smoke_key + "\n", encoding="utf-8")
        _write_sums(folder)
    return results / plan.key


def keep(folder: Path, plan: Plan, wheel: Path, log: Path) -> Path:
    """Keep a wheel that is built, before anything is known of it, as `folder/<key>`."""
    with _whole(folder / plan.key) as kept:
        for file, name in ((wheel, wheel.name), (log, "build.log")):
            shutil.copyfile(file, kept / name)
        (kept / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        _write_sums(kept)
    return folder / plan.key


def kept(folder: Path, key: str) -> Path | None:
    """The folder of a wheel that was kept, where it is whole."""
    place = folder / key
    return place if place.exists() and damaged(place) is None else None


def _write_sums(folder: Path) -> None:
    lines = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def find(results: Path, key: str) -> Path | Damage | None:
    """The folder of a finished build, after every file in it was compared with its SHA256SUMS."""
    folder = results / key
    if not folder.exists():
        return None
    wrong = damaged(folder)
    return Damage(folder, wrong) if wrong else folder


def smoke_key(folder: Path) -> str:
    """The digest of the smoke run that a result has passed."""
    path = folder / "smoke.key"
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


def wheel_in(folder: Path) -> Path:
    """The wheel of a result."""
    return next(folder.glob("*.whl"))


def publish(folder: Path, target: Path) -> bool:
    """Copy a result to its place under dist/; False where it is there already, whole and equal."""
    if target.exists() and _same(folder, target) and damaged(target) is None:
        return False
    with _whole(target) as copy:
        for file in sorted(folder.iterdir()):
            shutil.copyfile(file, copy / file.name)
    return True


def damaged(folder: Path) -> str | None:
    """The first file that is missing, unexpected, or not what SHA256SUMS says; None where all is well."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        recorded = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        return SUMS
    there = {path.name for path in folder.iterdir() if path.name != SUMS}
    if there != set(recorded) or not any(name.endswith(".whl") for name in there):
        return min(there ^ set(recorded), default="the wheel")
    for name, expected in sorted(recorded.items()):
        if sha256_of(folder / name) != expected:
            return name
    return None


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
