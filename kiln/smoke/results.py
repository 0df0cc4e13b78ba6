"""What a smoke run proved: its tests by area, the numbers they wrote down, where it ran, and how fast the wheel is."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kiln.core import SmokeError, SourceError, parse_json, plain

REPORT = "smoke.xml"
FACTS = "facts.json"
PACKAGES = "packages.json"
SPEED = "speed.json"
KINDS = ("ymm", "avx2", "fma", "zmm")

# What the report says of a file of tests that was skipped as a whole: its area, under this name and the file's path.
_AREA_OF = "area of "
# What pytest writes of such a file: its path, a line and the reason, as Python shows them.
_SKIPPED = re.compile(r"\(.*, \d+, (['\"])(?:Skipped: )?(.*)\1\)", re.DOTALL)

Ending = Literal["passed", "skipped", "failed"]


@dataclass(frozen=True)
class Case:
    """One test: `why` is the reason of a skip or a failure, `numbers` is what it wrote down."""

    area: str
    name: str
    ending: Ending
    why: str
    seconds: float
    numbers: tuple[tuple[str, str], ...]

    @property
    def sentence(self) -> str:
        """The test's name as people read it."""
        if not self.name.startswith("test_"):
            return self.name
        function, bracket, parameters = self.name.partition("[")
        return function.removeprefix("test_").replace("_", " ") + (f" [{parameters}" if bracket else "")


@dataclass(frozen=True)
class Area:
    """The tests of one subject."""

    name: str
    cases: tuple[Case, ...]

    def count(self, ending: Ending) -> int:
        return sum(case.ending == ending for case in self.cases)

    @property
    def numbers(self) -> dict[str, str]:
        """What the tests wrote down, each name once."""
        return dict(pair for case in self.cases for pair in case.numbers)

    @property
    def skipped(self) -> dict[str, list[Case]]:
        """The tests that were skipped, by reason."""
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            if case.ending == "skipped":
                found.setdefault(case.why, []).append(case)
        return found


@dataclass(frozen=True)
class Timing:
    """One operation: the least milliseconds of the wheel, of NumPy and of another wheel, where there are such."""

    name: str
    wheel: float
    numpy: float | None
    against: float | None

    def ratio(self, other: float | None) -> float | None:
        """The other's time by the wheel's: above 1 the wheel is faster."""
        return other / self.wheel if other and self.wheel else None


@dataclass(frozen=True)
class Speed:
    """`against` is what the other wheel calls itself."""

    wheel: str
    against: str
    rows: tuple[Timing, ...]


@dataclass(frozen=True)
class SmokeResult:
    """The outcome of a smoke run. `system` is where it ran, `facts` what the wheel's files say of it."""

    report: Path
    cases: tuple[Case, ...]
    system: Mapping[str, str]
    packages: tuple[tuple[str, str], ...] = ()
    facts: Mapping[str, Any] | None = None
    speed: Speed | None = None

    @property
    def areas(self) -> tuple[Area, ...]:
        found: dict[str, list[Case]] = {}
        for case in self.cases:
            found.setdefault(case.area, []).append(case)
        return tuple(Area(name, tuple(cases)) for name, cases in found.items())

    def count(self, ending: Ending) -> int:
        return sum(area.count(ending) for area in self.areas)

    @property
    def failures(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.ending == "failed")

    @property
    def instructions(self) -> dict[str, int] | None:
        """The vector instructions in all libraries; None where nothing was disassembled."""
        if not self.facts or not self.facts["disassembler"]:
            return None
        counts = [library["instructions"] for library in self.facts["libraries"].values()]
        return {kind: sum(each[kind] for each in counts) for kind in KINDS}


def read_results(folder: Path, name: str = REPORT) -> SmokeResult:
    """What a run left in its folder, its report under `name`; SmokeError where that cannot be read."""
    report = folder / name
    try:
        with plain(report) as stream:
            root = ElementTree.parse(stream).getroot()  # noqa: S314
        facts, packages, speed = (_json(folder / name) for name in (FACTS, PACKAGES, SPEED))
        properties = _properties(root.find("testsuite"))
        areas = {
            name[len(_AREA_OF) :]: value for name, value in properties.items() if name.startswith(_AREA_OF)
        }
        return SmokeResult(
            report=report,
            cases=tuple(_case(each, areas) for each in root.iter("testcase")),
            system={name: value for name, value in properties.items() if not name.startswith(_AREA_OF)},
            packages=tuple((each["name"], each["version"]) for each in packages or ()),
            facts=facts,
            speed=speed and _speed(speed),
        )
    except (OSError, SourceError, ElementTree.ParseError, ValueError, KeyError, TypeError) as error:
        raise SmokeError(
            f"the smoke run left no readable report in {folder} ({type(error).__name__}: {error})",
            "run it again",
        ) from error


def _json(path: Path) -> Any:
    try:
        with plain(path) as stream:
            return parse_json(stream.read())
    except FileNotFoundError:
        return None


def _case(element: ElementTree.Element, areas: Mapping[str, str]) -> Case:
    numbers = _properties(element)
    ending: Ending = "passed"
    why = ""
    for tag in ("failure", "error", "skipped"):
        found = element.find(tag)
        if found is not None:
            ending = "skipped" if tag == "skipped" else "failed"
            why = found.get("message") or (found.text or "").strip()
            if not element.get("classname"):
                return _whole_file(element, ending, (found.text or why).strip(), areas)
            break
    return Case(
        area=numbers.pop("area", element.get("classname", "")),
        name=element.get("name", ""),
        ending=ending,
        why=why.removeprefix("Skipped: "),
        seconds=float(element.get("time", "0")),
        numbers=tuple(numbers.items()),
    )


def _whole_file(element: ElementTree.Element, ending: Ending, text: str, areas: Mapping[str, str]) -> Case:
    """A file of tests of which none could run: it was skipped as a whole, or cannot be imported."""
    file = element.get("file", element.get("name", ""))
    reason = _SKIPPED.fullmatch(text)
    return Case(areas.get(file, file), f"all of {file}", ending, reason[2] if reason else text, 0, ())


def _properties(element: ElementTree.Element | None) -> dict[str, str]:
    found = element.findall("properties/property") if element is not None else []
    return {each.get("name", ""): each.get("value", "") for each in found}


def _speed(value: Any) -> Speed:
    rows = tuple(
        Timing(each["name"], each["wheel"], each.get("numpy"), each.get("against")) for each in value["rows"]
    )
    versions = value["versions"]
    return Speed(versions[0], versions[1] if len(versions) > 1 else "", rows)
