"""The progress bars of a terminal."""

from __future__ import annotations

import time

import rich.console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.spinner import Spinner
from rich.table import Column
from rich.text import Text

from kiln.core.steps import EMPTY, FULL, View


class _Row(ProgressColumn):
    """A step as one row that fits the terminal."""

    max_refresh = None

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console
        self._spinner = Spinner("line" if console.options.ascii_only else "dots")
        super().__init__(Column(no_wrap=True))

    def render(self, task: Task) -> Text:
        view: View = task.fields["view"]
        row = view.row(self._console.width - 3, self._console.options.ascii_only)
        text = Text(row, no_wrap=True, overflow="ellipsis")
        text.highlight_regex(f"{FULL}+", "bar.complete")
        text.highlight_regex(f"{EMPTY}+", "bar.back")
        frames = self._spinner.frames
        moved = int(time.monotonic() * 1000 / self._spinner.interval)
        return Text.assemble((frames[moved % len(frames)], "progress.spinner"), " ", text)


def made(kind: str, console: rich.console.Console) -> Progress:
    """Bars of a kind, which go when they end: "step" or "transfers"."""
    return Progress(*_columns(kind, console), console=console, transient=True)


def _columns(kind: str, console: rich.console.Console) -> tuple[ProgressColumn, ...]:
    if kind == "step":
        return (_Row(console),)
    return (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
