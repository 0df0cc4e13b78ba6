"""Work that goes on beside what a person watches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from kiln.core import Console

T = TypeVar("T")
# Seconds between two lines of something that nobody watches: never.
_NEVER = 1e6


class Beside(Console):
    """The console of such work: its notes are shown among the others, and nothing else is."""

    def __init__(self, watched: Console) -> None:
        super().__init__(between=_NEVER)
        self._watched = watched

    @property
    def is_terminal(self) -> bool:
        """No: the rows that change are those of the other console."""
        return False

    def note(self, text: str) -> None:
        self._watched.note(text)


def begun(work: Callable[[Console], T], console: Console) -> Callable[[], T]:
    """Begin some work in a thread of its own. The result waits for what it returns, and raises what it raises.

    Where nobody waits any more, it ends with the process.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work(Beside(console)))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result
