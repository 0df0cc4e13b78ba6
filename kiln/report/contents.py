"""What is in a wheel, by size: its files, and the sections of its shared libraries."""

from __future__ import annotations

import mmap
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kiln.archive import elf
from kiln.report.text import fitted
from kiln.report.treemap import Box, laid_out

T = TypeVar("T")

# What is in a section, by how its name begins; the first that fits counts.
KINDS = (
    ("machine code", (".text", ".plt", ".init", ".fini")),
    ("code for GPUs", (".nv_fatbin", ".nvFatBin", "__nv_")),
    ("constants", (".rodata", ".lrodata")),
    ("exception tables", (".eh_frame", ".gcc_except_table")),
    ("symbols and relocations", (".dynsym", ".dynstr", ".gnu.hash", ".hash", ".gnu.version", ".rel", ".symtab", ".strtab")),
    ("debugging", (".debug", ".gnu_debug")),
    ("data", (".data", ".tdata", ".ldata", ".got")),
)  # fmt: skip
OTHER, FILES = "the rest of libraries", "other files"
# Files and sections below this share of the whole are shown together, and titles where there is room for them.
SMALL = 0.003


@dataclass(frozen=True)
class Part:
    """A file of a wheel: `size` bytes when it is installed, `packed` in the wheel."""

    name: str
    size: int
    packed: int
    sections: tuple[elf.Section, ...] = ()


@dataclass(frozen=True)
class Tile:
    """A rectangle of the picture. `kind` is the number of its colour; a library's own has tiles inside."""

    title: str
    size: int
    kind: int
    box: Box
    inside: tuple[Tile, ...] = ()

    @property
    def label(self) -> str:
        """What of the title there is room for."""
        return "" if self.box.height < 16 else fitted(self.title, int(self.box.width / 7.5) - 1)


def contents(wheel: Path) -> tuple[Part, ...]:
    """The files of a wheel, the largest first."""
    with zipfile.ZipFile(wheel) as archive:
        found = [
            Part(
                each.filename,
                each.file_size,
                each.compress_size,
                with_content(archive, each, elf.sections) or (),
            )
            for each in archive.infolist()
            if not each.is_dir()
        ]
    return tuple(sorted(found, key=lambda part: (-part.size, part.name)))


def with_content(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, call: Callable[[memoryview], T]
) -> T | None:
    """What a function says of a member that is an ELF file, whose content it gets; None for any other member."""
    with archive.open(member) as stream:
        if stream.read(len(elf.MAGIC)) != elf.MAGIC:
            return None
    with tempfile.TemporaryFile() as file:
        with archive.open(member) as stream:
            shutil.copyfileobj(stream, file, 1 << 20)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as content:
            return call(content)


def kind_of(section: str) -> str:
    """What is in a section, in words."""
    return next((kind for kind, names in KINDS if section.startswith(names)), OTHER)


def kinds(parts: Iterable[Part]) -> dict[str, int]:
    """The bytes of each kind of content, the most first."""
    found: dict[str, int] = {}
    for part in parts:
        for name, size in _inside(part):
            found[name] = found.get(name, 0) + size
    return dict(sorted(found.items(), key=lambda row: (-row[1], row[0])))


def number_of(kind: str) -> int:
    """The number of a kind, which stands for its colour."""
    return [*(name for name, _ in KINDS), OTHER, FILES].index(kind)


def tiles(parts: Iterable[Part], box: Box) -> tuple[Tile, ...]:
    """The picture of a wheel's files in a box: small ones as one tile, libraries with their sections by kind."""
    parts = list(parts)
    least = SMALL * sum(part.size for part in parts)
    large = [part for part in parts if part.size >= least and part.size]
    small = [part for part in parts if part.size < least]
    rest = sum(part.size for part in small)
    rows: list[tuple[str, int, Part | None]] = [(part.name, part.size, part) for part in large]
    if rest:
        rows.append((f"{len(small)} smaller files", rest, None))
    boxes = laid_out([size for _, size, _ in rows], box)
    return tuple(
        Tile(title, size, number_of(FILES), place, _sections(part, place) if part else ())
        for (title, size, part), place in zip(rows, boxes)
    )


def _sections(part: Part, box: Box) -> tuple[Tile, ...]:
    """The kinds of content in a library, below its title."""
    if not part.sections:
        return ()
    found = kinds([part])
    boxes = laid_out(list(found.values()), box.inside(2, 18 if box.height > 40 else 2))
    return tuple(
        Tile(kind, size, number_of(kind), place) for (kind, size), place in zip(found.items(), boxes)
    )


def _inside(part: Part) -> list[tuple[str, int]]:
    """A file's bytes by kind."""
    if not part.sections:
        return [(FILES, part.size)]
    known = [(kind_of(section.name), section.size) for section in part.sections]
    return [*known, (OTHER, max(0, part.size - sum(size for _, size in known)))]
