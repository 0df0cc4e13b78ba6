"""How the tests of a product's own source tree ended on a wheel, and on another one beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from kiln.core import STRICT, SmokeError, SourceError, plain
from kiln.plan import ContainerStep
from kiln.smoke.results import Ending

UPSTREAM = ContainerStep("smoke", "upstream", "smoke/common/upstream.sh", "runtime")
RESULTS = "upstream/results.json"

Why = Literal["this wheel alone", "the other wheel alone", "both wheels", "known"]


@dataclass(frozen=True)
class UpstreamResult:
    """Of each test, `file::class::name`, how it ended and why, on `wheel` and, if one was given, on the wheel `against`.

    `files` test files were run `of` so many that there are. `known` has the reasons for which tests cannot pass.
    """

    files: int
    of: int
    known: Mapping[str, str]
    wheel: Mapping[str, tuple[Ending, str]]
    against: Mapping[str, tuple[Ending, str]] | None = None

    __pydantic_config__ = STRICT

    @property
    def failures(self) -> dict[str, Why]:
        """The tests that failed anywhere, and where."""
        here, there = (
            {name for name, (ending, _) in side.items() if ending == "failed"}
            for side in (self.wheel, self.against or {})
        )
        return {name: self._where(name, name in here, name in there) for name in sorted(here | there)}

    def _where(self, name: str, here: bool, there: bool) -> Why:
        if here and there:
            return "both wheels"
        if there:
            return "the other wheel alone"
        return "known" if name in self.known else "this wheel alone"

    def why(self, name: str) -> str:
        """What a failed test said."""
        sides = (side.get(name, ("", "")) for side in (self.wheel, self.against or {}))
        return next(said for ending, said in sides if ending == "failed")

    def count(self, ending: Ending) -> tuple[int, int | None]:
        """How many tests ended so on the wheel, and on the other one."""
        here = sum(each == ending for each, _ in self.wheel.values())
        if self.against is None:
            return here, None
        return here, sum(each == ending for each, _ in self.against.values())


def read_upstream(folder: Path) -> UpstreamResult:
    """What a run left in its folder; SmokeError where that cannot be read."""
    try:
        with plain(folder / RESULTS) as stream:
            return TypeAdapter(UpstreamResult).validate_json(stream.read())
    except (OSError, SourceError, ValidationError) as error:
        raise SmokeError(
            f"the run left no readable results in {folder} ({type(error).__name__})", "run it again"
        ) from error
