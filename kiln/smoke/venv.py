"""A smoke run in a virtual environment of this machine: the same scripts, without a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kiln.build import Line, diagnosis
from kiln.core import KilnError, SmokeError
from kiln.plan import ContainerStep, Plan
from kiln.sources import Obtained

# The oldest that auditwheel, which inspects the wheel's files, runs on.
INSPECTOR = (3, 10)


@dataclass(frozen=True)
class VenvRunner:
    """A folder with what a container would have at /kiln."""

    root: Path
    plan: Plan
    folder: Path
    obtained: tuple[Obtained, ...]
    variables: Mapping[str, str]
    log_file: Path | None = None

    @property
    def build(self) -> Path:
        return self.folder / "build"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def trees(self) -> Path:
        return self.folder / "trees"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def log(self) -> Path:
        return self.log_file or self.folder / "smoke.log"

    def prepare(self) -> None:
        """The folders, and every file under its own name."""
        for folder in (self.build, self.out, self.trees, self.files):
            folder.mkdir(parents=True)
        for each in (each for each in self.obtained if each.source.is_file):
            place = self.files / each.source.file
            if not place.exists():
                place.symlink_to(each.path)

    def run(self, step: ContainerStep, line: Line, failure: type[KilnError] = SmokeError) -> None:
        """One step; its output goes to the log and to `line`. Raises `failure` with the cause found in it."""
        lines: list[str] = []
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"== {step.station}: {step.name} ({step.script})\n")
            process = subprocess.Popen(
                ["bash", str(self.root / step.script)],
                cwd=self.build,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            with process:
                for text in process.stdout or ():
                    log.write(text)
                    lines.append(text.rstrip("\n"))
                    line(lines[-1])
            log.write(f"== {step.name} ended with status {process.returncode}\n")
        if process.returncode:
            raise failure(
                f"{self.plan.recipe.name} {self.plan.recipe.version} failed in the step {step.name} "
                f"(status {process.returncode})",
                "correct what is named above and run again",
                detail=f"  the whole log: {self.log}",
                quoted=diagnosis.cause(lines),
            )

    def environment(self) -> dict[str, str]:
        """The variables of the scripts; of this machine's own variables only where programs are."""
        return {
            **self.variables,
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.build / "home"),
            "TMPDIR": str(self.build / "tmp"),
            "KILN_ROOT": str(self.root),
            "KILN_FILES": str(self.files),
            "KILN_TREES": str(self.trees),
            "KILN_BUILD": str(self.build),
            "KILN_OUT": str(self.out),
            "KILN_INSPECTOR": _inspector(),
        }


def _inspector() -> str:
    """A Python that the tools for inspecting a wheel run on; Kiln's own where it is new enough."""
    if sys.version_info >= INSPECTOR:
        return sys.executable
    newer = (shutil.which(f"python3.{minor}") for minor in range(INSPECTOR[1], 20))
    return next(filter(None, newer), sys.executable)
