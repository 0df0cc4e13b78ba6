"""Where two wheels differ: member by member, the smallest difference first, and by diffoscope where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from kiln.core import BLOCK

DIFFOSCOPE = "diffoscope"
# Bytes of a report: a large library may differ everywhere.
_LARGEST = 5_000_000


@dataclass(frozen=True)
class Difference:
    """One member of two wheels that is not the same in both; `size` in bytes is how much of it differs."""

    name: str
    how: str
    size: int

    @property
    def order(self) -> tuple[bool, int, str]:
        """Sorts causes, the smallest first, before what only follows from them."""
        return self.name.endswith(".dist-info/RECORD"), self.size, self.name


def differences(recorded: Path, rebuilt: Path) -> list[Difference]:
    """Where two wheels differ, the smallest difference first; empty for equal bytes."""
    found = []
    if recorded.name != rebuilt.name:
        found.append(Difference("(name)", f"{recorded.name} is now {rebuilt.name}", 0))
    with zipfile.ZipFile(recorded) as one, zipfile.ZipFile(rebuilt) as other:
        for name in sorted({*one.namelist(), *other.namelist()}):
            found += _member(name, one, other)
        if not found and one.namelist() != other.namelist():
            found.append(Difference("(archive)", "the members are in another order", 0))
    if not found and not _same(recorded, rebuilt):
        found.append(Difference("(archive)", "the archive's own data differ, the members do not", 0))
    return sorted(found, key=lambda each: each.order)


def listing(found: list[Difference]) -> str:
    """The differences as lines for a person."""
    width = max((len(each.name) for each in found), default=0)
    return "".join(f"{each.name:<{width}}  {each.how}\n" for each in found)


def diffoscope(recorded: Path, rebuilt: Path, found: list[Difference], html: Path, text: Path) -> bool:
    """Write diffoscope's two reports; False where it is not installed, or fails.

    They are on the members whose content differs, in the order of `found`; without any they are on the two wheels.
    """
    program = shutil.which(DIFFOSCOPE)
    if not program:
        return False
    with tempfile.TemporaryDirectory() as folder:
        sides = {"recorded": recorded, "rebuilt": rebuilt}
        content = [each for each in found if each.size]
        for side, wheel in sides.items():
            if content:
                # diffoscope goes through a folder by name: the numbers keep the smallest cause first.
                _extract(wheel, content, Path(folder, side))
            else:
                shutil.copyfile(wheel, Path(folder, side))
        done = subprocess.run(
            [
                program, "--exclude-directory-metadata=yes", f"--max-report-size={_LARGEST}",
                f"--max-text-report-size={_LARGEST}", "--html", str(html), "--text", str(text), *sides,
            ],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return done.returncode == 1 and html.is_file() and text.is_file()


def _member(name: str, one: zipfile.ZipFile, other: zipfile.ZipFile) -> list[Difference]:
    for archive, side in ((one, "rebuilt"), (other, "recorded")):
        if name not in archive.NameToInfo:
            size = (one if archive is other else other).getinfo(name).file_size
            return [Difference(name, f"only in the {side} wheel ({size} bytes)", size)]
    first, second = one.getinfo(name), other.getinfo(name)
    if (first.file_size, first.CRC) != (second.file_size, second.CRC) or not _equal(name, one, other):
        return [_content(name, one, other)]
    about = {
        "time": (first.date_time, second.date_time),
        "mode": (oct(first.external_attr >> 16), oct(second.external_attr >> 16)),
        "compression": (first.compress_type, second.compress_type),
    }
    changed = [f"{what} {before}, now {now}" for what, (before, now) in about.items() if before != now]
    return [Difference(name, "; ".join(changed), 0)] if changed else []


def _equal(name: str, one: zipfile.ZipFile, other: zipfile.ZipFile) -> bool:
    with one.open(name) as before, other.open(name) as now:
        while block := before.read(BLOCK):
            if block != now.read(BLOCK):
                return False
    return True


def _content(name: str, one: zipfile.ZipFile, other: zipfile.ZipFile) -> Difference:
    sizes = (one.getinfo(name).file_size, other.getinfo(name).file_size)
    first, count, place = -1, abs(sizes[0] - sizes[1]), 0
    with one.open(name) as before, other.open(name) as now:
        while place < min(sizes):
            blocks = before.read(BLOCK), now.read(BLOCK)
            if blocks[0] != blocks[1]:
                places = [number for number, (a, b) in enumerate(zip(*blocks)) if a != b]
                if places and first < 0:
                    first = place + places[0]
                count += len(places)
            place += BLOCK
    first = first if first >= 0 else min(sizes)
    length = f"{sizes[0]} bytes" if sizes[0] == sizes[1] else f"{sizes[0]} bytes, now {sizes[1]}"
    return Difference(name, f"{length}: {count} differ, the first at {first:#x}", count)


def _extract(wheel: Path, found: list[Difference], folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        for number, each in enumerate(found, 1):
            if each.name in archive.NameToInfo:
                target = folder / f"{number:04} {each.name.replace('/', ' ')}"
                with archive.open(each.name) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)


def _same(one: Path, other: Path) -> bool:
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(BLOCK):
            if block != second.read(BLOCK):
                return False
        return not second.read(1)
