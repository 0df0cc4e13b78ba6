"""Kills real builds at moments made by chance: the wheel must always be the same, and nothing may be left over.

A build is begun, killed after a while, and begun again, some times; then it may end. What is killed is Kiln, the service
of Podman that it has started, or the container of a step. The engine is the one that a build takes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kiln.core import Home, sha256_of
from tests.projects import flow
from tests.support import house as houses
from tests.support.house import House
from tests.support.repository import ROOT
from tests.support.served import served

KINDS = ("kiln", "service", "container")
# Of a checkout, what a build does not read.
LEFT_OUT = (".git", ".venv", "dist", ".mypy_cache", ".ruff_cache", ".pytest_cache")


@dataclass(frozen=True)
class Target:
    """A build, and a folder for temporary files that it alone uses."""

    house: House
    arguments: tuple[str, ...]
    temporary: Path

    @property
    def results(self) -> Path:
        return self.house.root / "dist"

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                self.house.command("build", *self.arguments),
                env=self.house.environment(TMPDIR=str(self.temporary)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def containers(self) -> list[str]:
        """The containers of builds of this home."""
        folders = self.house.home / "builds"
        labels = [str(folder) for folder in folders.iterdir()] if folders.is_dir() else []
        return [found for label in labels for found in houses.containers(label)]


def wheels(target: Target) -> list[Path]:
    return sorted(target.results.rglob("*.whl"))


def station(log: Path) -> str:
    """The station that a build was at, by its last line that begins one."""
    begun = [line.removesuffix(" ...") for line in log.read_text("utf-8", "replace").splitlines()]
    known = [
        line for line in begun if line in ("sources", "toolchain", "compile", "wheel", "smoke", "record")
    ]
    return known[-1] if known else "start"


def kill(target: Target, process: subprocess.Popen[bytes], kind: str) -> str:
    """Kill a part of a build; what was killed, which is Kiln where that part is not running."""
    numbers = list({"service": _services, "container": _mains}.get(kind, _none)(target))
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    if not numbers:
        process.kill()
    process.wait(timeout=600)
    return kind if numbers else "kiln"


def _none(target: Target) -> Iterator[int]:
    return iter(())


def _services(target: Target) -> Iterator[int]:
    """Podman's services that serve this target alone: their socket is in its folder for temporary files."""
    socket = f"unix://{target.temporary}".encode()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and socket in (folder / "cmdline").read_bytes():
                yield int(folder.name)


def _mains(target: Target) -> Iterator[int]:
    """The processes in containers that have a folder of this home."""
    own = Path("/proc/self/ns/mnt").readlink()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            other = folder.name.isdigit() and (folder / "ns/mnt").readlink() != own
            if other and str(target.house.home) in (folder / "mountinfo").read_text("utf-8", "replace"):
                yield int(folder.name)


def left_over(target: Target) -> list[str]:
    """What no finished build leaves: containers, build folders, files that are half written or temporary."""
    found = [f"the container {each}" for each in target.containers()]
    for folder in ("builds", "untested"):
        found += [str(each) for each in (target.house.home / folder).glob("*")]
    found += [str(each) for each in target.temporary.iterdir()]
    return found + [str(each) for each in target.results.rglob(".*")]


def attack(target: Target, kills: int, random: Random, say: Callable[[str], object]) -> list[str]:
    """Kill so many builds; returns what was found wrong."""
    log, found, done = target.house.root / "kills.log", [], Counter[str]()
    begun = time.monotonic()
    if target.start(log).wait():
        return [f"the first build fails:\n{log.read_text('utf-8', 'replace')[-2000:]}"]
    whole = time.monotonic() - begun
    (first,) = wheels(target)
    wanted, count = sha256_of(first), 0
    say(f"one build takes {whole:.0f} s: {first.name}, sha256 {wanted}\n")
    while count < kills:
        target.house.forget(caches=random.random() < 0.5)
        for _ in range(random.randint(1, 5)):
            process, kind = target.start(log), random.choice(KINDS)
            try:
                process.wait(timeout=random.uniform(0.2, whole * 1.1))
                break
            except subprocess.TimeoutExpired:
                at = station(log)
                done[f"{at}, {kill(target, process, kind)}"] += 1
                count += 1
        code = target.start(log).wait()
        made = [sha256_of(each) for each in wheels(target)]
        wrong = ([f"exit code {code}"] if code else []) + ([f"wheels {made}"] if made != [wanted] else [])
        # A process of its own deletes the folder of a build.
        deadline = time.monotonic() + 60
        while (left := left_over(target)) and time.monotonic() < deadline:
            threading.Event().wait(0.5)
        if wrong or left:
            found.append(
                f"after {count} kills: {'; '.join([*wrong, *left])}\n{log.read_text('utf-8', 'replace')[-1500:]}"
            )
            say(f"found    {found[-1]}\n")
        say(f"{count} kills, {len(found)} findings\n")
    for name, times in sorted(done.items()):
        say(f"{name:<24}{times:>5}\n")
    return found


@contextlib.contextmanager
def targets(recipe: str, options: tuple[str, ...], folder: Path) -> Iterator[Target]:
    """A build in `folder`: of a recipe of this checkout, or of `flow`, the Bazel workspace of the tests."""
    home, temporary, root = folder / "home", folder / "tmp", folder / "house"
    for each in (home, temporary):
        each.mkdir()
    (home / "sources").symlink_to(Home.of(os.environ).sources)
    house = House(root, home)
    if recipe != "flow":
        shutil.copytree(ROOT, root, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield Target(house, (recipe, *options), temporary)
        return
    site = folder / "site"
    site.mkdir()
    with served(site) as address:
        flow.publish(site, address)
        flow.repository(root, site, address)
        locked = house.run("lock", "flow/1.0")
        if locked.returncode:
            sys.exit(locked.stderr)
        yield Target(house, ("flow", *options), temporary)


def main() -> int:
    parser = argparse.ArgumentParser(prog="./inv attack --kills")
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--build", default="flow", help="a recipe with its options, or flow")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    recipe, *options = given.build.split()

    def say(text: str) -> int:
        count = sys.stdout.write(text)
        sys.stdout.flush()
        return count

    with (
        tempfile.TemporaryDirectory(prefix="kills-") as folder,
        targets(recipe, tuple(options), Path(folder)) as target,
    ):
        found = attack(target, given.kills, Random(given.seed), say)
    say(f"seed {given.seed}: {given.kills} kills of {given.build}, {len(found)} findings\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
