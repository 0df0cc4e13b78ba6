"""The TensorFlow suite, on the TensorFlow 1.15.5 that its makers published."""

from __future__ import annotations

import os
import subprocess

from kiln.models.environment import Environment
from tests.support.repository import ROOT


def test_the_tensorflow_suite_passes_on_the_published_wheel(tensorflow: Environment) -> None:
    # `./inv test-layers` runs the library's own tests.
    command = [
        tensorflow.python,
        "-B",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--ignore=test_layers.py",
    ]
    done = subprocess.run(
        command,
        cwd=ROOT / "smoke/tensorflow",
        env=tensorflow.variables(os.environ, PYTHONPATH=str(ROOT / "layers"), OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
