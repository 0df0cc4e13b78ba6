"""Many builds on this machine: each in a process of its own, as many at once as fit, whatever becomes of the others."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.build import Budget
from kiln.commands import matrix
from kiln.commands.matrix import MatrixRow, Wanted
from kiln.commands.printing import plain_table, short_path
from kiln.core import BudgetError, Console, KilnError, duration, shown, without_secrets
from kiln.engine import cores, memory
from kiln.recipe import Catalogue

if TYPE_CHECKING:
    from rich.table import Table

# What a build wants for itself before another one beside it is of use.
CORES, MEMORY = 8, 16 * 10**9
# The exit codes of a build, the worst first; what a budget stopped only has to be run again.
WORST = (1, 5, 6, 3, 2, 4, 130, BudgetError.exit_code, 0)
# Seconds between two looks at what is under way, and of a log's end that is read, in bytes.
LOOK, END = 0.5, 4096
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class ManySettings:
    """How many builds are made: `at_once` together (0: what fits), with `jobs` compilers in all.

    `words` are further words of each build's command, `budget` the time for all of them.
    """

    environment: Mapping[str, str]
    at_once: int
    jobs: int
    words: tuple[str, ...] = ()
    budget: Budget | None = None


@dataclass
class Build:
    """One build: `status` is its exit code once it has ended, `log` the file with all that it says."""

    row: MatrixRow
    log: Path
    status: int | None = None
    took: float = 0.0
    begun: float = 0.0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def waits(self) -> bool:
        return self.process is None and self.status is None

    @property
    def lines(self) -> list[str]:
        """The last lines of its log."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(max(0, self.log.stat().st_size - END))
                text = stream.read().decode("utf-8", "replace")
        except OSError:
            return []
        return [shown(line).strip() for line in text.splitlines() if line.strip()]

    @property
    def state(self) -> str:
        """What it does, or how it ended, in a few words."""
        if self.waits:
            return "waits"
        if self.status is None:
            return (self.lines or ["begins"])[-1][:80]
        if self.status == BudgetError.exit_code:
            return "stopped by the time budget"
        if self.status:
            return f"failed, exit code {self.status}"
        return "there already" if any("finished before" in line for line in self.lines) else "built"


def run(
    catalogue: Catalogue, wanted: Wanted, everything: bool, settings: ManySettings, console: Console
) -> None:
    """Build the rows of ci/matrix.yaml that are wanted, or with `everything` of all that the recipes declare.

    A build that fails stops no other. Raises KilnError with the exit code of the worst one; where all are finished, none.
    """
    rows = (
        matrix.declared(catalogue, wanted, console.note) if everything else matrix.chosen(catalogue, wanted)
    )
    folder = catalogue.root / "dist" / "matrix"
    folder.mkdir(parents=True, exist_ok=True)
    builds = [Build(row, folder / f"{row.name}.log") for row in rows]
    together = at_once(settings.at_once, len({each.row.plan.cache_name for each in builds}))
    jobs = max(1, settings.jobs // together)
    console.note(
        f"{len(builds)} builds, {together} at once with {jobs} compilers each; their logs are in {short_path(folder)}"
    )
    command = (sys.executable, str(catalogue.root / "tasks.py"))
    words = (*settings.words, "--jobs", str(jobs))
    try:
        with console.live() as draw:
            _work(
                builds,
                together,
                lambda build: _start(build, command, words, settings),
                draw,
                console,
                settings,
            )
    finally:
        for build in builds:
            _stop(build)
    Console.for_output().table(_table(builds))
    worst = worst_of(each.status for each in builds)
    if worst:
        failed = [each for each in builds if each.status != 0]
        error = KilnError(
            f"{len(failed)} of {len(builds)} builds are not finished",
            "read their logs, correct what they say, and run the same command again: what is finished is not built again",
            detail="\n".join(f"  {each.row.name}: {_why(each)}" for each in failed),
        )
        error.exit_code = worst
        raise error


def at_once(asked: int, caches: int, processors: int = 0, there: int = 0) -> int:
    """How many builds run together: `asked`, or what fits in the processors and in the memory `there`, in bytes.

    Never more than there are `caches`: builds with one compile cache run one after another, so that the second finds what
    the first has compiled.
    """
    fitting = min((processors or cores()) // CORES, (there or memory()) // MEMORY)
    return max(1, min(asked or fitting, caches))


def worst_of(statuses: Iterable[int | None]) -> int:
    """The worst exit code; that of a build which never began is that of a budget."""
    found = {BudgetError.exit_code if each is None else each for each in statuses}
    known = [code for code in WORST if code in found]
    return next(iter(found - set(WORST)), known[0] if known else 0)


def following(builds: Sequence[Build]) -> Build | None:
    """The next build to begin: the first that waits and whose compile cache no other one uses."""
    busy = {each.row.plan.cache_name for each in builds if each.process and each.status is None}
    return next((each for each in builds if each.waits and each.row.plan.cache_name not in busy), None)


def _work(
    builds: Sequence[Build],
    together: int,
    start: Callable[[Build], None],
    draw: Callable[[Callable[[], Table]], None],
    console: Console,
    settings: ManySettings,
) -> None:
    """Run all builds; those that the time budget leaves no time for do not begin."""
    while True:
        running = [each for each in builds if each.process and each.status is None]
        over = settings.budget is not None and settings.budget.left <= 0
        while len(running) < together and not over and (build := following(builds)):
            start(build)
            console.note(f"{build.row.name}: begins")
            running.append(build)
        draw(lambda: _table(builds))
        if not running:
            return
        first = running[0].process
        if first:
            with contextlib.suppress(subprocess.TimeoutExpired):
                first.wait(timeout=LOOK)
        for build in running:
            code = build.process.poll() if build.process else None
            # What a signal ended has its number as a negative one.
            build.status = 128 - code if code is not None and code < 0 else code
            build.took = time.monotonic() - build.begun
            if build.status is not None:
                console.note(f"{build.row.name}: {build.state} ({duration(build.took)})")


def _start(build: Build, command: Sequence[str], words: Sequence[str], settings: ManySettings) -> None:
    left = ("--time-budget", f"{max(1, int(settings.budget.left))}s") if settings.budget else ()
    with build.log.open("wb") as log:
        build.process = subprocess.Popen(
            [*command, *build.row.arguments, *words, *left],
            env=dict(settings.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_ends_with_parent,
        )
    build.begun = time.monotonic()


def _ends_with_parent() -> None:
    """Have the kernel interrupt this process, which is about to become a build, when its parent ends, however."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGINT)


def _stop(build: Build) -> None:
    """Interrupt a build that is under way, which then removes its container."""
    if build.process and build.process.poll() is None:
        build.process.send_signal(signal.SIGINT)
        build.process.wait()


def _table(builds: Iterable[Build]) -> Table:
    from rich.markup import escape

    table = plain_table("build", "state", "time", "wheel")
    for each in builds:
        took = each.took if each.status is not None else time.monotonic() - each.begun
        wheels = (
            sorted((each.log.parent.parent / each.row.plan.folder).glob("*.whl")) if each.status == 0 else []
        )
        table.add_row(
            each.row.name,
            escape(each.state),
            duration(took) if each.begun else "",
            str(short_path(wheels[0])) if wheels else "",
        )
    return table


def _why(build: Build) -> str:
    """What a build that is not finished said last."""
    if build.process is None:
        return "the time budget ended before it began"
    said = [line for line in build.lines if line.startswith("error:")]
    return f"{without_secrets((said or build.lines or ['nothing'])[-1])} ({short_path(build.log)})"
