"""The failures a person can meet, and the exit code of each.

Every message is one sentence that says what went wrong, where, and what to do next.
"""

from __future__ import annotations


class KilnError(Exception):
    """A failure told to the user as its message, without a traceback."""

    exit_code = 1


class CompileError(KilnError):
    """A container step of the build ended with an error."""

    exit_code = 1


class UsageError(KilnError):
    """The command line or a recipe is wrong."""

    exit_code = 2


class SourceError(KilnError):
    """A source cannot be had, does not match its hash, or is a hostile archive."""

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
