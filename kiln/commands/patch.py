"""`./inv patch`: a change to somebody else's code in a checkout."""

from __future__ import annotations

from pathlib import Path

from kiln.core import Console
from kiln.models import codepatch


def run(root: Path, name: str, folder: Path, revert: bool, dry_run: bool, console: Console) -> None:
    """Patch a checkout, or take the patch back, and print what was done."""
    outcome = codepatch.run(codepatch.load(root, name), folder, revert, dry_run)
    console.say(codepatch.summary(outcome, dry_run))
