"""A repository with the recipe `toy`, whose source a local server gives, and Kiln's command run on it."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiln.archive import tree_digest
from kiln.core.console import Console
from kiln.core.errors import UsageError
from kiln.core.home import Home
from kiln.models import environment, onnx
from tests.support import interpreters
from tests.support.repository import BASE, ROOT


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would every build that is started here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class House:
    """A checkout and a home of its own; `run` is what a person types."""

    root: Path
    home: Path

    def environment(self, **changed: str) -> dict[str, str]:
        return {**os.environ, "KILN_HOME": str(self.home), "KILN_FALLBACKS": "0", "NO_COLOR": "1", **changed}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.root / "tasks.py"), *arguments]

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(**changed),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )

    def script(self, *command: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """A program of this checkout, as a job of CI runs it."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**changed),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )

    def wheel(self, variant: str = "cp311-cpu-bookworm-sse4.2") -> Path:
        (wheel,) = (self.root / "dist" / "toy" / "1.0" / variant).glob("*.whl")
        return wheel

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One vault for all tests: what they pin is fetched once."""
    return tmp_path_factory.mktemp("vault")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A folder and the address of the server that serves it."""
    folder = tmp_path_factory.mktemp("served")
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", folder
        server.shutdown()


@pytest.fixture
def house(tmp_path: Path, vault: Path, served: tuple[str, Path]) -> House:
    """The repository `toy` with an empty home, but for the shared vault."""
    address, folder = served
    root, toy = tmp_path / "house", ROOT / "tests/projects/toy"
    tree = tmp_path / "toy-1.0"
    tree.mkdir()
    shutil.copy(toy / "toy.c", tree / "toy.c")
    packed = folder / "toy-1.0.tar.gz"
    if not packed.exists():
        with tarfile.open(packed, "w:gz") as tar:
            tar.add(tree, "toy-1.0")
    recipe = (toy / "recipe.yaml").read_text(encoding="utf-8")
    recipe = recipe.replace("TREE", tree_digest(tree))
    recipe = recipe.replace("SHA256", hashlib.sha256(packed.read_bytes()).hexdigest())
    recipe = recipe.replace("URL", f"{address}/{packed.name}")
    for folder_name in ("docker/common", "recipes/shared", "smoke/common"):
        shutil.copytree(ROOT / folder_name, root / folder_name)
    for source, target in {
        ROOT / BASE: BASE,
        ROOT / "docker/opencv/Dockerfile": "docker/opencv/Dockerfile",
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
    home = tmp_path / "home"
    home.mkdir()
    (home / "sources").symlink_to(vault)
    return House(root, home)


@pytest.fixture(scope="session")
def python_prefix() -> Path:
    """Where a Python 3.7 of this machine is installed."""
    return interpreters.prefix("3.7") or pytest.skip(
        "there is no Python 3.7 here: name one in KILN_TEST_PYTHON37"
    )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def tools_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for programs that Kiln runs beside itself: their packages are installed once."""
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="session")
def tensorflow(tools_home: Path) -> environment.Environment:
    """TensorFlow 1.15.5 with the converter to ONNX, as `./inv onnx` has it."""
    try:
        base = environment.interpreter(onnx.PYTHON, "", os.environ)
    except UsageError as error:
        pytest.skip(str(error))
    home = Home.of({**os.environ, "KILN_HOME": str(tools_home)})
    return environment.make(home, base, onnx.pins(ROOT, None), os.environ, False, Console())
