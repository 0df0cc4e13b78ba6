"""TensorFlow's plain command against the recipe's default: compile actions, and the processor time of one part."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
from pathlib import Path

from rich.console import Console as Terminal
from rich.table import Table

from kiln.build import BuildRunner, compile
from kiln.build.workspace import Workspace
from kiln.commands import lock
from kiln.core.console import Console
from kiln.core.home import Home
from kiln.engine import connect, toolchain
from kiln.plan import planner
from kiln.plan.planner import ContainerStep, Plan, Request
from kiln.recipe import Catalogue
from kiln.sources import fetch, status
from kiln.sources.settings import FetchSettings
from kiln.sources.vault import Vault
from tests.projects import flow
from tests.support import interpreters

ROOT = Path(__file__).resolve().parent.parent
# What both commands build of the tree: code that is compiled for Bazel's own tools, too.
PARTS = {"tensorflow": "//tensorflow/core:protos_all_cc", "flow": "//tensorflow/python:flow_py"}


@dataclasses.dataclass(frozen=True)
class Measured:
    """Of the whole target: C++ compile actions and their configurations. Of the part: processes, and seconds of
    processor time beyond those of loading and analysis."""

    actions: int
    configurations: int
    processes: int
    seconds: float


def repository(recipe: str, root: Path, home: Home, settings: FetchSettings) -> None:
    """A copy of this repository, or one with the workspace of the tests, whose scripts include the measuring one."""
    if recipe == "flow":
        root.mkdir()
        served = root.parent / "served"
        served.mkdir()
        with served(served) as address:
            flow.publish(served, address)
            flow.repository(root, served, address)
            with Console().transfers() as transfers:
                lock.make_locks(Catalogue(root), lock.Request("flow"), home, settings, transfers)
                for source in planner.make(Catalogue(root), Request("flow")).sources:
                    fetch.obtain([source], Vault(home.sources), settings, transfers)
    else:
        shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".*", "dist", "__pycache__"))
    script = Path(__file__).with_suffix(".sh").read_text(encoding="utf-8")
    (root / "docker/tensorflow/measure.sh").write_text(
        script.replace("//:part", PARTS[recipe]), encoding="utf-8"
    )


def measure(root: Path, planned: Plan, home: Home, settings: FetchSettings, console: Console) -> Measured:
    """Configure as a build does, then let Bazel count and compile."""
    steps = [step for step in planned.steps if step.name in ("patch", "python", "configure")]
    steps.append(ContainerStep("compile", "measure", "scripts/measure.sh", "toolchain"))
    planned = dataclasses.replace(planned, steps=tuple(steps))
    with connect(os.environ) as engine:
        with console.transfers() as transfers:
            obtained = fetch.obtain(planned.sources, Vault(home.sources), settings, transfers)
        images = toolchain.ensure(root, planned, engine, home, console, settings.offline)
        folder = home.builds / planned.key
        workspace = Workspace(root, planned, images, engine, home, obtained, folder, folder / "build.log")
        compile.compile_wheel(BuildRunner(workspace, cores()), console)
        said = dict(
            re.findall(r"^measured: (\w+) ([\d.]+)$", workspace.log.read_text(encoding="utf-8"), re.M)
        )
        workspace.discard()
    return Measured(
        actions=int(said["actions"]),
        configurations=int(said["configurations"]),
        processes=int(said["processes"]),
        seconds=float(said["part"]) - float(said["analysis"]),
    )


def missing(request: Request, home: Home, settings: FetchSettings) -> int:
    """How many of a recipe's sources are not in the vault."""
    vault = Vault(home.sources)
    standings = status.survey(planner.make(Catalogue(ROOT), request).sources, vault, settings)
    return sum(standing.path is None for standing in standings)


def cores() -> int:
    return len(os.sched_getaffinity(0))


def main() -> None:
    console = Console()
    home = Home.of(os.environ)
    settings = FetchSettings.from_environment(os.environ)
    request = Request("tensorflow", python_prefix=str(interpreters.prefix("3.7") or ""))
    lacking = missing(request, home, settings)
    if lacking:
        console.note(
            f"the vault lacks {lacking} of TensorFlow's sources: measuring the workspace of the tests"
        )
        request = Request("flow")
    measured: dict[bool, Measured] = {}
    with tempfile.TemporaryDirectory(dir=home.work) as scratch:
        root = Path(scratch, "repository")
        repository(request.recipe, root, home, settings)
        for seed in (True, False):
            planned = planner.make(
                Catalogue(root), dataclasses.replace(request, options={"seed_flags": seed})
            )
            with console.station("--seed-flags" if seed else "default"):
                measured[seed] = measure(root, planned, home, settings, console)

    plain, ours = measured[True], measured[False]
    table = Table("what", box=None, pad_edge=False, header_style="bold")
    for title in ("--seed-flags", "default", "ratio", "goal"):
        table.add_column(title, justify="right")
    for name, this, that, goal in (
        ("C++ compile actions", plain.actions, ours.actions, "at least 2.5"),
        ("their configurations", plain.configurations, ours.configurations, ""),
        ("processes of the part", plain.processes, ours.processes, ""),
        ("processor time of the part, s", plain.seconds, ours.seconds, "at least 1.5"),
    ):
        table.add_row(name, f"{this:,.4g}", f"{that:,.4g}", f"{this / that:.2f}", goal)
    Terminal(width=120).print(table)
    tree = (
        "TensorFlow's tree"
        if request.recipe == "tensorflow"
        else "the workspace of the tests, not TensorFlow's tree"
    )
    print(f"{tree}; the part is {PARTS[request.recipe]}, {cores()} cores")


if __name__ == "__main__":
    main()
