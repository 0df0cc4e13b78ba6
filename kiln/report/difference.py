"""Two finished builds side by side: what differs between them, as values for a page or a table."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.archive import elf
from kiln.report.contents import Part, kinds, with_content
from kiln.report.facts import Facts, facts
from kiln.report.text import bytes_shown
from kiln.smoke import SmokeResult

# What differs in the names of the same library: the interpreter's tag, and the hash that auditwheel adds.
_TAG = re.compile(r"\.(?:cpython|abi3|pypy)[^/]*(?=\.so)|-[0-9a-f]{8}(?=\.so)")


@dataclass(frozen=True)
class Row:
    """One thing in both builds; empty where a build does not have it."""

    name: str
    one: str
    other: str


@dataclass(frozen=True)
class Sizes:
    """The bytes of one thing in both builds; 0 where a build does not have it."""

    name: str
    one: int
    other: int

    @property
    def change(self) -> int:
        return self.other - self.one


@dataclass(frozen=True)
class Symbols:
    """The exported symbols of a library that only one of the builds has."""

    library: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class Times:
    """An operation of the benchmark in milliseconds; `ratio` is above 1 where the other build is faster."""

    name: str
    one: float
    other: float

    @property
    def ratio(self) -> float | None:
        return self.one / self.other if self.other else None


@dataclass(frozen=True)
class Comparison:
    """What differs between two builds, part by part; `kinds` of content and `speed` also where they are equal."""

    one: Facts
    other: Facts
    about: tuple[Row, ...]
    packages: tuple[Row, ...]
    sources: tuple[Row, ...]
    patches: tuple[Row, ...]
    kinds: tuple[Sizes, ...]
    files: tuple[Sizes, ...]
    sections: tuple[Sizes, ...]
    symbols: tuple[Symbols, ...]
    tests: tuple[Row, ...]
    endings: tuple[Row, ...]
    speed: tuple[Times, ...]
    times: tuple[Row, ...]

    @property
    def same(self) -> bool:
        return self.one.sha256 == self.other.sha256


def compared(one: Path, other: Path) -> Comparison:
    """The comparison of the records in two folders; UsageError where one holds none."""
    before, now = facts(one), facts(other)
    libraries = (_libraries(before), _libraries(now))
    return Comparison(
        before,
        now,
        about=_rows(_about(before), _about(now)),
        packages=_rows(_packages(before), _packages(now)),
        sources=_rows(_sources(before), _sources(now)),
        patches=_rows(_patches(before), _patches(now)),
        kinds=_sizes(kinds(before.parts), kinds(now.parts), equal=True),
        files=_sizes(_files(before), _files(now)),
        sections=_sizes(_sections(before), _sections(now)),
        symbols=tuple(_symbols(*libraries)),
        tests=_rows(_tests(before.smoke), _tests(now.smoke)),
        endings=_rows(_endings(before.smoke), _endings(now.smoke)),
        speed=tuple(_speed(before.smoke, now.smoke)),
        times=_rows(_times(before), _times(now)) if before.measured and now.measured else (),
    )


def plain(name: str) -> str:
    """A library's name without what differs between builds of it."""
    return _TAG.sub("", name)


def _rows(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[Row, ...]:
    """What two builds say differently, in the first's order, then the second's."""
    names = dict.fromkeys((*one, *other))
    return tuple(
        Row(name, one.get(name, ""), other.get(name, ""))
        for name in names
        if one.get(name, "") != other.get(name, "")
    )


def _sizes(one: Mapping[str, int], other: Mapping[str, int], equal: bool = False) -> tuple[Sizes, ...]:
    """The sizes that differ, or with `equal` all, the largest change first."""
    rows = (Sizes(name, one.get(name, 0), other.get(name, 0)) for name in dict.fromkeys((*one, *other)))
    return tuple(
        sorted((row for row in rows if row.change or equal), key=lambda row: (-abs(row.change), row.name))
    )


def _about(found: Facts) -> dict[str, str]:
    plan = found.plan
    return {
        "wheel": found.wheel.name,
        "sha256": found.sha256,
        "size": bytes_shown(found.size),
        "installed": bytes_shown(sum(part.size for part in found.parts)),
        "recipe": plan.recipe,
        "release": plan.release,
        "device": plan.variant.device,
        "base": plan.variant.base,
        "Python": plan.variant.python,
        "processor": plan.variant.cpu_features,
        **{f"--{name.replace('_', '-')}": str(value) for name, value in sorted(plan.options.items())},
        "commit": found.commit.id,
        "build key": plan.key,
        "built again": str(found.reproduced.get("ended", "no")),
    }


def _packages(found: Facts) -> dict[str, str]:
    return {
        f"{name} ({image.name if number else 'runtime'})": version
        for number, image in enumerate(found.images)
        for name, version in image.packages
    }


def _sources(found: Facts) -> dict[str, str]:
    return {f"{each.name} ({each.use})": f"{each.file} {each.digest[:16]}" for each in found.sources}


def _patches(found: Facts) -> dict[str, str]:
    return {f"{each.tree}: {each.file}": each.sha256[:16] for each in found.patches}


def _files(found: Facts) -> dict[str, int]:
    # What a wheel says of itself is named after its version.
    return {
        re.sub(r"^[^/]+\.(dist-info|data)/", r"*.\1/", plain(part.name)): part.size for part in found.parts
    }


def _sections(found: Facts) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for part in found.parts:
        for section in part.sections:
            name = f"{_short(part)} {section.name}"
            sizes[name] = sizes.get(name, 0) + section.size
    return sizes


def _short(part: Part) -> str:
    return plain(part.name).rpartition("/")[2]


def _libraries(found: Facts) -> dict[str, frozenset[str]]:
    """The exported symbols of each library."""
    wanted = {part.name for part in found.parts if part.sections}
    with zipfile.ZipFile(found.wheel) as archive:
        return {
            plain(name): with_content(archive, archive.getinfo(name), elf.exports) or frozenset()
            for name in sorted(wanted)
        }


def _symbols(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> Iterable[Symbols]:
    for name in sorted({*one, *other}):
        before, now = one.get(name, frozenset()), other.get(name, frozenset())
        if before != now:
            yield Symbols(name, tuple(sorted(now - before)), tuple(sorted(before - now)))


def _tests(found: SmokeResult | None) -> dict[str, str]:
    """The counts of each area, and of all."""
    if found is None:
        return {}
    endings = ("passed", "skipped", "failed")
    rows = {area.name: [area.count(ending) for ending in endings] for area in found.areas}  # type: ignore[arg-type]
    rows = {"all tests": [found.count(ending) for ending in endings], **rows}  # type: ignore[arg-type]
    return {
        name: ", ".join(f"{count} {ending}" for count, ending in zip(counts, endings) if count)
        for name, counts in rows.items()
    }


def _endings(found: SmokeResult | None) -> dict[str, str]:
    """How each test ended."""
    return {f"{case.sentence} ({case.area})": case.ending for case in found.cases} if found else {}


def _speed(one: SmokeResult | None, other: SmokeResult | None) -> Iterable[Times]:
    if one and other and one.speed and other.speed:
        now = {row.name: row.wheel for row in other.speed.rows}
        for row in one.speed.rows:
            if row.name in now:
                yield Times(row.name, row.wheel, now[row.name])


def _times(found: Facts) -> dict[str, str]:
    if found.measured is None:
        return {}
    rows = {each.name: f"{each.seconds:.1f} s" for each in found.measured.stations}
    peak = max((row[2] for step in found.measured.steps for row in step.usage), default=0.0)
    return {**rows, **({"most memory": bytes_shown(peak * 1e6)} if peak else {})}
