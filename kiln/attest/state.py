"""How far a rebuild is that takes several runs, in the folder of the rebuild."""

from __future__ import annotations

import contextlib
import datetime
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kiln.core import parse_json, remove

_FILE = "state.json"


@dataclass(frozen=True)
class State:
    """The variations of a rebuild, when its first run began (UTC), and how many runs took how many seconds."""

    chosen: tuple[str, ...]
    begun: str
    runs: int = 0
    seconds: float = 0.0

    def after(self, seconds: float) -> State:
        """The state after one more run."""
        return replace(self, runs=self.runs + 1, seconds=round(self.seconds + seconds, 1))

    def write(self, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")


def begin(folder: Path, chosen: tuple[str, ...]) -> State:
    """The state of a rebuild that earlier runs have begun with the same variations; else a new one in an empty folder."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        value = parse_json((folder / _FILE).read_text(encoding="utf-8"))
        state = State(**{**value, "chosen": tuple(value["chosen"])})
        if state.chosen == chosen:
            return state
    remove(folder)
    folder.mkdir(parents=True)
    state = State(chosen, now())
    state.write(folder)
    return state


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
