"""A checkout with the recipe `toy` and a home of its own, and Kiln's command run on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiln import plan
from kiln.archive import tree_digest
from kiln.engine import connect
from kiln.recipe import Catalogue
from tests.support.repository import ROOT

NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}
# Whatever runs the tests, what is printed is for a person.
PLAIN = {"GITHUB_ACTIONS": "", "GITLAB_CI": ""}
VARIANT = "cp311-cpu-bookworm-sse4.2"
needs_verify = pytest.mark.skipif(
    "KILN_TEST_VERIFY" not in os.environ,
    reason="set KILN_TEST_VERIFY=1: it builds all of it again, which takes minutes",
)
needs_shared = pytest.mark.skipif(
    "KILN_TEST_SHARED" not in os.environ,
    reason="set KILN_TEST_SHARED=1: it builds a Bazel workspace again and again, which takes minutes",
)


@dataclass(frozen=True)
class House:
    """A checkout and a home of its own; `run` is what a person types."""

    root: Path
    home: Path

    def environment(self, **changed: str) -> dict[str, str]:
        return {
            **os.environ,
            "KILN_HOME": str(self.home),
            "KILN_FALLBACKS": "0",
            "NO_COLOR": "1",
            **PLAIN,
            **changed,
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.root / "tasks.py"), *arguments]

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return self._finished(self.command(*arguments), None, changed)

    def script(self, *command: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """A program of this checkout, as a job of CI runs it."""
        return self._finished(command, self.root, changed)

    def start(self, *arguments: str, **changed: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**changed),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def cache(self, recipe: str = "toy") -> Path:
        """The compile cache of a recipe's builds for its own choice of everything."""
        return self.home / "ccache" / plan.make(Catalogue(self.root), plan.Request(recipe)).cache_name

    def forget(self, caches: bool = True) -> None:
        """Remove what was built, so that the next build is one; with `caches` also what it would take from there."""
        for folder in (
            self.home / "results",
            self.root / "dist",
            *([self.home / "ccache"] if caches else []),
        ):
            shutil.rmtree(folder, ignore_errors=True)

    def wheel(self, variant: str = VARIANT) -> Path:
        (wheel,) = (self.root / "dist" / "toy" / "1.0" / variant).glob("*.whl")
        return wheel

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")

    def wait_for_log(self, process: subprocess.Popen[str], part: str) -> Path:
        """The log of the build under way, once a container has written `part` into it."""
        while process.poll() is None:
            for log in (self.home / "builds").glob("*/build.log"):
                if part in log.read_text(encoding="utf-8"):
                    return log
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.05)
        raise AssertionError(process.stdout.read() if process.stdout else "")

    def _finished(
        self, command: Sequence[str], folder: Path | None, changed: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env=self.environment(**changed),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )


@dataclass(frozen=True)
class Finished:
    """A finished build, and what it printed."""

    house: House
    printed: str


def make(folder: Path, vault: Path, served: tuple[str, Path]) -> House:
    """The checkout in `folder`, with an empty home but for the vault; `served` is a server's address and folder."""
    (address, site), root, home, toy = served, folder / "house", folder / "home", ROOT / "tests/projects/toy"
    tree = folder / "toy-1.0"
    tree.mkdir(parents=True)
    shutil.copy(toy / "toy.c", tree / "toy.c")
    packed = site / "toy-1.0.tar.gz"
    if not packed.exists():
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(tree, "toy-1.0")
    recipe = (toy / "recipe.yaml").read_text(encoding="utf-8")
    recipe = recipe.replace("TREE", tree_digest(tree))
    recipe = recipe.replace("SHA256", hashlib.sha256(packed.read_bytes()).hexdigest())
    recipe = recipe.replace("URL", f"{address}/{packed.name}")
    for name in (
        "docker/base",
        "docker/common",
        "docker/cuda",
        "recipes/bases",
        "recipes/shared",
        "smoke/common",
    ):
        shutil.copytree(ROOT / name, root / name)
    for source, target in {
        ROOT / "docker/opencv/packages.yaml": "docker/opencv/packages.yaml",
        ROOT / "tasks.py": "tasks.py",
        toy / "compile.sh": "docker/opencv/compile.sh",
        toy / "pack.py": "docker/opencv/pack.py",
        toy / "test_toy.py": "smoke/toy/test_toy.py",
    }.items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / target)
    (root / "kiln").symlink_to(ROOT / "kiln")
    (root / "recipes/toy").mkdir(parents=True)
    (root / "recipes/toy/recipe.yaml").write_text(recipe, encoding="utf-8")
    home.mkdir()
    (home / "sources").symlink_to(vault)
    return House(root, home)


def own_vault(house: House) -> None:
    """Give the house a vault of its own: `gc` in it must not remove what tests beside it need."""
    link = house.home / "sources"
    shared = link.resolve()
    link.unlink()
    shutil.copytree(
        shared, link, copy_function=os.link, ignore=shutil.ignore_patterns("partial", "work", "locks")
    )


def copy(house: House, folder: Path) -> House:
    """The same checkout and home in `folder`, with what was built; the vault stays one."""
    for path, name in ((house.root, "house"), (house.home, "home")):
        # A process of its own may still be deleting what the build has left.
        shutil.copytree(path, folder / name, symlinks=True, ignore=shutil.ignore_patterns("trash-*"))
    return House(folder / "house", folder / "home")


def containers(label: str) -> list[str]:
    """The containers with a label, on the engine that a build takes."""
    with connect(os.environ) as engine:
        return engine.kept(label)
