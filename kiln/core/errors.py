"""The failures that a person can see, and the exit code of each.

Every message is one sentence that says what went wrong, where, and what to do next.
"""

from __future__ import annotations


class KilnError(Exception):
    """A failure that a person sees as its message, without a traceback.

    `what` went wrong; `where` is the place in the user's files, if there is one (FILE:LINE or FILE); `cure` is what to
    do next; `detail` holds further lines, and `quoted` what a tool printed itself, which stands before the message.
    """

    exit_code = 1

    def __init__(
        self, what: str, cure: str = "", *, where: str = "", detail: str = "", quoted: str = ""
    ) -> None:
        super().__init__(what, cure, where, detail, quoted)
        self.what = what
        self.cure = cure
        self.where = where
        self.detail = detail
        self.quoted = quoted

    def adding(self, line: str) -> KilnError:
        """The same failure with one more line of detail."""
        detail = "\n".join(filter(None, (self.detail, line)))
        return type(self)(self.what, self.cure, where=self.where, detail=detail, quoted=self.quoted)

    @property
    def sentence(self) -> str:
        """The message without its detail."""
        return ": ".join(part for part in (self.where, self.what, self.cure) if part)

    def __str__(self) -> str:
        return self.told("")

    def told(self, mark: str) -> str:
        """The whole message, with a mark such as "error: " before its sentence."""
        return "\n".join(part for part in (self.quoted, mark + self.sentence, self.detail) if part)


class CompileError(KilnError):
    """A container step of the build ended with an error."""

    exit_code = 1


class UsageError(KilnError):
    """The command line or a recipe is wrong."""

    exit_code = 2


class SourceError(KilnError):
    """A source is not available, does not match its hash, or is an archive that must not be unpacked."""

    exit_code = 3


class EngineError(KilnError):
    """No container engine answers, or something that the host must provide is missing."""

    exit_code = 4


class DifferenceError(KilnError):
    """Two builds of one plan gave different bytes."""

    exit_code = 5


class SmokeError(KilnError):
    """A finished wheel failed its smoke suite."""

    exit_code = 6


class BudgetError(KilnError):
    """A build was stopped when its time budget ended."""

    exit_code = 75
