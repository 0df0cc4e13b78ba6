"""Wheels as files: what one says of itself, and whether it is whole."""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from kiln.core import CompileError


@dataclass(frozen=True)
class Wheel:
    """A finished wheel and what it says of itself."""

    path: Path
    name: str
    version: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]


def inspect_wheel(path: Path) -> Wheel:
    """What a wheel says of itself, once every file in it agrees with its RECORD.

    Raises CompileError for a file that is not a sound wheel.
    """
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
        with zipfile.ZipFile(path) as archive:
            folder = next(
                entry.rpartition("/")[0]
                for entry in archive.namelist()
                if entry.endswith(".dist-info/RECORD")
            )
            _check_record(archive, folder)
            metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
    except (InvalidWheelFilename, zipfile.BadZipFile, StopIteration, KeyError, OSError, ValueError) as error:
        raise CompileError(
            f"{path} is not a sound wheel ({error or type(error).__name__})", "build it again"
        ) from error
    return Wheel(
        path=path,
        name=str(metadata["Name"] or name),
        version=str(version),
        tags=tuple(sorted(str(tag) for tag in tags)),
        requires=tuple(metadata.get_all("Requires-Dist") or ()),
    )


def _check_record(archive: zipfile.ZipFile, folder: str) -> None:
    """Every entry is in RECORD, once, with its hash and size; ValueError names the first that is not."""
    rows = list(csv.reader(io.StringIO(archive.read(f"{folder}/RECORD").decode("utf-8"))))
    recorded = {row[0]: row[1:] for row in rows}
    entries = [entry for entry in archive.namelist() if not entry.endswith("/")]
    if len(recorded) != len(rows) or len(set(entries)) != len(entries):
        raise ValueError("an entry is there twice")
    for entry in sorted(set(entries) ^ set(recorded)):
        raise ValueError(f"{entry} is only in {'the archive' if entry in entries else 'RECORD'}")
    for entry in entries:
        if entry == f"{folder}/RECORD":
            continue
        content = archive.read(entry)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if recorded[entry] != [f"sha256={digest}", str(len(content))]:
            raise ValueError(f"{entry} differs from RECORD")
