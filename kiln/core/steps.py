"""One step under way, as people see it: a row with a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kiln.core.progress import Count, Pace, Work, count, total
from kiln.core.shown import shown

# The widths of a row's bar, and the least that is worth showing of a tool's own line.
BAR, LEAST_BAR, LEAST_DETAIL = 30, 8, 12
FULL, EMPTY, PLAIN_FULL, PLAIN_EMPTY = "━", "─", "#", "-"


class Watch(Protocol):
    """What is known of a running step beside its output."""

    def facts(self) -> Sequence[str]:
        """What is worth knowing now, each in a few words: the most memory, the hits of a cache."""

    def work(self, latest: Count) -> Work | None:
        """How much of the work is done, where actions that differ are known."""


class NoWatch:
    """Nothing is known beside the output."""

    def facts(self) -> Sequence[str]:
        return ()

    def work(self, latest: Count) -> Work | None:
        return None


@dataclass(frozen=True)
class View:
    """A step at one moment: `share` from 0 to 1 where it is known, `left` and `facts` in words, `detail` the last line."""

    name: str
    share: float | None
    count: str
    seconds: float
    left: str
    facts: tuple[str, ...]
    detail: str

    @property
    def sentence(self) -> str:
        """The step as one line of a log."""
        counted = f" {self.count}" if self.count else ""
        parts = (f"{self.name}{counted} after {duration(self.seconds)}", self.left, *self.facts)
        return "  " + ", ".join(filter(None, parts))

    def row(self, width: int, ascii_only: bool = False) -> str:
        """The step as one row of at most `width` columns: what matters most is left out last."""
        facts = list(self.facts)
        head = [self.name, "", self.count, duration(self.seconds), self.left]

        def joined(bar: int) -> str:
            drawn = "" if self.share is None else _bar(self.share, bar, ascii_only)
            return "  ".join(filter(None, [head[0], drawn, *head[2:], *facts]))

        while facts and len(joined(LEAST_BAR)) > width:
            facts.pop()
        bar = max(LEAST_BAR, min(BAR, width - LEAST_DETAIL - 2 - len(joined(0))))
        row = joined(bar) if len(joined(bar)) <= width else joined(0)
        room = width - len(row) - 2
        if self.detail and room >= LEAST_DETAIL:
            row += "  " + cut(self.detail, room)
        return cut(row, width)


@dataclass
class Step:
    """A step whose output comes line by line. `counted` is False where counts in its lines mean nothing."""

    name: str
    clock: Callable[[], float]
    watch: Watch = field(default_factory=NoWatch)
    counted: bool = True

    def __post_init__(self) -> None:
        self._pace = Pace(self.clock())
        self._detail = ""
        # Lines come from one thread, and another one shows them.
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Take a line of the step's output."""
        found = count(text) if self.counted else None
        work = self.watch.work(found) if found else None
        with self._lock:
            self._pace.expected = total(text) or self._pace.expected
            if found:
                self._pace.at(self.clock(), found, work)
            self._detail = found.rest if found else text

    def view(self) -> View:
        """The step now."""
        facts = tuple(self.watch.facts())
        with self._lock:
            now, pace = self.clock(), self._pace
            left = pace.left(now)
            known = pace.latest is not None and math.isfinite(pace.latest.total)
            return View(
                self.name,
                pace.share if known else None,
                str(pace.latest) if pace.latest else "",
                now - pace.begun,
                _about(left) if left else "",
                facts,
                shown(self._detail).strip(),
            )


def _bar(share: float, width: int, ascii_only: bool) -> str:
    full, empty = (PLAIN_FULL, PLAIN_EMPTY) if ascii_only else (FULL, EMPTY)
    filled = int(share * width)
    return full * filled + empty * (width - filled)


def cut(text: str, length: int) -> str:
    """A text of at most `length` letters, with a mark where it was longer."""
    return text if len(text) <= length else text[: max(0, length - 1)] + "…"


def _about(seconds: float) -> str:
    """An estimate as people say it: no more exact than it is."""
    if seconds < 90:
        return f"about {max(10, round(seconds / 10) * 10)} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {seconds / 3600:.1f} h left"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
