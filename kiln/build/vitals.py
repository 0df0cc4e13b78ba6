"""What a step that runs is known to use and to have done, for the row that shows it: memory, cache hits, work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln.build.actions import MOST
from kiln.build.measured import Meter
from kiln.build.work import NinjaWork
from kiln.core import Count, SourceError, Work, plain

# ccache writes a line there for each result, in its own words (CCACHE_STATSLOG).
CACHE_LOG = "ccache-results.log"
HITS, MISSES = ("direct_cache_hit", "preprocessed_cache_hit"), ("cache_miss",)


@dataclass
class Vitals:
    """Of the steps in one build folder, whose containers `meter` measures."""

    build: Path
    meter: Meter | None

    def __post_init__(self) -> None:
        self._work = NinjaWork(self.build)
        self._cache = CacheLog(self.build / CACHE_LOG)

    def facts(self) -> Sequence[str]:
        """The most memory that the step has used, and how much of what it compiled was in the cache."""
        readings = list(self.meter.usage.readings) if self.meter and self.meter.usage else []
        peak = max((each.memory for each in readings), default=0)
        hits, asked = self._cache.counts()
        found = [f"{_gigabytes(peak)} of memory at most"] if peak else []
        return [*found, f"{hits} of {asked} from the cache"] if asked else found

    def work(self, latest: Count) -> Work | None:
        """How much of ninja's work is done; None where another tool counts."""
        with contextlib.suppress(OSError, SourceError):
            return self._work.at(latest)
        return None


class CacheLog:
    """ccache's log while it grows: each call reads what is new in it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self._read, self._hits, self._misses = 0, 0, 0

    def counts(self) -> tuple[int, int]:
        """Hits, and all that was looked for; zeros where there is no log."""
        with contextlib.suppress(OSError, SourceError), plain(self._path) as stream:
            if stream.seek(0, os.SEEK_END) < self._read:  # another log is there by now
                self._begin()
            stream.seek(self._read)
            # The last line may not be whole yet.
            whole = stream.read(MOST).rpartition(b"\n")[0]
            words = whole.decode("utf-8", "replace").split()
            self._read += len(whole)
            self._hits += sum(map(words.count, HITS))
            self._misses += sum(map(words.count, MISSES))
        return self._hits, self._hits + self._misses


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
