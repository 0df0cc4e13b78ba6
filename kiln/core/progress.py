"""How far a build tool is, read from its own lines, and how long the rest will take.

Actions differ: a CUDA kernel takes minutes where a C++ file takes seconds. Where somebody knows what the actions weigh,
the pace is that of the work and not that of the count.
"""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import dataclass, field, replace

# Ninja's and Bazel's own progress: "[12/345] Building…", "[1,234 / 5,678] Compiling…".
COUNT = re.compile(r"^\s*\[\s*([\d,]+)\s*/\s*([\d,]+)\s*\]\s*(.*)")
# A script's line about a tool that does not know at first how much it has to do.
TOTAL = re.compile(r"^kiln-total: (\d+|unknown)$")

# Seconds over which the pace is measured: one slow file, or a run of cached ones, is not the pace of a build.
WINDOW = 600.0
# An estimate is said from the time when TRUSTED of all actions are done, if those made over HORIZON of the time that it
# looks ahead (not less than SOON) agree with it: the end that they saw differs by at most DRIFT of that time.
TRUSTED, HORIZON, DRIFT = 0.1, 1.0, 0.2

# The shortest time, in seconds, over which estimates must agree.
SOON = 90.0


@dataclass(frozen=True)
class Count:
    """How many actions are done, of how many (infinite if not known). `rest` is the rest of the tool's line."""

    done: int
    total: float
    rest: str = ""

    def __str__(self) -> str:
        return f"{self.done:,}" + (f"/{int(self.total):,}" if math.isfinite(self.total) else " done")


def count(line: str) -> Count | None:
    """The count in a line, if it has one."""
    found = COUNT.match(line)
    if not found:
        return None
    done, total = (int(found.group(number).replace(",", "") or 0) for number in (1, 2))
    return Count(done, total, found.group(3))


def total(line: str) -> float | None:
    """The least number of actions, if a line says it; infinite where it says that this is not known."""
    found = TOTAL.match(line)
    if not found:
        return None
    return math.inf if found.group(1) == "unknown" else int(found.group(1))


@dataclass(frozen=True)
class Work:
    """How much of a step's work is done, of how much, in any one unit."""

    done: float
    total: float


@dataclass
class Pace:
    """The progress of one step. Times are seconds of any one clock.

    `expected` is the least number of actions, whatever the tool has found so far.
    """

    begun: float
    latest: Count | None = None
    expected: float = 0
    _work: Work | None = None
    _samples: deque[tuple[float, float, Count]] = field(default_factory=deque)
    _ends: list[tuple[float, float]] = field(default_factory=list)

    def at(self, now: float, latest: Count, work: Work | None = None) -> Count:
        """Record a count, and the work that it stands for where that is known; returned with the total that is known."""
        self.latest = latest = replace(latest, total=max(latest.total, self.expected))
        if self._samples and (
            latest.done < self._samples[-1][2].done or (work is None) != (self._work is None)
        ):
            self._ends.clear()
            self._samples.clear()  # another tool, or another run of the same one, counts from its own beginning
        self._work = work
        self._samples.append((now, work.done if work else latest.done, latest))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW:
            self._samples.popleft()
        left = self._estimate(now)
        if left is not None and (not self._ends or now >= self._ends[-1][0] + 1):
            self._ends.append((now, now + left))
        return latest

    def left(self, now: float) -> float | None:
        """Seconds until all known actions are done, at the pace of the last minutes; None if that is not to be trusted.

        Actions differ: where the pace changes, and with it the end, nobody knows when the build ends.
        """
        left = self._estimate(now)
        if left is None or self.share < TRUSTED:
            return None
        span = max(SOON, HORIZON * left)
        if not self._ends or self._ends[0][0] > now - span:
            return None
        lately = (end for made, end in self._ends if made >= now - span)
        return left if all(abs(end - now - left) <= DRIFT * span for end in lately) else None

    @property
    def share(self) -> float:
        """How much of the whole is done, from 0 to 1; 0 where nobody knows."""
        known = self._work or (Work(self.latest.done, self.latest.total) if self.latest else None)
        if known is None or not known.total or math.isinf(known.total):
            return 0.0
        return min(1.0, known.done / known.total)

    def _estimate(self, now: float) -> float | None:
        if not self.latest or not self._samples:
            return None
        since, before, _ = self._samples[0]
        known = self._work or Work(self.latest.done, self.latest.total)
        done, rest = known.done - before, known.total - known.done
        if done <= 0 or now <= since or rest < 0 or math.isinf(rest):
            return None
        return rest * (now - since) / done
