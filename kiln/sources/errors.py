"""Why one origin, or one of its candidates, does not give a file. The message is the reason alone, in a few words."""

from __future__ import annotations

from kiln.core import SourceError


class OriginError(SourceError):
    """One origin does not give a file; the message is the reason alone, in a few words.

    `host` is a sentence about a whole host where the reason is the same for all of its files, such as "forge.example
    cannot be reached"; else it is empty.
    """

    def __init__(self, what: str, cure: str = "", *, host: str = "") -> None:
        super().__init__(what, cure)
        self.host = host


class TransientError(OriginError):
    """An origin failed in a way that another attempt may fix."""


class UnreachableError(TransientError):
    """Nothing answers where an origin is."""


class WrongContentError(OriginError):
    """An origin gave a whole file, and it is another one."""


class AbsentError(OriginError):
    """A place does not have a file, which is no failure as long as another place has it."""
