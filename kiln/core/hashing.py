"""Hashes of files and streams, read by the block."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, Protocol

BLOCK = (
    1 << 20
)  # bytes; hashlib releases the interpreter's lock for a block, so that threads hash at the same time


class Hash(Protocol):
    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


def sha256_of(file: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with file.open("rb", buffering=0) as stream:
        return hash_into(stream, hashlib.sha256())


def hash_into(stream: BinaryIO, digest: Hash) -> str:
    """The hexadecimal digest after the rest of a stream was added to it."""
    block = bytearray(BLOCK)
    view = memoryview(block)
    while count := stream.readinto(block):  # type: ignore[attr-defined]
        digest.update(view[:count])
    return digest.hexdigest()


def md5_of(file: Path) -> str:
    """The MD5 of a file, by which some source trees name content; nothing here trusts it further."""
    with file.open("rb", buffering=0) as stream:
        return hash_into(stream, hashlib.md5(usedforsecurity=False))
