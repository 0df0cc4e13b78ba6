"""Messages of the remote execution API, as much of them as Kiln reads and writes: numbers and bytes by field."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

_Value = Union[int, bytes]
# How protocol buffers write a field: a number, eight bytes, some bytes with their count, four bytes.
_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


class WireError(ValueError):
    """Bytes that are not a message."""


@dataclass(frozen=True)
class Digest:
    """The name of an object: the sha256 of its content, and its size in bytes."""

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Digest:
        return cls(hashlib.sha256(content).hexdigest(), len(content))

    @classmethod
    def read(cls, content: bytes) -> Digest:
        """Raises WireError where it is not one."""
        found = Fields(content)
        return cls(found.text(1), found.number(2))

    def message(self) -> bytes:
        return message((1, self.sha256.encode()), (2, self.size))


def message(*fields: tuple[int, _Value]) -> bytes:
    """A message of fields by number; empty ones, which are those that are not there, are left out."""
    parts = []
    for number, value in fields:
        if not value:
            continue
        if isinstance(value, int):
            parts += [_varint(number << 3 | _NUMBER), _varint(value)]
        else:
            parts += [_varint(number << 3 | _BYTES), _varint(len(value)), value]
    return b"".join(parts)


class Fields:
    """The fields of a message. Raises WireError where it is not one."""

    def __init__(self, content: bytes) -> None:
        self.rows = tuple(_rows(content))

    def every(self, number: int) -> list[bytes]:
        """All values of a field that may be there more than once."""
        return [value for found, value, _ in self.rows if found == number and isinstance(value, bytes)]

    def value(self, number: int) -> bytes:
        """A field's value; empty where it is not there."""
        found = self.every(number)
        return found[-1] if found else b""

    def text(self, number: int) -> str:
        return self.value(number).decode("utf-8", "replace")

    def number(self, number: int) -> int:
        """A field's value; 0 where it is not there."""
        found = [value for own, value, _ in self.rows if own == number and isinstance(value, int)]
        return found[-1] if found else 0

    def without(self, *numbers: int) -> bytes:
        """The message without some of its fields."""
        return b"".join(raw for number, _, raw in self.rows if number not in numbers)


def _rows(content: bytes) -> Iterator[tuple[int, _Value, bytes]]:
    """Number, value and bytes of each field."""
    at = 0
    while at < len(content):
        begun = at
        key, at = _read(content, at)
        kind = key & 7
        value: _Value
        if kind == _NUMBER:
            value, at = _read(content, at)
        elif kind in (_EIGHT, _BYTES, _FOUR):
            size, at = _read(content, at) if kind == _BYTES else ({_EIGHT: 8, _FOUR: 4}[kind], at)
            value, at = content[at : at + size], at + size
        else:
            raise WireError("a field of an unknown kind")
        if at > len(content):
            raise WireError("it breaks off in the middle")
        yield key >> 3, value, content[begun:at]


def _read(content: bytes, at: int) -> tuple[int, int]:
    """A number, and where what follows begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise WireError("it breaks off in the middle")
        value |= (content[at] & 0x7F) << shift
        at += 1
        if content[at - 1] < 0x80:
            return value, at
    raise WireError("a number without an end")


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
