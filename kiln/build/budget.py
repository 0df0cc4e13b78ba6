"""How long a build may compile: `--time-budget 5h`, from the start of the command."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from kiln.core import UsageError

_FORM = re.compile(r"(?=[0-9])(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?")
# The exit status of `timeout` when the time was over; the second if it had to kill the command.
_STOPPED = (124, 128 + 9)
# Seconds in which a build tool must stop what it runs.
GRACE = 60


@dataclass(frozen=True)
class Budget:
    """The time that a command may take, as the user wrote it; `deadline` is on the clock of `time.monotonic`."""

    text: str
    deadline: float

    @classmethod
    def of(cls, text: str) -> Budget | None:
        """The budget `text` from the start of this process on; None for an empty text.

        Raises UsageError if the text is not a duration.
        """
        return cls(text, time.monotonic() - _age() + seconds(text)) if text else None

    @property
    def left(self) -> float:
        """The seconds that are left; zero or less once the budget has ended."""
        return self.deadline - time.monotonic()

    def limited(self, command: tuple[str, ...]) -> tuple[str, ...]:
        """A command that is interrupted, as with Ctrl-C, when the budget ends.

        On that signal ninja and Bazel stop what they run and keep what is finished.
        """
        return ("timeout", "--signal=INT", f"--kill-after={GRACE}", f"{max(self.left, 0.001):.3f}", *command)

    def stopped(self, status: int) -> bool:
        """Whether a limited command with this exit status was stopped by the budget."""
        return status in _STOPPED and self.left <= 0


def seconds(text: str) -> int:
    """The length of a duration such as 90m, 5h, 3600s or 1h30m. Raises UsageError for anything else."""
    found = _FORM.fullmatch(text)
    hours, minutes, rest = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    length = (hours * 60 + minutes) * 60 + rest
    if not length:
        raise UsageError(
            f"--time-budget {text} is not a duration",
            "give hours, minutes or seconds, such as 5h, 90m or 3600s",
        )
    return length


def _age() -> float:
    """The seconds since this process started; `./inv` becomes this process, so since the command was typed."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    begun = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun
