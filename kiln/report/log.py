"""What a build's log says that is worth a place in its report: warnings in groups, and hits of compile caches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_STEP = re.compile(r"== (\w+): (\S+) \(\S+\)")
# The stations whose warnings are of the build.
_STATIONS = ("compile", "wheel")
# The forms of warnings: each gives the text, and perhaps the place and the group.
_COMPILER = re.compile(
    r"(?P<place>[^\s:(][^:(]*)(?::\d+(?::\d+)?|\(\d+\)): warning(?: #(?P<number>\d+)-D)?: (?P<text>.*)"
)
_CMAKE = re.compile(
    r"CMake (?P<group>(?:Deprecation )?Warning)(?: \(dev\))?(?: at (?P<place>[^:]+):\d+.*)?:?$"
)
_PYTHON = re.compile(r"\s*(?P<place>[^\s:]+):\d+: (?P<group>\w*Warning): (?P<text>.*)")
_PLAIN = re.compile(r"(?:(?P<place>[^\s:]+): )?(?:warning|WARNING|Warning): (?P<text>.*)")
_FLAG = re.compile(r"\s*\[(-W[^\]]+)\]$")
# What differs between warnings of one kind.
_PARTICULAR = re.compile(r"[‘'`\"][^’'\"]*[’'\"]|\b\d+\b|(?<!\w)/\S+")
# ccache's own sums, as versions 4 and 3 print them, and Bazel's.
_CCACHE4 = re.compile(r"\s+Hits:\s+(\d+)\s*/\s*(\d+)\b")
_CCACHE3 = re.compile(r"cache (hit|miss)(?: \(\w+\))?\s+(\d+)$")
_BAZEL = re.compile(r"INFO: ([\d,]+) processes?: (.*)")
_BAZEL_HITS = re.compile(r"([\d,]+) (?:remote|disk) cache hit")


@dataclass(frozen=True)
class Warnings:
    """Warnings of one kind: how many, in how many files, and the first of them."""

    kind: str
    count: int
    files: int
    example: str
    place: str


@dataclass(frozen=True)
class CacheHits:
    """How much of what a step of a build needed was in a cache."""

    step: str
    tool: str
    hits: int
    asked: int

    @property
    def share(self) -> float:
        """The share of hits, from 0 to 1."""
        return self.hits / self.asked if self.asked else 0.0


def warnings(lines: Iterable[str]) -> list[Warnings]:
    """The warnings of the build's own steps in groups, the most frequent first."""
    found: dict[str, list[tuple[str, str]]] = {}
    unfinished: list[tuple[str, str]] = []
    for _, line in _of_build(lines):
        if unfinished and line.strip():
            # CMake says what it warns of on the lines below.
            unfinished[-1] = (line.strip(), unfinished[-1][1])
            unfinished = []
        if "arning" in line or "WARNING" in line:
            kind, text, place = _warning(line)
            if kind:
                found.setdefault(kind, []).append((text, place))
                unfinished = found[kind] if not text else []
    groups = (
        Warnings(kind, len(rows), len({place for _, place in rows if place}), *rows[0])
        for kind, rows in found.items()
    )
    return sorted(groups, key=lambda each: (-each.count, each.kind))


def cache_hits(lines: Iterable[str]) -> list[CacheHits]:
    """What each step's caches gave, by the last sums that it printed."""
    found: dict[tuple[str, str], CacheHits] = {}
    old: dict[str, dict[str, int]] = {}
    for step, line in _of_build(lines):
        new = _CCACHE4.match(line)
        if new and (step, "ccache") not in found:
            # The first sums are those of the compiles; what follows is by kind and by place.
            found[step, "ccache"] = CacheHits(step, "ccache", int(new[1]), int(new[2]))
        three = _CCACHE3.match(line)
        if three:
            sums = old.setdefault(step, {"hit": 0, "miss": 0})
            sums[three[1]] += int(three[2])
            found[step, "ccache"] = CacheHits(step, "ccache", sums["hit"], sums["hit"] + sums["miss"])
        bazel = _BAZEL.match(line)
        if bazel:
            hits = sum(_number(each) for each in _BAZEL_HITS.findall(bazel[2]))
            found[step, "Bazel"] = CacheHits(step, "Bazel", hits, _number(bazel[1]))
    return list(found.values())


def _of_build(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The lines of the build's own steps, each with the step's name."""
    step = ""
    for line in lines:
        begun = _STEP.match(line)
        if begun:
            step = begun[2] if begun[1] in _STATIONS else ""
        elif step:
            yield step, line


def _warning(line: str) -> tuple[str, str, str]:
    """The kind, the text and the place of a warning; an empty kind for a line that is none."""
    for form in (_CMAKE, _PYTHON, _COMPILER, _PLAIN):
        found = form.match(line)
        if found:
            parts = {name: value or "" for name, value in found.groupdict().items()}
            text = parts.get("text", "")
            flag = _FLAG.search(text)
            text = _FLAG.sub("", text)
            number = f"nvcc's #{parts['number']}-D" if parts.get("number") else ""
            cmake = f"CMake {parts['group'].lower()}" if form is _CMAKE else ""
            kind = cmake or number or parts.get("group", "") or (flag[1].rstrip("=") if flag else "")
            return kind or _PARTICULAR.sub("…", text).strip()[:80], text, parts.get("place", "")
    return "", "", ""


def _number(text: str) -> int:
    return int(text.replace(",", ""))
