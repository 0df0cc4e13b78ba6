"""The program behind `./inv`: Invoke, with Kiln's command lines and exit codes."""

from __future__ import annotations

import contextlib
import gc
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.parser import Parser
from invoke.program import Program

from kiln import __version__
from kiln.cli.arguments import ARGUMENTS
from kiln.cli.collection import collection
from kiln.cli.groups import listing
from kiln.cli.guard import exit_without_reader
from kiln.core import UsageError


class KilnProgram(Program):
    """Invoke, with exit code 2 for a command line that is not understood."""

    def parse_core(self, argv: list[str] | None) -> None:
        with _understood():
            super().parse_core(argv)

    def _make_parser(self) -> Parser:
        """For the tasks that the command line may name: Invoke's parser copies all that it knows of each."""
        words = {*self.core.unparsed, self.args.help.value}
        named = [
            each for each in self.collection.to_contexts() if not words.isdisjoint((each.name, *each.aliases))
        ]
        return Parser(initial=self.initial_context, contexts=named)

    def parse_tasks(self) -> None:
        with _understood():
            super().parse_tasks()
        # A task cannot see by itself whether an option was given or has its default.
        given = {
            argument.name for task in self.tasks for argument in task.args.values() if argument.got_value
        }
        self.collection.configure({"given": sorted(given)})

    def list_flat(self) -> None:
        """All tasks, in groups by what a person wants to do."""
        helps = {name: text or "" for name, text in self._make_pairs(self.scoped_collection)}
        sys.stdout.write(listing(helps, shutil.get_terminal_size((100, 50)).columns) + "\n")


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        hint = "`./inv --list` shows the tasks, `./inv TASK --help` the options of one"
        raise Exit(f"error: {error} {hint}", UsageError.exit_code) from error


def main(root: Path) -> None:
    """Run the tasks of the repository `root`, wherever the person is."""
    try:
        _run(root)
    except BrokenPipeError:
        sys.exit(exit_without_reader().code)
    except KeyboardInterrupt:
        # Before a task has begun there is nothing to say.
        sys.exit(130)


def _run(root: Path) -> None:
    # What a start makes stays: to look for garbage in it again and again takes a tenth of the time.
    gc.set_threshold(50_000)
    _terminate_cleanly()
    tasks = collection(root)
    if sys.argv[1:3] == ["--complete", "--"]:
        from kiln.cli.completion import candidates

        offered = candidates(sys.argv[3:], tasks, tasks.configuration()["catalogue"])
        sys.stdout.write("".join(f"{each}\n" for each in offered))
        return
    program = KilnProgram(name="Kiln", binary="./inv", version=__version__, namespace=tasks)
    program.run(["./inv", *rewritten(sys.argv[1:], tasks)])
    sys.stdout.flush()


def rewritten(arguments: list[str], tasks: Collection) -> list[str]:
    """What Invoke cannot read, as what it can.

    `TASK … --help` becomes `--help TASK`: Invoke would take it for a recipe's name. An argument that may be
    left out, or given again, becomes an option. No argument at all is `--list`.
    """
    task, *rest = arguments or ["--list"]
    if "--help" in rest and not task.startswith("-"):
        return ["--help", task]
    if task in ARGUMENTS:
        flags = (argument for argument in tasks[task].get_arguments() if argument.takes_value)
        valued = {f"--{name.replace('_', '-')}" for argument in flags for name in argument.names}
        return [task, *_named(rest, f"--{ARGUMENTS[task]}", valued)]
    return [task, *rest]


def _named(arguments: list[str], option: str, valued: set[str]) -> Iterator[str]:
    """The arguments with `option` before each that is neither an option nor an option's value."""
    before = ""
    for argument in arguments:
        if not argument.startswith("-") and before not in valued:
            yield option
        yield argument
        before = argument


def _terminate_cleanly() -> None:
    """End as with Ctrl-C when asked to end, so that containers and temporary files are removed."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def stop(number: int, _: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
