"""Failures of a task as one message and an exit code."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.exceptions import Exit

from kiln.core import KilnError, log_of, shown


def exit_without_reader() -> Exit:
    """How a command ends whose output nobody reads any more, as after `| head`: without a word."""
    # What is still in the buffer goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return Exit(None, 128 + signal.SIGPIPE)


def guarded(body: Callable[..., None]) -> Callable[..., None]:
    """A task whose failures reach the user as one message and an exit code, never as a traceback."""

    @functools.wraps(body)
    def task(*arguments: Any, **options: Any) -> None:
        try:
            body(*arguments, **options)
        except KilnError as error:
            place = shown(error.where).removeprefix(f"{Path.cwd()}/")
            said = "\n".join(filter(None, (shown(error.sentence), shown(error.quoted))))
            sys.stderr.write(log_of(os.environ).error(said, place))
            raise Exit(shown(error.told("error: ")), error.exit_code) from error
        except KeyboardInterrupt as error:
            raise Exit("stopped: run the same command again to go on from the caches", 130) from error
        except BrokenPipeError as error:
            raise exit_without_reader() from error
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            raise Exit(
                f"error: {error.strerror or error}{place}: free the disk or fix the permissions, then run the "
                "same command again, which goes on from the caches",
                1,
            ) from error

    return task
