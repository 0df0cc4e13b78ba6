"""Makes tries until their number or the time is over, and prints what was found; the status is 1 where anything was.

Each try has its own source of chance, from the seed and its number, so that one alone can be made again with --only.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from tests.attack.areas import AREAS

# Seconds that one try may take, and bytes of memory that all may have.
PATIENCE = 20
MEMORY = 6 << 30
# Tries that one process makes.
AT_ONCE = 500


# The areas in turn: those whose tries are quick come more often.
QUICK = ("archives", "packages", "lists", "wheels", "urls", "servers")
TURNS = [*AREAS, *QUICK, *QUICK, *QUICK]


@dataclass(frozen=True)
class Finding:
    """What one try found."""

    number: int
    area: str
    what: str

    @property
    def kind(self) -> str:
        """The same for all findings of one cause, as far as that can be seen."""
        return f"{self.area}: {self.what.splitlines()[0][:60]}"


class LateError(Exception):
    """A try that takes too long."""


def area_of(number: int) -> str:
    return TURNS[number % len(TURNS)]


def attempt(seed: int, number: int) -> str:
    """What a try found; nothing where all is well."""
    random = Random(f"{seed}-{number}")
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        signal.alarm(PATIENCE)
        try:
            return AREAS[area_of(number)](random, Path(folder))
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [
                f"{frame.filename.rpartition('/kiln/')[2]}:{frame.lineno}"
                for frame in frames
                if "/kiln/" in frame.filename
            ]
            return f"{type(error).__name__} at {own[-1] if own else frames[-1]}: {error}"[:600]
        finally:
            signal.alarm(0)


def run(seed: int, numbers: range, deadline: float) -> Iterator[tuple[int, str]]:
    """Tries in processes of their own: one that dies is a finding, and the next goes on behind it."""
    at = numbers.start
    while at < numbers.stop and time.monotonic() < deadline:
        here, there = get_context("fork").Pipe(duplex=False)
        some = range(at, min(at + AT_ONCE, numbers.stop))
        process = get_context("fork").Process(target=_child, args=(seed, some, deadline, there))
        process.start()
        there.close()
        try:
            while True:
                number, found = here.recv()
                at = number + 1
                yield number, found
        except EOFError:
            process.join()
        if process.exitcode:
            yield at, f"the process ended with {process.exitcode}"
            at += 1


def _child(seed: int, numbers: range, deadline: float, pipe: Connection) -> None:
    def late(*_: object) -> None:
        raise LateError(f"it takes more than {PATIENCE} s")

    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    for number in numbers:
        if time.monotonic() >= deadline:
            break
        pipe.send((number, attempt(seed, number)))
    pipe.close()
    sys.stdout.flush()
    os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./inv attack")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tries", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one try")
    given = parser.parse_args()
    numbers = range(given.tries) if given.only is None else range(given.only, given.only + 1)
    done: Counter[str] = Counter()
    found: list[Finding] = []
    for number, what in run(given.seed, numbers, time.monotonic() + given.seconds):
        done[area_of(number)] += 1
        if what:
            finding = Finding(number, area_of(number), what)
            if finding.kind not in {each.kind for each in found}:
                sys.stdout.write(f"found    try {number} ({finding.area}): {what!r}\n")
                sys.stdout.flush()
            found.append(finding)
    for area in AREAS:
        sys.stdout.write(
            f"{area:<9}{done[area]:>7} tries {sum(each.area == area for each in found):>5} findings\n"
        )
    kinds = len({each.kind for each in found})
    sys.stdout.write(
        f"seed {given.seed}: {sum(done.values())} tries, {len(found)} findings of {kinds} kinds\n"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
