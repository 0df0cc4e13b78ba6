"""The progress bars of a terminal."""

from __future__ import annotations

import rich.console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def made(kind: str, console: rich.console.Console) -> Progress:
    """Bars of a kind, which go when they end: "spinner", "steps" or "transfers"."""
    return Progress(*_columns(kind), console=console, transient=True)


def _columns(kind: str) -> tuple[ProgressColumn, ...]:
    text = TextColumn("{task.description}", markup=False)
    detail = TextColumn("{task.fields[detail]}", style="dim", markup=False)
    if kind == "spinner":
        return SpinnerColumn(), text, TimeElapsedColumn(), detail
    if kind == "steps":
        counted, left = TextColumn("{task.fields[count]}"), TextColumn("{task.fields[left]}")
        return SpinnerColumn(), text, BarColumn(), counted, TimeElapsedColumn(), left, detail
    return (
        text,
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
