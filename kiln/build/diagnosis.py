"""Why a build failed, found in its output, and what is known to fix it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from kiln.core import STRICT, read_yaml, typed

# A script's own message about a failure; nothing is more exact.
OWN = re.compile(r"^kiln-error: (.*)")

_COMPILERS = (
    re.compile(r"^\S+?:\d+(:\d+)?: (fatal )?error: "),  # gcc, clang
    re.compile(r"^\S+\(\d+\): error"),  # nvcc
    re.compile(r"undefined reference to|multiple definition of|cannot find -l"),
)
# What compilers, linkers and interpreters print themselves.
_EXACT = (
    *_COMPILERS,
    re.compile(r"^(\w+\.)*\w*(Error|Exception): "),  # the last line of a Python traceback
    re.compile(
        r"(Killed|Terminated) signal terminated program|internal compiler error|No space left on device"
    ),
    re.compile(r"^nvcc (fatal|error)\s*:|ld terminated with signal|\bcc1(plus)?(\.exe)?: out of memory"),
    re.compile(r"relocation truncated to fit|^virtual memory exhausted|internal compiler error"),
    re.compile(r"line \d+:\s+\d+ (Killed|Segmentation fault|Illegal instruction|Aborted)"),  # bash
    re.compile(r"^Server terminated abruptly"),  # Bazel's client
    re.compile(r"^error: patch failed: "),  # git apply, which Bazel's rules call
)
# What other tools print, or what they print about the tools that they run.
_GENERAL = (
    re.compile(r"^CMake Error"),
    re.compile(r"^ERROR: "),  # Bazel, pip
    re.compile(r"ld returned \d"),
    re.compile(r": (command not found|No such file or directory|Permission denied)$"),
)
# Where pip shows what a program printed that it ran: with a margin, up to a line that says so.
_SHOWN, _SHOWN_END = re.compile(r"^\s*(╰─>|->) \[\d+ lines of output\]"), re.compile(r"^\s*\[end of output\]")
# The first line of a failure: ninja's "FAILED: a.o", every error of Bazel's. Its output follows without a break.
_BEGIN = re.compile(r"^FAILED: (?!Build did NOT)|^ERROR: ")
# A line of ninja's or Bazel's own that ends the output of a failure, or of an action that went well. Bazel's progress
# does not: it may come between a failed command and what that command printed.
_END = re.compile(
    r"^(ERROR|INFO|WARNING|DEBUG|FAILED|ninja): |^\[[\d,]+/[\d,]+\] |^Target .* failed to build"
)
# Bazel's own check after an action whose program printed an error but ended with status 0.
_AFTERWARDS = re.compile(r"^ERROR: .*(output '.*' was not created|not all outputs were created or valid)")

SHARED = "recipes/shared/cures.yaml"


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression ({error})") from error
    return text


@dataclass(frozen=True)
class Cure:
    """A known failure: `symptom` is a regular expression that matches a line such as `example`.

    `seen` is the public report in which such a line was found, as REPOSITORY#NUMBER, or says that the build was one of
    the project's own.
    """

    symptom: Annotated[str, AfterValidator(_pattern)]
    example: str
    cause: str
    cure: str
    seen: str

    __pydantic_config__ = STRICT

    def fits(self, line: str) -> bool:
        return re.search(self.symptom, line) is not None

    def __str__(self) -> str:
        return f"{self.cause}: {self.cure}"


@dataclass(frozen=True)
class Cures:
    cures: tuple[Cure, ...]

    __pydantic_config__ = STRICT


def cures(root: Path, name: str) -> tuple[Cure, ...]:
    """The known failures of the recipe `name`, then those of all recipes. Raises UsageError for a mistake in the files."""
    found: list[Cure] = []
    for path in (root / "recipes" / name / "cures.yaml", root / SHARED):
        if path.exists():
            found += typed(read_yaml(path), Cures).cures
    return tuple(found)


def cause(lines: Sequence[str], context: int = 3) -> str:
    """The error that ended a build, with `context` lines after it, indented; the last lines if none is found.

    The last lines of Bazel, ninja or make only say that something failed, and Bazel's last error may only count what
    earlier ones name. The result is from the first failure: in the words of the tool that failed, if it printed any.
    """
    for line in lines:
        if OWN.match(line):
            return "  " + OWN.sub(r"\1", line)
    shown = _shown_by_pip(lines)
    if shown:
        return _indented(_of_setup(shown, context))
    first = next((number for number, line in enumerate(lines) if _BEGIN.match(line)), None)
    found = _last(lines, context) if first is None else _of_failure(lines, first, context)
    return _indented(found)


def _indented(found: Sequence[str]) -> str:
    return "\n".join("  " + line for line in found) or "  it printed nothing"


def _shown_by_pip(lines: Sequence[str]) -> list[str]:
    """What the first program printed that failed under pip, without its margin; nothing where pip shows none."""
    begin = next((number + 1 for number, line in enumerate(lines) if _SHOWN.match(line)), len(lines))
    end = next((number for number in range(begin, len(lines)) if _SHOWN_END.match(lines[number])), len(lines))
    return textwrap.dedent("\n".join(lines[begin:end])).splitlines()


def _of_setup(lines: Sequence[str], context: int) -> list[str]:
    """The error of a project's setup.py: what it says at last is only which program failed, such as make."""
    first = next((number for number, line in enumerate(lines) if _matches(line, _COMPILERS)), None)
    return _last(lines, context) if first is None else list(lines[first : first + 1 + context])


def _of_failure(lines: Sequence[str], first: int, context: int) -> list[str]:
    """The error in the output of the failure that begins at line `first`."""
    begin, end = first + 1, _end(lines, first + 1)
    if _AFTERWARDS.match(lines[first]):
        begin = max((number + 1 for number in range(first) if _END.match(lines[number])), default=0)
    for patterns in (_EXACT, _GENERAL):
        for number in range(begin, end):
            if number != first and _matches(lines[number], patterns):
                return list(lines[number : number + 1 + context])
    return [lines[first], *_without_command(lines[first + 1 : end])[:context]]


def _last(lines: Sequence[str], context: int) -> list[str]:
    """The last error of output without a failure that has a beginning; the last ten lines if there is none."""
    for patterns in (_EXACT, _GENERAL):
        for number in range(len(lines) - 1, -1, -1):
            if _matches(lines[number], patterns):
                return list(lines[number : number + 1 + context])
    return [line for line in lines if line.strip()][-10:]


def _end(lines: Sequence[str], begin: int) -> int:
    return next((number for number in range(begin, len(lines)) if _END.match(lines[number])), len(lines))


def _without_command(lines: Sequence[str]) -> list[str]:
    """The output of a failed action without its command, which --verbose_failures prints before it."""
    command = [number for number, line in enumerate(lines) if line.endswith("\\")]
    return list(lines[command[-1] + 2 :] if command else lines)


def _matches(line: str, patterns: Iterable[re.Pattern[str]]) -> bool:
    return any(pattern.search(line) for pattern in patterns)


def advice(lines: Sequence[str], known: Iterable[Cure]) -> str | None:
    """The cause and cure of the first known failure that the output shows; None if it shows none."""
    found = _known(lines, known)
    return str(found[0]) if found else None


def shown(lines: Sequence[str], known: Iterable[Cure]) -> str:
    """The error that ended a build, as `cause` finds it, after the line that the advice is about if it is another."""
    error, found = cause(lines), _known(lines, known)
    return error if not found or found[1] in error else f"  {found[1]}\n{error}"


def _known(lines: Sequence[str], known: Iterable[Cure]) -> tuple[Cure, str] | None:
    """The first known failure that the output shows, and the line that shows it."""
    return next(((each, line) for each in known for line in lines if each.fits(line)), None)


def table(known: Iterable[Cure]) -> str:
    """Known failures as a table in Markdown."""
    rows = ["| the log says | because | what helps | seen in |", "|---|---|---|---|"]
    for each in known:
        example = _short(each).replace("|", "\\|")
        rows.append(f"| `{example}` | {each.cause} | {each.cure} | {each.seen} |")
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
