"""What a person sees: stations, progress bars with an estimate, one-line notes, tables.

On anything but a terminal there are no bars: one line a station, the notes, and one every half minute on what takes long.
Where a CI provider's log folds, each station is a part of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from kiln.core.ci import Log, log_of
from kiln.core.shown import shown
from kiln.core.steps import NoWatch, Step, Watch, duration

# Imported where it is used: lines of text need no library.
if TYPE_CHECKING:
    import rich.console
    from rich.progress import Progress, TaskID
    from rich.table import Table

# Columns of a table that goes to a file or a pipe, where nothing needs to be wrapped.
FILE_WIDTH = 240
# Seconds between two lines on what takes long, where there is no bar; between two looks at a bar's facts.
BETWEEN, LOOK = 30.0, 1.0


class Console:
    """The terminal of one command. `times` holds the seconds of every finished station, in order, `begun` its start.

    Lines go to standard error, or with `output` to standard output; or to rich's `console`, if one is given. `log` is
    what keeps them; `between` is how many seconds lie between two lines on what takes long.
    """

    def __init__(
        self,
        console: rich.console.Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        output: bool = False,
        log: Log | None = None,
        between: float = BETWEEN,
    ) -> None:
        self._log = log or log_of(os.environ)
        self._between = between
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
        """Whether a person watches, on what can show a row that changes."""
        if self._given:
            return self._given.is_terminal
        return self._stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")

    @property
    def _stream(self) -> TextIO:
        return sys.stdout if self._output else sys.stderr

    @contextlib.contextmanager
    def station(self, name: str) -> Iterator[None]:
        """Time a station and say when it is done."""
        begun = self._clock()
        folded = not self.is_terminal and self._raw(self._log.begin(name, time.time()))
        if not self.is_terminal and not folded:
            self.say(f"{name} ...")
        try:
            yield
        finally:
            if folded:
                self._raw(self._log.end(name, time.time()))
        self.begun[name], self.times[name] = begun, self._clock() - begun
        self._marked("✓", "green", f"{name:<10} {duration(self.times[name])}")

    def note(self, text: str) -> None:
        """One line that is worth knowing but stops nothing."""
        self._marked("•", "yellow", text)

    def say(self, text: str = "") -> None:
        """Lines of text, without what nobody may see and what a terminal would obey."""
        text = self._log.safe(shown(text))
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
        with self._shown(Step(text, self._clock, counted=False)) as line:
            yield line

    @contextlib.contextmanager
    def steps(self, text: str, watch: Watch | None = None) -> Iterator[Callable[[str], None]]:
        """A bar that follows the counts in a build tool's lines, and a spinner until the first count.

        `watch` knows what is worth showing beside it.
        """
        with self._shown(Step(text, self._clock, watch or NoWatch())) as line:
            yield line

    @contextlib.contextmanager
    def _shown(self, step: Step) -> Iterator[Callable[[str], None]]:
        """A row that follows a step on a terminal, or a line every half minute; its lines go to what this gives."""
        if not self.is_terminal:
            with _every(self._between, lambda: self.say(step.view().sentence)):
                yield step.line
            return
        from kiln.core import bars

        with bars.made("step", self._rich) as progress:
            task = progress.add_task(step.name, total=None, view=step.view())

            def look() -> None:
                progress.update(task, view=step.view())

            try:
                with _every(LOOK, look):
                    yield step.line
            finally:
                look()

    @contextlib.contextmanager
    def transfers(self) -> Iterator[Transfers]:
        """Bars for files on their way."""
        with self._progress("transfers") as progress:
            transfers = Transfers(progress, self.note)
            if progress:
                yield transfers
                return
            with _every(self._between, lambda: self.say(transfers.sentence)):
                yield transfers

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

    def _raw(self, text: str) -> bool:
        """Write what a log obeys; false where there is nothing to write."""
        stream = self._made.file if self._made else self._stream
        stream.write(text)
        stream.flush()
        return bool(text)

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
        self._under_way: dict[str, tuple[int, int | None]] = {}
        self._done = self._bytes = 0
        self.note = note

    @property
    def sentence(self) -> str:
        """What is on its way, as one line of a log."""
        under_way = [
            f"{name} ({done / 1e6:.1f}{f' of {total / 1e6:.1f}' if total else ''} MB)"
            for name, (done, total) in list(self._under_way.items())
        ]
        done = f"{self._done} downloads ended, {self._bytes / 1e6:.1f} MB"
        return "  " + "; ".join(filter(None, (done, ", ".join(under_way))))

    def begin(self, name: str, total: int | None) -> None:
        self.end(name, done=False)
        self._under_way[name] = (0, total)
        if self._progress:
            self._tasks[name] = self._progress.add_task(name, total=total)

    def advance(self, name: str, amount: int) -> None:
        done, total = self._under_way.get(name, (0, None))
        if name in self._under_way:
            self._under_way[name] = (done + amount, total)
            self._bytes += amount
        if self._progress and name in self._tasks:
            self._progress.advance(self._tasks[name], amount)

    def end(self, name: str, done: bool = True) -> None:
        if self._under_way.pop(name, None) is not None and done:
            self._done += 1
        task = self._tasks.pop(name, None)
        if self._progress and task is not None:
            self._progress.remove_task(task)


@contextlib.contextmanager
def _every(seconds: float, work: Callable[[], None]) -> Iterator[None]:
    """Do something every so many seconds, in a thread of its own, until this context ends."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            # A reader that is gone ends the command elsewhere, with the line that comes next.
            with contextlib.suppress(OSError):
                work()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
