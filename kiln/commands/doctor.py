"""`./inv doctor`: what a build needs of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.markup import escape

from kiln.commands.printing import plain_table
from kiln.core import Console, Finding
from kiln.engine import doctor, gpu


def run(root: Path, environment: Mapping[str, str], cuda: bool, wheels: Sequence[Path]) -> None:
    """Print what this machine has; with `cuda`, or wheels, its GPUs and what runs on them."""
    gpus = cuda or wheels
    show(
        gpu.findings(root, gpu.present(), wheels) if gpus else doctor.findings(environment),
        Console.for_output(),
    )


def show(findings: Sequence[Finding], console: Console) -> None:
    """What a build needs of this machine."""
    table = plain_table("", "what", "found", "cure")
    for finding in findings:
        mark = "[green]✓[/green]" if finding.good else "[red]✗[/red]"
        table.add_row(mark, finding.what, escape(finding.found), escape("" if finding.good else finding.cure))
    console.table(table)
