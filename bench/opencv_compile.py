"""OpenCV's compile: cold against pip's own of the same source, then with a warm cache, then with one file patched."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console as Terminal
from rich.table import Table

from kiln.commands import build
from kiln.core.console import Console
from kiln.core.home import Home
from kiln.plan.planner import Request
from kiln.recipe import Catalogue
from kiln.sources.settings import FetchSettings

ROOT = Path(__file__).resolve().parent.parent
SDIST = "171623dbdb93d7c634b7f851ad5e9cde8ddc6a7afc63e031d206e9216da80373"
# What setup.py needs to run on the same interpreter and NumPy as Kiln's build.
PIP_NEEDS = (
    "numpy==1.23.2",
    "scikit-build==0.11.1",
    "setuptools==59.8.0",
    "wheel==0.42.0",
    "cmake==3.25.2",
    "ninja",
)
PATCHED = "modules/imgproc/src/canny.cpp"
EVERYTHING_ELSE = 15  # seconds


@dataclasses.dataclass(frozen=True)
class Timed:
    """The seconds of a build's stations, and the share of the cores that its compile step kept busy."""

    stations: dict[str, float]
    busy: float

    @property
    def compile(self) -> float:
        return self.stations["compile"]

    @property
    def rest(self) -> float:
        return sum(seconds for name, seconds in self.stations.items() if name not in ("compile", "smoke"))


def kiln(root: Path, home: Home, request: Request) -> Timed:
    """Build from nothing but what the home's caches have."""
    shutil.rmtree(home.results)
    home.results.mkdir()
    console = Console()
    settings = build.BuildSettings(home, os.environ, FetchSettings.from_environment(os.environ), jobs=cores())
    result = build.build_wheel(Catalogue(root), request, settings, console)
    found = re.search(
        r"^compile: ([\d.]+) s of wall time, ([\d.]+) \+ ([\d.]+) s",
        result.record.log.read_text(),
        re.M,
    )
    assert found, "compile.sh no longer tells its time"
    wall, user, system = map(float, found.groups())
    return Timed(dict(console.times), (user + system) / wall / cores())


def pip(sdist: Path, folder: Path, modules: str) -> float:
    """Seconds of `pip wheel` from the source distribution, with the same modules and as many jobs."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    run = [folder / "venv/bin/python", "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*run, "install", "--quiet", *PIP_NEEDS], check=True)
    settings = {
        "CMAKE_ARGS": shlex.join(
            [f"-DBUILD_LIST={modules},python3", "-DWITH_IPP=OFF", "-DWITH_ADE=OFF", "-DCPU_BASELINE=SSE4_2"]
        ),
        "CMAKE_BUILD_PARALLEL_LEVEL": str(cores()),
        "PATH": f"{folder / 'venv/bin'}:{os.environ['PATH']}",
    }
    named = folder / "opencv-python-4.3.0.38.tar.gz"
    named.symlink_to(sdist)
    begun = time.monotonic()
    with (folder / "pip.log").open("wb") as log:
        done = subprocess.run(
            [*run, "wheel", "--verbose", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, named],
            env={**os.environ, **settings}, stdout=log, stderr=log,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit((folder / "pip.log").read_text()[-2000:])
    return time.monotonic() - begun


def patched(root: Path, home: Home) -> None:
    """Give the repository at `root` a patch that changes one source file."""
    tree = home.work / "bench-tree"
    shutil.rmtree(tree, ignore_errors=True)
    with (home.work / "bench.patch").open("wb") as patch:
        for side in ("a", "b"):
            (tree / side / PATCHED).parent.mkdir(parents=True)
        archive = home.sources / "sha256" / SDIST[:2] / SDIST
        member = f"opencv-python-4.3.0.38/opencv/{PATCHED}"
        content = subprocess.run(["tar", "-xzOf", archive, member], check=True, stdout=subprocess.PIPE).stdout
        (tree / "a" / PATCHED).write_bytes(content)
        (tree / "b" / PATCHED).write_bytes(
            content + b"\nnamespace cv { int changedByThePatch() { return 1; } }\n"
        )
        subprocess.run(["diff", "-u", f"a/{PATCHED}", f"b/{PATCHED}"], cwd=tree, stdout=patch)
    folder = root / "patches/opencv"
    folder.mkdir(parents=True)
    (folder / "series.yaml").write_text(
        "patches:\n  - {file: 0001-bench.patch, tree: opencv, why: a benchmark}\n"
    )
    shutil.copy(home.work / "bench.patch", folder / "0001-bench.patch")


def cores() -> int:
    return len(os.sched_getaffinity(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", default="core,imgproc,imgcodecs", help="(default: %(default)s)")
    modules = parser.parse_args().modules
    with tempfile.TemporaryDirectory(dir=Home.of(os.environ).work) as scratch:
        folder = Path(scratch)
        root = folder / "repository"
        ignore = shutil.ignore_patterns(".*", "dist", "patches", "__pycache__")
        shutil.copytree(ROOT, root, ignore=ignore)
        home = Home.of({"KILN_HOME": str(folder / "home")})
        home.sources.rmdir()
        home.sources.symlink_to(Home.of(os.environ).sources)
        # The same work on both sides: the other build cannot have IPP without a download.
        request = Request("opencv", release="4.3.0", options={"modules": modules, "ipp": False})

        cold = kiln(root, home, request)
        warm = kiln(root, home, request)
        patched(root, home)
        one = kiln(root, home, request)
        other = pip(home.sources / "sha256" / SDIST[:2] / SDIST, folder, modules)

    goals = (
        ("Kiln cold / pip wheel", cold.compile, other, cold.compile / other, "at most 1.00"),
        ("Kiln warm cache / cold", warm.compile, cold.compile, warm.compile / cold.compile, "at most 0.10"),
        ("Kiln one file patched / cold", one.compile, cold.compile, one.compile / cold.compile, "at most 0.15"),
        ("cores busy in the cold compile", cold.busy, 1.0, cold.busy, "at least 0.95"),
        ("all that is not compile or smoke", warm.rest, EVERYTHING_ELSE, warm.rest / EVERYTHING_ELSE, "at most 1.00"),
    )  # fmt: skip
    table = Table("what", box=None, pad_edge=False, header_style="bold")
    for title in ("this", "that", "ratio"):
        table.add_column(title, justify="right")
    table.add_column("goal")
    for name, this, that, ratio, goal in goals:
        table.add_row(name, f"{this:.1f}", f"{that:.1f}", f"{ratio:.2f}", goal)
    Terminal(width=120).print(table)
    print(f"seconds, but for the cores; modules {modules}, {cores()} cores")


if __name__ == "__main__":
    main()
