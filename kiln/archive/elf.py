"""ELF files of 64-bit Linux: their sections, and the names that they export. Any file may be given, none is trusted."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

# The content of a file, in memory or mapped.
Content = Union[bytes, memoryview]

MAGIC = b"\x7fELF"
_NO_BITS, _DYNAMIC_SYMBOLS = 8, 11
_GLOBAL, _WEAK, _UNIQUE = 1, 2, 10
_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


@dataclass(frozen=True)
class Section:
    """`size` is in bytes of the file."""

    name: str
    size: int


@dataclass(frozen=True)
class _Row:
    name: int
    kind: int
    begun: int
    size: int
    link: int


def sections(content: Content) -> tuple[Section, ...]:
    """The sections that take room in a file, in its order; none where it is not such an ELF file, or is damaged."""
    rows = _rows(content)
    names = _names(content, rows)
    return tuple(
        Section(_text(content, names, row.name), row.size)
        for row in rows
        if row.kind != _NO_BITS and row.size
    )


def exports(content: Content) -> frozenset[str]:
    """The symbols that a shared library gives to others; none where the file is not one."""
    rows = _rows(content)
    found: set[str] = set()
    for row in rows:
        if row.kind == _DYNAMIC_SYMBOLS and row.link < len(rows):
            strings = rows[row.link]
            whole = row.size - row.size % _SYMBOL.size
            for name, info, other, section, _, _ in _SYMBOL.iter_unpack(
                content[row.begun : row.begun + whole]
            ):
                # Visible to others, and defined here.
                if info >> 4 in (_GLOBAL, _WEAK, _UNIQUE) and other & 3 in (0, 3) and section:
                    found.add(_text(content, strings, name))
    return frozenset(found - {""})


def _rows(content: Content) -> list[_Row]:
    # 64 bits, little-endian.
    if len(content) < _HEADER.size or bytes(content[:6]) != MAGIC + b"\x02\x01":
        return []
    *_, begun, _, _, _, _, size, count, _ = _HEADER.unpack_from(content)
    if size != _SECTION.size or begun + count * size > len(content):
        return []
    return list(_inside(content, begun, count))


def _inside(content: Content, begun: int, count: int) -> Iterator[_Row]:
    """The section headers; what would lie outside of the file has no bytes."""
    for number in range(count):
        name, kind, _, _, offset, size, link, *_ = _SECTION.unpack_from(
            content, begun + number * _SECTION.size
        )
        inside = kind == _NO_BITS or offset + size <= len(content)
        yield _Row(name, kind, offset if inside else 0, size if inside else 0, link)


def _names(content: Content, rows: list[_Row]) -> _Row:
    (number,) = struct.unpack_from("<H", content, 62) if rows else (0,)
    return rows[number] if number < len(rows) else _Row(0, _NO_BITS, 0, 0, 0)


def _text(content: Content, strings: _Row, begun: int) -> str:
    """A name in a section of names; a long one is cut."""
    if strings.kind == _NO_BITS or begun >= strings.size:
        return ""
    start = strings.begun + begun
    found = bytes(content[start : min(start + 4096, strings.begun + strings.size)])
    return found.partition(b"\0")[0].decode("utf-8", "replace")
