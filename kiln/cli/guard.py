"""Failures of a task as one message and an exit code."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from invoke.exceptions import Exit

from kiln.core import KilnError


def guarded(body: Callable[..., None]) -> Callable[..., None]:
    """A task whose failures reach the user as one message and an exit code, never as a traceback."""

    @functools.wraps(body)
    def task(*arguments: Any, **options: Any) -> None:
        try:
            body(*arguments, **options)
        except KilnError as error:
            raise Exit(f"error: {error}", error.exit_code) from error
        except KeyboardInterrupt as error:
            raise Exit("stopped: run the same command again to go on from the caches", 130) from error
        except BrokenPipeError as error:
            # The reader of the output has gone, as `head` does; the rest of the output goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(None, 128 + signal.SIGPIPE) from error
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            raise Exit(
                f"error: {error.strerror or error}{place}: free the disk or fix the permissions, then run the "
                "same command again, which goes on from the caches",
                1,
            ) from error

    return task
