"""What a file must be before it is used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from kiln.core import Hash

# The largest file that is accepted where no size is recorded.
MAX_BYTES = 8 << 30


@dataclass(frozen=True)
class Pinned:
    """A file's digest in hexadecimal, and its size in bytes where that is known.

    MD5 is for what a source tree records in that form: the sha256 is then taken from the file that matched.
    """

    digest: str
    size: int | None = None
    algorithm: Literal["sha256", "md5"] = "sha256"

    @property
    def limit(self) -> int:
        """The most bytes that the file may have."""
        return MAX_BYTES if self.size is None else self.size

    def hash(self) -> Hash:
        """A new, empty hash of this algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=self.algorithm != "md5")
