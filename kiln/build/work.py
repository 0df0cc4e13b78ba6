"""How much of a ninja build's work is done: its actions differ, so what each kind of them takes is learned on the way.

The count alone misleads: C files of a second come first, C++ files of a minute later, CUDA kernels of many at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from kiln.build.actions import MOST, NINJA
from kiln.core import Count, Work, plain

# Kinds of actions, by what they make, and how much longer one takes than an action of the last kind, as long as fewer
# than ENOUGH of its kind were seen: from builds of OpenCV 4.3.0, with CUDA and without.
KINDS = (
    ("kernel", re.compile(rb"\.cu\.o(bj)?$"), 400.0),
    ("C++", re.compile(rb"\.(cpp|cc|cxx|C)\.o(bj)?$"), 20.0),
    ("other", re.compile(rb""), 1.0),
)
ENOUGH = 5
_EDGE = re.compile(rb"^build ([^:|\s$]+)(?:[^:\n]|\$:)*: (?!phony)", re.MULTILINE)


@dataclass
class NinjaWork:
    """Reads ninja's own files in a build folder while ninja writes them: its log line by line, its actions once."""

    build: Path
    _log: Path | None = field(default=None, init=False)
    _wanted: dict[str, int] = field(default_factory=dict, init=False)
    _offset: int = field(default=0, init=False)
    _seen: set[bytes] = field(default_factory=set, init=False)
    _done: dict[str, list[float]] = field(default_factory=dict, init=False)

    def at(self, latest: Count) -> Work | None:
        """The work at a count of ninja's, in seconds of actions; None where there is no log, or nothing in it yet.

        Raises OSError and SourceError where a file cannot be read.
        """
        if self._log is None:
            found = [log for pattern in NINJA for log in sorted(self.build.glob(pattern))]
            if not found:
                return None
            self._log = found[0]
            with plain(self._log.with_name("build.ninja")) as stream:
                self._wanted = kinds(stream.read(MOST))
        with plain(self._log) as stream:
            stream.seek(self._offset)
            text = stream.read(MOST)
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._take(whole)
        return work(self._done, self._wanted, latest)

    def _take(self, lines: bytes) -> None:
        for line in lines.splitlines():
            fields = line.split(b"\t")
            # An action with several outputs has a line for each.
            action = b"\t".join((*fields[:2], *fields[4:]))
            if len(fields) != 5 or not (fields[0] + fields[1]).isdigit() or action in self._seen:
                continue
            self._seen.add(action)
            self._done.setdefault(kind(fields[3]), []).append((int(fields[1]) - int(fields[0])) / 1e3)


def kind(output: bytes) -> str:
    """The kind of the action that makes a file."""
    return next(name for name, pattern, _ in KINDS if pattern.search(output))


def kinds(manifest: bytes) -> dict[str, int]:
    """How many actions of each kind a build.ninja has."""
    found: dict[str, int] = {}
    for output in _EDGE.findall(manifest):
        found[kind(output)] = found.get(kind(output), 0) + 1
    return found


def work(done: dict[str, list[float]], wanted: dict[str, int], latest: Count) -> Work | None:
    """The work from the seconds of what is `done`, and the number of `wanted` actions, both by kind.

    Ninja makes only what its target needs: what is left of its count is taken to be of all kinds that are left.
    """
    finished = sum(map(sum, done.values()))
    units = sum(len(done.get(name, ())) * weight for name, _, weight in KINDS)
    left = {name: max(0, wanted.get(name, 0) - len(done.get(name, ()))) for name, _, _ in KINDS}
    if not units or not finished or not sum(left.values()):
        return None
    mean = 0.0
    for name, _, weight in KINDS:
        seen = done.get(name, [])
        usual = sum(seen) / len(seen) if len(seen) >= ENOUGH else weight * finished / units
        mean += usual * left[name] / sum(left.values())
    return Work(finished, finished + mean * (latest.total - latest.done))
