"""What a container uses while it runs: processor time and memory, read now and then from its control group."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kiln.engine.machine import GROUPS, folders

PROCESSES = Path("/proc")
# Seconds between two readings, and how many are kept: of a long step every second one goes, again and again.
INTERVAL, MOST = 2.0, 400
HIDDEN = "the container engine does not show the container's control group here"
SHORT = "it ended before anything could be read"


@dataclass(frozen=True)
class Reading:
    """`at` is in seconds since the container was started, `processor` the processor time that it has used, in seconds.

    `memory` is in bytes, without files that the kernel only caches; the most since the reading before.
    """

    at: float
    processor: float
    memory: int


@dataclass(frozen=True)
class Group:
    """The files of a container's control group, of version 1 or 2, that say what it uses."""

    processor: Path
    memory: Path

    def read(self, at: float) -> Reading | None:
        """What the container has used until now; None where the group is gone."""
        try:
            text = self.processor.read_text(encoding="ascii")
            memory = int(self.memory.read_text(encoding="ascii"))
            cached = _field(self.memory.with_name("memory.stat"), ("total_inactive_file", "inactive_file"))
            if self.processor.name == "cpuacct.usage":
                seconds = int(text) / 1e9
            else:
                seconds = _field(self.processor, ("usage_usec",)) / 1e6
        except (OSError, ValueError):
            return None
        return Reading(at, seconds, max(0, memory - cached))


def group_of(
    process: int, container: str, groups: Path = GROUPS, processes: Path = PROCESSES
) -> Group | None:
    """The control group of a container, by its first process and its id; None where it is not to be seen from here.

    `groups` is where control groups are mounted, `processes` the kernel's folder of processes.
    """
    membership = processes / str(process) / "cgroup"

    def file(controller: str, *names: str) -> Path | None:
        for folder in folders(groups, membership, controller):
            # A process of another machine, or of another container, may have this number here.
            if container in folder.name:
                for name in names:
                    if (folder / name).is_file():
                        return folder / name
        return None

    processor = file("cpuacct", "cpuacct.usage", "cpu.stat")
    memory = file("memory", "memory.usage_in_bytes", "memory.current")
    return Group(processor, memory) if processor and memory else None


class Usage:
    """The readings of one container; `why` says why there are none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, interval: float = INTERVAL) -> None:
        self.readings: list[Reading] = []
        self.why = HIDDEN
        self._clock, self._interval = clock, interval

    @contextlib.contextmanager
    def of(self, group: Group | None) -> Iterator[None]:
        """Read the group until this context ends; a thread of its own does it, and stops nothing where it fails."""
        if group is None:
            yield
            return
        self.why = SHORT
        begun, ended = self._clock(), threading.Event()

        def watch() -> None:
            while not ended.wait(self._interval):
                reading = group.read(self._clock() - begun)
                if reading is None:
                    return
                self.add(reading)

        thread = threading.Thread(target=watch, daemon=True)
        first = group.read(0.0)
        if first:
            self.add(first)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def add(self, reading: Reading) -> None:
        """Keep a reading; where there are too many, half of them go, and the next ones come half as often."""
        self.readings.append(reading)
        if len(self.readings) > MOST:
            self.readings = thinned(self.readings)
            self._interval *= 2


def thinned(readings: Sequence[Reading]) -> list[Reading]:
    """The first reading, then every second one, with the most memory of both."""
    first, *rest = readings
    pairs = zip(rest[::2], rest[1::2])
    kept = [Reading(later.at, later.processor, max(one.memory, later.memory)) for one, later in pairs]
    return [first, *kept, *rest[len(kept) * 2 :]]


def _field(path: Path, names: Sequence[str]) -> int:
    """A number in a file of names and numbers: of the first name that is there, else 0."""
    values = dict(line.split(" ", 1) for line in path.read_text(encoding="ascii").splitlines() if " " in line)
    return next((int(values[name]) for name in names if name in values), 0)
