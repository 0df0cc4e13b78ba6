"""What a person sees: stations, progress bars with an estimate, one-line notes, tables.

On anything but a terminal there are no bars: one line a station, the notes, and now and then one on a long step.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator

import rich.console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from kiln.core.progress import Pace, count, total

# Columns of a table that goes to a file or a pipe, where nothing needs to be wrapped.
FILE_WIDTH = 240


class Console:
    """The terminal of one command. `times` holds the seconds of every finished station, in order."""

    def __init__(
        self, console: rich.console.Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or rich.console.Console(highlight=False, soft_wrap=True, stderr=True)
        self._clock = clock
        self.times: dict[str, float] = {}

    @classmethod
    def for_output(cls) -> Console:
        """A console for what a command was asked to print, on standard output."""
        console = rich.console.Console(highlight=False, soft_wrap=True)
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = FILE_WIDTH
        return cls(console)

    @contextlib.contextmanager
    def station(self, name: str) -> Iterator[None]:
        """Time a station and say when it is done."""
        begun = self._clock()
        if not self._console.is_terminal:
            self._console.print(f"{name} ...")
        yield
        self.times[name] = self._clock() - begun
        self._console.print(f"[green]✓[/green] {name:<10} {duration(self.times[name])}")

    def note(self, text: str) -> None:
        """One line that is worth knowing but stops nothing."""
        self._console.print(f"[yellow]•[/yellow] {escape(text)}")

    def say(self, text: str = "") -> None:
        self._console.print(escape(text))

    def table(self, table: Table) -> None:
        self._console.print(table)

    @contextlib.contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """A spinner with the last line of something whose length is not known."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), _detail())
        with self._progress(*columns) as progress:
            task = progress.add_task(escape(text), total=None, detail="")
            yield lambda line: progress.update(task, detail=_cut(line))

    @contextlib.contextmanager
    def steps(self, text: str) -> Iterator[Callable[[str], None]]:
        """A bar that follows the counts in a build tool's lines, and a spinner until the first count."""
        columns = (
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(),
            TextColumn("{task.fields[count]}"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"), _detail(),
        )  # fmt: skip
        with self._progress(*columns) as progress:
            task = progress.add_task(escape(text), total=None, detail="", count="", left="")
            pace = Pace(self._clock())

            def line(said: str) -> None:
                pace.expected = total(said) or pace.expected
                counted = count(said)
                if not counted:
                    progress.update(task, detail=_cut(said))
                    return
                now = self._clock()
                counted = pace.at(now, counted)
                seconds = pace.left(now)
                left = _about(seconds) if seconds else ""
                whole = counted.total if math.isfinite(counted.total) else None
                progress.update(
                    task, completed=counted.done, total=whole, count=str(counted), left=left,
                    detail=_cut(counted.rest),
                )  # fmt: skip
                if not self._console.is_terminal and pace.due(now):
                    self.say(f"  {text} {counted} after {duration(now - pace.begun)}{left and ', ' + left}")

            yield line

    @contextlib.contextmanager
    def transfers(self) -> Iterator[Transfers]:
        """Bars for files on their way."""
        columns = (
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        with self._progress(*columns) as progress:
            yield Transfers(progress, self.note)

    def _progress(self, *columns: object) -> Progress:
        return Progress(
            *columns,  # type: ignore[arg-type]
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )


class Transfers:
    """Bars for files on their way; what `kiln.sources` reports to."""

    def __init__(self, progress: Progress, note: Callable[[str], None]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self.note = note

    def begin(self, name: str, total: int | None) -> None:
        self.end(name)
        self._tasks[name] = self._progress.add_task(escape(name), total=total)

    def advance(self, name: str, amount: int) -> None:
        if name in self._tasks:
            self._progress.advance(self._tasks[name], amount)

    def end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if task is not None:
            self._progress.remove_task(task)


def _detail() -> TextColumn:
    return TextColumn("[dim]{task.fields[detail]}[/dim]")


def _cut(text: str, length: int = 60) -> str:
    text = text.strip()
    return escape(text if len(text) <= length else text[: length - 1] + "…")


def _about(seconds: float) -> str:
    """An estimate as people say it: no more exact than it is."""
    if seconds < 90:
        return f"about {max(10, round(seconds / 10) * 10)} s left"
    minutes = round(seconds / 60)
    return f"about {minutes} min left" if minutes < 90 else f"about {seconds / 3600:.1f} h left"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
