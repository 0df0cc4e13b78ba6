"""The layer library and the TensorFlow suite, on the TensorFlow 1.15.5 that its makers published."""

from __future__ import annotations

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.repository import ROOT

LAYERS = ROOT / "layers"


def interpreter() -> Path | None:
    """A Python 3.7, the last that this TensorFlow has wheels for: in PATH, or where pyenv puts it."""
    found = shutil.which("python3.7")
    places = [Path(found)] if found else []
    places += sorted(Path.home().glob(".pyenv/versions/3.7.*/bin/python3.7"))
    for place in places:
        if not subprocess.run([place, "-c", "import ensurepip"], capture_output=True).returncode:
            return place
    return None


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the library's hash-locked requirements."""
    base = interpreter()
    if base is None:
        pytest.skip("there is no Python 3.7 in PATH or under ~/.pyenv")
    folder = tmp_path_factory.mktemp("tensorflow")
    subprocess.run([base, "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    locked = ["--require-hashes", "--requirement", LAYERS / "requirements-tf1.txt"]
    subprocess.run([*pip, *locked], check=True)
    return folder / "bin" / "python"


def run(python: Path, folder: Path, *arguments: str) -> str:
    """What pytest prints, in the environment of `python`; fails where a test does."""
    done = subprocess.run(
        [python, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(LAYERS), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_the_layer_library_passes_its_tests_on_tensorflow_1(python: Path) -> None:
    files = sorted(f"tests/{path.name}" for path in (LAYERS / "tests").glob("test_*.py"))
    # They are the longest of all tests, and one process of them keeps one core busy.
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(
            lambda half: run(python, LAYERS, *half, "-m", "not slow"), (files[::2], files[1::2])
        )
    assert all(" passed" in said for said in halves)


def test_the_tensorflow_suite_passes_on_the_published_wheel(python: Path) -> None:
    # The library's own tests are the test above.
    said = run(python, ROOT / "smoke/tensorflow", ".", "--ignore=test_layers.py")
    assert " passed" in said
