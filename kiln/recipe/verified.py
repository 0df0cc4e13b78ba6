"""What was seen of a recipe's builds: which variants were built and tested, and how much of a machine they used.

`recipes/NAME/verified.yaml` has it, beside the recipe's file and for its releases. Nothing of it is in a build key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from kiln.core import STRICT, Integer, Name, Value, read_yaml, typed
from kiln.recipe.conditions import holds
from kiln.recipe.model import NATIVE

FILE = "verified.yaml"
State = Literal["tested", "compiled", "analysed"]
Size = Annotated[Integer, Field(ge=1)]


@dataclass(frozen=True)
class Run:
    """One variant of a release, and how far it was seen to work.

    `tested` is a wheel that passed its smoke suite with `passed` and `skipped` tests, `compiled` one that was not tested,
    `analysed` a build that was configured and not compiled. `options` are those that were not the recipe's own choice,
    `stand_ins` the sources in whose place others were taken, `tag` is the platform tag of the wheel, `note` what
    else was chosen. `recorded` is the day and the commit that wrote it down.
    """

    release: Name
    device: str
    python: Annotated[tuple[str, ...], Field(min_length=1)]
    state: State
    recorded: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d, [0-9a-f]{7}$")]
    base: Name = "bookworm"
    cpu_features: str = ""
    glibc: str = NATIVE
    options: Mapping[str, Value] = field(default_factory=dict)
    passed: Integer = 0
    skipped: Integer = 0
    stand_ins: Integer = 0
    tag: Annotated[str, Field(pattern=r"^manylinux_2_\d+$")] | None = None
    note: str = ""

    __pydantic_config__ = STRICT

    @property
    def result(self) -> str:
        """How far it was seen to work, in a few words."""
        tests = f": {self.passed} passed, {self.skipped} skipped" if self.state == "tested" else ""
        others = f", with stand-ins for {self.stand_ins} sources" if self.stand_ins else ""
        words = {"tested": "built and tested", "compiled": "compiled, not tested", "analysed": "not compiled"}
        return f"{words[self.state]}{tests}{others}"


@dataclass(frozen=True)
class Needs:
    """What a build was measured to use of a machine, in MB (10^6 bytes), where its `when` holds.

    `memory` is the most at one time with `jobs` compilers at once, of which each further one takes `job`; `disk` what the
    build's folder, its caches and its results take in the home, beside the sources.
    """

    memory: Size
    jobs: Size
    job: Size
    disk: Size
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    __pydantic_config__ = STRICT

    def memory_with(self, jobs: int) -> int:
        """The memory in bytes with as many compilers at once, estimated from what was measured."""
        return (self.memory + (jobs - self.jobs) * self.job) * 10**6


@dataclass(frozen=True)
class Verified:
    """All that was seen of the releases of one recipe file."""

    runs: tuple[Run, ...] = ()
    needs: tuple[Needs, ...] = ()

    __pydantic_config__ = STRICT

    def needed(self, facts: Mapping[str, Value]) -> Needs | None:
        """What a build with these facts uses; None where that was not measured."""
        return next((each for each in self.needs if holds(each.when, facts)), None)


def verified(folder: Path) -> Verified:
    """What was seen of the recipe whose file is in a folder; nothing where no file says it."""
    path = folder / FILE
    found: Verified = typed(read_yaml(path), Verified) if path.exists() else Verified()
    return found
