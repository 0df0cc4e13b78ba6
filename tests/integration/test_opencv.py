"""OpenCV itself, from its real source: its smallest modules, built and tested as a person would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from kiln.core.home import Home
from kiln.sources.vault import Vault
from tests.support.house import needs_verify
from tests.support.repository import ROOT

pytestmark = pytest.mark.usefixtures("finished")

# The dispatched code of imgproc takes as long to compile as all that every module needs.
MODULES = "core,imgproc" if "KILN_TEST_VERIFY" in os.environ else "core"


@pytest.fixture(scope="module")
def result() -> Path:
    """The folder of a finished build in this checkout, made with this machine's own caches."""
    command = [sys.executable, ROOT / "tasks.py", "build-opencv", "--modules", MODULES]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return ROOT / f"dist/opencv/4.3.0/cp311-cpu-bookworm-sse4.2+modules-{MODULES.replace(',', '_')}"


def test_opencv_is_built_from_source_and_passes_its_smoke_suite(result: Path) -> None:
    log = (result / "build.log").read_text(encoding="utf-8")
    assert "no download was attempted" in log
    assert "ended with status 0" in log
    smoke = (result / "smoke.xml").read_text(encoding="utf-8")
    assert 'failures="0"' in smoke and 'errors="0"' in smoke and "opencv.test_core" in smoke


@pytest.fixture(scope="module")
def python(result: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a clean environment of this machine that has the wheel."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the wheel is for Python 3.11")
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (wheel,) = result.glob("*.whl")
    # NumPy comes from the vault: the one that the smoke run had.
    pins = json.loads((result / "plan.json").read_text(encoding="utf-8"))["smoke"]["sources"]
    pin = next(pin for pin in pins if pin["name"] == "numpy")
    numpy = folder / pin["file"]
    numpy.symlink_to(Vault(Home.of(os.environ).sources).path(pin["digest"]))
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel, numpy], check=True)
    return python


def test_the_wheel_imports_in_a_clean_environment_of_this_machine(python: Path) -> None:
    code = "import cv2; print(cv2.__version__, 'Intel IPP' in cv2.getBuildInformation(), cv2.__file__)"
    said = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    assert said[:2] == ["4.3.0", "True"] and said[2].startswith(str(python.parent.parent))


# What people write, each line with the type or the error that a checker has to see.
SAMPLE = """\
import cv2
import numpy as np

image = np.zeros((9, 9, 3), np.uint8)
low, high, at, where = cv2.minMaxLoc(cv2.extractChannel(image, 0))
x, y = where
wide = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REFLECT_101, value=(0, 255, 0))
parts = cv2.split(image)
cv2.normalize(parts[0], None, 0, 255, cv2.NORM_MINMAX)
both = cv2.bitwise_and(image, image, mask=cv2.inRange(image, (0, 0, 0), (9, 9, 9))) + cv2.add(image, 5)
on_gpu: cv2.UMat = cv2.flip(cv2.UMat(image), 1)
count: int = cv2.countNonZero(parts[0])
cv2.flip(image, "down")  # wrong
cv2.minMaxLoc()  # wrong
cv2.copyMakeBoarder(image, 1, 1, 1, 1, 0)  # wrong
text: str = cv2.norm(image)  # wrong
"""


def test_mypy_knows_functions_flags_and_results(python: Path, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(SAMPLE, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "sample.py"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    wrong = [number for number, line in enumerate(SAMPLE.splitlines(), 1) if "# wrong" in line]
    found = [int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line]
    assert found == wrong, done.stdout


@needs_verify
def test_opencv_is_built_again_under_other_conditions_with_the_same_bytes(result: Path) -> None:
    (wheel,) = result.glob("*.whl")
    command = [sys.executable, ROOT / "tasks.py", "verify", wheel]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads((result / "reproduced.json").read_text(encoding="utf-8"))
    assert {"paths", "hostname", "jobs", "kernel"} <= set(said["varied"])
