"""ONNX models made by hand, so that tests of a viewer need no converter."""

from __future__ import annotations


def _field(number: int, content: bytes | int) -> bytes:
    """A field of a protocol buffer: a message, a text, or a number."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _value(name: str) -> bytes:
    shape = _field(1, _field(1, 4))
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def onnx_model(*operations: str) -> bytes:
    """A model that puts four numbers through one operation after the other."""
    nodes = b"".join(
        _field(1, _field(1, f"x{at}".encode()) + _field(2, f"x{at + 1}".encode()) + _field(4, name.encode()))
        for at, name in enumerate(operations)
    )
    ends = _field(11, _value("x0")) + _field(12, _value(f"x{len(operations)}"))
    return _field(1, 7) + _field(7, nodes + _field(2, b"graph") + ends) + _field(8, _field(2, 13))
