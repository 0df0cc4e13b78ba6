"""`measured.json`: how long the parts of a build took, and what they used of the machine.

Nothing in it is of the wheel's bytes; it is kept for the report, and is some 20 kB also for a build of hours.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kiln.build.actions import actions_in, longest
from kiln.core import STRICT, Console, parse_json, shown
from kiln.engine import Reading, Usage
from kiln.plan import ContainerStep
from kiln.shared import Used

FORMAT = 1
# How many of a build tool's actions are kept, and how much of a name.
LONGEST, NAME = 60, 300


@dataclass(frozen=True)
class Span:
    """`begun` is in seconds since the start of the build."""

    name: str
    begun: float
    seconds: float


@dataclass(frozen=True)
class Step:
    """A step in its container. Rows of `usage` are the seconds since the step's start, the processor's seconds and MB.

    Where there are none, `why` says the reason.
    """

    station: str
    name: str
    begun: float
    seconds: float
    usage: tuple[tuple[float, float, float], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Tool:
    """What a build tool did: `count` actions, which took `seconds` in all, and the longest of them."""

    name: str
    count: int
    seconds: float
    longest: tuple[Span, ...]


@dataclass(frozen=True)
class SharedUse:
    """A shared cache that was used: its address, and how many objects and bytes passed, as `Counts` has them."""

    url: str
    counts: dict[str, int]

    def __str__(self) -> str:
        """The same for people."""
        taken, given = self.counts.get("taken", 0), self.counts.get("given", 0)
        return f"{taken} objects from {self.url}, {given} given to it"


@dataclass(frozen=True)
class RemoteUse:
    """A remote executor that was used: its address, and how many actions it ran, as `RemoteCounts` has them."""

    url: str
    counts: dict[str, int]

    def __str__(self) -> str:
        """The same for people."""
        run, known = self.counts.get("run", 0), self.counts.get("known", 0)
        return f"{run} actions were run by {self.url}, {known} results were known there"


@dataclass(frozen=True)
class HelpUse:
    """Machines that distcc asked: their addresses, and how many files they compiled, as `HelpCounts` has them."""

    url: str
    counts: dict[str, int]

    def __str__(self) -> str:
        """The same for people."""
        return f"{self.counts.get('sent', 0)} files were compiled by {self.url}"


@dataclass(frozen=True)
class Measured:
    """`machine` is where a build ran, by names for people."""

    machine: dict[str, str]
    stations: tuple[Span, ...] = ()
    steps: tuple[Step, ...] = ()
    tool: Tool | None = None
    shared: SharedUse | None = None
    executor: RemoteUse | None = None
    distcc: HelpUse | None = None

    __pydantic_config__ = STRICT

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, separators=(",", ":")) + "\n"

    def tested_again(self, later: Measured) -> Measured:
        """The same build with the smoke run of a later command in place of its own."""
        stations = [each for each in self.stations if each.name not in _LATER]
        steps = [each for each in self.steps if each.station in ("compile", "wheel")]
        end = max([each.begun + each.seconds for each in stations], default=0.0)
        news = [each for each in later.steps if each.station not in ("compile", "wheel")]
        moved = [each for each in later.stations if each.name in _LATER]
        shift = end - min([each.begun for each in moved] + [each.begun for each in news], default=0.0)
        return replace(
            self,
            stations=(*stations, *(replace(each, begun=round(each.begun + shift, 2)) for each in moved)),
            steps=(*steps, *(replace(each, begun=round(each.begun + shift, 2)) for each in news)),
        )


# Stations after that of the wheel.
_LATER = ("smoke",)


def read_measured(text: str) -> Measured | None:
    """What a measured.json says; None where it is not one of this format."""
    try:
        value = parse_json(text)
        if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
            return None
        found: Measured = TypeAdapter(Measured).validate_python(value)
    except (ValueError, ValidationError):
        return None
    return found


@dataclass
class Meter:
    """Measures a build under way, whose clock begins now; `usage` is that of the step which runs, or ran last."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    steps: list[Step] = field(default_factory=list)
    tool: Tool | None = None
    shared: SharedUse | None = None
    executor: RemoteUse | None = None
    distcc: HelpUse | None = None
    usage: Usage | None = None

    def __post_init__(self) -> None:
        self._zero, self._moment = self.clock(), self.now()

    @contextlib.contextmanager
    def step(self, step: ContainerStep) -> Iterator[Usage]:
        """Measure a step, however it ends."""
        usage, begun = Usage(), self.clock()
        self.usage = usage
        try:
            yield usage
        finally:
            rows = tuple(map(_row, usage.readings)) if len(usage.readings) > 1 else ()
            self.steps.append(
                Step(
                    step.station,
                    step.name,
                    round(begun - self._zero, 2),
                    round(self.clock() - begun, 2),
                    rows,
                    "" if rows else usage.why,
                )
            )

    def take_others(self, used: Used) -> None:
        """Keep what of other machines was used."""
        cache, executor, helped = used
        self.shared = SharedUse(cache.cache.url, cache.value()) if cache else None
        self.executor = RemoteUse(executor.executor.url, executor.value()) if executor else None
        self.distcc = HelpUse(helped.addresses, helped.value()) if helped else None

    def others(self) -> dict[str, str]:
        """The same for people."""
        found = {"shared cache": self.shared, "remote executor": self.executor, "distcc": self.distcc}
        return {name: str(each) for name, each in found.items() if each}

    def take_actions(self, build: Path) -> None:
        """Keep the longest actions of the build tool that worked in a folder."""
        found = actions_in(build)
        if found:
            spans = (
                Span(shown(each.name)[:NAME], round(each.begun - self._moment, 2), round(each.seconds, 3))
                for each in longest(found.actions, LONGEST)
            )
            seconds = round(sum(each.seconds for each in found.actions), 1)
            self.tool = Tool(found.tool, len(found.actions), seconds, tuple(spans))

    def measured(self, console: Console, machine: Mapping[str, str]) -> Measured:
        """All that was measured until now; the stations are those that the console has seen."""
        stations = tuple(
            Span(name, round(console.begun[name] - self._zero, 2), round(seconds, 2))
            for name, seconds in console.times.items()
        )
        return Measured(
            dict(machine), stations, tuple(self.steps), self.tool, self.shared, self.executor, self.distcc
        )


def _row(reading: Reading) -> tuple[float, float, float]:
    return round(reading.at, 1), round(reading.processor, 2), round(reading.memory / 1e6, 1)
