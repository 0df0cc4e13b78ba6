"""What a build tool did and when, from what it left in the build folder: ninja's log, or Bazel's profile."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from kiln.core import SourceError, parse_json, plain

# How far below the build folder a tool's own folder may be, and the name of the profile that a script has Bazel write.
NINJA = (".ninja_log", "*/.ninja_log")
PROFILE = "bazel-profile.json.gz"
# The longest file that is read, in bytes: a profile of TensorFlow has some 30 MB.
MOST = 512 << 20


@dataclass(frozen=True)
class Action:
    """`begun` is in seconds since 1970, `seconds` how long it took."""

    name: str
    begun: float
    seconds: float


@dataclass(frozen=True)
class Actions:
    """All actions of a build tool."""

    tool: str
    actions: tuple[Action, ...]


def actions_in(build: Path) -> Actions | None:
    """What the build tool did in a build folder; None where it left nothing that can be read."""
    # Containers write there: a link may lead to any file of this machine.
    with contextlib.suppress(OSError, SourceError, ValueError, EOFError, zlib.error):
        for pattern in NINJA:
            for log in sorted(build.glob(pattern)):
                with plain(log) as stream:
                    text, written = stream.read(MOST).decode("utf-8", "replace"), _written(stream)
                found = ninja_log(text, written)
                if found:
                    return Actions("ninja", tuple(found))
        with plain(build / PROFILE) as packed, gzip.open(packed) as unpacked:
            found = bazel_profile(unpacked.read(MOST), _written(packed))
        return Actions("Bazel", tuple(found)) if found else None
    return None


def _written(stream: BinaryIO) -> float:
    return os.fstat(stream.fileno()).st_mtime


def ninja_log(text: str, written: float) -> list[Action]:
    """The actions in a .ninja_log, each once, whatever it made; `written` is when the log was, in seconds since 1970.

    A log has the times of each action since the start of its run of ninja, and when its output was written: together
    they say when the run began. Lines that are not of the log are left out.
    """
    found: list[Action] = []
    for run in _runs(text):
        written_at = [stamp - end for _, end, stamp, _, _ in run if stamp]
        zero = max(written_at) if written_at else written - max(row[1] for row in run)
        once = {(begun, end, key): name for begun, end, _, name, key in reversed(run)}
        found += [Action(name, zero + begun, end - begun) for (begun, end, _), name in sorted(once.items())]
    return found


_Row = tuple[float, float, float, str, str]


def _runs(text: str) -> Iterator[list[_Row]]:
    """The rows of each run of ninja: begin, end, time of the output, its name, and the command's hash."""
    run: list[_Row] = []
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) != 5 or not all(field.isdecimal() and len(field) < 20 for field in fields[:3]):
            continue
        begun, end, stamp = (int(field) for field in fields[:3])
        # Older ones count in seconds, and 0 is an output that was not looked at.
        row = (begun / 1e3, end / 1e3, stamp / 1e9 if stamp > 10**12 else float(stamp), fields[3], fields[4])
        if run and row[1] < run[-1][1]:
            yield run
            run = []
        if begun <= end:
            run.append(row)
    if run:
        yield run


def bazel_profile(content: bytes, written: float) -> list[Action]:
    """The actions in a profile of Bazel's, in the form of Chrome's trace viewer; ValueError for other content.

    `written` is when it was, in seconds since 1970: at the end of the last event.
    """
    value = parse_json(content)
    events = value.get("traceEvents") if isinstance(value, dict) else value
    if not isinstance(events, list):
        raise ValueError("there are no events")
    rows = [row for row in map(_event, events) if row]
    zero = written - max((begun + seconds for _, begun, seconds, _ in rows), default=0)
    return [
        Action(name, zero + begun, seconds)
        for name, begun, seconds, kind in sorted(rows, key=lambda row: row[1])
        if kind == "action processing"
    ]


def _event(event: object) -> tuple[str, float, float, str] | None:
    """Name, begin and length in seconds, and kind of a complete event."""
    if not isinstance(event, dict) or event.get("ph") != "X":
        return None
    begun, length = event.get("ts"), event.get("dur")
    if not all(isinstance(number, (int, float)) and 0 <= number < 1e15 for number in (begun, length)):
        return None
    name = str(event.get("name", "")).removeprefix("action '").removesuffix("'")
    return name, float(begun or 0) / 1e6, float(length or 0) / 1e6, str(event.get("cat", ""))


def longest(actions: Iterable[Action], most: int) -> list[Action]:
    """The actions that took longest, in the order in which they began."""
    kept = sorted(actions, key=lambda each: (-each.seconds, each.begun, each.name))[:most]
    return sorted(kept, key=lambda each: (each.begun, each.name))
