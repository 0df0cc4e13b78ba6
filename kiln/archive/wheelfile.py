"""Wheels as files: their metadata, and whether every file in them is the recorded one."""

from __future__ import annotations

import csv
import email
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from kiln.core import CompileError

if TYPE_CHECKING:
    from installer.sources import WheelFile

# What the libraries raise for files that are odd in some way: a name, a password, a method, rows of RECORD.
_ODD = (
    InvalidWheelFilename, zipfile.BadZipFile, zlib.error, csv.Error, EOFError, LookupError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True)
class Wheel:
    """A finished wheel and its metadata."""

    path: Path
    name: str
    version: str
    tags: tuple[str, ...]
    requires: tuple[str, ...]


def inspect_wheel(path: Path) -> Wheel:
    """A wheel's metadata, after every file in it was compared with its RECORD.

    Raises CompileError for a file that is not a sound wheel.
    """
    from installer.sources import WheelFile

    try:
        name, version, _, tags = parse_wheel_filename(path.name)
        with WheelFile.open(path) as wheel:
            wheel.validate_record()
            _check_names(path, wheel)
            metadata = email.message_from_string(wheel.read_dist_info("METADATA"))
    except WheelFile.validation_error as error:
        raise _unsound(path, *error.issues) from error
    except _ODD as error:
        raise _unsound(path, str(error) or type(error).__name__) from error
    return Wheel(
        path=path,
        name=str(metadata["Name"] or name),
        version=str(version),
        tags=tuple(sorted(str(tag) for tag in tags)),
        requires=tuple(metadata.get_all("Requires-Dist") or ()),
    )


def _check_names(path: Path, wheel: WheelFile) -> None:
    """Every name is in RECORD and in the archive exactly once; `validate_record` misses what only RECORD has."""
    from installer.records import parse_record_file

    recorded = Counter(row[0] for row in parse_record_file(wheel.read_dist_info("RECORD").splitlines()))
    with zipfile.ZipFile(path) as archive:
        entries = Counter(name for name in archive.namelist() if not name.endswith("/"))
    if recorded != entries:
        name = min((recorded - entries) + (entries - recorded))
        raise ValueError(
            f"{name} is {recorded[name]} times in RECORD and {entries[name]} times in the archive"
        )


def _unsound(path: Path, *issues: str) -> CompileError:
    return CompileError(
        f"{path} is not a sound wheel", "build it again", detail="\n".join(f"  {each}" for each in issues)
    )
