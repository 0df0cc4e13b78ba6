"""How much of a ninja build's work is done where some of its actions are CUDA kernels.

The count alone misleads there: a kernel takes minutes, a C++ file seconds, and most kernels come last. What both take is
learned on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from kiln.build.actions import MOST, NINJA
from kiln.core import Count, Work, plain

_OBJECT = re.compile(rb"\.cu\.o(bj)?$")
_EDGE = re.compile(rb"^build [^:|\s$]+\.cu\.o(?:bj)?[ :|]", re.MULTILINE)
# How much longer a kernel takes than another action, as long as fewer than ENOUGH of them were seen: from builds of
# OpenCV 4.3.0.
PRIOR, ENOUGH = 20.0, 5


@dataclass
class NinjaWork:
    """Reads ninja's own files in a build folder while ninja writes them: its log line by line, its actions once."""

    build: Path
    _log: Path | None = field(default=None, init=False)
    _wanted: int = field(default=0, init=False)
    _offset: int = field(default=0, init=False)
    _seen: set[bytes] = field(default_factory=set, init=False)
    _kernels: list[float] = field(default_factory=list, init=False)
    _others: list[float] = field(default_factory=list, init=False)

    def at(self, latest: Count) -> Work | None:
        """The work at a count of ninja's, in seconds of actions; None where there is no log, or there are no kernels.

        Raises OSError and SourceError where a file cannot be read.
        """
        if self._log is None:
            found = [log for pattern in NINJA for log in sorted(self.build.glob(pattern))]
            if not found:
                return None
            self._log = found[0]
            with plain(self._log.with_name("build.ninja")) as stream:
                self._wanted = len(_EDGE.findall(stream.read(MOST)))
        if not self._wanted:
            return None
        with plain(self._log) as stream:
            stream.seek(self._offset)
            text = stream.read(MOST)
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._take(whole)
        return work(self._kernels, self._others, self._wanted, latest)

    def _take(self, lines: bytes) -> None:
        for line in lines.splitlines():
            fields = line.split(b"\t")
            # An action with several outputs has a line for each.
            action = b"\t".join((*fields[:2], *fields[4:]))
            if len(fields) != 5 or not (fields[0] + fields[1]).isdigit() or action in self._seen:
                continue
            self._seen.add(action)
            kind = self._kernels if _OBJECT.search(fields[3]) else self._others
            kind.append((int(fields[1]) - int(fields[0])) / 1e3)


def work(kernels: list[float], others: list[float], wanted: int, latest: Count) -> Work | None:
    """The work from the seconds of the kernels and of the other actions that are done, of `wanted` kernels in all.

    None before the first other action.
    """
    if not others:
        return None
    usual = sum(others) / len(others)
    kernel = sum(kernels) / len(kernels) if len(kernels) >= ENOUGH else max([PRIOR * usual, *kernels])
    left = max(0, int(latest.total) - latest.done)
    of_kernels = min(left, max(0, wanted - len(kernels)))
    finished = sum(kernels) + sum(others)
    return Work(finished, finished + of_kernels * kernel + (left - of_kernels) * usual)
