"""What a person sees: stations, progress bars with an estimate, one-line notes, tables.

On anything but a terminal there are no bars: one line a station, the notes, and now and then one on a long step.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from kiln.core.progress import Pace, count, total
from kiln.core.shown import shown

# Imported where it is used: lines of text need no library.
if TYPE_CHECKING:
    import rich.console
    from rich.progress import Progress, TaskID
    from rich.table import Table

# Columns of a table that goes to a file or a pipe, where nothing needs to be wrapped.
FILE_WIDTH = 240


class Console:
    """The terminal of one command. `times` holds the seconds of every finished station, in order, `begun` its start.

    Lines go to standard error, or with `output` to standard output; or to rich's `console`, if one is given.
    """

    def __init__(
        self,
        console: rich.console.Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        output: bool = False,
    ) -> None:
        self._given = self._made = console
        self._clock = clock
        self._output = output
        self.times: dict[str, float] = {}
        self.begun: dict[str, float] = {}

    @classmethod
    def for_output(cls) -> Console:
        """A console for what a command was asked to print, on standard output."""
        return cls(output=True)

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches."""
        if self._given:
            return self._given.is_terminal
        return self._stream.isatty()

    @property
    def _stream(self) -> TextIO:
        return sys.stdout if self._output else sys.stderr

    @contextlib.contextmanager
    def station(self, name: str) -> Iterator[None]:
        """Time a station and say when it is done."""
        begun = self._clock()
        if not self.is_terminal:
            self.say(f"{name} ...")
        yield
        self.begun[name], self.times[name] = begun, self._clock() - begun
        self._marked("✓", "green", f"{name:<10} {duration(self.times[name])}")

    def note(self, text: str) -> None:
        """One line that is worth knowing but stops nothing."""
        self._marked("•", "yellow", text)

    def say(self, text: str = "") -> None:
        """Lines of text, without what nobody may see and what a terminal would obey."""
        text = shown(text)
        if self._made:
            # A bar may be on the screen, which rich alone can write above.
            self._made.print(text, markup=False, emoji=False)
        else:
            self._stream.write(f"{text}\n")

    def table(self, table: Table) -> None:
        self._rich.print(table)

    @contextlib.contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """A spinner with the last line of something whose length is not known."""
        with self._progress("spinner") as progress:
            task = progress.add_task(text, total=None, detail="") if progress else None
            yield lambda line: _update(progress, task, detail=_cut(line))

    @contextlib.contextmanager
    def steps(self, text: str) -> Iterator[Callable[[str], None]]:
        """A bar that follows the counts in a build tool's lines, and a spinner until the first count."""
        with self._progress("steps") as progress:
            task = progress.add_task(text, total=None, detail="", count="", left="") if progress else None
            pace = Pace(self._clock())

            def show(line: str) -> None:
                pace.expected = total(line) or pace.expected
                counted = count(line)
                if not counted:
                    _update(progress, task, detail=_cut(line))
                    return
                now = self._clock()
                counted = pace.at(now, counted)
                seconds = pace.left(now)
                left = _about(seconds) if seconds else ""
                whole = counted.total if math.isfinite(counted.total) else None
                _update(
                    progress, task, completed=counted.done, total=whole, count=str(counted), left=left,
                    detail=_cut(counted.rest),
                )  # fmt: skip
                if not progress and pace.due(now):
                    self.say(f"  {text} {counted} after {duration(now - pace.begun)}{left and ', ' + left}")

            yield show

    @contextlib.contextmanager
    def transfers(self) -> Iterator[Transfers]:
        """Bars for files on their way."""
        with self._progress("transfers") as progress:
            yield Transfers(progress, self.note)

    @contextlib.contextmanager
    def live(self) -> Iterator[Callable[[Callable[[], Table]], None]]:
        """Draws a table, made by what it is given, again and again at one place, and nothing without a terminal."""
        if not self.is_terminal:
            yield lambda made: None
            return
        from rich.live import Live

        with Live(console=self._rich, auto_refresh=False, transient=True) as drawn:
            yield lambda made: drawn.update(made(), refresh=True)

    @property
    def _rich(self) -> rich.console.Console:
        if self._made is None:
            import rich.console

            self._made = rich.console.Console(highlight=False, soft_wrap=True, stderr=not self._output)
            if self._output and not self.is_terminal:
                self._made.width = shutil.get_terminal_size((FILE_WIDTH, 50)).columns
        return self._made

    def _marked(self, mark: str, colour: str, text: str) -> None:
        if not self.is_terminal:
            self.say(f"{mark} {text}")
            return
        from rich.text import Text

        self._rich.print(Text.assemble((mark, colour), f" {shown(text)}"))

    @contextlib.contextmanager
    def _progress(self, kind: str) -> Iterator[Progress | None]:
        """Bars of a kind, on a terminal."""
        if not self.is_terminal:
            yield None
            return
        from kiln.core import bars

        with bars.made(kind, self._rich) as progress:
            yield progress


class Transfers:
    """Bars for files on their way; what `kiln.sources` reports to."""

    def __init__(self, progress: Progress | None, note: Callable[[str], None]) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self.note = note

    def begin(self, name: str, total: int | None) -> None:
        self.end(name)
        if self._progress:
            self._tasks[name] = self._progress.add_task(name, total=total)

    def advance(self, name: str, amount: int) -> None:
        if self._progress and name in self._tasks:
            self._progress.advance(self._tasks[name], amount)

    def end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        if self._progress and task is not None:
            self._progress.remove_task(task)


def _update(progress: Progress | None, task: TaskID | None, **values: object) -> None:
    if progress and task is not None:
        progress.update(task, **values)  # type: ignore[arg-type]


def _cut(text: str, length: int = 60) -> str:
    text = shown(text).strip()
    return text if len(text) <= length else text[: length - 1] + "…"


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
