"""What made a build fail, found in its output, and what is known to cure it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from kiln.core import STRICT, read_yaml, typed

# A script's own word about a failure; nothing is more exact.
OWN = re.compile(r"^kiln-error: (.*)")

# What compilers, linkers and interpreters say themselves.
_EXACT = (
    re.compile(r"^\S+?:\d+(:\d+)?: (fatal )?error: "),  # gcc, clang
    re.compile(r"^\S+\(\d+\): error"),  # nvcc
    re.compile(r"undefined reference to|multiple definition of|cannot find -l"),
    re.compile(r"^(\w+\.)*\w*(Error|Exception): "),  # the last line of a Python traceback
    re.compile(
        r"(Killed|Terminated) signal terminated program|internal compiler error|No space left on device"
    ),
    re.compile(r"line \d+:\s+\d+ (Killed|Segmentation fault|Illegal instruction|Aborted)"),  # bash
    re.compile(r"^Server terminated abruptly"),  # Bazel's client
    re.compile(r"^error: patch failed: "),  # git apply, which Bazel's rules call
)
# What is said of them by the tools that ran them, or by anything else.
_GENERAL = (
    re.compile(r"^CMake Error"),
    re.compile(r"^ERROR: "),  # Bazel, pip
    re.compile(r"ld returned \d"),
    re.compile(r": (command not found|No such file or directory|Permission denied)$"),
)
# Where the output of a failed action begins.
_ACTION = re.compile(r"^FAILED: |^ERROR: .* failed \(")  # ninja, Bazel

SHARED = "recipes/shared/cures.yaml"


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression is wanted ({error})") from error
    return text


@dataclass(frozen=True)
class Cure:
    """A known failure. `symptom` is a regular expression that finds a line such as `example`."""

    symptom: Annotated[str, AfterValidator(_pattern)]
    example: str
    cause: str
    cure: str

    __pydantic_config__ = STRICT

    def fits(self, line: str) -> bool:
        return re.search(self.symptom, line) is not None

    def __str__(self) -> str:
        return f"{self.cause}: {self.cure}"


@dataclass(frozen=True)
class _Cures:
    cures: tuple[Cure, ...]

    __pydantic_config__ = STRICT


def cures(root: Path, name: str) -> tuple[Cure, ...]:
    """The known failures of the recipe `name`, then those of every recipe; UsageError for a mistake in them."""
    found: list[Cure] = []
    for path in (root / "recipes" / name / "cures.yaml", root / SHARED):
        if path.exists():
            found += typed(read_yaml(path), _Cures).cures
    return tuple(found)


def cause(lines: Sequence[str], context: int = 3) -> str:
    """The error that ended a build, with the lines after it, indented; the end of the output where none is found.

    The last lines of Bazel, ninja or make only say that something failed. This is what did: the first error of the
    last action that failed, in the words of its own tool.
    """
    for line in lines:
        if OWN.match(line):
            return "  " + OWN.sub(r"\1", line)
    for patterns in (_EXACT, _GENERAL):
        numbers = [
            number for number, line in enumerate(lines) if any(pattern.search(line) for pattern in patterns)
        ]
        if numbers:
            begin = max(
                (number for number in range(numbers[-1]) if _ACTION.match(lines[number])), default=None
            )
            first = numbers[-1] if begin is None else min(number for number in numbers if number > begin)
            return "\n".join("  " + line for line in lines[first : first + 1 + context])
    last = [line for line in lines if line.strip()][-10:]
    return "\n".join("  " + line for line in last) or "  it printed nothing"


def advice(lines: Sequence[str], known: Iterable[Cure]) -> str | None:
    """Why a build failed and what cures it, where its output shows a known failure: the first that fits."""
    for each in known:
        if any(each.fits(line) for line in lines):
            return str(each)
    return None


def table(known: Iterable[Cure]) -> str:
    """Known failures as a table in Markdown."""
    rows = ["| the log says | because | what helps |", "|---|---|---|"]
    for each in known:
        example = _short(each).replace("|", "\\|")
        rows.append(f"| `{example}` | {each.cause} | {each.cure} |")
    return "\n".join(rows) + "\n"


def _short(known: Cure, length: int = 90) -> str:
    """The part of the example that shows the symptom."""
    text = known.example.replace("`", "'")
    found = re.search(known.symptom, known.example)
    if len(text) <= length or not found:
        return text
    begin = max(0, min(found.start() - 10, found.end() - length))
    end = max(begin + length, found.end()) if found.end() - begin < 200 else begin + length
    return ("…" if begin else "") + text[begin:end].strip() + ("…" if end < len(text) else "")
