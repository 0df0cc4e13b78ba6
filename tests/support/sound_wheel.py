"""A wheel as a build leaves it, or one with a fault."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
METADATA = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n"


def make(
    folder: Path,
    name: str = "toy-1.0-cp311-cp311-manylinux_2_31_x86_64.whl",
    *,
    distribution: str = "toy",
    version: str = "1.0",
    stamp: str = "",
    code: str = "x = 1\n",
    requires: str = "Requires-Dist: numpy>=1.23.2,<2\n",
    recorded: str = "",
    **changed: str,
) -> Path:
    """A sound wheel, but for `recorded`, further lines of RECORD, and `changed`, entries that RECORD does not know."""
    info = f"{'-'.join(name.split('-')[:2])}.dist-info"
    metadata = METADATA.replace("toy", distribution).replace("1.0", version) + requires + "\n"
    entries = {"toy.py": code, f"{info}/METADATA": metadata, f"{info}/WHEEL": WHEEL}
    entries |= {f"{info}/kiln.json": stamp} if stamp else {}
    rows = [f"{entry},sha256={_digest(text)},{len(text)}\n" for entry, text in entries.items()]
    entries[f"{info}/RECORD"] = "".join(rows) + f"{info}/RECORD,,\n" + recorded
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for entry, text in {**entries, **changed}.items():
            archive.writestr(entry, text)
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
