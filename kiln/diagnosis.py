"""What made a build fail, found in its output."""

from __future__ import annotations

import re
from collections.abc import Sequence

# A script's own word about a failure; nothing is more exact.
OWN = re.compile(r"^kiln-error: (.*)")

_CAUSES = (
    re.compile(r"^\S+?:\d+(:\d+)?: (fatal )?error: "),  # gcc, clang
    re.compile(r"^\S+\(\d+\): error"),  # nvcc
    re.compile(r"undefined reference to|multiple definition of|cannot find -l|ld returned \d"),
    re.compile(r"^CMake Error"),
    re.compile(r"^ERROR: "),  # Bazel, pip
    re.compile(r"^(\w+\.)*\w*(Error|Exception): "),  # the last line of a Python traceback
    re.compile(r"(Killed|Terminated) signal terminated program|No space left on device"),
    re.compile(r": (command not found|No such file or directory|Permission denied)$"),
)

_ADVICE = (
    (
        re.compile(r"Killed signal terminated program|c\+\+: fatal error: Killed|virtual memory exhausted"),
        "the compiler ran out of memory: give fewer --jobs",
    ),
    (
        re.compile(r"No space left on device"),
        "the disk is full: free some space, or set KILN_HOME to a folder on a larger disk, and run again",
    ),
)


def cause(lines: Sequence[str], context: int = 3) -> str:
    """The last real error in a build's output with the lines after it, indented; the end of it where none is.

    The last lines of ninja or make only say that something failed; this looks for what did.
    """
    for line in lines:
        if OWN.match(line):
            return "  " + OWN.sub(r"\1", line)
    for number in range(len(lines) - 1, -1, -1):
        if any(pattern.search(lines[number]) for pattern in _CAUSES):
            return "\n".join("  " + line for line in lines[number : number + 1 + context])
    return "\n".join("  " + line for line in lines[-10:]) or "  it printed nothing"


def advice(lines: Sequence[str]) -> str | None:
    """What is known to cure a failure that shows in a build's output."""
    for pattern, cure in _ADVICE:
        if any(pattern.search(line) for line in lines):
            return cure
    return None
