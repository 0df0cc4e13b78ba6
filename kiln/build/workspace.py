"""The folder in which the steps of one plan run, each in a container that has everything at fixed paths."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kiln.build import diagnosis
from kiln.build.budget import Budget
from kiln.build.measured import Meter
from kiln.build.trash import discard
from kiln.core import BudgetError, CompileError, Home, KilnError, give, new, shown
from kiln.engine import Images, Mount, Run
from kiln.plan import SOURCE_PREFIX, ContainerStep, Plan, cache_name, shared_name
from kiln.recipe import NATIVE
from kiln.sources import Obtained

if TYPE_CHECKING:
    from kiln.engine import Engine

Line = Callable[[str], None]

# The part of a kept folder of virtual environments that steps see.
VENVS_FILES = "files"

# Compilers that are asked for colours also use them in a log.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Workspace:
    """Where the steps of one plan run, one after the other.

    `folder` is emptied at the start and removed at the end. `log` is the file to which all output goes. With `keep`
    the container of a step that failed is not removed. `memory` is how many bytes a container may use; 0 is no limit.
    `meter` measures the steps. `shared` is the name of the shared cache that they use, or empty.
    """

    root: Path
    plan: Plan
    images: Images
    engine: Engine
    home: Home
    obtained: tuple[Obtained, ...]
    folder: Path
    log: Path
    keep: bool = False
    memory: int = 0
    meter: Meter | None = None
    shared: str = ""

    @property
    def label(self) -> str:
        """The label of its containers: two homes may build the same plan on one engine."""
        return str(self.folder)

    @property
    def trees(self) -> Path:
        return self.folder / "trees"

    @property
    def build(self) -> Path:
        return self.folder / "build"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def sockets(self) -> Path:
        """Where the steps reach a shared cache."""
        return self.folder / "cache"

    @property
    def interpreter(self) -> Path:
        """Where an interpreter is kept that was built from source."""
        return self.home.interpreters / self.plan.interpreter_name

    @property
    def venvs(self) -> Path:
        """Where the virtual environments of the step `python` are kept, in the folder `files`."""
        return self.home.venvs / self.plan.venvs_name

    @property
    def partial_venvs(self) -> Path:
        """Where that step makes them."""
        return self.venvs.with_suffix(".partial")

    @property
    def cache(self) -> Path:
        """The compile cache of the recipe's steps."""
        return self.home.ccache / shared_name(self.plan.cache_name, self.shared)

    @property
    def interpreter_cache(self) -> Path:
        """That of the step which compiles an interpreter: every recipe uses its result."""
        return self.home.ccache / cache_name(self.plan.toolchain.image, "")

    def prepare(self) -> None:
        """Make the folders, all empty; remove what an earlier build left that was killed."""
        self.engine.remove(self.label)
        self.discard()
        for folder in (self.folder, self.trees, self.sockets):
            folder.mkdir(parents=True)
        for folder in (self.build, self.build / "home", self.build / "tmp", self.out):
            give(folder, self.engine.owner)
        # Caches that were copied here, for example from another machine, may belong to another user.
        for cache in (self.cache, self.interpreter_cache):
            give(cache, self.engine.owner, all_inside=True)
        failures = [
            f"== sources: {each.source.name}: {' '.join(failure)}\n"
            for each in self.obtained
            for failure in each.failures
        ]
        if failures:
            with self.log.open("a", encoding="utf-8") as log:
                log.writelines(failures)

    def discard(self) -> None:
        """Remove the folder; this returns at once, and a process of its own deletes the files."""
        discard(self.folder, self.home.work)

    def run(
        self,
        step: ContainerStep,
        line: Line,
        environment: Mapping[str, str],
        mounts: Iterable[Mount],
        failure: type[KilnError] = CompileError,
        budget: Budget | None = None,
    ) -> None:
        """Run one step with these variables and mounts; its output goes to the log and to `line`.

        Raises `failure` with the cause that was found in the output, and BudgetError if the time of `budget` is over
        before the step or during it.
        """
        if budget and budget.left <= 0:
            raise self._unfinished(budget, f"before the step {step.name}")
        run = self._container(step, environment, mounts, budget)
        lines: list[str] = []
        with self.log.open("a", encoding="utf-8", buffering=1) as log:
            log.write(f"== {step.station}: {step.name} ({step.script})\n")

            def both(text: str) -> None:
                text = shown(_COLOURS.sub("", text))
                log.write(text + "\n")
                lines.append(text)
                line(text)

            with self.meter.step(step) if self.meter else contextlib.nullcontext() as usage:
                status = self.engine.run(run, both, keep=self.keep, usage=usage)
            log.write(f"== {step.name} ended with status {status}\n")
        if budget and budget.stopped(status):
            raise self._unfinished(budget, f"in the step {step.name}")
        if status:
            shell = self._shell(run) if self.keep else "run again with --keep"
            known = diagnosis.cures(self.root, self.plan.recipe.name)
            advice = diagnosis.advice(lines, known) or "correct what is named above and run again"
            raise failure(
                f"{self.plan.recipe.name} {self.plan.recipe.version} failed in the step {step.name} (status {status})",
                advice,
                detail=f"  the whole log: {self.log}\n  for a shell in what it left: {shell}",
                quoted=diagnosis.shown(lines, known),
            )

    def command(self, image: str, command: tuple[str, ...]) -> tuple[int, list[str]]:
        """Run a short command in an image of this build, with its interpreter: exit status and output."""
        lines: list[str] = []
        mounts = tuple(self._interpreter(writable=False))
        run = Run(image, command, self.label, self.plan.environment, mounts, memory=self.memory)
        return self.engine.run(run, lines.append), lines

    def mounts(
        self, files: Iterable[Obtained], *, writable_out: bool, writable_interpreter: bool = False
    ) -> list[Mount]:
        """What every step has: pinned files, the scripts, the folders `build` and `out`, and the interpreter."""
        docker = self.root / "docker"
        # One file may be two sources: a package that both the build and the smoke suite import.
        pinned = dict.fromkeys(Mount(each.path, f"/kiln/files/{each.source.file}") for each in files)
        return [
            *pinned,
            Mount(docker / self.plan.toolchain.name, "/kiln/scripts"),
            Mount(docker / "common", "/kiln/common"),
            *([Mount(docker / "cuda", "/kiln/cuda")] if self.plan.variant.device != "cpu" else []),
            *([Mount(docker / "glibc", "/kiln/glibc")] if self.plan.variant.glibc != NATIVE else []),
            Mount(self.build, "/kiln/build", writable=True),
            Mount(self.out, "/kiln/out", writable=writable_out),
            *self._interpreter(writable_interpreter),
        ]

    def _interpreter(self, writable: bool) -> list[Mount]:
        interpreter = self.plan.interpreter
        if interpreter.kind == "prefix":
            return [Mount(Path(interpreter.prefix), interpreter.prefix)]
        if interpreter.kind == "source":
            folder = self.interpreter.with_suffix(".partial") if writable else self.interpreter
            return [Mount(folder, SOURCE_PREFIX, writable)]
        return []

    def _container(
        self,
        step: ContainerStep,
        environment: Mapping[str, str],
        mounts: Iterable[Mount],
        budget: Budget | None,
    ) -> Run:
        command = ("bash", "-c", f"umask 022 && exec bash /kiln/{step.script}")
        return Run(
            image=self.images.toolchain if step.image == "toolchain" else self.images.runtime,
            command=budget.limited(command) if budget else command,
            label=self.label,
            environment=environment,
            mounts=tuple(mounts),
            workdir="/kiln/build",
            limits=self.plan.limits,
            memory=self.memory,
        )

    def _unfinished(self, budget: Budget, where: str) -> BudgetError:
        recipe = self.plan.recipe
        return BudgetError(
            f"{recipe.name} {recipe.version} is not finished: its time budget of {budget.text} ended {where}",
            "run the same command again to go on from the caches",
        )

    def _shell(self, run: Run) -> str:
        """The command that opens a shell with the variables and mounts of a container that failed."""
        variables = "".join(
            f"export {name}={shlex.quote(value)}\n" for name, value in run.environment.items()
        )
        with new(self.build / "environment.sh") as file:
            file.write(variables.encode())
        return shlex.join(self.engine.shell(run, "/kiln/build/environment.sh"))


def plan_variables(plan: Plan) -> dict[str, str]:
    """The variables that every step of a plan has."""
    return {
        **plan.environment,
        "KILN_PYTHON": plan.interpreter.executable,
        "KILN_WHEELS_BUILD": " ".join(plan.wheels("build")),
        "KILN_WHEELS_TOOLS": " ".join(plan.wheels("tools")),
        "KILN_WHEELS_SMOKE": " ".join(plan.wheels("smoke")),
    }
