"""The program behind `./inv`: Invoke, with Kiln's command lines and exit codes."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from kiln import __version__
from kiln.cli.collection import collection
from kiln.core import UsageError

# Tasks whose first argument may be left out, and the option that it stands for.
OPTIONAL = {"bench": "name", "serve": "folder", "smoke": "wheel"}
# Tasks that take any number of arguments, the option that each stands for, and the options that take a value.
REPEATED = {"index": ("folder", {"--output"}), "sets": ("folder", {"--output"})}


class KilnProgram(Program):
    """Invoke, with exit code 2 for a command line that is not understood."""

    def parse_core(self, argv: list[str] | None) -> None:
        with _understood():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        with _understood():
            super().parse_tasks()


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        hint = "`./inv --list` shows the tasks, `./inv TASK --help` the options of one"
        raise Exit(f"error: {error} {hint}", UsageError.exit_code) from error


def main(root: Path) -> None:
    """Run the tasks of the repository `root`, wherever the person is."""
    _terminate_cleanly()
    program = KilnProgram(name="Kiln", binary="./inv", version=__version__, namespace=collection(root))
    program.run(["./inv", *rewritten(sys.argv[1:])])


def rewritten(arguments: list[str]) -> list[str]:
    """What Invoke cannot read, as what it can.

    `TASK … --help` becomes `--help TASK`: Invoke would take it for a recipe's name. An argument that may be
    left out, or given again, becomes an option. No argument at all is `--list`.
    """
    task, *rest = arguments or ["--list"]
    if "--help" in rest and not task.startswith("-"):
        return ["--help", task]
    if task in OPTIONAL and rest and not rest[0].startswith("-"):
        return [task, f"--{OPTIONAL[task]}", *rest]
    if task in REPEATED:
        return [task, *_repeated(*REPEATED[task], rest)]
    return [task, *rest]


def _repeated(name: str, valued: set[str], arguments: list[str]) -> Iterator[str]:
    """The arguments with `--name` before each that is neither an option nor an option's value."""
    before = ""
    for argument in arguments:
        if not argument.startswith("-") and before not in valued:
            yield f"--{name}"
        yield argument
        before = argument


def _terminate_cleanly() -> None:
    """End like Ctrl-C when asked to end, so that containers and temporary files are removed."""

    def stop(number: int, _: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
