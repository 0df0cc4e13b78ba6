"""How far a build tool is, read from its own lines, and how long the rest will take."""

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

# Where there is no bar, a line of progress comes after SOON seconds if STEP more is done, after LATE in any case.
SOON, STEP, LATE = 30.0, 0.05, 300.0


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


@dataclass
class Pace:
    """The progress of one step. Times are seconds of any one clock.

    `expected` is the least number of actions, whatever the tool has found so far.
    """

    begun: float
    latest: Count | None = None
    expected: float = 0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)
    _ends: list[tuple[float, float]] = field(default_factory=list)
    _reported: tuple[float, float] | None = None

    def at(self, now: float, latest: Count) -> Count:
        """Record a count; it is returned with the total that is known."""
        self.latest = latest = replace(latest, total=max(latest.total, self.expected))
        if self._samples and latest.done < self._samples[-1][1]:
            self._ends.clear()
            self._samples.clear()  # another tool, or another run of the same one, counts from its own beginning
        self._samples.append((now, latest.done))
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
        if left is None or not self.latest or self.latest.done < TRUSTED * self.latest.total:
            return None
        span = max(SOON, HORIZON * left)
        if not self._ends or self._ends[0][0] > now - span:
            return None
        lately = (end for made, end in self._ends if made >= now - span)
        return left if all(abs(end - now - left) <= DRIFT * span for end in lately) else None

    def _estimate(self, now: float) -> float | None:
        if not self.latest or not self._samples:
            return None
        since, before = self._samples[0]
        done, rest = self.latest.done - before, self.latest.total - self.latest.done
        if done <= 0 or now <= since or rest < 0 or math.isinf(rest):
            return None
        return rest * (now - since) / done

    def due(self, now: float) -> bool:
        """Whether it is time for another line of progress; if so, the caller is expected to print it."""
        if not self.latest or not self.latest.total:
            return False
        share = self.latest.done / self.latest.total
        when, what = self._reported or (self.begun, 0.0)
        passed = now - when
        if passed < SOON or (passed < LATE and share < what + STEP):
            return False
        self._reported = (now, share)
        return True
