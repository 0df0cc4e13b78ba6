"""Values of command-line options that several commands have."""

from __future__ import annotations

from pathlib import Path

from kiln.core.errors import UsageError


def named_paths(text: str, option: str) -> dict[str, Path]:
    """The value NAME=PATH,… of an option; UsageError where it is not of that form."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    if not all(name and path for name, _, path in pairs):
        raise UsageError(f"{option} {text!r} is not of the form NAME=PATH,…", "correct it")
    return {name: Path(path).expanduser() for name, _, path in pairs}
