"""The folder of one build, and the running of its steps in containers at fixed paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kiln.build import diagnosis
from kiln.build.budget import Budget
from kiln.core import BudgetError, CompileError, Home, KilnError, give, remove
from kiln.engine import Engine, Images, Mount, Run
from kiln.plan import SOURCE_PREFIX, ContainerStep, Plan, prepares
from kiln.sources import Obtained

Line = Callable[[str], None]

# Compilers that are told to use colours do so in a log, too.
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def _variables(plan: Plan) -> dict[str, str]:
    return {
        **plan.environment,
        "KILN_PYTHON": plan.interpreter.executable,
        "KILN_WHEELS_BUILD": " ".join(plan.wheels("build")),
        "KILN_WHEELS_TOOLS": " ".join(plan.wheels("tools")),
        "KILN_WHEELS_SMOKE": " ".join(plan.wheels("smoke")),
    }


def smoke_variables(plan: Plan, more: Mapping[str, str], foreign: bool) -> dict[str, str]:
    """The variables of a smoke run: of a foreign wheel nothing is said that only a build by this plan would be."""
    asked = ("KILN_VERSION", "KILN_CPU_FEATURES", "KILN_OPT_") if foreign else ()
    known = {name: value for name, value in _variables(plan).items() if not name.startswith(asked)}
    return {**known, "KILN_SUITE": plan.recipe.smoke.suite, **more}


@dataclass(frozen=True)
class Workspace:
    """Where one build happens: `$KILN_HOME/builds/<name>`, emptied at the start, removed at its end.

    The name is the build key, unless it is given one. `variables` are what a smoke run is told beside the plan;
    of a `foreign` wheel, which this plan did not build, it is not told what the plan asks for.
    """

    root: Path
    plan: Plan
    images: Images
    engine: Engine
    home: Home
    obtained: tuple[Obtained, ...]
    jobs: int
    keep: bool = False
    budget: Budget | None = None
    name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    foreign: bool = False
    log_file: Path | None = None

    @property
    def folder(self) -> Path:
        return self.home.builds / (self.name or self.plan.key)

    @property
    def label(self) -> str:
        """What its containers carry: two homes may build the same plan on one engine."""
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
    def log(self) -> Path:
        return self.log_file or self.folder / "build.log"

    @property
    def interpreter(self) -> Path:
        """Where an interpreter built from source is kept."""
        return self.home.interpreters / self.plan.interpreter_name

    def prepare(self) -> None:
        """Empty folders, and nothing left over of a build of this key that was killed."""
        self.engine.remove(self.label)
        remove(self.folder)
        for folder in (self.folder, self.trees):
            folder.mkdir(parents=True)
        for folder in (self.build, self.build / "home", self.build / "tmp", self.out):
            give(folder, self.engine.owner)
        # Whoever brought the caches here, from another machine for one, may not be who made them.
        give(self.home.ccache, self.engine.owner, all_inside=True)

    def discard(self) -> None:
        remove(self.folder)

    def run(
        self,
        step: ContainerStep,
        line: Line,
        failure: type[KilnError] = CompileError,
    ) -> None:
        """One step; its output goes to the log and to `line`.

        Raises `failure` with the cause found in the output, and the log's path; BudgetError where the time
        for compiling is over, before the step or in it.
        """
        budget = self.budget if step.station == "compile" else None
        if budget and budget.left <= 0:
            raise BudgetError(self._unfinished(budget, f"before the step {step.name}"))
        lines: list[str] = []
        with self.log.open("a", encoding="utf-8", buffering=1) as log:
            log.write(f"== {step.station}: {step.name} ({step.script})\n")

            def both(text: str) -> None:
                text = _COLOURS.sub("", text)
                log.write(text + "\n")
                lines.append(text)
                line(text)

            status = self.engine.run(self._run(step, budget), both, keep=self.keep)
            log.write(f"== {step.name} ended with status {status}\n")
        if budget and budget.stopped(status):
            raise BudgetError(self._unfinished(budget, f"in the step {step.name}"))
        if status:
            raise failure(self._failure(step, status, lines))

    def command(self, image: str, command: tuple[str, ...]) -> tuple[int, list[str]]:
        """A short command in an image of this build, with its interpreter: status and output."""
        lines: list[str] = []
        run = Run(image, command, self.label, self.plan.environment, tuple(self._interpreter(writable=False)))
        status = self.engine.run(run, lines.append)
        return status, lines

    def _run(self, step: ContainerStep, budget: Budget | None = None) -> Run:
        command = ("bash", "-c", f"umask 022 && exec bash /kiln/{step.script}")
        return Run(
            image=self.images.toolchain if step.image == "toolchain" else self.images.runtime,
            command=budget.limited(command) if budget else command,
            label=self.label,
            environment=self.environment(step),
            mounts=tuple(self._mounts(step)),
            workdir="/kiln/build",
            limits=self.plan.limits,
        )

    def environment(self, step: ContainerStep) -> Mapping[str, str]:
        """The variables of a step. The key is told to none that could put it into what is compiled."""
        if step.station in ("smoke", "speed"):
            return smoke_variables(self.plan, self.variables, self.foreign)
        told = {"KILN_STAMP": self.plan.stamp} if step.station == "wheel" else {}
        return {
            **_variables(self.plan),
            "KILN_JOBS": str(self.jobs),
            "KILN_PATCHES": " ".join(
                f"{each.tree}:{each.path(self.plan.recipe)}" for each, _ in self.plan.patches
            ),
            **told,
        }

    def _mounts(self, step: ContainerStep) -> list[Mount]:
        plan = self.plan
        smoke = step.station in ("smoke", "speed")
        files = [each for each in self.obtained if each.source.is_file]
        used = [each for each in files if each.source.use != "smoke" or smoke]
        # One file may be a source twice: a package that the build and the smoke suite both import.
        mounts = list(dict.fromkeys(Mount(each.path, f"/kiln/files/{each.source.file}") for each in used))
        docker = self.root / "docker"
        mounts += [
            Mount(docker / plan.toolchain.name, "/kiln/scripts"),
            Mount(docker / "common", "/kiln/common"),
            Mount(self.build, "/kiln/build", writable=True),
            Mount(self.out, "/kiln/out", writable=not smoke),
            *self._interpreter(writable=step.name == "cpython"),
        ]
        if smoke:
            return [*mounts, *(Mount(self.root / folder, f"/kiln/{folder}") for folder in plan.suite_folders)]
        mounts.append(Mount(self.home.ccache, "/kiln/ccache", writable=True))
        if plan.patches:
            mounts.append(Mount(self.root / "patches" / plan.recipe.name, "/kiln/patches"))
        for source in plan.sources:
            if not source.is_file:
                writable = step.name in ("patch", prepares(source))
                mounts.append(Mount(self.trees / source.name, f"/kiln/trees/{source.name}", writable))
        return mounts

    def _interpreter(self, writable: bool) -> list[Mount]:
        interpreter = self.plan.interpreter
        if interpreter.kind == "prefix":
            return [Mount(Path(interpreter.prefix), interpreter.prefix)]
        if interpreter.kind == "source":
            folder = self.interpreter.with_suffix(".partial") if writable else self.interpreter
            return [Mount(folder, SOURCE_PREFIX, writable)]
        return []

    def _unfinished(self, budget: Budget, where: str) -> str:
        recipe = self.plan.recipe
        return (
            f"{recipe.name} {recipe.version} is not finished, its time budget of {budget.text} ended {where}: "
            "run the same command again to go on from the caches"
        )

    def _failure(self, step: ContainerStep, status: int, lines: list[str]) -> str:
        shell = f"; for a shell in what it left: {self._shell(step)}" if self.keep else ""
        known = diagnosis.cures(self.root, self.plan.recipe.name)
        advice = diagnosis.advice(lines, known) or "correct what is named below and run again"
        return (
            f"{self.plan.recipe.name} {self.plan.recipe.version} failed in the step {step.name} "
            f"(status {status}): {advice}{shell}\n{diagnosis.cause(lines)}\n  the whole log: {self.log}"
        )

    def _shell(self, step: ContainerStep) -> str:
        """The command that opens a shell with the mounts of the container that failed."""
        environment = {name: value for name, value in self.environment(step).items() if name != "KILN_STAMP"}
        variables = "".join(f"export {name}='{value}'\n" for name, value in environment.items())
        (self.build / "environment.sh").write_text(variables, encoding="utf-8")
        client = "podman" if self.engine.name == "Podman" else "docker"
        kept = self.engine.kept(self.label)[0]
        return (
            f"{client} run --rm -it --network none --volumes-from {kept} -w /kiln/build "
            f"{self._run(step).image} bash --rcfile /kiln/build/environment.sh"
        )
