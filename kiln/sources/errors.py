"""Why one origin, or one of its candidates, does not give a file. The message is the reason alone, in a few words."""

from __future__ import annotations

from kiln.core import SourceError


class OriginError(SourceError):
    """One origin does not give a file; the message is the reason alone, in a few words."""


class TransientError(OriginError):
    """An origin failed in a way that another attempt may fix."""


class UnreachableError(TransientError):
    """Nothing answers where an origin is."""


class WrongContentError(OriginError):
    """An origin gave a whole file, and it is another one."""


class AbsentError(OriginError):
    """A place does not have a file, which is no failure as long as another place has it."""
