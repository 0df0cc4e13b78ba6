"""A repository with the recipe `toy`, whose source a local server gives, and what is made once for all tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiln.cli import develop_tasks
from kiln.core.console import Console
from kiln.core.errors import UsageError
from kiln.models.environment import Environment
from tests.support import house as houses
from tests.support import interpreters
from tests.support import served as serving
from tests.support.house import Finished, House
from tests.support.repository import ROOT

# What takes longest begins first. Each file's tests run in one process: they share what is made once.
FIRST = ("test_opencv.py", "test_bazel.py", "test_bases.py", "test_build.py")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would every build that is started here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all processes of a run."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def vault(shared: Path) -> Path:
    """One vault for all tests: what they pin is fetched once."""
    folder = shared / "vault"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A folder and the address of the server that serves it."""
    folder = tmp_path_factory.mktemp("served")
    with serving.served(folder) as address:
        yield address, folder


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, shared: Path, vault: Path, served: tuple[str, Path]
) -> Finished:
    """One build of the toy from nothing. Tests change a copy of it, never the build itself."""
    house = houses.make(tmp_path_factory.mktemp("finished"), vault, served)
    # Images are the engine's: where they are not there yet, one process of a run makes them.
    with (shared / "images.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        done = None if lock.read() else house.run("build", "toy")
        lock.write("made")
    done = done or house.run("build", "toy")
    assert done.returncode == 0, done.stderr
    return Finished(house, done.stderr)


@pytest.fixture
def house(tmp_path: Path, vault: Path, served: tuple[str, Path], finished: Finished) -> House:
    """The repository `toy` with an empty home, but for the vault and the virtual environments of its builds."""
    made = houses.make(tmp_path, vault, served)
    shutil.copytree(finished.house.home / "venvs", made.home / "venvs", symlinks=True)
    return made


@pytest.fixture
def built(tmp_path: Path, finished: Finished) -> House:
    """The repository `toy` after its build."""
    return houses.copy(finished.house, tmp_path / "built")


@pytest.fixture(scope="session")
def python_prefix() -> Path:
    """Where a Python 3.7 of this machine is installed."""
    return interpreters.prefix("3.7") or pytest.skip(
        "there is no Python 3.7 here: name one in KILN_TEST_PYTHON37"
    )


@pytest.fixture(scope="session")
def tensorflow() -> Environment:
    """TensorFlow 1.15.5 with the converter to ONNX and what the layer library's tests need, in Kiln's own home."""
    try:
        return develop_tasks.tensorflow_environment(ROOT, os.environ, Console())
    except UsageError as error:
        pytest.skip(str(error))
